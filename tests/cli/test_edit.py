"""The commands that edit the inventory, run as the program runs them."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.networks import SITE, write
from tests.test_docs import COMMANDS
from wifimgr.cli import run
from wifimgr.inventory import load

Out = pytest.CaptureFixture[str]

PLATZ = """\
name: Platz
kind: square
vars: {ssid: platz}
routers:
  platz-1: {addresses: [192.0.2.9], behind: eins-gw}
  # of the community: watched
  platz-node:
    operator: community
    platform: gluon
    addresses: ["2001:db8::c1"]
    private: {contact: Geheim}
"""
PLAYBOOK = 'name: P\nabout: P.\nwhere: "{where}"\nfiles:\n  - {{path: /etc/banner, content: x}}\n'


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The network folder, which is the working directory; no command here may open a connection."""

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise AssertionError("a command that edits files reached out")

    monkeypatch.delenv("WIFIMGR_NETWORK", raising=False)
    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.chdir(write(tmp_path, eins=SITE, platz=PLATZ))
    return tmp_path


def texts_of(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().decode()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def lines(text: str) -> list[str]:
    return text.splitlines()


# ---------------------------------------------------------------- router set


def test_set_writes_one_line_and_tells_it(folder: Path, capsys: Out) -> None:
    before = texts_of(folder)
    assert run(["router", "set", "eins-ap", 'room=Werkraum, hinten: "Tor" #2']) == 0
    told = capsys.readouterr()
    where = "inventory/sites/eins.yaml:11"
    assert told.err == f'eins-ap: room: not set -> Werkraum, hinten: "Tor" #2 ({where})\n'
    assert told.out == ""
    after = texts_of(folder)
    added = "    room: 'Werkraum, hinten: \"Tor\" #2'\n"
    assert after == {**before, "inventory/sites/eins.yaml": SITE + added}
    assert run(["router", "set", "eins-ap", "room=Hof"]) == 0
    assert capsys.readouterr().err == f'eins-ap: room: Werkraum, hinten: "Tor" #2 -> Hof ({where})\n'
    assert run(["router", "set", "eins-ap", "--unset", "room"]) == 0
    assert capsys.readouterr().err == "eins-ap: room: Hof -> not set (inventory/sites/eins.yaml:8)\n"
    assert texts_of(folder) == before


@pytest.mark.usefixtures("folder")
def test_set_says_when_there_is_nothing_to_change(capsys: Out) -> None:
    assert run(["router", "set", "eins-gw", "role=gateway", "--unset", "room"]) == 0
    assert capsys.readouterr().err == "nothing to change: the inventory says so already\n"


def test_set_quiet_says_nothing(folder: Path, capsys: Out) -> None:
    assert run(["router", "set", "-q", "eins-gw", "tags=a,b"]) == 0
    assert (capsys.readouterr().err, load(folder).routers["eins-gw"].tags) == ("", ("a", "b"))


def test_a_key_given_twice_is_an_error(folder: Path, capsys: Out) -> None:
    assert run(["router", "set", "eins-gw", "tags=a", "tags=b"]) == 2
    told = "error: tags: is given twice; put commas between the items of a list [duplicate-key]\n"
    assert capsys.readouterr().err == told


@pytest.mark.parametrize(
    "value",
    [
        'Jugend\'s "Café"',
        "$(touch /tmp/x) `id`",
        "<script>alert(1)</script>",
        "Grüße 👩‍👧",
        "{{ x }}",
        "- a",
        "a # b",
        "%",
    ],
)
def test_set_takes_any_text(folder: Path, value: str) -> None:
    assert run(["router", "set", "eins-ap", f"room={value}", f"model={value}"]) == 0
    router = load(folder).routers["eins-ap"]
    assert (router.room, router.model) == (value, value)


def test_set_of_text_that_would_steer_a_terminal_writes_it_out(folder: Path, capsys: Out) -> None:
    assert run(["router", "set", "eins-ap", "vars.text=a\n\x1b[2Jb\u202e"]) == 0
    assert "vars.text: not set -> a\\n\\u001b[2Jb\\u202e (" in capsys.readouterr().err
    assert load(folder).routers["eins-ap"].vars["text"] == "a\n\x1b[2Jb\u202e"
    assert "\x1b" not in texts_of(folder)["inventory/sites/eins.yaml"]


def test_set_never_shows_what_is_private_or_secret(folder: Path, capsys: Out) -> None:
    secret = "Geheimnis-1"
    words = [f"private.contact={secret}", f"vars.wifi_password={{env: {secret.replace('-', '_')}}}"]
    assert run(["router", "set", "platz-node", *words]) == 0
    assert run(["router", "set", "platz-node", "--unset", "private", "--unset", "vars"]) == 0
    for wrong in (
        f"vars.wifi_password={secret}",
        f"private.token={secret}",
        f"vars.psk=[{secret}]",
        f"vars.psk={{{secret}",
    ):
        assert run(["router", "set", "platz-node", wrong]) == 2
    told = capsys.readouterr()
    assert told.err.splitlines()[:4] == [
        "platz-node: private.contact: *** -> *** (inventory/sites/platz.yaml:11)",
        "platz-node: vars.wifi_password: not set -> *** (inventory/sites/platz.yaml:13)",
        "platz-node: private: *** -> not set (inventory/sites/platz.yaml:7)",
        "platz-node: vars: wifi_password=*** -> not set (inventory/sites/platz.yaml:7)",
    ]
    assert "Geheim" not in told.out + told.err
    assert secret not in "".join(texts_of(folder).values())


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["eins-app", "room=x"], "error: there is no router 'eins-app'; did you mean eins-ap or eins-gw?"),
        (["eins-ap", "rom=x"], "error: rom: unknown key; did you mean room? [unknown-key]"),
        (["eins-ap", "--unset", "rom"], "error: rom: unknown key; did you mean room? [unknown-key]"),
        (["eins-ap", "room=Hof", "Tor"], "error: Tor: is not written as KEY=VALUE; put a value with spaces in quotes"),
        (["room=Hof"], "error: no router is named; name one, or use -s [nothing-selected]"),
        (["-s", "tag=x", "room=Hof"], "error: tag=x: matches no router; "),
        (
            ["eins-ap", "platform=openwt"],
            "error: platform: 'openwt' is not known; did you mean openwrt? [unknown-name]",
        ),
        (["eins-ap", "vars.psk=abc"], "error: vars.psk: a secret may not stand here in plain text; "),
        (["eins-ap\x1b[2J", "room=x"], "error: there is no router 'eins-ap\\u001b[2J'; "),
        (["eins-ap", "\x1b=x"], "error: \\u001b: unknown key; "),
        (["eins-ap", "private.\udce4=x"], "error: a text holds what no file can hold; "),
    ],
)
def test_set_tells_what_is_wrong_in_one_line(folder: Path, args: list[str], line: str, capsys: Out) -> None:
    before = texts_of(folder)
    assert run(["router", "set", *args]) == 2
    [told] = lines(capsys.readouterr().err)
    assert told.startswith(line)
    assert texts_of(folder) == before


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("args", [[], ["eins-ap"], ["-s", "eins"]])
def test_set_without_a_change_is_wrong_usage(args: list[str], capsys: Out) -> None:
    assert run(["router", "set", *args]) == 2
    assert "say what to change" in capsys.readouterr().err


