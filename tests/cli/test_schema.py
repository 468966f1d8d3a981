"""The command ``schema``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.networks import write
from wifimgr.cli import run
from wifimgr.cli.schema import FOLDER, File, schemas

Out = pytest.CaptureFixture[str]


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(write(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", File)
def test_prints_the_schema_of_one_kind_of_file(
    name: File, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    monkeypatch.chdir(tmp_path)  # no network is needed
    assert run(["schema", name]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["title"] == f"wifimgr: {name}"
    assert out == schemas()[name]
    assert err == ""


def test_writes_all_into_the_network_folder(network: Path, capsys: Out) -> None:
    assert run(["schema", "--write"]) == 0
    assert {path.name: path.read_text("utf-8") for path in (network / FOLDER).iterdir()} == {
        f"{name}.json": text for name, text in schemas().items()
    }
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("written: inventory/schema/network.json, inventory/schema/site.json, ")


def test_writes_only_what_is_not_right_yet(network: Path, capsys: Out) -> None:
    run(["schema", "--write"])
    site = network / FOLDER / "site.json"
    site.write_text("{}", encoding="utf-8")
    before = {path.name: path.stat().st_mtime_ns for path in (network / FOLDER).iterdir()}
    capsys.readouterr()
    assert run(["schema", "--write"]) == 0
    assert capsys.readouterr().err == "written: inventory/schema/site.json\n"
    after = {path.name: path.stat().st_mtime_ns for path in (network / FOLDER).iterdir()}
    assert {name for name in after if after[name] != before[name]} == {"site.json"}
    assert run(["schema", "--write"]) == 0
    assert capsys.readouterr().err == "inventory/schema: already right\n"


def test_writes_also_while_files_are_wrong(network: Path) -> None:
    (network / "inventory/network.yaml").write_text("nonsense: [", encoding="utf-8")
    assert run(["schema", "--write"]) == 0
    assert (network / FOLDER / "network.json").is_file()


@pytest.mark.parametrize("args", [["schema"], ["schema", "site", "--write"], ["schema", "sites"]])
def test_needs_one_kind_of_file_or_all(network: Path, capsys: Out, args: list[str]) -> None:
    assert run(args) == 2
    assert capsys.readouterr().out == ""
    assert not (network / FOLDER).exists()


def test_what_cannot_be_written_is_one_line(network: Path, capsys: Out) -> None:
    (network / FOLDER).write_text("a file", encoding="utf-8")
    assert run(["schema", "--write"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith("error: inventory/schema/network.json: cannot be written: ")
    assert line.endswith("[unreadable-file]")


def test_writing_needs_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["schema", "--write"]) == 2
    assert capsys.readouterr().err.endswith("[no-network]\n")
