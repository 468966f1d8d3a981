"""RouterOS: what is typed and read, against a console that follows MikroTik's manual; and what people see of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from netmiko.mikrotik.mikrotik_ssh import MikrotikRouterOsSSH

from tests.push.tasks.case import router
from tests.routeros import FILTER, PASSWORD, Complaint, Menu, Parser, RouterOs, Session, Time, listed, running
from tests.routeros import settings as menu_settings
from wifimgr.errors import ConfigError, Refused, RouterError
from wifimgr.model import PathChange, Touched
from wifimgr.platforms import check_carried, routeros
from wifimgr.platforms.edits import FileEdit, MenuEdit, UciEdit
from wifimgr.platforms.routeros import SETTINGS, WHOLE, Held
from wifimgr.push import playbook
from wifimgr.settings import Endpoint, Secret
from wifimgr.ssh import Console, Deadline, Target, console
from wifimgr.ssh.terminal import CONSOLE_OPTIONS

HEAD = "name: Fall\nabout: Ein Fall.\nwhere: platform=routeros\n"
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)
ODD = st.text(st.sampled_from("\"\\$[]{}();?\t\n\r#`'=!*~<> \x03\x04\x18\x1bäß€🛜"), max_size=30)


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[RouterOs, Console]]:
    """A router and an open session on it."""
    with running() as ros:
        target = Target(
            name="gw",
            endpoint=Endpoint("127.0.0.1", ros.port),
            user="wifimgr",
            keys=(ros.host_key,),
            password=Secret(PASSWORD),
        )
        with console(target, Deadline(600)) as session:
            yield ros, session


def edits(folder: Path, wish: Any, **values: Any) -> tuple[Any, ...]:
    """The edits of a playbook with these wishes."""
    path = folder / "fall.yaml"
    path.write_text(HEAD + yaml.safe_dump({"routeros": wish}, sort_keys=False), encoding="utf-8")
    return playbook.load(folder, str(path)).wishes(router(values)).edits


def held(menu: str, items: dict[str, dict[str, Held]]) -> routeros.Menus:
    return {menu: items}


# --- quoting ---


@given(st.one_of(TEXTS, ODD, st.binary(max_size=40).map(lambda raw: raw.decode("utf-8", "surrogateescape"))))
def test_quoted_text_is_one_value_that_says_the_same(text: str) -> None:
    line = f"/x set a={routeros.quoted(text)} b=1"
    [[head, verb, first, second]] = Parser(line).script()
    assert (head, verb, second) == ("/x", "set", ("parameter", "b", ("text", ["1"])))
    assert "".join(first[2][1]).encode("latin-1") == text.encode("utf-8", "surrogateescape")


@given(st.one_of(TEXTS, ODD))
def test_quoted_text_holds_no_key_of_the_line_editor(text: str) -> None:
    quoted = routeros.quoted(text)
    assert quoted.isascii()
    assert quoted.isprintable()
    assert not set(quoted[1:-1]) & set('?"$[]{}();')


@settings(max_examples=25, deadline=None)
@given(text=st.one_of(TEXTS, ODD))
def test_any_value_arrives_unharmed_and_is_read_back(place: tuple[RouterOs, Console], text: str) -> None:
    ros, session = place
    ros.menus["system/note"] = menu_settings(note="", show_at_login=True)
    wishes = [MenuEdit(menu="system/note", set={"note": text})]
    before = (ros.actions, ros.helped)
    menus = routeros.read("gw", wishes, session, Deadline(20))
    commands = routeros.commands(wishes, menus)
    for command in commands:
        session.run(command, Deadline(20))
    assert ros.holds("system/note", "note") == text
    assert (ros.actions, ros.helped) == (before[0] + len(commands), before[1])
    taken_by_terminals = set(text) & set("\x1b\r")  # a value with one of these may be refused, but never guessed
    with suppress(RouterError) if taken_by_terminals else nullcontext():
        again = routeros.read("gw", wishes, session, Deadline(20))
        assert routeros.commands(wishes, again) == ()


def test_nul_is_refused(tmp_path: Path) -> None:
    wishes = edits(tmp_path, [{"menu": "/system note", "set": {"note": "a\0b"}}])
    with pytest.raises(ConfigError, match="NUL"):
        routeros.commands(wishes, held("system/note", {SETTINGS: {"note": Held("str", "")}}))


def test_comma_in_a_list_is_refused(tmp_path: Path) -> None:
    wishes = edits(tmp_path, [{"menu": "/ip dns", "set": {"servers": ["192.0.2.1,192.0.2.2"]}}])
    with pytest.raises(ConfigError, match="holds a comma"):
        routeros.commands(wishes, held("ip/dns", {SETTINGS: {"servers": Held("array", "")}}))


# --- what is there, and what is wished ---


@pytest.mark.parametrize(
    ("kind", "text", "wished", "same"),
    [
        ("bool", "true", "yes", True),
        ("bool", "true", "1", True),
        ("bool", "false", "no", True),
        ("bool", "false", "yes", False),
        ("bool", "true", "vielleicht", False),
        ("array", "192.0.2.1;192.0.2.2", ("192.0.2.1", "192.0.2.2"), True),
        ("array", "192.0.2.2;192.0.2.1", ("192.0.2.1", "192.0.2.2"), False),
        ("array", "192.0.2.1", "192.0.2.1", True),
        ("str", "80,443", ("80", "443"), True),
        ("time", "00:05:00", "5m", True),
        ("time", "1w", "7d", True),
        ("time", "1d02:00:00", "26h", True),
        ("time", "00:05:00", "300", True),
        ("time", "00:05:00", "6m", False),
        ("time", "00:05:00", "bald", False),
        ("num", "1500", "1500", True),
        ("nil", "", "", True),
        ("nil", "", "x", False),
        ("str", "geheim", Secret("geheim"), True),
        ("str", "a;b", "a,b", False),
    ],
)
def test_values_are_compared_as_routeros_means_them(kind: str, text: str, wished: Any, same: bool) -> None:
    assert routeros.is_as_wished(Held(kind, text), wished) is same


def test_values_of_a_playbook_become_the_words_of_routeros(tmp_path: Path) -> None:
    wish = {
        "menu": "/interface wireless",
        "match": {"name": "{{ device }}", "disabled": True},
        "set": {"mtu": 1480, "hide-ssid": False, "ssid": "frei {{ device }}", "list": ["a", 2, True]},
    }
    [edit] = edits(tmp_path, [wish], device="wlan1")
    assert (edit.menu, edit.match) == ("interface/wireless", {"name": "wlan1", "disabled": "yes"})
    assert edit.set == {"mtu": "1480", "hide-ssid": "no", "ssid": "frei wlan1", "list": ("a", "2", "yes")}
    assert re.search(r"fall\.yaml:[0-9]+$", edit.where)


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        ({"menu": "/ip dns"}, "wishes nothing"),
        ({"menu": "/ip dns", "absent": True}, "absent goes with match"),
        ({"menu": "/ip dns", "match": {"a": "b"}, "set": {"c": "d"}, "absent": True}, "absent goes with match"),
        ({"menu": "/ip dns", "match": {"a": "b"}, "set": {"a": "c"}}, "sets an option that it matches"),
        ({"menu": "/ip dns; /system reboot", "set": {"a": "b"}}, "is not a menu"),
        ({"menu": "/ip dns\n/system reboot", "set": {"a": "b"}}, "is not a menu"),
        ({"menu": "/file", "set": {"a": "b"}}, "may not be pushed"),
        ({"menu": "/system package update", "set": {"a": "b"}}, "may not be pushed"),
        ({"menu": "/system shutdown", "set": {"a": "b"}}, "may not be pushed"),
        ({"menu": "/undo", "set": {"a": "b"}}, "may not be pushed"),
        ({"menu": "/ip dns", "set": {"a b": "c"}}, "is not an option"),
        ({"menu": "/ip dns", "set": {"a=[/quit]": "c"}}, "is not an option"),
        ({"menu": "/ip dns", "set": {"a": None}}, "is not a value"),
        ({"menu": "/ip dns", "set": {"a": []}}, "is not a value"),
        ({"menu": "/ip dns", "set": {"a": {"b": "c"}}}, "is not a value"),
        ({"menu": "/ip dns", "match": {"a": ""}}, "has no value"),
        ({"menu": "/ip dns", "match": {"a": ["b"]}}, "has no value"),
        ({"menu": "/ip dns", "match": {"a": "{{ many }}"}}, "match takes plain text only"),
    ],
)
def test_wishes_that_cannot_be_meant_are_refused(tmp_path: Path, wish: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        edits(tmp_path, [wish], many=["a", "b"])


def test_other_platforms_do_not_carry_menus() -> None:
    with pytest.raises(Refused, match="openwrt cannot carry what is wished at p:1"):
        check_carried(router({}), [MenuEdit(menu="ip/dns", set={"a": "b"}, where="p:1")])
    check_carried(router({}), [FileEdit(path="/etc/x", content=""), UciEdit(package="p", type="t")])


# --- reading ---


def test_values_are_read_with_their_types(place: tuple[RouterOs, Console]) -> None:
    ros, session = place
    ros.menus["ip/dns"] = menu_settings(servers=["192.0.2.1", "192.0.2.2"], allow=True, ttl=Time("00:05:00"), size=7)
    options = {"servers": "x", "allow": "x", "ttl": "x", "size": "x"}
    found = routeros.read("gw", [MenuEdit(menu="ip/dns", set=options)], session, Deadline(20))
    assert found["ip/dns"][SETTINGS] == {
        "servers": Held("array", "192.0.2.1;192.0.2.2"),
        "allow": Held("bool", "true"),
        "ttl": Held("time", "00:05:00"),
        "size": Held("num", "7"),
    }


def test_items_are_read_with_their_ids(place: tuple[RouterOs, Console]) -> None:
    ros, session = place
    ros.menus["ip/firewall/filter"] = Menu(
        {"*A": {**FILTER, "comment": "*B str 3 wifi"}, "*1F": {**FILTER, "comment": ""}}, FILTER
    )
    wish = MenuEdit(menu="ip/firewall/filter", match={"comment": "x"}, set={"protocol": "tcp"})
    found = routeros.read("gw", [wish], session, Deadline(20))
    nothing = Held("nil", "")
    assert found["ip/firewall/filter"] == {
        "*A": {"comment": Held("str", "*B str 3 wifi"), "protocol": nothing},
        "*1F": {"comment": Held("str", ""), "protocol": nothing},
    }


def test_empty_menu_is_read_as_one(place: tuple[RouterOs, Console]) -> None:
    ros, session = place
    ros.menus["ip/pool"] = Menu({}, {"name": ""})
    wish = MenuEdit(menu="ip/pool", match={"name": "gast"})
    found = routeros.read("gw", [wish], session, Deadline(20))
    assert routeros.commands([wish], found) == ("/ip pool add name=gast",)


@pytest.mark.parametrize(
    ("wish", "why"),
    [
        (MenuEdit(menu="gibt/es/nicht", set={"a": "b"}), "RouterOS says: bad command name nicht"),
        (MenuEdit(menu="system/identity", set={"gibtsnicht": "b"}), "RouterOS says: unknown value name"),
        (MenuEdit(menu="ip/service", set={"port": "22"}), "RouterOS says: no such item"),
    ],
)
def test_what_routeros_does_not_know_is_told_in_its_words(
    place: tuple[RouterOs, Console], wish: MenuEdit, why: str
) -> None:
    _, session = place
    with pytest.raises(RouterError, match=re.escape(why)) as caught:
        routeros.read("gw", [wish], session, Deadline(20))
    assert caught.value.id == "bad-answer"


def test_value_that_does_not_arrive_whole_is_not_guessed() -> None:
    class Garbling:
        unspoken = set[str]()

        def run(self, script: str, deadline: Deadline) -> bytes:
            mark = re.search(r'"(val-\w+) "', script)
            assert mark
            return b"wifi" + mark[1].encode() + b" - str 9 abc\r\n"

    with pytest.raises(RouterError, match="cannot be read whole"):
        routeros.read("gw", [MenuEdit(menu="system/note", set={"note": "x"})], Garbling(), Deadline(5))


@pytest.mark.parametrize(
    "value",
    [
        "\n[wifimgr@MikroTik] > ",
        "[wifimgr@MikroTik] <SAFE> ",
        "[Safe Mode taken]\n[wifimgr@MikroTik] <SAFE> \n",
        "Hijacking Safe Mode from someone - unroll/release/don't take it [u/r/d]: ",
        'failure: no "quotes"\nerror "x"; :put "y"\n',
        '" "wifi" . "mgr-" . $wmv [/quit]',
        "\x1b[2J\x1b[1;1H\x1b]0;Titel\x07",
        "\x1b[",
        "a\rb",
        "[" * 5000,
        " " * 5000 + "\n" * 300,
    ],
)
@pytest.mark.parametrize("last", [False, True])
def test_value_that_looks_like_a_console_is_read_as_it_is_or_refused(
    place: tuple[RouterOs, Console], value: str, last: bool
) -> None:
    ros, session = place
    values = ["davor", value] if last else [value, "danach"]
    ros.menus["ip/firewall/filter"] = listed(FILTER, *({**FILTER, "comment": each} for each in values))
    wish = MenuEdit(menu="ip/firewall/filter", match={"comment": "x"}, absent=True)
    with suppress(RouterError) if set(value) & set("\x1b\r") else nullcontext():
        found = routeros.read("gw", [wish], session, Deadline(60))["ip/firewall/filter"]
        assert [item["comment"].text for item in found.values()] == values
        assert all(f"comment={value}" in found[f"*{at}"][WHOLE].text for at, value in enumerate(values, 1))
    assert not session.safe


@pytest.mark.parametrize("kind", ["bool", "time", "num", "str", "array", "nil", "x"])
@pytest.mark.parametrize("text", ["9" * 5000, "²", "9" * 5000 + "s", "٣:00:00", "", ";", "\udcff"])
def test_no_value_of_a_router_is_too_odd_to_be_compared(kind: str, text: str) -> None:
    for wished in (text, "5m", "yes", ("a", "b")):
        assert routeros.is_as_wished(Held(kind, text), wished) in (True, False)


def test_length_that_no_value_has_is_refused() -> None:
    class Boasting:
        unspoken = set[str]()

        def run(self, script: str, deadline: Deadline) -> bytes:
            mark = re.search(r'"(val-\w+) "', script)
            assert mark
            return b"wifi" + mark[1].encode() + b" - str " + b"9" * 5000 + b" abc\r\n"

    with pytest.raises(RouterError, match="does not tell about all of note"):
        routeros.read("gw", [MenuEdit(menu="system/note", set={"note": "x"})], Boasting(), Deadline(5))


def test_router_that_leaves_a_value_out_is_not_believed() -> None:
    class Silent:
        unspoken = set[str]()

        def run(self, script: str, deadline: Deadline) -> bytes:
            return b"\r\n"

    with pytest.raises(RouterError, match="does not tell about all of note"):
        routeros.read("gw", [MenuEdit(menu="system/note", set={"note": "x"})], Silent(), Deadline(5))


def test_menu_is_not_both_settings_and_items() -> None:
    both = [MenuEdit(menu="a", set={"x": "1"}), MenuEdit(menu="a", match={"x": "1"}, set={"y": "1"})]
    with pytest.raises(ConfigError, match="once with match and once without"):
        routeros.read("gw", both, None, Deadline(5))  # type: ignore[arg-type]


# --- commands and diffs ---

RULES = {
    "*1": {"comment": Held("str", "a"), "action": Held("str", "accept")},
    "*2": {
        "comment": Held("str", "b"),
        "action": Held("str", "drop"),
        WHOLE: Held("array", "action=drop;comment=b"),
    },
}


def rule(match: str, *, absent: bool = False, **options: str) -> MenuEdit:
    return MenuEdit(menu="f", match={"comment": match}, set=options, absent=absent, where="p:1")


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        ([rule("a", action="drop")], ("/f set *1 action=drop",)),
        ([rule("b", action="drop")], ()),
        ([rule("c", action="x y")], ('/f add comment=c action="x y"',)),
        ([rule("a", absent=True)], ("/f remove *1",)),
        ([rule("c", absent=True)], ()),
        ([rule("a", action="drop"), rule("a", action="drop")], ("/f set *1 action=drop",)),
        ([rule("a", absent=True), rule("a", action="x")], ("/f remove *1", "/f add comment=a action=x")),
    ],
)
def test_commands_make_what_is_wished(wishes: list[MenuEdit], expected: tuple[str, ...]) -> None:
    assert routeros.commands(wishes, held("f", RULES)) == expected


def test_item_that_is_not_the_only_one_is_not_guessed() -> None:
    twice = {**RULES, "*3": RULES["*1"]}
    with pytest.raises(ConfigError, match=r"2 items of /f fit \[comment=a\]"):
        routeros.commands([rule("a", action="x")], held("f", twice))


def test_new_item_is_wished_once() -> None:
    with pytest.raises(ConfigError, match="the same new item"):
        routeros.commands([rule("c", action="x"), rule("c", action="y")], held("f", RULES))


def test_plan_shows_lines_of_options_and_what_was_touched() -> None:
    [change], touched = routeros.render("gw", [rule("a", action="drop"), rule("b", absent=True)], held("f", RULES))
    assert change.path == "f"
    assert change.before == b"[comment=a]\n[comment=a] action=accept\n[comment=b]\n[comment=b] action=drop\n"
    assert change.after == b"[comment=a]\n[comment=a] action=drop\n"
    assert [line for line in change.diff if line[:1] in "+-"][2:] == [
        "-[comment=a] action=accept",
        "-[comment=b]",
        "-[comment=b] action=drop",
        "+[comment=a] action=drop",
    ]
    assert touched == (
        Touched("f[comment=a]", "there", "there"),
        Touched("f[comment=a].action", "accept", "drop"),
        Touched("f[comment=b]", "action=drop;comment=b", None),
    )


def test_what_is_right_already_is_no_change() -> None:
    changes, touched = routeros.render("gw", [rule("b", action="drop")], held("f", RULES))
    assert changes == ()
    assert touched[1] == Touched("f[comment=b].action", "drop", "drop")


@pytest.mark.parametrize(
    "option", ["password", "wpa2-pre-shared-key", "security.passphrase", "secret", "private-key", "pre-shared-key"]
)
def test_secrets_are_veiled_by_the_name_of_their_option(option: str) -> None:
    wish = MenuEdit(menu="m", set={option: "neuesgeheimnis"})
    [change], _ = routeros.render("gw", [wish], held("m", {SETTINGS: {option: Held("str", "altesgeheimnis")}}))
    assert [line for line in change.diff if line[:1] in "+-"][2:] == [f"-{option}=***", f"+{option}=*** (new)"]


def test_secrets_are_veiled_wherever_they_stand() -> None:
    wish = MenuEdit(menu="m", set={"comment": Secret("einwort"), "note": "sagt einwort laut"})
    there = {SETTINGS: {"comment": Held("str", ""), "note": Held("str", "")}}
    [change], _ = routeros.render("gw", [wish], held("m", there))
    assert "einwort" not in "\n".join(change.diff)
    assert "einwort" not in repr(change)


def test_what_an_option_held_before_a_secret_is_one_too_whatever_its_name() -> None:
    wish = MenuEdit(menu="m", set={"comment": Secret("PSK=neu"), "note": "x"})
    there = {SETTINGS: {"comment": Held("str", "PSK=altesgeheimnis"), "note": Held("str", "y")}}
    [change], _ = routeros.render("gw", [wish], held("m", there))
    assert [line for line in change.diff if line[:1] in "+-"][2:] == [
        "-comment=***",
        "-note=y",
        "+comment=*** (new)",
        "+note=x",
    ]


def test_secret_of_several_lines_is_veiled_inside_of_other_values() -> None:
    secret = 'erste\n"zweite\\'
    wish = MenuEdit(menu="m", set={"password": Secret(secret), "note": f"sagt {secret} laut"})
    there = {SETTINGS: {"password": Held("str", ""), "note": Held("str", "")}}
    [change], _ = routeros.render("gw", [wish], held("m", there))
    assert not any(word in "\n".join(change.diff) for word in ("erste", "zweite"))


def test_diff_holds_nothing_that_a_terminal_obeys() -> None:
    wish = MenuEdit(menu="m", set={"note": "a\nb\x1b[31m"})
    [change], _ = routeros.render("gw", [wish], held("m", {SETTINGS: {"note": Held("str", "")}}))
    assert [line for line in change.diff if line.startswith("+note")] == ["+note=a\\nb\\x1b[31m"]


@pytest.mark.parametrize(
    ("menu", "touches"),
    [("ip/address", True), ("interface/bridge", True), ("system/note", False), ("snmp", False), ("ipx", False)],
)
def test_what_can_cut_our_way_needs_longer_to_settle(menu: str, touches: bool) -> None:
    assert routeros.touches_connectivity([PathChange(path=menu, before=b"", after=b"x")]) is touches


@pytest.mark.parametrize(("text", "kind"), [("30", 30), ("1w2d", 777600), ("00:00:01", 1), ("", None), ("x", None)])
def test_times_are_understood(text: str, kind: int | None) -> None:
    assert routeros._seconds(text) == kind


# --- the console ---


def test_login_options_are_those_of_netmiko() -> None:
    driver = MikrotikRouterOsSSH.__new__(MikrotikRouterOsSSH)
    driver.username = ""
    driver._modify_connection_params()
    assert driver.username == CONSOLE_OPTIONS


def test_prompt_is_found_whatever_the_router_is_called(place: tuple[RouterOs, Console]) -> None:
    ros, session = place
    for name in ("MikroTik", "a] > b", "<SAFE>", "Jugendhaus [Nord] #1"):
        ros.menus["system/identity"].items[""]["name"] = name
        assert session.run(":put 1", Deadline(20)).endswith(b"\n1\r\n")
        assert not session.safe


def test_question_in_the_middle_of_a_command_is_not_answered(place: tuple[RouterOs, Console]) -> None:
    ros, session = place

    def ask(router: RouterOs, asked: Session, line: str) -> None:
        asked.show("Dangerous! Reboot anyway? [y/N]: ")
        raise Complaint("action cancelled")

    ros.before = ask
    try:
        with pytest.raises(RouterError, match=r"RouterOS says: action cancelled|did not carry out"):
            session.run("/system identity set name=x", Deadline(20))
    finally:
        ros.before = lambda *_: None
