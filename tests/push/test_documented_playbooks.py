"""The examples of docs/playbooks.md, each carried out: what the docs show is what can be done."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.push import place as places
from tests.push.net import network
from tests.push.place import ROOT, SECRETS, Place
from tests.push.test_safe_mode import Net as RouterOsNet
from tests.push.test_safe_mode import set_up
from tests.routeros import PASSWORD, running
from wifimgr.model import Result
from wifimgr.platforms import gluon
from wifimgr.push import safe_mode

HEAD = "name: Example\nabout: From the docs.\nwhere: platform=openwrt\n"
EXAMPLES = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/playbooks.md").read_text(encoding="utf-8"), re.S)
KEY = re.compile(r"ssh-ed25519 \S+ network office")
U_BOOT = """\
#!/bin/sh
[ "${0##*/}" = fw_setenv ] && echo "$2" >"$WIFIMGR_ROOT/etc/$1" && exit
cat "$WIFIMGR_ROOT/etc/$2"
"""
INIT = (ROOT / "wifimgr/lab/rootfs/etc/init.d/sysntpd").read_text(encoding="utf-8")


def platform(example: str) -> str:
    data: dict[str, Any] = yaml.safe_load(example)
    return "routeros" if "routeros" in data else "gluon" if "gluon" in data.get("uci", {}) else "openwrt"


def of(wanted: str) -> list[Any]:
    """The examples for one platform, by their number in the docs."""
    numbered = enumerate(EXAMPLES, 1)
    return [pytest.param(text, id=str(number)) for number, text in numbered if platform(text) == wanted]


def make_ready(place: Place, example: str) -> None:
    """Writes an example as a playbook, and gives the router what its text takes for granted."""
    text = example if example.startswith("name:") else HEAD + example
    (place.folder / "playbooks/example.yaml").write_text(KEY.sub(place.key, text), encoding="utf-8")
    root, tools = place.simulated.root, place.lab.folder / "tools"
    for name in ("fw_printenv", "fw_setenv"):
        (tools / name).write_text(U_BOOT, encoding="ascii")
        (tools / name).chmod(0o755)
    (root / "etc/init.d/chronyd").write_text(INIT, encoding="ascii")
    (root / "etc/init.d/chronyd").chmod(0o755)
    (root / "lab/batman").write_text("wlan0 02:00:00:00:00:01 0.240s\n", encoding="ascii")


@pytest.mark.parametrize("example", of("openwrt"))
def test_example_is_carried_out_and_then_there_is_nothing_to_do(tmp_path: Path, example: str) -> None:
    with places.place(tmp_path, "role=access-point platform=openwrt") as place:
        if "checks:" in example:  # they are about guests
            assert place.apply("guest-wifi").result is Result.DONE
        make_ready(place, example)
        planned, outcome = place.change("example"), place.apply("example")
        assert planned.anything
        assert (outcome.result, outcome.error_id) == (Result.DONE, ""), outcome
        assert not place.change("example").anything
        shown = "\n".join(line for path in planned.paths for line in path.diff)
        assert not any(secret in shown for secret in SECRETS.values())


@pytest.mark.parametrize("example", of("gluon"))
def test_example_for_gluon_is_carried_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, example: str) -> None:
    monkeypatch.setattr(gluon, "SETTLES", 0.0)
    with network(tmp_path, {"node": {"platform": "gluon", "vars": {"help_line": "WLAN-Telefon"}}}, places.TIMES) as net:
        net.router("node").run(["gluon-reconfigure"])
        text = HEAD.replace("openwrt", "gluon") + example
        (net.folder / "playbooks/example.yaml").write_text(text, encoding="utf-8")
        outcome = net.push([net.change("node", "example")], "example")["node"]
        assert (outcome.result, outcome.error_id) == (Result.DONE, ""), outcome
        assert net.plan("node", of="example").already_right == ("node",)


@pytest.mark.parametrize("example", of("routeros"))
def test_example_for_routeros_is_carried_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, example: str) -> None:
    monkeypatch.setenv("ROUTER_PASSWORD", PASSWORD)
    monkeypatch.setattr(safe_mode, "END_SECONDS", 1.0)
    with running() as router, set_up(tmp_path, router) as net:
        assert isinstance(net, RouterOsNet)
        (net.folder / "playbooks/ros.yaml").write_text(example, encoding="utf-8")
        outcome = net.push()
        assert (outcome.result, outcome.error_id) == (Result.DONE, ""), outcome
        net.wait_until_free()
        assert net.plan().already_right == ("gw",)


def test_every_platform_has_an_example() -> None:
    assert {platform(example) for example in EXAMPLES} == {"openwrt", "gluon", "routeros"}
