"""router.sh in a shell of its own: every promise in every shell, power cuts at every step, and broken scripts."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.push.box import Box
from tests.push.scenarios import POWER_CUTS, SCENARIOS
from wifimgr.errors import RouterError
from wifimgr.push import script

SHELLS = ["sh", "busybox"]


@pytest.fixture(params=SHELLS)
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    if request.param == "busybox" and not shutil.which("busybox"):
        pytest.skip("needs busybox")
    box = Box(tmp_path, shell=request.param)
    yield box
    box.kill_all()


@pytest.mark.parametrize("name", SCENARIOS)
def test_promise(name: str, box: Box) -> None:
    SCENARIOS[name](box)


@pytest.mark.scenario(41)
@pytest.mark.parametrize("name", POWER_CUTS)
def test_power_may_go(name: str, tmp_path: Path) -> None:
    box = Box(tmp_path)
    POWER_CUTS[name](box)
    box.kill_all()


# --- broken scripts ---


MUTATIONS = yaml.safe_load(Path(__file__).with_name("mutations.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation["name"].replace(" ", "-"))
def test_broken_script_is_noticed(mutation: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, broken = [script.ROUTER_SH, script.STEPS_SH], (mutation["text"], mutation["becomes"])
    assert sum(text.count(mutation["text"]) for text in whole) == 1, (
        "the script changed: bring this mutation up to date"
    )
    monkeypatch.setattr("tests.push.box.GIVE_UP", 1.0)
    router, steps = (text.replace(*broken) for text in whole)
    box = Box(tmp_path, router, steps=steps)
    try:
        with pytest.raises((AssertionError, RouterError, script.StepFailed)):
            (SCENARIOS | POWER_CUTS)[mutation["breaks"]](box)
    finally:
        box.kill_all()


def test_mutations_have_names_of_their_own() -> None:
    assert len({mutation["name"] for mutation in MUTATIONS}) == len(MUTATIONS)