def test_set_is_checked_with_the_whole_inventory_before_it_is_written(folder: Path, capsys: Out) -> None:
    before = texts_of(folder)
    assert run(["router", "set", "eins-ap", "addresses=192.0.2.9", "operator=citi"]) == 2
    told = lines(capsys.readouterr().err)
    assert told[0] == "nothing is written, because then this would be wrong:"
    assert {line.rpartition(" ")[2] for line in told[1:]} == {"[duplicate-address]", "[unknown-name]"}
    assert texts_of(folder) == before


def test_a_network_that_is_wrong_already_is_told_first(folder: Path, capsys: Out) -> None:
    (folder / "inventory/sites/drei.yaml").write_text("name: Drei\n", encoding="utf-8")
    assert run(["router", "set", "eins-ap", "room=Hof"]) == 2
    told = lines(capsys.readouterr().err)
    assert [line.split(": ")[1:3] for line in told] == [
        ["inventory/sites/drei.yaml:1", key] for key in ("kind", "routers")
    ]


# ---------------------------------------------------------------- many routers


def test_many_routers_are_shown_and_asked_about_before(
    folder: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = texts_of(folder)
    args = ["router", "set", "platz-1", "-s", "site=eins", "tags=x"]
    assert run(args) == 2
    assert "[need-terminal]" in capsys.readouterr().err
    assert texts_of(folder) == before
    asked = []
    monkeypatch.setattr("wifimgr.cli.common.need_somebody", lambda yes, hint: None)
    monkeypatch.setattr("typer.confirm", lambda question, **_: bool(asked.append(question)))
    assert run(args) == 1
    assert asked == ["Write this for 3 of 3 routers?"]
    assert lines(capsys.readouterr().err) == [
        "eins-gw: tags: not set -> x (inventory/sites/eins.yaml:8)",
        "eins-ap: tags: not set -> x (inventory/sites/eins.yaml:12)",
        "platz-1: tags: not set -> x (inventory/sites/platz.yaml:5)",
        "nothing was changed",
    ]
    assert texts_of(folder) == before
    monkeypatch.setattr("typer.confirm", lambda question, **_: True)
    assert run(args) == 0
    assert {router.name for router in load(folder).routers.values() if router.tags} == {"eins-gw", "eins-ap", "platz-1"}


def test_many_routers_with_yes_are_not_asked_about(folder: Path, capsys: Out) -> None:
    assert run(["router", "set", "-s", "site=eins", "-s", "role=gateway", "lifecycle=maintenance", "--yes"]) == 0
    assert len(lines(capsys.readouterr().err)) == 2
    assert load(folder).routers["eins-ap"].lifecycle == "maintenance"
    assert run(["router", "set", "-s", "site=eins", "lifecycle=maintenance"]) == 0  # nothing to ask about


# ---------------------------------------------------------------- site add, router add


def test_a_site_and_a_router_are_added(folder: Path, capsys: Out) -> None:
    name = 'Jugend\'s "Café": <b> Grüße'
    hours = "Mo-Fr 14:00-21:00"
    where = ["--position", "51.46,6.77", "--address", "Beispielweg 1", "--district", "Süd: 2", "--opening-hours", hours]
    assert run(["site", "add", "jz-neu", "--name", name, "--kind", "youth-center", "--public", *where]) == 0
    assert run(["router", "add", "jz-neu-gw", "--site", "jz-neu", "addresses=192.0.2.40", "role=gateway"]) == 0
    assert lines(capsys.readouterr().err) == [
        "jz-neu: written to inventory/sites/jz-neu.yaml; add routers with 'wifimgr router add NAME --site jz-neu'",
        "jz-neu-gw: added to jz-neu (inventory/sites/jz-neu.yaml:13)",
    ]
    inventory = load(folder)
    site = inventory.sites["jz-neu"]
    assert (site.name, site.position, site.address, site.district) == (name, (51.46, 6.77), "Beispielweg 1", "Süd: 2")
    assert (site.public, site.opening_hours) == (True, hours)
    assert inventory.routers["jz-neu-gw"].addresses == ("192.0.2.40",)
    assert run(["check"]) == 0 or "no-contact-hours" in capsys.readouterr().err


def test_check_misses_the_routers_of_a_new_site(folder: Path, capsys: Out) -> None:
    assert run(["site", "add", "neu", "--name", "Neu", "--kind", "other", "--no-public"]) == 0
    assert load(folder).sites["neu"].public is False
    run(["check"])
    assert "[no-routers]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("args", "line"),
    [
        (["eins", "--name", "X", "--kind", "other"], "error: inventory/sites/eins.yaml: is there already; "),
        (["Eins", "--name", "X", "--kind", "other"], "error: Eins: is no name for a site; "),
        (["../x", "--name", "X", "--kind", "other"], "error: ../x: is no name for a site; "),
        (["neu", "--name", " ", "--kind", "other"], "error: name: is empty; "),
        (
            ["neu", "--name", "a\nb: c", "--kind", "other"],
            "error: name: holds a line break or an invisible character; ",
        ),
        (["neu", "--name", "X", "--kind", "libary"], "error: kind: 'libary' is not known; did you mean library? "),
        (["neu", "--name", "X", "--kind", "other", "--position", "51"], "error: position: is not a position; "),
        (["neu", "--name", "X", "--kind", "other", "--position", "a,b"], "error: position: is not a position; "),
    ],
)
def test_a_site_that_is_wrong_is_not_added(folder: Path, args: list[str], line: str, capsys: Out) -> None:
    before = texts_of(folder)
    assert run(["site", "add", *args]) == 2
    [told] = lines(capsys.readouterr().err)
    assert told.startswith(line)
    assert texts_of(folder) == before


