"""The public door: what it answers, and what it gives away, which is nothing."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.doors import open_doors
from tests.views.door import Door
from tests.views.places import HOUSE, NETWORK, example, health, house, of_house, snapshot, told
from wifimgr.errors import StoreError
from wifimgr.model import Fault, State
from wifimgr.views import pages
from wifimgr.views.pages import HEADERS
from wifimgr.views.site import SiteView, site_text, view_of
from wifimgr.views.snapshot import Snapshot

SAFE = {name.lower(): value for name, value in HEADERS.items()}
STYLE = Path(__file__).parents[2] / "wifimgr/views/static/style.css"
SECOND = "name: Zweites Haus\nkind: library\npublic: {public}\nrouters:\n  zwei-ap: {{addresses: [192.0.2.9]}}\n"


@pytest.fixture(scope="module")
def look(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    """The example network on a Tuesday afternoon."""
    return example(tmp_path_factory.mktemp("network"))


@pytest.fixture(scope="module")
def open_door(look: Snapshot) -> Iterator[Door]:
    door = Door(look)
    with open_doors(door.app) as [door.url]:
        yield door


@pytest.fixture
def public(open_door: Door, look: Snapshot) -> Door:
    """The public door of the example network."""
    return open_door.shows(look)


PAGES = ["/", "/en/", "/s/jz-meiderich", "/en/s/jz-meiderich", "/s/jz-meiderich.json", "/s/jz-meiderich.txt"]


# ---------------------------------------------------------------- what is there


@pytest.mark.parametrize("path", [*PAGES, "/en", "/de/", "/de/s/jz-meiderich.txt"])
def test_every_page_is_there(public: Door, path: str) -> None:
    assert public.get(path).status == 200


@pytest.mark.parametrize(
    "path",
    [
        *("/metrics", "/probe", "/healthz", "/sd", "/en/metrics", "/favicon.ico", "/fr/", "//evil.example/"),
        *("/s/", "/s/nichts", "/s/nichts.json", "/en/s/x", "/s/jz-meiderich/", f"/s/{'x' * 5000}"),
        *("/s/jz-meiderich.xml", "/s/jz-meiderich.json.txt", "/s/jz-meiderich.", "/static/x.css", "/static/style.css"),
        *("/static/..%2fpages.py", "/s/%2e%2e%2fhaus", "/s/%00", "/s/%f0%9f%92%a9", "/s/%ff", "/s/%3cscript%3e"),
    ],
)
def test_everything_else_is_not(public: Door, path: str) -> None:
    answer = public.get(path)
    assert answer.status == 404
    assert "Diese Seite gibt es nicht" in answer.text or "There is no such page" in answer.text
    assert "<script" not in answer.text


def test_a_place_that_is_not_public_looks_like_one_that_is_not_there(public: Door) -> None:
    assert public.get("/s/schule-huckingen").text == public.get("/s/nichts").text
    assert "Huckingen" not in public.get("/").text


@pytest.mark.parametrize("target", ["*", "somewhere", "?", "http://evil.example/"])
def test_a_target_that_is_no_path_is_not_there(public: Door, target: str) -> None:
    where = urlsplit(public.url)
    with socket.create_connection((where.hostname, where.port), 60.0) as line:
        line.sendall(f"OPTIONS {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = b"".join(iter(lambda: line.recv(65536), b"")).decode()
    assert answer.startswith(("HTTP/1.1 404", "HTTP/1.1 405"))
    assert "content-security-policy" in answer


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_nothing_is_taken_in(public: Door, method: str) -> None:
    answer = public.get("/s/jz-meiderich", method)
    assert answer.status == 405
    assert "GET" in answer.headers["allow"]


def test_a_missing_page_is_told_in_the_language_of_its_address(public: Door) -> None:
    assert '<html lang="en">' in public.get("/en/s/nichts").text
    assert '<html lang="de">' in public.get("/s/nichts").text


# ---------------------------------------------------------------- languages


def test_the_first_language_of_the_network_is_the_default(public: Door, tmp_path: Path) -> None:
    look = of_house(house(tmp_path, network=f"{NETWORK}languages: [en, de]\n"), health(State.UP))
    public.shows(look)
    assert '<html lang="en">' in public.get("/s/haus").text
    assert '<html lang="de">' in public.get("/de/s/haus").text
    assert 'href="/de/s/haus"' in public.get("/s/haus").text


def test_a_language_that_the_network_does_not_want_is_not_there(public: Door, tmp_path: Path) -> None:
    look = of_house(house(tmp_path, network=f"{NETWORK}languages: [de]\n"), health(State.UP))
    public.shows(look)
    assert public.get("/en/").status == 404
    assert "hreflang" not in public.get("/").text


@pytest.mark.parametrize("path", ["/", "/s/jz-meiderich", "/en/", "/en/s/jz-meiderich", "/s/nichts"])
def test_every_link_leads_somewhere(public: Door, path: str) -> None:
    links = set(re.findall(r'href="([^"]*)"', public.get(path).text))
    assert len(links) >= 4
    for link in links:
        assert link.startswith(("#content", "tel:", "mailto:")) or public.get(link).status == 200, link


def test_the_language_switch_stays_on_the_page(public: Door) -> None:
    assert '<a href="/en/s/jz-meiderich" lang="en" hreflang="en">English</a>' in public.get("/s/jz-meiderich").text
    assert '<a href="/s/jz-meiderich" lang="de" hreflang="de">Deutsch</a>' in public.get("/en/s/jz-meiderich").text


# ---------------------------------------------------------------- headers


@pytest.mark.parametrize("path", [*PAGES, "/s/nichts", "/static/nichts"])
def test_every_answer_has_the_headers_that_keep_others_out(public: Door, path: str) -> None:
    answers = [public.get(path), public.get(path, "POST")]
    for answer in answers:
        assert SAFE.items() <= answer.headers.items()
        assert "set-cookie" not in answer.headers
    assert "script" not in HEADERS["Content-Security-Policy"]


@pytest.mark.parametrize("path", PAGES)
def test_what_a_browser_has_already_is_not_sent_again(public: Door, path: str) -> None:
    tag = public.get(path).headers["etag"]
    for held in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = public.get(path, If_None_Match=held)
        assert (again.status, again.text, again.headers["etag"]) == (304, "", tag)
    assert public.get(path, If_None_Match='"other"').status == 200
    assert public.get(path).headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_written_once_for_all_who_look(
    public: Door, look: Snapshot, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever loads it again and again must not slow down the polls of routers."""
    calls = []

    def note(snapshot: Snapshot, slug: str, language: str) -> SiteView | None:
        calls.append(slug)
        return view_of(snapshot, slug, language)

    monkeypatch.setattr(pages, "view_of", note)
    fresh = replace(look)
    first = public.shows(fresh).get(path)
    written = len(calls)
    assert written > 0
    assert public.get(path).text == first.text
    assert len(calls) == written
    public.shows(replace(look)).get(path)
    assert len(calls) == 2 * written


