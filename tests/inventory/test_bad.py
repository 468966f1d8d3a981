"""Bad inventories as real files, each with the whole output of ``wifimgr check`` beside them in ``expected.txt``."""

from __future__ import annotations

import shutil
from datetime import date
from pathlib import Path

import pytest

from wifimgr.cli import check, run

CASES = sorted(path.parent for path in Path(__file__).with_name("bad").glob("*/expected.txt"))
TODAY = date(2026, 7, 1)


def copied(case: Path, folder: Path) -> Path:
    """A case as a network folder. Its ``local.yaml`` stands in ``.wifimgr``, which git passes over."""
    for part in ("inventory", "playbooks"):
        if (case / part).is_dir():
            shutil.copytree(case / part, folder / part)
    if (case / "local.yaml").is_file():
        (folder / ".wifimgr").mkdir()
        shutil.copy(case / "local.yaml", folder / ".wifimgr/local.yaml")
    return folder


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_check_tells_exactly_what_is_wrong(
    case: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "_today", lambda timezone: TODAY)
    code = run(["check", "--network", str(copied(case, tmp_path))])
    out, err = capsys.readouterr()
    expected = (case / "expected.txt").read_text(encoding="utf-8")
    assert err + out == expected
    assert code == (2 if "error: " in expected else 0)
    assert bool(out) == (code == 0), "data on stdout, the rest on stderr"


def test_there_are_many_cases_and_every_folder_is_one() -> None:
    assert len(CASES) >= 30
    assert [path.name for path in Path(__file__).with_name("bad").iterdir() if path not in CASES] == []