@pytest.mark.parametrize(
    ("args", "lines_told"),
    [
        (["eins-gw", "--site", "eins"], ["error: inventory/sites/eins.yaml:5: eins-gw: is there already; "]),
        (["neu", "--site", "zwei"], ["error: there is no site 'zwei'; "]),
        (["Neu gw", "--site", "eins"], ["error: Neu gw: is not a router name; "]),
        (["$(id)\n", "--site", "eins"], ["error: $(id) : is not a router name; "]),
        (
            ["neu", "--site", "eins"],
            ["nothing is written", "error: inventory/sites/eins.yaml:11: routers.neu: the router has no"],
        ),
        (["neu", "--site", "eins", "x"], ["error: x: is not written as KEY=VALUE; "]),
    ],
)
def test_a_router_that_is_wrong_is_not_added(folder: Path, args: list[str], lines_told: list[str], capsys: Out) -> None:
    before = texts_of(folder)
    assert run(["router", "add", *args]) == 2
    for told, line in zip(lines(capsys.readouterr().err), lines_told, strict=True):
        assert told.startswith(line)
    assert texts_of(folder) == before


# ---------------------------------------------------------------- move, rename, retire


def test_move_tells_what_is_different_there(folder: Path, capsys: Out) -> None:
    assert run(["router", "move", "eins-ap", "platz"]) == 0
    assert lines(capsys.readouterr().err) == [
        "eins-ap: moved to platz (inventory/sites/platz.yaml:12)",
        "eins-ap: vars.ssid: frei -> platz (inventory/sites/platz.yaml:3)",
    ]
    moved = SITE[SITE.index("  eins-ap:") :]
    assert texts_of(folder)["inventory/sites/platz.yaml"] == PLATZ + moved
    assert texts_of(folder)["inventory/sites/eins.yaml"] == SITE.removesuffix(moved)


