"""How plans of many routers are shown: short for people, whole for programs."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from tests.networks import write
from wifimgr.cli import output, plans, run
from wifimgr.inventory import Inventory, load
from wifimgr.lab import Lab
from wifimgr.model import Change, Outcome, PathChange, Result, Step
from wifimgr.push.plan import Plan
from wifimgr.push.rollback import Rollback

NAMES = [f"ap-{number:03}" for number in range(300)]
BANNER = PathChange(path="etc/banner", before=b"", after=b"x", diff=("-x", "+y"))
DROPBEAR = "config dropbear\n\toption Port '{}'\n"
MOVES = PathChange(
    path="etc/config/dropbear", before=DROPBEAR.format(22).encode(), after=DROPBEAR.format(2222).encode(), diff=("+p",)
)


@pytest.fixture
def inventory(tmp_path: Path) -> Inventory:
    """Three hundred routers in one place."""
    entries = "".join(f"  {name}: {{addresses: [10.0.{n // 200}.{n % 200 + 1}]}}\n" for n, name in enumerate(NAMES))
    return load(write(tmp_path, haus=f"name: Haus\nkind: library\nrouters:\n{entries}"))


def plan(*changes: Change, outcomes: Sequence[Outcome] = ()) -> Plan:
    return Plan(Rollback(), changes, tuple(outcomes))


def banner(name: str, **more: object) -> Change:
    return replace(Change(router=name, paths=(BANNER,), touched=()), **more)  # type: ignore[arg-type]


def shown(made: Plan, inventory: Inventory, *, everything: bool = False) -> list[str]:
    to = io.StringIO()
    plans.show(made, inventory, to, everything=everything)
    return to.getvalue().splitlines()


def test_many_routers_alike_are_named_by_the_first_three(inventory: Inventory) -> None:
    other = replace(BANNER, diff=("-x", "+z"))
    made = plan(*map(banner, NAMES[:-1]), banner(NAMES[-1], paths=(other,)))
    assert shown(made, inventory)[1:] == [
        "",
        "ap-000, ap-001, ap-002 and 296 more  (the same for all 299)",
        "-x",
        "+y",
        "",
        "ap-299",
        "-x",
        "+z",
        "",
        "300 to change",
    ]


def test_all_are_named_where_somebody_wants_everything(inventory: Inventory) -> None:
    line = shown(plan(*map(banner, NAMES)), inventory, everything=True)[2]
    assert line == f"{', '.join(NAMES)}  (the same for all 300)"


@pytest.mark.parametrize(
    ("number", "line"),
    [
        (1, "ap-000"),
        (2, "ap-000, ap-001  (the same for all 2)"),
        (4, "ap-000, ap-001, ap-002, ap-003  (the same for all 4)"),
        (5, "ap-000, ap-001, ap-002 and 2 more  (the same for all 5)"),
    ],
)
def test_few_routers_are_all_named(inventory: Inventory, number: int, line: str) -> None:
    assert shown(plan(*map(banner, NAMES[:number])), inventory)[2] == line


def named(name: str, place: str) -> Change:
    return banner(name, paths=(replace(BANNER, diff=("-OpenWrt", f"+{name}, {place}")),))


def test_routers_whose_diffs_differ_in_their_own_names_alone_stand_together(inventory: Inventory) -> None:
    made = plan(named("ap-000", "Haus"), named("ap-001", "Haus"), named("ap-002", "Hof"))
    assert shown(made, inventory)[1:] == [
        "",
        "ap-000, ap-001  (the same for all 2, each with its own name and place: this is ap-000)",
        "-OpenWrt",
        "+ap-000, Haus",
        "",
        "ap-002",
        "-OpenWrt",
        "+ap-002, Hof",
        "",
        "3 to change",
    ]


def test_router_whose_diff_names_another_one_stands_alone(inventory: Inventory) -> None:
    lines = shown(plan(named("ap-000", ""), replace(named("ap-000", ""), router="ap-001")), inventory)
    assert ("ap-000" in lines, "ap-001" in lines) == (True, True)


def test_name_that_is_part_of_another_word_is_not_its_own(inventory: Inventory) -> None:
    made = plan(*(banner(name, paths=(replace(BANNER, diff=(f"+{name}-x",)),)) for name in NAMES[:2]))
    lines = shown(made, inventory)
    assert ("ap-000" in lines, "ap-001" in lines) == (True, True)


def test_routers_that_cannot_be_changed_for_the_same_reason_share_a_line(inventory: Inventory) -> None:
    why = ("its lifecycle is planned", "wait", "")
    others = [Outcome(name, Result.SKIPPED, *why) for name in NAMES[1:]]
    made = plan(outcomes=[Outcome(NAMES[0], Result.REFUSED, "no", "", "watch-only"), *others])
    assert shown(made, inventory)[2:] == [
        "ap-000: refused: no [watch-only]",
        "ap-001, ap-002, ap-003 and 296 more: skipped: its lifecycle is planned; wait",
        "1 refused, 299 skipped",
    ]
    assert shown(made, inventory, everything=True)[3].startswith(f"{', '.join(NAMES[1:])}: skipped: ")


def test_same_command_for_many_names_none_of_them(inventory: Inventory) -> None:
    hint = "run 'wifimgr plan x -s {}' then"
    others = [Outcome(name, Result.SKIPPED, "open until 18:00", hint.format(name), "open-now") for name in NAMES[:3]]
    line = "ap-000, ap-001, ap-002: skipped: open until 18:00; run 'wifimgr plan x -s ROUTER' then [open-now]"
    assert shown(plan(outcomes=others), inventory)[2] == line
    assert "-s ap-000' then" in shown(plan(outcomes=others[:1]), inventory)[2]


def test_warnings_name_no_hundreds_of_routers(inventory: Inventory) -> None:
    made = plan(*(banner(name, paths=(MOVES,)) for name in NAMES))
    lines = [line for line in plans.warnings(made, inventory) if "would be reached" in line]
    assert lines == [
        *(f"ap-00{n} would be reached at 10.0.0.{n + 1}:2222 instead of 10.0.0.{n + 1}:22." for n in range(3)),
        "297 more routers would be reached elsewhere (-v tells where).",
    ]
    lines = [line for line in plans.warnings(made, inventory, everything=True) if "would be reached" in line]
    assert len(lines) == 300


def test_plan_and_apply_name_all_with_v(
    lab: Lab, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plans, "MOST_NAMES", 0)
    monkeypatch.setattr("wifimgr.cli.common.need_somebody", lambda yes, hint: None)
    monkeypatch.setattr("typer.confirm", lambda question, **_: False)
    for command, code in (("plan", 0), ("apply", 1)):
        assert run([command, "radio"]) == code
        assert " and 2 more  (the same for all 2)" in "".join(capsys.readouterr())
        assert run([command, "radio", "-v"]) == code
        assert "\nhaus-ap, haus-ap-2  (the same for all 2)" in "".join(capsys.readouterr())


def test_rows_hold_all_that_a_program_needs_in_json_and_yaml(
    inventory: Inventory, capsys: pytest.CaptureFixture[str]
) -> None:
    secret = replace(MOVES, secret=True)
    step = Step(what="install the package snmpd\x1b[2J", script="geheim")
    made = plan(
        banner("ap-000", paths=(secret,), steps=(step,), after=("service restart snmpd",), radar=60.0),
        Change(router="ap-001", paths=(), touched=()),
        banner("ap-003"),
        outcomes=[Outcome("ap-002", Result.FAILED, "why", "next", "bad-uci")],
    )
    rows = plans.rows(made, inventory)
    assert {key: value for key, value in rows[0].items() if value not in ("", [])} == {
        "router": "ap-000",
        "result": "to change",
        "paths": ["/etc/config/dropbear"],
        "diff": ["+p"],
        "no_undo": ["install the package snmpd\x1b[2J"],
        "takes_up": ["service restart snmpd"],
        "interrupts": {},
        "radar": 60.0,
        "moves_to": "10.0.0.1:2222",
        "secret": True,
    }
    assert [row["result"] for row in rows] == ["to change", "already right", "to change", "failed"]
    assert [row["moves_to"] for row in rows[1:]] == ["", "", ""]
    assert (rows[3]["why"], rows[3]["next"], rows[3]["id"]) == ("why", "next", "bad-uci")
    assert len({tuple(row) for row in rows}) == 1, "the same keys in each"
    output.show(rows, "router", ("router",), output.Form.JSON)
    as_json = capsys.readouterr().out
    output.show(rows, "router", ("router",), output.Form.YAML)
    as_yaml = capsys.readouterr().out
    assert json.loads(as_json) == yaml.safe_load(as_yaml) == {"schema_version": 1, "routers": rows}
    assert "\x1b" not in as_json + as_yaml
    assert "geheim" not in as_json + as_yaml