def test_a_page_that_says_something_else_has_another_tag(public: Door) -> None:
    assert len({public.get(path).headers["etag"] for path in PAGES}) == len(PAGES)


def test_a_missing_page_is_not_kept(public: Door) -> None:
    assert public.get("/s/nichts").headers["cache-control"] == "no-store"


def test_head_tells_what_get_would(public: Door) -> None:
    head, get = public.get("/s/jz-meiderich", "HEAD"), public.get("/s/jz-meiderich")
    assert (head.status, head.headers["etag"]) == (200, get.headers["etag"])
    assert head.headers["content-length"] == get.headers["content-length"]


def test_static_files_are_named_by_their_content_and_kept(public: Door) -> None:
    [style] = re.findall(r'rel="stylesheet" href="(/static/style-[0-9a-f]{8}\.css)"', public.get("/").text)
    answer = public.get(style)
    assert answer.text == STYLE.read_text(encoding="utf-8")
    assert answer.headers["content-type"] == "text/css; charset=utf-8"
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"


@pytest.mark.parametrize("host", ["evil.example", "[", "x y", "a" * 300, "127.0.0.1:99999", ""])
def test_the_host_that_somebody_claims_is_not_believed(public: Door, host: str) -> None:
    for path in ("/", "/en", "/s/nichts", "/s/jz-meiderich/"):
        answer = public.get(path, Host=host)
        assert answer.status == public.get(path).status
        assert answer.text == public.get(path).text
        assert "location" not in answer.headers


# ---------------------------------------------------------------- what is wrong with us


def test_a_broken_store_says_that_we_do_not_know(public: Door) -> None:
    def look() -> Snapshot:
        raise StoreError("store-failed", "disk full", where="/var/lib/state.db")

    public.shows(look)
    for path, text in (
        ("/", "Das wissen wir gerade nicht"),
        ("/en/s/haus", "We do not know"),
        ("/x/y/z", "Das wissen"),
    ):
        answer = public.get(path)
        assert answer.status == 503
        assert text in answer.text
        assert "state.db" not in answer.text + str(answer.headers)
        assert SAFE.items() <= answer.headers.items()