def test_rename_tells_the_files_and_the_playbooks_that_name_the_router(folder: Path, capsys: Out) -> None:
    (folder / "playbooks").mkdir()
    wheres = ["role=gateway", "eins-gw", "name=x,eins-gw role!=switch", "behind!=eins-gw", "model=eins-gw", "EINS-GW"]
    for number, where in enumerate(wheres):
        (folder / f"playbooks/p{number}.yaml").write_text(PLAYBOOK.format(where=where), encoding="utf-8")
    (folder / "playbooks/wrong.yaml").write_text("name: x\n", encoding="utf-8")
    playbooks = {name: text for name, text in texts_of(folder).items() if name.startswith("playbooks")}
    assert run(["router", "rename", "eins-gw", "haus-gw"]) == 0
    told = lines(capsys.readouterr().err)
    files = "inventory/sites/eins.yaml, inventory/sites/platz.yaml"
    assert told[0] == f"eins-gw: is called haus-gw now, in {files}"
    hint = "where names eins-gw: change it if this router is meant"
    assert [line for line in told if hint in line] == [f"playbooks/p{number}.yaml:3: {hint}" for number in (1, 2, 3, 5)]
    assert any(line.startswith("not searched for eins-gw: playbooks/wrong.yaml:1: ") for line in told)
    assert playbooks.items() <= texts_of(folder).items()
    assert load(folder).routers["platz-1"].behind == "haus-gw"


