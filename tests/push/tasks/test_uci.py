"""The task ``uci``: the cases in cases/uci.yaml."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.push.tasks.case import cases, check


@pytest.mark.parametrize("case", cases("uci"))
def test_case(case: dict[str, Any], tmp_path: Path) -> None:
    check(tmp_path, "uci", case)
