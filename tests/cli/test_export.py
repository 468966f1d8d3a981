"""The command export, run as the program runs it. What each format holds is in tests/inventory/exporters."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.inventory.exporters.places import places
from wifimgr.cli import run
from wifimgr.cli.exporting import FLOWS, Format
from wifimgr.inventory import Inventory
from wifimgr.inventory.exporters import COLUMNS, EXPORTERS

TOP = Path(__file__).parents[2]
Out = pytest.CaptureFixture[str]


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inventory:
    monkeypatch.chdir(tmp_path)
    return places(tmp_path)


@pytest.mark.parametrize("format", EXPORTERS)
def test_every_format_is_printed_as_it_is(
    network: Inventory, capsysbinary: pytest.CaptureFixture[bytes], format: str
) -> None:
    assert run(["export", format]) == 0
    out, err = capsysbinary.readouterr()
    assert out.decode() == EXPORTERS[format](network, list(network.routers.values()))
    assert out.endswith(b"\n")
    assert err == b""


@pytest.mark.parametrize("format", EXPORTERS)
def test_selectors_choose(network: Inventory, capsys: Out, format: str) -> None:
    assert run(["export", format, "-s", "node", "--select", "hof-gw", "-q"]) == 0
    wanted = [network.routers["hof-gw"], network.routers["node"]]
    assert capsys.readouterr().out == EXPORTERS[format](network, wanted)


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("format", [*EXPORTERS, FLOWS])
def test_a_selector_that_matches_nothing_is_an_error(capsys: Out, format: str) -> None:
    assert run(["export", format, "-s", "nood"]) == 2
    meant = "did you mean node? 'wifimgr router list' lists all"
    assert capsys.readouterr() == ("", f"error: nood: matches no router; {meant} [nothing-selected]\n")


@pytest.mark.usefixtures("network")
def test_places_that_are_not_public_are_told_only_with_all(capsys: Out) -> None:
    found = []
    for words in ([], ["--all"]):
        assert run(["export", "geojson", *words]) == 0
        found.append([feature["id"] for feature in json.loads(capsys.readouterr().out)["features"]])
    assert found == [["hof"], ["hof", "knoten"]]


@pytest.mark.usefixtures("network")
def test_flows_are_a_list_like_others(capsys: Out) -> None:
    assert run(["export", "flows", "-s", "node"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "from\tto\taddress\tport\tprotocol\tpurpose\trouter\tsite",
        "wifimgr\tnode\t2001:db8::c1\t1001\tudp\thealth (respondd)\tnode\tknoten",
        "wifimgr\tnode\t2001:db8::c1\t\ticmpv6\thealth (ping)\tnode\tknoten",
    ]
    documents = []
    for form, read in (("json", json.loads), ("yaml", yaml.safe_load)):
        assert run(["export", "flows", "-s", "node", "-o", form]) == 0
        documents.append(read(capsys.readouterr().out))
    assert documents[0] == documents[1]
    assert documents[0]["schema_version"] == 1
    assert [flow["port"] for flow in documents[0]["flows"]] == [1001, None]
    assert tuple(documents[0]["flows"][0]) == COLUMNS
    assert run(["export", "flows", "-o", "table"]) == 0
    assert "jump to hof-far" in capsys.readouterr().out


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["geo"], "there is no format 'geo'; did you mean geojson? [unknown-name]"),
        (
            ["a\x1b[31m"],
            "there is no format 'a\\u001b[31m'; known here: ansible, csv, flows, geojson, prometheus, "
            "ssh_config [unknown-name]",
        ),
        (["csv", "-o", "json"], "--output: csv has one form only; this is for flows [wrong-type]"),
        (["csv", "--all"], "--all: csv hides no place; this is for geojson [wrong-type]"),
        (["flows", "--all"], "--all: flows hides no place; this is for geojson [wrong-type]"),
    ],
)
def test_what_does_not_fit_is_said(capsys: Out, words: list[str], message: str) -> None:
    assert run(["export", *words]) == 2
    assert capsys.readouterr() == ("", f"error: {message}\n")


def test_a_value_that_cannot_be_written_is_one_line_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    places(tmp_path, "ssh: {default: {key: {file: '${HOME}/id'}}}\n")
    monkeypatch.chdir(tmp_path)
    for format in ("ssh_config", "ansible"):
        assert run(["export", format]) == 2
        out, err = capsys.readouterr()
        assert out == ""
        assert err == (
            f"error: {tmp_path}/${{HOME}}/id: a path holds ${{ or an invisible character, and OpenSSH would read "
            "another one; give the file or folder another name [cannot-export]\n"
        )


def test_the_help_names_every_format() -> None:
    [argument] = Format.__metadata__  # type: ignore[attr-defined]
    assert argument.help == f"One of: {', '.join([*EXPORTERS, FLOWS])}."


@pytest.mark.usefixtures("network")
def test_the_output_is_utf_8_whatever_the_terminal_speaks(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(TOP), "PYTHONIOENCODING": "latin-1"}
    command = [sys.executable, "-c", "from wifimgr.cli import main; main()", "export", "csv"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, timeout=60, check=True)
    rows = list(csv.DictReader(io.StringIO(done.stdout.decode("utf-8"), newline="")))
    assert rows[0]["district"].endswith("äß🦊")


def test_flows_of_the_docs_are_those_of_the_example(monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.chdir(TOP)
    assert run(["export", "flows", "-s", "jz-meiderich-gw", "-o", "table"]) == 0
    shown = "\n".join(line.rstrip() for line in capsys.readouterr().out.strip().splitlines())
    assert f"```\n{shown}\n```" in (TOP / "docs/export.md").read_text(encoding="utf-8")