def test_retire_asks_for_many_and_refuses_what_others_need(folder: Path, capsys: Out) -> None:
    before = texts_of(folder)
    assert run(["router", "retire", "eins-gw"]) == 4
    assert capsys.readouterr().err.startswith("error: eins-gw is the way to eins-ap, platz-1; ")
    assert run(["router", "retire", "-s", "site=platz"]) == 2
    assert "[need-terminal]" in capsys.readouterr().err
    assert run(["router", "retire"]) == 2
    assert "[nothing-selected]" in capsys.readouterr().err
    assert texts_of(folder) == before
    assert run(["router", "retire", "eins-ap"]) == 0
    assert run(["router", "retire", "eins-ap"]) == 0
    assert run(["router", "retire", "-s", "site=platz", "eins-gw", "-y"]) == 0
    assert {router.lifecycle for router in load(folder).routers.values()} == {"retired"}


# ---------------------------------------------------------------- files that cannot be written, and watched routers


def test_a_file_that_no_command_can_edit_is_told(folder: Path, capsys: Out) -> None:
    path = folder / "inventory/sites/eins.yaml"
    path.write_text(SITE.replace("role: gateway", "role: &role gateway") + "    role: *role\n", encoding="utf-8")
    before = texts_of(folder)
    assert run(["router", "set", "eins-ap", "role=switch"]) == 2
    [told] = lines(capsys.readouterr().err)
    assert told.startswith(
        "error: inventory/sites/eins.yaml:11: routers.eins-ap.role: is written in a way that no command"
    )
    assert texts_of(folder) == before


def test_a_folder_that_cannot_be_written_is_one_line(
    folder: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = texts_of(folder)

    def refuse(path: Any, flags: int, *rest: Any, **named: Any) -> int:
        if flags & os.O_CREAT:
            raise PermissionError(13, "Permission denied")
        return real(path, flags, *rest, **named)

    real = os.open
    monkeypatch.setattr(os, "open", refuse)
    for command in (["router", "rename", "eins-gw", "neu"], ["site", "add", "neu", "--name", "N", "--kind", "other"]):
        assert run(command) == 2
        [told] = lines(capsys.readouterr().err)
        assert told.endswith(".yaml: cannot be written: permission denied; nothing was changed [unreadable-file]")
    assert texts_of(folder) == before


def test_a_file_that_changes_while_somebody_is_asked_is_kept(
    folder: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = folder / "inventory/sites/platz.yaml"

    def meanwhile(question: str, **_: Any) -> bool:
        path.write_text(PLATZ.replace("platz}", "anders}"), encoding="utf-8")
        return True

    monkeypatch.setattr("wifimgr.cli.common.need_somebody", lambda yes, hint: None)
    monkeypatch.setattr("typer.confirm", meanwhile)
    assert run(["router", "set", "-s", "name=*", "tags=x"]) == 2
    assert lines(capsys.readouterr().err)[-1].startswith(
        "error: inventory/sites/platz.yaml: was changed by somebody else"
    )
    assert path.read_text(encoding="utf-8") == PLATZ.replace("platz}", "anders}")
    assert (folder / "inventory/sites/eins.yaml").read_text(encoding="utf-8") == SITE


WATCHED: dict[str, list[str]] = {
    "router set": ["platz-node", "room=Kiosk"],
    "router move": ["platz-node", "eins"],
    "router rename": ["platz-node", "kiosk-node"],
    "router retire": ["platz-node"],
}


@pytest.mark.parametrize("command", WATCHED)
def test_a_router_that_is_only_watched_is_edited_like_any_other(folder: Path, command: str) -> None:
    before = texts_of(folder)
    assert load(folder).routers["platz-node"].manage == "watch"
    assert command in COMMANDS
    assert run([*command.split(), *WATCHED[command]]) == 0
    assert texts_of(folder) != before


def test_somebody_can_say_that_a_watched_router_is_ours(folder: Path) -> None:
    assert run(["router", "set", "platz-node", "operator=city", "platform=openwrt"]) == 0
    assert load(folder).routers["platz-node"].manage == "push"


def test_the_mode_of_a_file_stays(folder: Path) -> None:
    path = folder / "inventory/sites/eins.yaml"
    path.chmod(0o664)
    assert run(["router", "set", "eins-ap", "room=x"]) == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o664
