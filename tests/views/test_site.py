"""What the public may see of one place: enough to be helped, and nothing about anybody."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.views.places import CHECKED, HOUSE, NETWORK, NOW, health, house, of_house, snapshot, told
from wifimgr.inventory import Inventory
from wifimgr.model import Fault, Health, Known, Reason, State
from wifimgr.views.site import SiteView, band, site_json, site_text, view_of
from wifimgr.views.snapshot import Snapshot

UP = health(State.UP)
DOWN = health(State.DOWN, "silent")


def seen(look: Snapshot, slug: str = "haus", language: str = "de") -> SiteView:
    view = view_of(look, slug, language)
    assert view is not None
    return view


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    return house(tmp_path)


# ---------------------------------------------------------------- who is on the page


@pytest.mark.parametrize("public", ["true", "false"])
@pytest.mark.parametrize("lifecycle", ["planned", "active", "maintenance", "retired"])
def test_only_public_places_that_are_there_are_shown(tmp_path: Path, public: str, lifecycle: str) -> None:
    site = HOUSE.replace("public: true", f"public: {public}\nlifecycle: {lifecycle}")
    shown = view_of(of_house(house(tmp_path, site), UP), "haus", "de") is not None
    assert shown == (public == "true" and lifecycle in ("active", "maintenance"))


def test_an_unknown_place_is_not_shown(inventory: Inventory) -> None:
    assert view_of(of_house(inventory, UP), "../haus", "de") is None


@pytest.mark.parametrize(("lifecycle", "state"), [("maintenance", State.MAINTENANCE), ("active", State.UNKNOWN)])
def test_a_place_that_nobody_judged_is_not_called_working(tmp_path: Path, lifecycle: str, state: State) -> None:
    inventory = house(tmp_path, f"lifecycle: {lifecycle}\n{HOUSE}")
    assert seen(snapshot(inventory, {})).state is state


def test_a_place_where_something_is_off_as_planned_and_something_else_is_not_known_is_not_called_closed(
    inventory: Inventory,
) -> None:
    assert seen(of_house(inventory, health(State.UNKNOWN, "power-off"))).state is State.CLOSED
    assert seen(of_house(inventory, health(State.UNKNOWN, "power-off", "unreadable"))).state is State.UNKNOWN


# ---------------------------------------------------------------- its state


OPENS = Reason(id="outside-hours", until=datetime(2026, 6, 16, 14, 0, tzinfo=UTC))
BACK = Reason(id="power-off", until=datetime(2026, 6, 16, 14, 0, tzinfo=UTC))
SENTENCES = [
    (UP, "läuft", "Das WLAN läuft.", ""),
    (health(State.DOWN, "silent"), "läuft nicht", "Das WLAN läuft gerade nicht.", ""),
    (health(State.DOWN, "no-internet"), "läuft nicht", "Das WLAN sendet, aber das Internet geht nicht.", ""),
    (
        health(State.UNKNOWN, "internet-unchecked"),
        "sendet, Internet ungeprüft",
        "Das WLAN sendet, aber das Internet ist ungeprüft.",
        "",
    ),
    (health(State.UNKNOWN, "stale"), "wissen wir nicht", "Ob das WLAN läuft, wissen wir gerade nicht.", ""),
    (
        health(State.CLOSED, OPENS, beneath=State.DOWN),
        "geschlossen",
        "Jetzt geschlossen. Öffnet heute um 16 Uhr.",
        "Das WLAN läuft gerade nicht.",
    ),
    (
        health(State.CLOSED, OPENS, "wifi-scheduled-off", beneath=State.UNKNOWN),
        "geschlossen",
        "Jetzt geschlossen. Öffnet heute um 16 Uhr.",
        "Das WLAN ist gerade aus, wie geplant.",
    ),
    (
        health(State.CLOSED, Reason(id="wifi-scheduled-off", until=OPENS.until), beneath=State.UNKNOWN),
        "aus wie geplant",
        "Das WLAN ist planmäßig aus. Weiter heute um 16 Uhr.",
        "",
    ),
    (
        health(State.CLOSED, BACK, beneath=State.UNKNOWN),
        "aus wie geplant",
        "Der Strom ist planmäßig aus. Weiter heute um 16 Uhr.",
        "",
    ),
    (
        health(State.PAUSED, Reason(id="wifi-scheduled-off", until=NOW + timedelta(hours=2.5))),
        "Pause",
        "Das WLAN hat Pause bis 18 Uhr.",
        "",
    ),
    (
        health(State.MAINTENANCE, "maintenance"),
        "Wartung",
        "Hier wird gerade gearbeitet. Das WLAN kann ausfallen.",
        "",
    ),
]


@pytest.mark.parametrize(("of_site", "word", "sentence", "beneath"), SENTENCES)
def test_a_state_is_one_word_and_one_sentence(
    inventory: Inventory, of_site: Health, word: str, sentence: str, beneath: str
) -> None:
    view = seen(of_house(inventory, of_site))
    assert view.state is of_site.state
    told_texts = (view.word, view.sentence.replace("\u00a0", " "), view.beneath)
    assert told_texts == (word, sentence, beneath)


PARTS = [
    ({"og": DOWN}, "Das WLAN läuft, nur hier nicht: Werkraum."),
    ({"gw": UP, "eg": DOWN, "og": DOWN}, "Das WLAN läuft, nur hier nicht: Offener Treff; Werkraum."),
    ({"gw": DOWN}, "Das WLAN läuft, aber ein Gerät antwortet nicht."),
    ({"og": health(State.UNKNOWN, "behind")}, "Das WLAN läuft, aber nicht alles ist geprüft."),
]


@pytest.mark.parametrize(("routers", "sentence"), PARTS)
def test_what_works_in_part_names_the_rooms_where_it_does_not(
    inventory: Inventory, routers: dict[str, Health], sentence: str
) -> None:
    look = of_house(inventory, health(State.DEGRADED, "some-routers"), **({"gw": UP, "eg": UP} | routers))
    assert seen(look).sentence == sentence


def test_a_radio_that_is_off_is_told_as_less_strength(inventory: Inventory) -> None:
    look = of_house(inventory, health(State.DEGRADED, "some-routers", "radio-off"), og=health(State.DEGRADED))
    assert seen(look).sentence == "Das WLAN läuft, aber nicht mit voller Kraft."


def test_a_dead_router_without_a_room_is_told_without_one(tmp_path: Path) -> None:
    inventory = house(tmp_path, HOUSE.replace(", room: Werkraum", ""))
    look = of_house(inventory, health(State.DEGRADED, "some-routers", "silent"), gw=UP, eg=UP, og=DOWN)
    assert seen(look).sentence == "Das WLAN läuft, aber nicht überall."


def test_a_source_that_fails_is_no_news_for_guests(inventory: Inventory) -> None:
    look = of_house(inventory, UP, og=health(State.DEGRADED, "source-failing"))
    assert seen(look).rooms[2].word == "läuft"


def test_too_many_rooms_for_one_sentence_are_counted(tmp_path: Path) -> None:
    site = HOUSE.replace("Werkraum", "'Zweites Obergeschoss, Werkraum hinter der großen Treppe'")
    look = of_house(house(tmp_path, site), health(State.DEGRADED, "some-routers"), gw=UP, eg=UP, og=DOWN)
    assert seen(look).sentence == "Das WLAN läuft an 1 von 2 Stellen."


def test_since_and_checked_are_on_the_clock_of_the_place(inventory: Inventory) -> None:
    view = seen(of_house(inventory, UP))
    assert view.since_text.replace("\u00a0", " ") == "Seit heute um 13:30 Uhr."
    assert view.checked_text.replace("\u00a0", " ") == "Zuletzt geprüft vor einer Minute, um 15:28 Uhr."
    assert view.checked == CHECKED
    assert str(view.checked) == "2026-06-16 15:28:45+02:00"


def test_what_never_changed_has_no_since(inventory: Inventory) -> None:
    view = seen(of_house(inventory, health(State.UP, since=None, checked=None)))
    assert (view.since_text, view.checked_text) == ("", "Noch nie geprüft.")


# ---------------------------------------------------------------- rooms


def test_routers_in_one_room_are_one_room(tmp_path: Path) -> None:
    site = HOUSE.replace("Werkraum", "Offener Treff")
    rooms = seen(of_house(house(tmp_path, site), health(State.DEGRADED), gw=UP, eg=UP, og=DOWN)).rooms
    assert [(room.name, room.state) for room in rooms] == [
        ("Serverschrank", State.UP),
        ("Offener Treff", State.DEGRADED),
    ]


def test_a_room_says_what_is_on_purpose(inventory: Inventory) -> None:
    off = health(State.UNKNOWN, BACK)
    view = seen(of_house(inventory, health(State.CLOSED, BACK), gw=off, eg=off, og=off))
    assert {(room.state, room.word) for room in view.rooms} == {(State.CLOSED, "aus wie geplant")}


def test_a_router_without_a_room_has_no_line(tmp_path: Path) -> None:
    site = HOUSE.replace(", room: Werkraum", "")
    assert [room.name for room in seen(of_house(house(tmp_path, site), UP)).rooms] == ["Serverschrank", "Offener Treff"]


def test_a_retired_router_has_no_line(tmp_path: Path) -> None:
    site = HOUSE.replace("room: Werkraum", "room: Werkraum, lifecycle: retired")
    assert "Werkraum" not in [room.name for room in seen(of_house(house(tmp_path, site), UP)).rooms]


# ---------------------------------------------------------------- whose it is


def faulty(inventory: Inventory, fault: Fault | None, state: State = State.DOWN, reason: str = "silent") -> SiteView:
    return seen(of_house(inventory, health(state, reason, fault=fault), gw=UP, eg=UP, og=DOWN))


@pytest.mark.parametrize(
    ("fault", "room"),
    [(Fault.HOUSE, "Serverschrank"), (Fault.ROUTER, "Werkraum")],
)
def test_what_the_house_can_mend_has_three_steps_and_the_right_room(
    inventory: Inventory, fault: Fault, room: str
) -> None:
    view = faulty(inventory, fault)
    assert view.fault is fault
    assert view.steps[0] == f"Steckt der Stecker fest? Das Gerät ist hier: {room}."
    assert len(view.steps) == 3
    assert view.advice == "Läuft es dann immer noch nicht? Bitte anrufen."


@pytest.mark.parametrize("fault", [Fault.PROVIDER, Fault.GATEWAY, Fault.CITY])
def test_what_the_house_cannot_mend_has_no_steps_and_no_promise(inventory: Inventory, fault: Fault) -> None:
    view = faulty(inventory, fault)
    assert (view.steps, view.advice) == ((), "Sie müssen nichts tun. Wir sehen die Störung.")


@pytest.mark.parametrize("reason", ["off-air", "radio-off", "no-internet"])
def test_nobody_is_sent_to_the_plug_of_a_device_that_answers(inventory: Inventory, reason: str) -> None:
    view = faulty(inventory, Fault.ROUTER, reason=reason)
    assert (view.fault_text, view.steps) == ("Es liegt an einem einzelnen Gerät.", ())
    assert view.advice == "Sie müssen nichts tun. Wir sehen die Störung."


def test_nobody_is_sent_to_a_plug_on_a_square(tmp_path: Path) -> None:
    inventory = house(tmp_path, HOUSE.replace("youth-center", "square"))
    view = faulty(inventory, Fault.HOUSE)
    assert view.fault_text == "Vermutlich liegt es hier an Strom oder Anschluss."
    assert view.steps == ()


def test_a_plug_is_asked_for_without_a_room_where_none_is_known(tmp_path: Path) -> None:
    inventory = house(tmp_path, re.sub(", room: [^}]*", "", HOUSE))
    assert faulty(inventory, Fault.HOUSE).steps[0] == "Steckt der Stecker vom WLAN-Gerät fest in der Dose?"


def test_nobody_is_told_to_call_where_there_is_nobody_to_call(tmp_path: Path) -> None:
    network = re.sub("contact: .*\n", "", NETWORK)
    assert faulty(house(tmp_path, network=network), Fault.HOUSE).advice == ""


@pytest.mark.parametrize("state", [State.UP, State.PAUSED, State.MAINTENANCE])
def test_where_nothing_is_wrong_nobody_is_blamed(inventory: Inventory, state: State) -> None:
    view = faulty(inventory, Fault.HOUSE, state)
    assert (view.fault, view.fault_text, view.steps, view.advice) == (None, "", (), "")


def test_no_known_fault_is_no_fault(inventory: Inventory) -> None:
    assert faulty(inventory, None).fault_text == ""


# ---------------------------------------------------------------- whom to call


CONTACTS = """\
contact:
  - {name: Hausleitung, phone: "+49 (0)203 / 123-45", public: true}
  - {name: Pforte, phone: am Eingang, public: true}
  - {name: Notfallnummer, phone: "0203 999"}
