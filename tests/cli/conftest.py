"""A small network whose routers are simulated, for commands that reach routers."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.networks import write
from wifimgr.inventory import load
from wifimgr.lab import Lab
from wifimgr.settings import make_state_dir

TIMES = {"confirm_within": "8s", "settle": {"connectivity": "2s", "other": "1s"}, "login_gap": "1s"}

HOUSE = """\
name: Haus
kind: youth-center
vars: {ssid: "Jugend's \\"Café\\" $(id)"}
routers:
  haus-gw: {addresses: [192.0.2.1], role: gateway}
  haus-ap: {addresses: [192.0.2.2], behind: haus-gw}
  haus-ap-2: {addresses: [192.0.2.3], behind: haus-gw}
  haus-node: {addresses: ["2001:db8::c1"], platform: gluon, operator: community}
  haus-old: {addresses: [192.0.2.4], lifecycle: retired}
"""

RADIO = """\
name: Radio
about: A country for every radio.
where: role=access-point
uci:
  wireless:
    - section: {type: wifi-device, each: true}
      set: {country: "{{ country }}"}
    - section: {type: wifi-iface, name: guest}
      set: {device: radio0, mode: ap, ssid: "{{ ssid }}", encryption: none, network: lan}
interrupts: {wifi: 40s}
"""

BANNER = """\
name: Banner
about: Says where it stands.
where: platform=openwrt
files:
  - {path: /etc/banner, content: "{{ site_name }}\\n"}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The network folder, with playbooks, and the working directory; its routers do not run."""
    write(tmp_path, haus=HOUSE)
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks/radio.yaml").write_text(RADIO, encoding="utf-8")
    (tmp_path / "playbooks/banner.yaml").write_text(BANNER, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def lab(folder: Path) -> Iterator[Lab]:
    """The simulated routers of the network folder."""
    inventory = load(folder)
    with Lab(make_state_dir(folder) / "lab", inventory.routers.values()) as lab:
        lab.move_in(folder, inventory.network.ssh_profiles, TIMES)
        yield lab