def test_a_bug_shows_nothing_of_our_inside(public: Door) -> None:
    def look() -> Snapshot:
        raise RuntimeError("secret-community")

    answer = public.shows(look).get("/s/haus")
    assert answer.status == 500
    assert "Hier ging etwas schief" in answer.text
    assert not re.search("secret-community|RuntimeError|Traceback", answer.text + str(answer.headers))
    assert SAFE.items() <= answer.headers.items()


# ---------------------------------------------------------------- the overview


UP, DOWN, UNKNOWN = health(State.UP), health(State.DOWN, "silent"), health(State.UNKNOWN, "stale")
HEADLINES = [
    ([UP, UP], "Das WLAN läuft an allen 2 offenen Orten."),
    ([UP], "Das WLAN läuft am einzigen offenen Ort."),
    ([UP, DOWN], "Das WLAN läuft an 1 von 2 offenen Orten."),
    ([UP, UNKNOWN], "Das WLAN läuft an 1 von 2 offenen Orten."),
    ([UP, health(State.CLOSED)], "Das WLAN läuft am einzigen offenen Ort."),
    ([health(State.DEGRADED), UNKNOWN], "Das WLAN läuft an 0 von 2 offenen Orten."),
    ([DOWN, DOWN], "Das WLAN läuft gerade an keinem offenen Ort."),
    ([UNKNOWN, UNKNOWN], "Wie es um das WLAN steht, wissen wir gerade nicht."),
    ([health(State.CLOSED), health(State.MAINTENANCE)], "Gerade ist kein Ort geöffnet."),
]


@pytest.mark.parametrize(("sites", "headline"), HEADLINES)
def test_all_places_are_one_sentence(public: Door, tmp_path: Path, sites: list[object], headline: str) -> None:
    inventory = house(tmp_path, zwei=SECOND.format(public="true" if len(sites) == 2 else "false"))
    look = snapshot(inventory, dict(zip(inventory.sites, sites, strict=False)))  # type: ignore[arg-type]
    assert f"<h1>{headline}</h1>" in public.shows(look).get("/").text


def test_a_network_without_public_places_says_so(public: Door, tmp_path: Path) -> None:
    look = of_house(house(tmp_path, HOUSE.replace("public: true", "public: false")), UP)
    text = public.shows(look).get("/").text
    assert "<h1>Hier steht noch kein Ort.</h1>" in text
    assert "<section" not in text


def test_trouble_comes_first_and_each_place_once(public: Door) -> None:
    text = public.get("/").text
    assert re.findall(r'<h2 id="([^"]*)"', text) == ["trouble", "youth-center", "library", "square"]
    slugs = re.findall(r'href="/s/([^"]*)"', text)
    assert slugs[:2] == ["jz-ruhrort", "jz-meiderich"]
    assert len(slugs) == len(set(slugs)) == 11


def test_every_state_on_the_overview_has_a_word(public: Door) -> None:
    text = public.get("/").text
    tally = re.findall(r'<li class="badge (\w+)">.*?<span>(.*?)</span> <b>(\d+)</b>', text)
    assert tally == [
        ("up", "läuft", "5"),
        ("degraded", "läuft teilweise", "1"),
        ("down", "läuft nicht", "1"),
        ("unknown", "wissen wir nicht", "1"),
        ("closed", "geschlossen", "2"),
        ("maintenance", "Wartung", "1"),
    ]


# ---------------------------------------------------------------- the page of a place


def test_page_text_and_json_say_the_same(public: Door, look: Snapshot) -> None:
    for language, root in (("de", ""), ("en", "/en")):
        view = view_of(look, "jz-meiderich", language)
        assert view is not None
        assert public.get(f"{root}/s/jz-meiderich.txt").text == site_text(view)
        data = json.loads(public.get(f"{root}/s/jz-meiderich.json").text)
        page = public.get(f"{root}/s/jz-meiderich").text
        texts = [view.sentence, view.word, view.since_text, view.checked_text, view.fault_text, *view.steps]
        for text in [*texts, view.advice, view.hours, *(room.name for room in view.rooms)]:
            assert text in page
            assert text in json.dumps(data, ensure_ascii=False)


def test_state_is_told_before_blame_before_phone_before_rooms(public: Door) -> None:
    page = public.get("/s/jz-meiderich").text
    order = ["Das WLAN läuft, nur", "Seit heute", "Woran liegt es?", "tel:+492214710115", "Räume", "WLAN-Namen", "Ort<"]
    places = [page.index(text) for text in order]
    assert places == sorted(places)


NASTY = "</title><script>alert('x')</script>\"'&{{ 7*7 }}$(id)\u200f"


