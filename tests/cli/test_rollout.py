"""How careful ``apply`` and ``rollback`` are with many routers and open places, run as the program runs them."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.cli.test_change import results, wait_for
from wifimgr.cli import plans, run
from wifimgr.inventory import load
from wifimgr.lab import Lab
from wifimgr.model import Change, PathChange, Step
from wifimgr.push import opening
from wifimgr.push.plan import Plan
from wifimgr.push.rollback import Rollback
from wifimgr.settings import Rollout

Out = pytest.CaptureFixture[str]
PROGRAM = [sys.executable, "-c", "from wifimgr.cli import main; main()"]
OPEN = datetime(2026, 11, 25, 14, 0, tzinfo=UTC)
"""A Wednesday afternoon."""


@pytest.fixture
def opened(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The house closes at six, and it is three in the afternoon."""
    site = folder / "inventory/sites/haus.yaml"
    site.write_text(site.read_text("utf-8") + 'opening_hours: "Mo-Fr 10:00-18:00"\n', encoding="utf-8")
    monkeypatch.setattr(opening, "now", lambda: OPEN)


def pending(lab: Lab, name: str) -> Callable[[], bool]:
    return lambda: any(lab.routers[name].root.glob("etc/wifimgr/pending.*"))


# ---------------------------------------------------------------- what is said before the question


def change(name: str, **more: object) -> Change:
    path = PathChange(path="etc/banner", before=b"", after=b"x")
    return Change(**{"router": name, "paths": (path,), "touched": (), **more})  # type: ignore[arg-type]


def said(folder: Path, *changes: Change) -> list[str]:
    return plans.warnings(Plan(Rollback(), changes, ()), load(folder))


def login(name: str, *paths: str, **more: object) -> Change:
    """A change of files that can cut our way to the router; of our keys where none are named."""
    found = (PathChange(path=path, before=b"", after=b"x") for path in paths or ["etc/dropbear/authorized_keys"])
    return change(name, paths=tuple(found), connectivity=True, **more)


LOGIN_ONLY = "1 router, 1 place, only the login changes: people notice it if that fails."
NETWORK_TOO = "1 router, 1 place, the network may be gone for a moment."
WIFI = {"interrupts": {"wifi": 40.0}}


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ([change("haus-ap")], "1 router, 1 place."),
        ([change("haus-ap", **WIFI)], "1 router, 1 place, about 40 s without Wi-Fi."),
        (
            [change("haus-ap", **WIFI), change("haus-gw", interrupts={"wifi": 10.0, "internet": 90.5})],
            "2 routers, 1 place, about 40 s without Wi-Fi and 90.5 s without internet each.",
        ),
        ([change("haus-ap", connectivity=True)], "1 router, 1 place, the network may be gone for a moment."),
        ([login("haus-ap")], LOGIN_ONLY),
        ([login("haus-ap", "etc/config/dropbear", "etc/banner")], LOGIN_ONLY),
        ([login("haus-ap", "etc/config/dropbear", "etc/config/firewall")], NETWORK_TOO),
        ([login("haus-ap", after=("service stop uhttpd",))], NETWORK_TOO),
        ([login("haus-ap"), login("haus-gw", "etc/config/network")], f"2 routers{NETWORK_TOO[8:]}"),
        ([login("haus-ap", **WIFI)], "1 router, 1 place, about 40 s without Wi-Fi."),
    ],
)
def test_first_line_says_what_people_notice(folder: Path, changes: list[Change], line: str) -> None:
    assert said(folder, *changes)[0] == line


@pytest.mark.usefixtures("opened")
def test_first_line_says_how_many_places_are_open_and_the_next_who_waits(folder: Path) -> None:
    first, second, *_ = said(folder, change("haus-ap", **WIFI), change("haus-gw", **WIFI))
    assert first == "2 routers, 1 place, about 40 s without Wi-Fi each; 1 place is open now."
    assert second == "These wait, --while-open changes them too: haus-ap, haus-gw (open until 18:00)."
    assert not any("open" in line for line in said(folder, change("haus-ap"), change("haus-gw")))


