"""Routers that only another router can reach: read, changed and asked through it, run as the program runs it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.conftest import BANNER, TIMES
from tests.networks import NETWORK, write
from wifimgr.cli import run
from wifimgr.inventory import load
from wifimgr.lab import Lab
from wifimgr.settings import make_state_dir

Out = pytest.CaptureFixture[str]

YARD = """\
name: Hof
kind: square
jump: hof-gw
sources: [ubus]
routers:
  hof-gw: {addresses: [203.0.113.7], role: gateway}
  hof-ap: {addresses: [192.168.8.2], behind: hof-gw}
  hof-mast: {addresses: ["fe80::3%br-lan"], behind: hof-ap, jump: hof-ap}
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    write(tmp_path, NETWORK, hof=YARD)
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "playbooks/banner.yaml").write_text(BANNER, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    inventory = load(tmp_path)
    with Lab(make_state_dir(tmp_path) / "lab", inventory.routers.values()) as lab:
        lab.move_in(tmp_path, inventory.network.ssh_profiles, TIMES)
        yield lab


def test_the_lab_tells_only_the_way_in(lab: Lab) -> None:
    local = json.loads(Path(".wifimgr/local.yaml").read_text())
    assert local["endpoints"] == {
        "hof-gw": {"ssh": f"127.0.0.1:{lab.routers['hof-gw'].port}"},
        "hof-ap": {},
        "hof-mast": {},
    }


def test_apply_reaches_every_router_behind_another_one(lab: Lab, capsys: Out) -> None:
    assert run(["apply", "banner", "--yes"]) == 0
    assert sorted(capsys.readouterr().out.splitlines()[1:]) == [f"{name}\tdone\t\t\t" for name in sorted(lab.routers)]
    for router in lab.routers.values():
        assert router.read("/etc/banner") == b"Hof\n"
    assert run(["apply", "banner", "--yes"]) == 0
    assert "nothing to do: 3 already right" in capsys.readouterr().err


def test_a_router_that_locks_us_out_goes_back_behind_another_one_too(lab: Lab, capsys: Out) -> None:
    before = lab.routers["hof-ap"].flash()
    lab.routers["hof-ap"].misbehave("lockout")
    Path("playbooks/name.yaml").write_text(
        "name: Name\nabout: Its name.\nwhere: platform=openwrt\n"
        "uci: {system: [{section: {type: system}, set: {hostname: other}}]}\n"
    )
    assert run(["apply", "name", "--yes", "-s", "hof-ap"]) == 3
    assert "hof-ap\trolled back" in capsys.readouterr().out
    assert lab.routers["hof-ap"].flash() == before


def test_poll_asks_over_ssh_through_the_way(lab: Lab, capsys: Out) -> None:
    assert run(["poll", "-o", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)["routers"]
    assert {row["router"]: row["sources"] for row in rows} == {name: {"ubus": "ok"} for name in lab.routers}
    assert run(["poll", "--explain", "-s", "hof-ap"]) == 0
    assert "ubus: logs in at hof-ap (192.168.8.2:22 through hof-gw) and runs" in capsys.readouterr().out


def test_a_way_that_is_down_or_not_trusted_is_named(lab: Lab, capsys: Out) -> None:
    lab.routers["hof-gw"].link.powered = False
    assert run(["plan", "banner", "-s", "hof-ap", "-o", "json"]) == 3
    [row] = json.loads(capsys.readouterr().out)["routers"]
    assert (row["result"], row["id"]) == ("unreachable", "unreachable")
    assert row["why"].startswith("the way through hof-gw (127.0.0.1:")
    known = Path("inventory/known_hosts")
    known.write_text("".join(line for line in known.read_text().splitlines(True) if not line.startswith("hof-gw ")))
    assert run(["plan", "banner", "-s", "hof-ap", "-o", "json"]) == 4
    [row] = json.loads(capsys.readouterr().out)["routers"]
    assert (row["result"], row["id"]) == ("refused", "host-key-unknown")
    assert row["next"].endswith("'wifimgr router trust hof-gw'")


def test_poll_tells_what_is_wrong_with_the_way(lab: Lab, capsys: Out) -> None:
    lab.routers["hof-gw"].forwards = False
    assert run(["poll", "-s", "hof-ap", "-o", "json"]) == 3
    [row] = json.loads(capsys.readouterr().out)["routers"]
    assert row["sources"] == {"ubus": "refused"}
    assert "hof-gw does not forward connections" in row["details"]["ubus"]
    lab.routers["hof-gw"].forwards = True
    lab.routers["hof-ap"].link.powered = False
    assert run(["poll", "-s", "hof-ap", "-o", "json"]) == 3
    [row] = json.loads(capsys.readouterr().out)["routers"]
    assert row["sources"] == {"ubus": "refused"}
    assert "hof-gw cannot connect to it" in row["details"]["ubus"]