def test_a_hostile_name_is_only_text(public: Door, tmp_path: Path) -> None:
    quoted = json.dumps(NASTY)
    site = HOUSE.replace("name: Haus", f"name: {quoted}").replace("Werkraum", quoted).replace("Meiderich", quoted)
    contact = f"contact: [{{name: {quoted}, phone: {quoted}, email: {quoted}, public: true}}]\n"
    site += f"vars: {{ssid: {quoted}}}\n{contact}"
    look = of_house(house(tmp_path, site), health(State.DOWN, fault=Fault.ROUTER))
    public.shows(look)
    for path in ("/", "/s/haus", "/en/s/haus"):
        page = public.get(path).text
        assert "<script" not in page.lower()
        assert page.count("</title>") == 1
        assert "&lt;script&gt;" in page
        assert re.search(r'(?:href|aria-label)="[^"]*\'', page) is None
    assert json.loads(public.get("/s/haus.json").text)["name"] == NASTY
    assert NASTY in public.get("/s/haus.txt").text


# ---------------------------------------------------------------- privacy


def test_no_page_gives_away_a_number_a_router_or_an_address(public: Door, look: Snapshot) -> None:
    counts = {name: 137300 + 11 * number for number, name in enumerate(look.inventory.routers)}
    sums = [sum(counts[name] for name in site.routers) for site in look.inventory.sites.values()]
    known = {(name, "snmp"): told(name, clients=count, ssids=["frei"]) for name, count in counts.items()}
    known |= {(name, "respondd"): told(name, clients=count, ssids=["frei"]) for name, count in counts.items()}
    up = dict.fromkeys(look.inventory.sites, health(State.UP))
    public.shows(snapshot(look.inventory, up, known=known))
    secret = [*map(str, [*counts.values(), *sums, sum(counts.values())]), *counts]
    banded = set()
    for slug in look.inventory.sites:
        for path in (f"/s/{slug}", f"/s/{slug}.json", f"/s/{slug}.txt", f"/en/s/{slug}", "/", "/en/"):
            answer = public.get(path)
            text = f"{answer.text} {answer.headers}"
            assert [word for word in secret if word in text] == [], path
            assert not re.search(r"(?:\d{1,3}\.){3}\d{1,3}|2001:db8|(?:[0-9a-f]{2}:){5}", text), path
            banded |= {slug} if "50+" in text else set()
    assert banded == {slug for slug, site in look.inventory.sites.items() if site.show_guests}


def test_a_page_is_the_same_for_every_number_in_a_band(public: Door, tmp_path: Path) -> None:
    inventory = house(tmp_path)
    answers = []
    for count in (17, 18):
        known = {
            (name, "snmp"): told(name, clients=count * (name == "haus-ap-eg"))
            for name in inventory.sites["haus"].routers
        }
        look = snapshot(inventory, {"haus": UP}, known=known)
        public.shows(look)
        got = [public.get(path) for path in ("/s/haus", "/s/haus.json", "/s/haus.txt", "/")]
        answers.append([(answer.text, answer.headers["etag"], answer.headers["content-length"]) for answer in got])
    assert "10 bis 19" in answers[0][0][0]
    assert answers[0] == answers[1]


# ---------------------------------------------------------------- colours


def contrast(one: str, other: str) -> float:
    """The contrast of two colours (WCAG 2.2, relative luminance)."""

    def light(colour: str) -> float:
        parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))

    high, low = sorted((light(one), light(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_words_and_pictures_can_be_told_from_their_ground(scheme: int) -> None:
    block = re.findall(r":root \{(.*?)\}", STYLE.read_text(encoding="utf-8"), re.S)[scheme]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    states = [name.removesuffix("-back") for name in colours if name.endswith("-back")]
    pairs = [(state, f"{state}-back") for state in states] + [("text", f"{state}-back") for state in states]
    pairs += [(state, "card") for state in states] + [("on-link", "link"), ("link", "card"), ("link", "page")]
    pairs += [("text", "card"), ("text", "page"), ("quiet", "card"), ("quiet", "page")]
    assert len(pairs) == 25
    assert [pair for pair in pairs if contrast(colours[pair[0]], colours[pair[1]]) < 4.5] == []


@pytest.mark.parametrize("state", State)
def test_every_state_has_a_colour_and_a_picture(public: Door, tmp_path: Path, state: State) -> None:
    look = of_house(house(tmp_path), health(state))
    page = public.shows(look).get("/s/haus").text
    assert f'<div class="hero {state}">' in page
    assert re.search(rf"\.{state}\b[^{{]*\{{ --state:", STYLE.read_text(encoding="utf-8"))
