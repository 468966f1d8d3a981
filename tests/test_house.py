"""What surrounds the code: the lock file, the package that is built, and what is in the repository."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml

import wifimgr
from tests.conftest import require_real

TOP = Path(__file__).parent.parent

TOP_LEVEL = set(
    """
    .ci .editorconfig .gitattributes .gitignore CHANGELOG.md CONTRIBUTING.md LICENSE Makefile README.md
    SECURITY.md benchmarks docs inventory playbooks publiccode.yml pyproject.toml requirements.lock tests wifimgr
    """.split()  # noqa: SIM905 - a list of words reads better without a quote around each
)
"""Every name at the top of the repository; a new one needs a reason."""

LARGEST_FILE = 1024 * 1024
"""Bytes; what is larger is made by a command or does not belong into git."""


@pytest.fixture(scope="module")
def project() -> dict[str, object]:
    """The table ``project`` of pyproject.toml."""
    project = tomllib.loads((TOP / "pyproject.toml").read_text())["project"]
    assert isinstance(project, dict)
    return project


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    """Every file that is in git or would be added to it."""
    require_real("git")
    if not (TOP / ".git").exists():
        pytest.skip("not a git checkout")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(command, cwd=TOP, capture_output=True, text=True, check=True).stdout.split("\0")
    return [TOP / name for name in names if name and (TOP / name).is_file()]


def locked() -> dict[str, str]:
    """Every requirement of the lock file: name and version to the whole entry."""
    text = (TOP / "requirements.lock").read_text()
    entries = re.split(r"\n(?=[A-Za-z0-9])", "\n" + text)[1:]
    return {entry.split(" ", 1)[0]: entry for entry in entries}


def plain(name: str) -> str:
    """A requirement's name as package indexes compare it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[ <>=!~\[;]", name, maxsplit=1)[0]).lower()


# --- the lock ---


def test_lock_pins_each_requirement_with_a_hash() -> None:
    entries = locked()
    assert len(entries) > 30
    for requirement, entry in entries.items():
        assert re.fullmatch(r"[a-z0-9-]+==[0-9][^ ]*", requirement), requirement
        assert "--hash=sha256:" in entry, requirement


def test_lock_holds_everything_that_pyproject_asks_for(project: dict[str, object]) -> None:
    extras = project["optional-dependencies"]
    assert isinstance(extras, dict)
    assert isinstance(project["dependencies"], list)
    wanted = {plain(name) for name in [*project["dependencies"], *extras["dev"]]}
    assert wanted - {plain(name) for name in locked()} == set()


def test_lock_names_no_package_index_and_no_folder() -> None:
    text = (TOP / "requirements.lock").read_text()
    assert re.findall(r"(?m)^(?:-i|-f|--(?!hash).*|.*(?:https?|file):/.*|.* @ .*)$", text) == []
    assert re.findall(r"(?m)^.*[^a-z]/(?:home|opt|root|tmp|work|usr).*$", text) == []


def test_lock_is_made_with_the_oldest_python_we_support(project: dict[str, object]) -> None:
    assert project["requires-python"] == ">=3.11"
    assert "by pip-compile with Python 3.11\n" in (TOP / "requirements.lock").read_text()


# --- the repository ---


def test_top_level_holds_only_what_the_house_plan_names(tracked: list[Path]) -> None:
    assert {path.relative_to(TOP).parts[0] for path in tracked} - TOP_LEVEL == set()


def test_no_file_names_a_package_index_or_a_folder_of_one_machine(tracked: list[Path]) -> None:
    # Written in pieces, so that this file is not found itself.
    words = ["/" + "work/", "/" + "opt/pypi", "index" + "-url", "/root/" + ".pyenv"]
    found = [
        f"{path.relative_to(TOP)}: {word}" for path in tracked for word in words if word.encode() in path.read_bytes()
    ]
    # The way the lock is made has to name the option that keeps the index out of it.
    assert found == ["Makefile: " + words[2]]


def test_no_file_is_large(tracked: list[Path]) -> None:
    assert [path.name for path in tracked if path.stat().st_size > LARGEST_FILE] == []


def test_changelog_has_a_place_for_this_version() -> None:
    heads = re.findall(r"(?m)^## \[([^]]+)\]", (TOP / "CHANGELOG.md").read_text())
    assert heads[0] == "Unreleased"
    assert "dev" in wifimgr.__version__ or wifimgr.__version__ in heads


def test_publiccode_names_the_licence_of_the_package(project: dict[str, object]) -> None:
    about = yaml.safe_load((TOP / "publiccode.yml").read_text())
    assert about["legal"]["license"] == project["license"] == "GPL-3.0-or-later"
    mandatory = {"publiccodeYmlVersion", "name", "url", "platforms", "developmentStatus", "softwareType"}
    assert mandatory | {"description", "maintenance", "localisation"} <= set(about)
    for text in about["description"].values():
        assert len(text["shortDescription"]) <= 150
        assert 150 <= len(text["longDescription"]) <= 10_000


# --- the rule for real parts ---


def test_a_missing_real_part_skips_the_test(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs no-such-daemon"):
        require_real("git", "no-such-daemon")


def test_a_missing_real_part_is_a_failure_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="needs no-such-daemon"):
        require_real("git", "no-such-daemon")


# --- the package ---


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Names of all files in the wheel."""
    target = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target)]
    done = subprocess.run(command, cwd=TOP, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    (path,) = target.glob("*.whl")
    with zipfile.ZipFile(path) as archive:
        return archive.namelist()


def files_below(folder: str) -> set[str]:
    """Every file below a folder of the repository, without what is made by running it."""
    skipped = {"__pycache__", ".wifimgr"}
    paths = (path for path in (TOP / folder).rglob("*") if path.is_file() and not skipped & set(path.parts))
    return {path.relative_to(TOP).as_posix() for path in paths}


def test_wheel_holds_the_package_with_all_its_data(wheel: list[str]) -> None:
    assert files_below("wifimgr") - set(wheel) == set()


@pytest.mark.parametrize("folder", ["inventory", "playbooks"])
def test_wheel_holds_the_example_network(wheel: list[str], folder: str) -> None:
    expected = files_below(folder)
    assert expected
    assert {f"wifimgr/example/{name}" for name in expected} - set(wheel) == set()


def test_wheel_holds_nothing_else(wheel: list[str]) -> None:
    outside = {name for name in wheel if not name.startswith("wifimgr/") and ".dist-info/" not in name}
    made_by_running = {name for name in wheel if ".wifimgr" in name or "__pycache__" in name}
    assert outside | made_by_running == set()