@pytest.mark.usefixtures("opened")
def test_first_line_says_how_many_of_the_open_places_never_close(folder: Path) -> None:
    site = "name: Hof\nkind: square\nopening_hours: '24/7'\nrouters:\n  hof-ap: {addresses: [192.0.2.9]}\n"
    (folder / "inventory/sites/hof.yaml").write_text(site, encoding="utf-8")
    hof, haus = change("hof-ap", **WIFI), change("haus-ap", **WIFI)
    assert said(folder, haus, hof)[0].endswith(" each; 2 places are open now, 1 of them always.")
    assert said(folder, hof)[0].endswith("; 1 place is open now, always.")


def test_what_else_matters_is_one_line_each(folder: Path) -> None:
    step = Step(what="install the package snmpd\x1b[2J", script="true")
    secret = PathChange(path="etc/config/snmpd", before=b"a", after=b"b", secret=True)
    lines = said(
        folder, change("haus-ap", steps=(step,), radar=60.0), change("haus-gw", paths=(secret,), steps=(step,))
    )
    assert lines == [
        "2 routers, 1 place.",
        "Radar: 1 router may listen for 60 s before the Wi-Fi is back.",
        "No undo on 2 routers: install the package snmpd\\u001b[2J.",
        "A secret changes on 1 router: once confirmed, no copy of the old files stays there.",
        "A router that cannot be confirmed within 150 s goes back by itself.",
    ]


# ---------------------------------------------------------------- places that are open


@pytest.mark.usefixtures("opened")
def test_plan_tells_who_would_wait(lab: Lab, capsys: Out) -> None:
    assert run(["plan", "radio"]) == 0
    told = capsys.readouterr().out
    assert "; 1 place is open now.\nThese wait, --while-open changes them too: haus-ap, haus-ap-2 (open" in told
    assert run(["plan", "radio", "-o", "json"]) == 0
    for row in json.loads(capsys.readouterr().out)["routers"]:
        assert (row["waits"], row["interrupts"], row["radar"]) == ("open until 18:00", {"wifi": 40.0}, 0.0)


