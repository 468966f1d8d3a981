"""What the page says: every text in every language, short, and without anything that only we understand."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from string import Formatter
from zoneinfo import ZoneInfo

import pytest

from tests.views.places import HOUSE, NETWORK, NOW, house, of_house
from wifimgr.health import REASONS
from wifimgr.model import Fault, Health, Reason, State
from wifimgr.views.locale import LANGUAGES
from wifimgr.views.site import SiteView, site_text, view_of
from wifimgr.views.words import Speech, languages

BERLIN = ZoneInfo("Europe/Berlin")
JARGON = set(
    """
    access accesspoint admin ap backend browser check client clients down error firmware gateway host hostname http
    internal ip link log login mac mesh monitoring network node none null off offline on online ping poll provider
    reboot reset router server service signal snmp source ssh ssid status stale timeout unknown up update uplink url
    vpn wifi wi-fi wireless
    """.split()  # noqa: SIM905 - a list of words reads better without a quote around each
)
"""What our own work is full of, and staff never have to read."""
IN_BOTH = {
    "am",
    "in",
    "so",
    "internet",
    "filter",
    "e-mail",
    "e",
    "mail",
    "minute",
    "april",
    "august",
    "september",
    "november",
    "um",
}
"""Words that are spelled alike in German and in English."""
ADDRESS = re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}\b|(?:[0-9a-f]{2}:){3}|[0-9a-f]{1,4}::", re.IGNORECASE)


def words(text: str) -> set[str]:
    """The words of a text, without the names of values in it."""
    return set(re.findall(r"[^\W\d_]+(?:-[^\W\d_]+)*", re.sub(r"\{[^}]*\}", "", text.lower())))


# ---------------------------------------------------------------- the tables


def placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_same_things(language: str) -> None:
    assert LANGUAGES[language].keys() == LANGUAGES["de"].keys()


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_asks_for_no_value_that_german_does_not_get(language: str) -> None:
    for key, text in LANGUAGES[language].items():
        assert placeholders(text) <= placeholders(LANGUAGES["de"][key]), key


def test_german_is_german() -> None:
    german = words(" ".join(LANGUAGES["de"].values()))
    english = words(" ".join(LANGUAGES["en"].values()))
    assert german & JARGON == set()
    assert german & english <= IN_BOTH


def test_every_state_and_fault_has_its_texts() -> None:
    for texts in LANGUAGES.values():
        assert {f"{what}.{state}" for what in ("word", "say") for state in State} <= texts.keys()
        assert {f"beneath.{state}" for state in State if state is not State.CLOSED} <= texts.keys()
        assert {f"fault.{fault}" for fault in Fault} <= texts.keys()


def test_exact_texts_are_about_states_and_reasons_that_there_are() -> None:
    for key in LANGUAGES["de"]:
        if match := re.fullmatch(r"(?:word|say)\.(\w+)(?:\.([\w-]+))?(?:\.until)?", key):
            assert match[1] in list(State), key
            assert match[2] in {None, "until", "here", "count", "unsure", "device", *REASONS}, key


# ---------------------------------------------------------------- every text that can be on a page


def healths() -> Iterator[Health]:
    """Every state with every fault and every reason, about a router, with and without an end."""
    ends = (None, NOW + timedelta(hours=2), NOW + timedelta(days=100))
    reasons = [(Reason(id=id, about="haus-ap-og", until=until),) for id in REASONS for until in ends]
    for state, fault, reason in itertools.product(State, (None, *Fault), [(), *reasons]):
        yield Health(state=state, reasons=reason, fault=fault, since=NOW, checked=NOW)
    for beneath, reason in itertools.product(set(State) - {State.CLOSED}, reasons):
        yield Health(state=State.CLOSED, reasons=reason, beneath=beneath, fault=Fault.HOUSE)


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[SiteView]]:
    """Language to everything that a page may say of one place, as a house and as a square."""
    sites = (HOUSE, HOUSE.replace("youth-center", "square"))
    inventories = [house(tmp_path_factory.mktemp("network"), site) for site in sites]
    ill = Health(state=State.DOWN, reasons=(Reason(id="silent", about="haus-ap-og"),), fault=Fault.ROUTER)
    looks = [of_house(inventory, health, og=ill) for inventory, health in itertools.product(inventories, healths())]
    found = {language: [view_of(look, "haus", language) for look in looks] for language in LANGUAGES}
    return {language: [view for view in seen if view] for language, seen in found.items()}


Views = dict[str, list[SiteView]]


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_sentence_about_a_state_is_short(views: Views, language: str) -> None:
    texts = {text for view in views[language] for text in (view.sentence, view.beneath, view.fault_text)}
    assert len(texts) > 20
    assert [text for text in texts if len(text.split()) > 12] == []
    assert [text for text in texts if text and not re.fullmatch(r"[^\n]+[.]", text)] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_text_names_a_router_or_an_address(views: Views, language: str) -> None:
    for text in {site_text(view) for view in views[language]}:
        assert ADDRESS.search(text) is None
        assert not re.search(r"haus-(gw|ap)", text)


def test_no_german_page_holds_english(views: Views) -> None:
    english = words(" ".join(LANGUAGES["en"].values())) | JARGON
    for text in {site_text(view) for view in views["de"]}:
        assert words(text) & english - IN_BOTH == set()


@pytest.mark.parametrize("language", LANGUAGES)
def test_works_is_said_only_with_evidence(views: Views, language: str) -> None:
    texts = LANGUAGES[language]
    for view in views[language]:
        claims = view.sentence == texts["say.up"] or view.word == texts["word.up"]
        assert claims == (view.state is State.UP)


# ---------------------------------------------------------------- times


MOMENTS = [
    (timedelta(0), "at", "heute um 15:30 Uhr", "today at 15:30"),
    (timedelta(minutes=30), "at", "heute um 16 Uhr", "today at 16:00"),
    (timedelta(hours=8), "at", "heute um 23:30 Uhr", "today at 23:30"),
    (timedelta(hours=9), "at", "morgen um 0:30 Uhr", "tomorrow at 0:30"),
    (timedelta(days=6), "at", "am Montag um 15:30 Uhr", "on Monday at 15:30"),
    (timedelta(days=7), "at", "am 23. Juni um 15:30 Uhr", "on 23 June at 15:30"),
    (timedelta(days=400), "at", "am 21. Juli 2027", "on 21 July 2027"),
    (timedelta(days=-1), "since", "gestern um 15:30 Uhr", "yesterday at 15:30"),
    (timedelta(days=-3), "since", "Samstag um 15:30 Uhr", "Saturday at 15:30"),
    (timedelta(days=-30), "since", "dem 17. Mai", "17 May"),
    (timedelta(days=-500), "since", "dem 1. Februar 2025", "1 February 2025"),
    (timedelta(minutes=-2), "checked", "um 15:28 Uhr", "at 15:28"),
    (timedelta(days=-1), "checked", "gestern um 15:30 Uhr", "yesterday at 15:30"),
    (timedelta(hours=3), "until", "18:30 Uhr", "18:30"),
    (timedelta(days=2), "until", "Donnerstag um 15:30 Uhr", "Thursday at 15:30"),
    (timedelta(days=20), "until", "6. Juli um 15:30 Uhr", "6 July at 15:30"),
]


@pytest.mark.parametrize(("away", "style", "german", "english"), MOMENTS)
def test_a_moment_is_said_as_people_say_it(away: timedelta, style: str, german: str, english: str) -> None:
    for language, expected in (("de", german), ("en", english)):
        said = Speech(language, BERLIN, NOW).moment(NOW + away, style)  # type: ignore[arg-type]
        assert said.replace("\u00a0", " ") == expected


def test_a_moment_is_on_the_clock_of_the_place() -> None:
    assert Speech("en", ZoneInfo("America/New_York"), NOW).moment(NOW, "at") == "today at 9:30"


@pytest.mark.parametrize(
    ("age", "said"),
    [
        (timedelta(seconds=-5), "gerade eben"),
        (timedelta(seconds=59), "gerade eben"),
        (timedelta(seconds=60), "vor einer Minute"),
        (timedelta(minutes=59), "vor 59 Minuten"),
        (timedelta(hours=1), "vor einer Stunde"),
        (timedelta(hours=23), "vor 23 Stunden"),
        (timedelta(days=1), "vor einem Tag"),
        (timedelta(days=40), "vor 40 Tagen"),
    ],
)
def test_an_age_is_said_in_its_largest_unit(age: timedelta, said: str) -> None:
    assert Speech("de", BERLIN, NOW).ago(NOW - age) == said


def test_a_place_that_was_never_checked_says_so() -> None:
    assert Speech("de", BERLIN, NOW).checked(None) == "Noch nie geprüft."


# ---------------------------------------------------------------- languages


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ("[de, en]", ["de", "en"]),
        ("[en, de]", ["en", "de"]),
        ("[de-AT, de, tr]", ["de"]),
        ("[tr]", ["de"]),
        ("[]", ["de"]),
    ],
)
def test_the_page_has_those_languages_of_the_network_that_it_speaks(
    tmp_path: Path, written: str, spoken: list[str]
) -> None:
    inventory = house(tmp_path, network=f"{NETWORK}languages: {written}\n")
    assert languages(inventory.network) == spoken


def test_a_name_from_outside_is_no_format(tmp_path: Path) -> None:
    site = HOUSE.replace("Werkraum", '"{0} {clock} {}"')
    ill = Health(state=State.DOWN, checked=NOW)
    degraded = Health(state=State.DEGRADED, fault=Fault.ROUTER)
    view = view_of(of_house(house(tmp_path, site), degraded, og=ill), "haus", "de")
    assert view is not None
    assert view.sentence == "Das WLAN läuft, nur hier nicht: {0} {clock} {}."
    assert dataclasses.asdict(view)["rooms"][2]["name"] == "{0} {clock} {}"