"""


def test_only_public_contacts_are_named(tmp_path: Path) -> None:
    view = seen(of_house(house(tmp_path, HOUSE + CONTACTS), UP))
    assert [(contact.name, contact.number) for contact in view.contacts] == [
        ("WLAN-Telefon", "+492214710115"),
        ("Hausleitung", "+4920312345"),
        ("Pforte", ""),
    ]
    assert "999" not in site_text(view) + json.dumps(site_json(view))


@pytest.mark.parametrize(
    ("at", "answers", "said"),
    [
        (datetime(2026, 6, 16, 13, 59, tzinfo=UTC), True, "Jetzt erreichbar"),
        (datetime(2026, 6, 16, 14, 0, tzinfo=UTC), False, "Wieder erreichbar morgen um 8 Uhr"),
        (datetime(2026, 6, 20, 9, 0, tzinfo=UTC), False, "Wieder erreichbar am Montag um 8 Uhr"),
    ],
)
def test_a_contact_says_whether_somebody_answers_now(tmp_path: Path, at: datetime, answers: bool, said: str) -> None:
    look = snapshot(house(tmp_path), {"haus": UP}, at=at)
    [contact] = seen(look).contacts
    assert (contact.answers, contact.answers_text.replace("\u00a0", " ")) == (answers, said)
    assert contact.hours.replace("\u00a0", " ") == "Mo–Fr 8–16 Uhr"


def test_a_contact_without_hours_says_nothing_about_now(tmp_path: Path) -> None:
    contact = seen(of_house(house(tmp_path, HOUSE + CONTACTS), UP)).contacts[1]
    assert (contact.answers, contact.answers_text, contact.hours) == (None, "", "")


# ---------------------------------------------------------------- guests


def guests(inventory: Inventory, counts: Mapping[str, int | None], at: datetime = NOW, **more: object) -> str | None:
    known: dict[tuple[str, str], Known] = {
        (name, "snmp"): told(name, clients=count, at=at - timedelta(seconds=30)) for name, count in counts.items()
    }
    state = more.get("state", State.UP)
    assert isinstance(state, State)
    return seen(snapshot(inventory, {"haus": health(state)}, known=known, at=at)).guests


SOME = {"haus-gw": 0, "haus-ap-eg": 7, "haus-ap-og": 6}


@pytest.mark.parametrize(
    ("name", "counts"),
    [("<5", (0, 4)), ("5-9", (5, 9)), ("10-19", (10, 19)), ("20-49", (20, 49)), ("50+", (50, 1373))],
)
def test_a_number_of_guests_is_a_band(name: str, counts: tuple[int, int]) -> None:
    assert {band(count) for count in counts} == {name}


def test_the_guests_of_all_routers_are_one_band(inventory: Inventory) -> None:
    assert guests(inventory, SOME) == "10-19"


def test_while_the_place_is_closed_nobody_is_told_whether_it_is_empty(inventory: Inventory) -> None:
    assert guests(inventory, SOME, at=datetime(2026, 6, 16, 20, 0, tzinfo=UTC)) is None


@pytest.mark.parametrize("state", list(State)[2:])
def test_where_the_wifi_does_not_work_no_guests_are_told(inventory: Inventory, state: State) -> None:
    assert guests(inventory, SOME, state=state) is None


def test_one_router_that_does_not_tell_makes_the_sum_unknown(inventory: Inventory) -> None:
    assert guests(inventory, {name: SOME[name] for name in ("haus-gw", "haus-ap-eg")}) is None


def test_old_counts_are_not_told(inventory: Inventory) -> None:
    known = {(name, "snmp"): told(name, clients=count, at=NOW - timedelta(hours=1)) for name, count in SOME.items()}
    assert seen(snapshot(inventory, {"haus": UP}, known=known)).guests is None


def test_guests_are_told_only_where_the_place_wants_it(tmp_path: Path) -> None:
    assert guests(house(tmp_path, HOUSE.replace("show_guests: true", "show_guests: false")), SOME) is None


def test_guests_are_told_only_where_opening_hours_are_known(tmp_path: Path) -> None:
    assert guests(house(tmp_path, re.sub("opening_hours: .*\n", "", HOUSE)), SOME) is None


# ---------------------------------------------------------------- network name, hours, address


def test_a_filter_is_told_where_the_place_has_one(tmp_path: Path) -> None:
    profiles = f"{NETWORK}dns_profiles: {{young: {{name: 'Jugend <b>&', servers: [192.0.2.53]}}}}\n"
    plain = seen(of_house(house(tmp_path / "a", network=profiles), UP))
    assert plain.filter_text == ""
    assert "Filter" not in site_text(plain)
    filtered = seen(of_house(house(tmp_path / "b", f"dns_profile: young\n{HOUSE}", network=profiles), UP))
    assert filtered.filter_text == "Hier gilt ein Filter: Jugend <b>&."
    assert filtered.filter_text in site_text(filtered)
    assert "192.0.2.53" not in json.dumps(site_json(filtered))


def on_air(inventory: Inventory, *names: str) -> tuple[str, ...]:
    known = {("haus-ap-eg", "snmp"): told("haus-ap-eg", clients=0, ssids=names)} if names else {}
    return seen(snapshot(inventory, {"haus": UP}, known=known)).network_names


def test_the_network_name_is_the_one_on_the_air(inventory: Inventory) -> None:
    assert on_air(inventory) == ("freifunk-haus",)
    assert on_air(inventory, "intern", "freifunk-haus") == ("freifunk-haus",)
    assert on_air(inventory, "freifunk-neu") == ("freifunk-neu",)


def test_hours_are_told_in_words(inventory: Inventory) -> None:
    for language, said in (("de", "an Feiertagen geschlossen"), ("en", "closed on public holidays")):
        assert said in seen(of_house(inventory, UP), language=language).hours


# ---------------------------------------------------------------- hostile names


NASTY = "<script>alert(1)</script> \"x\" 'y' $(id) `id` & {{ 7*7 }} %s \u200f"
HIDDEN = "\u202eneve\u2066s\n\x1b[31mrot\x00\r"


def test_what_comes_from_outside_stays_on_its_line(tmp_path: Path) -> None:
    site = f"vars: {{ssid: {json.dumps(NASTY + HIDDEN)}}}\n" + HOUSE.replace("name: Haus", f"name: {json.dumps(NASTY)}")
    site = site.replace("Werkraum", json.dumps(NASTY + "2"))
    view = seen(of_house(house(tmp_path, site), UP))
    text = site_text(view)
    assert text.count(NASTY) == 3
    assert "\\u202eneve\\u2066s\\n\\u001b[31mrot\\u0000\\r" in text
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", text)
    assert json.loads(json.dumps(site_json(view)))["name"] == NASTY


# ---------------------------------------------------------------- text and JSON


TEXT = """\
Haus
Das WLAN läuft, nur hier nicht: Werkraum.
Seit heute um 13:30 Uhr.
Zuletzt geprüft vor einer Minute, um 15:28 Uhr.