@pytest.mark.usefixtures("opened")
def test_apply_waits_for_the_place_to_close_unless_it_is_asked_for(lab: Lab, capsys: Out) -> None:
    before = lab.routers["haus-ap"].flash()
    assert run(["apply", "radio", "--yes", "-s", "haus-ap", "-o", "json"]) == 4
    [row] = json.loads(capsys.readouterr().out)["outcomes"]
    assert (row["result"], row["why"], row["id"]) == ("skipped", "open until 18:00", "open-now")
    assert row["next"] == "run 'wifimgr plan radio -s haus-ap' then, or say --while-open"
    assert lab.routers["haus-ap"].flash() == before
    assert run(["journal", "list", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["changes"] == []
    assert run(["apply", "radio", "--yes", "-s", "haus-ap", "--while-open"]) == 0
    assert lab.routers["haus-ap"].flash() != before


@pytest.mark.usefixtures("opened")
def test_nobody_is_asked_when_nothing_can_be_done(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wifimgr.cli.common.need_somebody", lambda yes, hint: None)
    monkeypatch.setattr("typer.confirm", lambda *_, **__: pytest.fail("asked"))
    assert run(["apply", "radio"]) == 4


@pytest.mark.usefixtures("opened")
def test_what_nobody_notices_and_a_rollback_do_not_wait(lab: Lab, capsys: Out) -> None:
    assert run(["apply", "banner", "--yes", "-s", "haus-ap"]) == 0
    assert run(["apply", "radio", "--yes", "-s", "haus-ap", "--while-open"]) == 0
    capsys.readouterr()
    assert run(["rollback", "haus-ap", "--yes"]) == 0
    told = capsys.readouterr().err
    assert "1 router, 1 place, the network may be gone for a moment; 1 place is open now." in told
    assert "wait" not in told


# ---------------------------------------------------------------- one goes first


def test_router_that_goes_first_holds_the_others_when_it_goes_back(lab: Lab, capsys: Out) -> None:
    before = lab.routers["haus-ap-2"].flash()
    lab.routers["haus-ap"].misbehave("lockout")
    assert run(["apply", "radio", "--yes", "-o", "json"]) == 3
    told = capsys.readouterr()
    assert results(told.out) == {"haus-ap": "rolled back", "haus-ap-2": "skipped"}
    assert "haus-ap goes first; the others wait until it is confirmed\n1 of 2: haus-ap: rolled back\n" in told.err
    assert told.err.endswith("\n2 of 2: haus-ap-2: skipped\n1 rolled back, 1 skipped\n")
    why = [(row["why"], row["next"]) for row in json.loads(told.out)["outcomes"]][1]
    assert why == (
        "the first router (haus-ap) was not confirmed",
        "repair that one, then run 'wifimgr plan radio -s haus-ap-2'",
    )
    assert lab.routers["haus-ap-2"].flash() == before


def test_network_says_how_careful_and_an_option_says_otherwise(lab: Lab, folder: Path, capsys: Out) -> None:
    network = folder / "inventory/network.yaml"
    network.write_text(network.read_text() + "push: {canary: 0, at_once: 1, stop_after: 1}\n", encoding="utf-8")
    lab.routers["haus-ap"].misbehave("lockout")
    assert run(["apply", "radio", "--yes", "-o", "json"]) == 3
    told = capsys.readouterr()
    assert results(told.out) == {"haus-ap": "rolled back", "haus-ap-2": "skipped"}
    assert "1 went wrong before it (haus-ap)" in told.out
    options = ["--stop-after", "0", "--at-once", "2", "--canary", "0"]
    assert run(["apply", "radio", "--yes", "-o", "json", *options]) == 3
    assert results(capsys.readouterr().out) == {"haus-ap": "rolled back", "haus-ap-2": "done"}


def test_an_option_is_stronger_than_the_network(folder: Path) -> None:
    network = folder / "inventory/network.yaml"
    network.write_text(network.read_text() + "push: {canary: 2, at_once: 5, stop_after: 7}\n", encoding="utf-8")
    inventory = load(folder)
    assert plans.rollout(inventory) == Rollout(canary=2, at_once=5, stop_after=7, while_open=False)
    assert plans.rollout(inventory, at_once=9, while_open=True) == Rollout(2, 9, 7, while_open=True)
    assert plans.rollout(inventory, canary=0, stop_after=0) == Rollout(0, 5, 0)


@pytest.mark.parametrize("option", ["--canary=-1", "--at-once=0", "--stop-after=-1", "--at-once=x"])
def test_numbers_that_make_no_sense_are_refused(option: str, folder: Path) -> None:
    assert run(["apply", "radio", "--yes", option]) == 2


# ---------------------------------------------------------------- Ctrl-C


def interrupted(lab: Lab, *names: str, options: tuple[str, ...] = ()) -> dict[str, str]:
    """Starts ``apply``, interrupts it when these routers are in the middle; router to how it ended."""
    slow = {"confirm_within": "60s", "settle": {"connectivity": "40s"}, "login_gap": "1s"}
    lab.move_in(Path(), load(Path()).network.ssh_profiles, slow)
    command = [*PROGRAM, "apply", "radio", "--yes", "-o", "json", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for name in names:
            wait_for(pending(lab, name), 40)
        process.send_signal(signal.SIGINT)
    except BaseException:
        process.kill()
        raise
    finally:
        out, err = process.communicate(timeout=40)
    assert (process.returncode, "Traceback" in err) == (130, False), err
    found = {row["router"]: f"{row['result']}: {row['why']}" for row in json.loads(out)["outcomes"]}
    for name, text in found.items():
        assert f"{name}: {text.partition(':')[0]}\n" in err, "each router is told as it ends, too"
    return found


@pytest.mark.scenario(35)
def test_ctrl_c_while_one_goes_first_takes_it_back_and_begins_no_other(lab: Lab) -> None:
    before = {name: router.flash() for name, router in lab.routers.items()}
    assert interrupted(lab, "haus-ap") == {
        "haus-ap": "rolled back: interrupted",
        "haus-ap-2": "skipped: interrupted before anything was sent",
    }
    assert {name: router.flash() for name, router in lab.routers.items()} == before


@pytest.mark.scenario(35)
def test_ctrl_c_takes_all_back_that_are_in_the_middle_at_once(lab: Lab) -> None:
    before = {name: router.flash() for name, router in lab.routers.items()}
    found = interrupted(lab, "haus-ap", "haus-ap-2", options=("--canary", "0"))
    assert found == dict.fromkeys(("haus-ap", "haus-ap-2"), "rolled back: interrupted")
    assert {name: router.flash() for name, router in lab.routers.items()} == before
