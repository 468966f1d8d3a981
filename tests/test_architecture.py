"""The arrows between the modules (contracts in pyproject.toml), and that a wrong import is found."""

from __future__ import annotations

import graphlib
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import grimp
import pytest

TOP = Path(__file__).parent.parent


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the contracts of this project on the package ``wifimgr`` below ``folder``."""
    program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    env = {**os.environ, "PYTHONPATH": str(folder), "NO_COLOR": "1", "COLUMNS": "200"}
    command = [sys.executable, "-c", program]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, timeout=60)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A package of the same shape, with empty modules, under the same contracts."""
    (tmp_path / "pyproject.toml").write_bytes((TOP / "pyproject.toml").read_bytes())
    contracts = tomllib.loads((TOP / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    for name in ["", *re.findall(r"\w+", " ".join(contracts[0]["layers"]))]:
        folder = tmp_path / "wifimgr" / name
        folder.mkdir(exist_ok=True)
        (folder / "__init__.py").touch()
    return tmp_path


def broken(report: str) -> list[str]:
    """Names of the contracts that the report calls broken."""
    return [line.removesuffix(" BROKEN") for line in report.splitlines() if line.endswith(" BROKEN")]


def test_imports_of_wifimgr_follow_the_contracts() -> None:
    done = lint_imports(TOP)
    assert done.returncode == 0, done.stdout + done.stderr


def test_contracts_hold_for_a_house_without_imports(house: Path) -> None:
    done = lint_imports(house)
    assert done.returncode == 0, done.stdout + done.stderr


ARROWS = "Imports point one way"
VIEWS = "Views read the store, never a router"
SOURCES = "Sources return readings, they never store them"
HEALTH = "Health is judged from readings alone"
ROOMS = "The rooms of SSH stand in a row"
LAB = "The lab is not judge and defendant: it imports nothing above settings"
HOMES = "Each outside library has one home"


@pytest.mark.parametrize(
    ("importer", "imported", "contracts"),
    [
        ("model", "wifimgr.errors", [ARROWS]),
        ("settings", "wifimgr.inventory", [ARROWS]),
        ("ssh", "wifimgr.push", [ARROWS]),
        ("push", "wifimgr.views", [ARROWS]),
        ("lab", "wifimgr.worker", [ARROWS, LAB]),
        ("lab", "wifimgr.inventory", [LAB]),
        ("views", "wifimgr.push", [ARROWS, VIEWS]),
        ("views", "wifimgr.watch", [ARROWS, VIEWS]),
        ("views", "wifimgr.platforms", [VIEWS]),
        ("views", "wifimgr.sources", [VIEWS]),
        ("views", "wifimgr.ssh", [VIEWS]),
        ("sources", "wifimgr.store", [SOURCES]),
        ("health", "wifimgr.ssh", [HEALTH]),
        ("push", "paramiko", [HOMES]),
        ("platforms", "netmiko", [HOMES]),
        ("inventory", "typer", [HOMES]),
        ("views", "sqlalchemy", [HOMES]),
        ("settings", "yaml", [HOMES]),
    ],
)
def test_a_wrong_import_is_found(house: Path, importer: str, imported: str, contracts: list[str]) -> None:
    (house / "wifimgr" / importer / "__init__.py").write_text(f"import {imported}\n")
    done = lint_imports(house)
    assert (done.returncode, broken(done.stdout)) == (1, contracts)


def test_a_wrong_import_is_found_through_another_module(house: Path) -> None:
    (house / "wifimgr" / "views" / "__init__.py").write_text("import wifimgr.store\n")
    (house / "wifimgr" / "store" / "__init__.py").write_text("import wifimgr.ssh\n")
    assert broken(lint_imports(house).stdout) == [VIEWS]


def test_a_room_of_ssh_imports_none_that_stands_on_it(house: Path) -> None:
    (house / "wifimgr" / "ssh" / "terminal.py").touch()
    (house / "wifimgr" / "ssh" / "line.py").write_text("import wifimgr.ssh.terminal\n")
    assert broken(lint_imports(house).stdout) == [ROOMS]


def test_a_library_may_be_imported_at_home(house: Path) -> None:
    (house / "wifimgr" / "ssh" / "terminal.py").write_text("import paramiko\nimport netmiko\n")
    (house / "wifimgr" / "cli" / "site.py").write_text("import typer\nimport wifimgr.ssh\n")
    done = lint_imports(house)
    assert done.returncode == 0, done.stdout


def test_a_module_without_a_place_is_found(house: Path) -> None:
    (house / "wifimgr" / "helpers.py").touch()
    assert broken(lint_imports(house).stdout) == [ARROWS]


def find_cycle(graph: grimp.ImportGraph) -> list[str]:
    """One circle of modules that import each other, or nothing."""
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        graphlib.TopologicalSorter(imports).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("wifimgr", cache_dir=None)
    assert "wifimgr.model" in graph.modules
    assert find_cycle(graph) == []


def test_a_circle_is_found() -> None:
    graph = grimp.ImportGraph()
    for importer, imported in [("a", "b"), ("b", "c"), ("c", "a"), ("a", "d")]:
        graph.add_module(importer)
        graph.add_module(imported)
        graph.add_import(importer=importer, imported=imported)
    assert set(find_cycle(graph)) == {"a", "b", "c"}