Woran liegt es?
Es liegt an einem einzelnen Gerät.
1. Steckt der Stecker fest? Das Gerät ist hier: Werkraum.
2. Leuchtet am Gerät eine Lampe? Wenn nicht: andere Steckdose versuchen.
3. Fünf Minuten warten. Dann diese Seite neu laden.
Läuft es dann immer noch nicht? Bitte anrufen.

Wen kann ich anrufen?
WLAN-Telefon · +49 221 4710 115 · wlan@example.org · Mo–Fr 8–16 Uhr · Jetzt erreichbar

Räume
Serverschrank: läuft
Offener Treff: läuft
Werkraum: läuft nicht

WLAN-Name
freifunk-haus

Öffnungszeiten
Mo–Fr 14–21 Uhr, Sa 15–22 Uhr, an Feiertagen geschlossen

Ort
Beispielstraße 1, 47137 Duisburg, Meiderich
"""


def test_the_text_says_what_the_page_says_in_its_order(inventory: Inventory) -> None:
    look = of_house(
        inventory, health(State.DEGRADED, "some-routers", "silent", fault=Fault.ROUTER), gw=UP, eg=UP, og=DOWN
    )
    assert site_text(seen(look)).replace("\u00a0", " ") == TEXT


def test_json_holds_the_words_of_the_model(inventory: Inventory) -> None:
    look = of_house(inventory, health(State.DOWN, "silent", fault=Fault.HOUSE))
    data = json.loads(json.dumps(site_json(seen(look))))
    assert data["schema_version"] == 1
    assert (data["state"], data["fault"], data["guests"]) == ("down", "house", None)
    assert (data["since"], data["checked"]) == ("2026-06-16T13:30:00+02:00", "2026-06-16T15:28:45+02:00")
    assert [room["state"] for room in data["rooms"]] == ["down", "down", "down"]
    assert data["contacts"][0]["answers"] is True


def test_no_number_of_guests_leaves_the_house(inventory: Inventory) -> None:
    look = {
        count: snapshot(
            inventory,
            {"haus": UP},
            known={(name, "snmp"): told(name, clients=count) for name in ("haus-gw", "haus-ap-eg", "haus-ap-og")},
        )
        for count in (1373, 1374)
    }
    views = [seen(look[count]) for count in look]
    assert views[0].guests == "50+"
    assert views[0] == views[1]
