"""The demo tells the truth: it ends well on a good day, and names the part that is broken on a bad one."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from tests.networks import write
from wifimgr.cli import run
from wifimgr.push import script

Out = pytest.CaptureFixture[str]

HOUSE = """\
name: Haus [bold]fett[/] "$(id)"
kind: youth-center
routers:
  haus-gw: {addresses: [192.0.2.1], role: gateway}
  haus-ap-1: {addresses: [192.0.2.2], behind: haus-gw}
  haus-ap-2: {addresses: [192.0.2.3], behind: haus-gw}
  haus-ap-3: {addresses: [192.0.2.4], behind: haus-gw}
  haus-ap-4: {addresses: [192.0.2.5], behind: haus-gw}
  haus-node: {addresses: ["2001:db8::c1"], platform: gluon, operator: community}
"""

PLAYBOOK = """\
name: Gast
about: A guest network.
where: role=access-point
uci:
  wireless:
    - section: {type: wifi-iface, name: guest}
      set: {device: radio0, mode: ap, ssid: "{{ ssid }}", encryption: none}
"""


@pytest.fixture
def network(tmp_path: Path) -> Path:
    write(tmp_path, haus=HOUSE)
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks/guest-wifi.yaml").write_text(PLAYBOOK, encoding="utf-8")
    return tmp_path


def left_behind() -> set[str]:
    return {path.name for path in Path(tempfile.gettempdir()).glob("wifimgr-demo-*")}


def test_demo_ends_well_and_leaves_nothing_behind(
    network: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path_factory.mktemp("tmp")))
    before = sorted(network.rglob("*"))
    assert run(["demo", "--once", "--network", str(network)]) == 0
    told = capsys.readouterr().out
    assert "everything as promised" in told
    assert "✗" not in told
    assert told.count("✓") == 10
    assert left_behind() == set()
    assert sorted(network.rglob("*")) == before


BROKEN = {
    "the guard did not bring": ('ln -sf ../init.d/wifimgr "$LINK"', ":"),
    "the dead man's switch did not save": ('dead_man "$WITHIN"', ":"),
    "the second login did not save": ("settled=$((N + settle - UP))", "WAIT=0; return 0"),
}


@pytest.mark.parametrize("named", BROKEN)
def test_demo_names_the_part_that_is_broken(
    named: str, network: Path, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    good, bad = BROKEN[named]
    assert script.ROUTER_SH.count(good) == 1
    text = script.ROUTER_SH.replace(good, bad)
    if "LINK" in good:
        text = text.replace('[ -x "$LINK" ] || refuse nospace', ":")  # what makes sure that the guard is there
    monkeypatch.setattr(script, "ROUTER_SH", text)
    assert run(["demo", "--once", "--network", str(network)]) == 1
    told = capsys.readouterr()
    assert named in told.err
    assert "[lab-failed]" in told.err
    assert f"✗ {named}" in told.out


def test_demo_stays_until_somebody_ends_it(network: Path) -> None:
    command = [sys.executable, "-c", "from wifimgr.cli import main; main()", "demo", "--network", str(network)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "journal list" in line and "--network" in line:
                break
        words = lines[-1].split()
        folder = Path(words[words.index("--network") + 1])
        listed = subprocess.run(
            [*command[:3], "--network", str(folder), "plan", "guest-wifi", "-o", "tsv"],
            capture_output=True,
            text=True,
            check=False,
        )
        process.send_signal(2)
        out, err = process.communicate(timeout=20)
    assert listed.stdout.count("already right") == 1
    assert process.returncode == 0, err
    assert "nothing is left behind" in out
    assert not folder.exists()
