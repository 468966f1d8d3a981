"""Plans: read from routers, written nowhere, and one router's trouble is its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.push.net import Net, network
from wifimgr.errors import ConfigError, Refused, RouterError
from wifimgr.lab import make_key
from wifimgr.model import Outcome, Result
from wifimgr.push import plan, playbook
from wifimgr.ssh import Connection, Deadline

ROUTERS: dict[str, dict[str, Any]] = {
    "ok": {},
    "gateway": {"role": "gateway"},
    "watched": {"operator": "community"},
    "gluon": {"platform": "gluon"},
    "gluon-inside": {},
    "planned": {"lifecycle": "planned"},
    "retired": {"lifecycle": "retired"},
    "careful": {"lifecycle": "maintenance"},
    "silent": {},
    "off": {},
    "new": {},
    "other-key": {},
    "link": {},
    "broken": {},
    "no-radio": {},
    "open": {},
}


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    with network(tmp_path_factory.mktemp("net"), ROUTERS) as net:
        root = {name: router.root for name, router in net.lab.routers.items()}
        (root["gluon-inside"] / "lib/gluon").mkdir()
        (root["gluon-inside"] / "lib/gluon/gluon-version").write_text("v2023.2\n")
        net.router("silent").link.silent = True
        net.router("off").link.powered = False
        hosts = net.folder / "inventory/known_hosts"
        hosts.write_text(re.sub(r"(?m)^new .*\n", "", hosts.read_text()))
        net.router("other-key").change_host_key(make_key()[0])
        (root["link"] / "etc/config/wireless").rename(root["link"] / "etc/w")
        (root["link"] / "etc/config/wireless").symlink_to("../w")
        write_config(net, "broken", "config wifi-device 'radio0'\n\toption x 'y\n")
        write_config(net, "no-radio", "config wifi-iface 'radio0'\n")
        (root["open"] / "etc/wifimgr").mkdir()
        (root["open"] / "etc/wifimgr/pending.t0").write_text("0 999999999 1 1 0\n")
        yield net


def write_config(net: Net, name: str, text: str) -> None:
    path = net.router(name).root / "etc/config/wireless"
    path.unlink()
    path.write_text(text)


def test_plan_reads_writes_nothing_and_one_routers_trouble_is_its_own(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "READ_SECONDS", 2.0)
    before = {name: router.inodes() for name, router in net.lab.routers.items()}
    made = net.plan()
    assert {name: router.inodes() for name, router in net.lab.routers.items()} == before
    assert [change.router for change in made.to_do] == ["ok", "gateway", "careful"]
    found = {each.router: (str(each.result), each.error_id, each.why) for each in made.outcomes}
    assert {name: (result, id) for name, (result, id, _) in found.items()} == {
        "watched": ("refused", "watch-only"),
        "gluon": ("refused", "gluon-drops"),
        "gluon-inside": ("refused", "wrong-platform"),
        "planned": ("skipped", ""),
        "retired": ("skipped", ""),
        "silent": ("unreachable", "unreachable"),
        "off": ("unreachable", "unreachable"),
        "new": ("refused", "host-key-unknown"),
        "other-key": ("refused", "host-key-changed"),
        "link": ("refused", "router-refused"),
        "broken": ("failed", "bad-uci"),
        "no-radio": ("failed", "bad-wish"),
        "open": ("refused", "router-refused"),
    }
    assert found["watched"][2] == "it belongs to Freifunk; we watch it and never change it"
    assert found["retired"][2] == "its lifecycle is retired"
    assert found["link"][2] == (
        "/etc/config/wireless is a link or a folder there, and only plain files can be pushed; nothing was changed"
    )
    assert found["open"][2].startswith("a change is still open on it (pending.t0)")


def test_change_holds_everything_that_is_wished(net: Net) -> None:
    change = net.change("ok")
    assert [path.path for path in change.paths] == ["etc/config/wireless"]
    assert [each.what for each in change.touched] == [
        "wireless.radio0.country",
        "wireless.radio0.disabled",
        "wireless.guest",
        "wireless.guest.device",
        "wireless.guest.mode",
        "wireless.guest.ssid",
        "wireless.guest.encryption",
        "wireless.guest.network",
    ]
    assert (change.connectivity, change.secret) == (True, False)
    assert not net.change("ok", of="name").connectivity


def test_router_that_is_right_is_in_the_plan_with_nothing_to_do(net: Net) -> None:
    change = net.change("gateway", of="name")
    path = net.router("gateway").root / "etc/config/system"
    path.unlink()
    path.write_bytes(change.paths[0].after or b"")
    made = net.plan("gateway", of="name")
    assert (made.to_do, made.already_right, made.outcomes) == ((), ("gateway",), ())


def test_without_a_selector_what_is_not_ours_or_not_in_use_is_left_out(net: Net) -> None:
    wanted = playbook.load(net.folder, "radio")
    names = [router.name for router in plan.choose(net.inventory, wanted, [])]
    assert names == [name for name in ROUTERS if name not in ("watched", "gluon", "planned", "retired")]


def test_what_is_asked_for_by_name_stays_in(net: Net) -> None:
    wanted = playbook.load(net.folder, "radio")
    chosen = plan.choose(net.inventory, wanted, ["watched", "retired", "gluon", "ok"])
    assert [router.name for router in chosen] == ["ok", "watched", "retired"], "the playbook is not for gluon"
    with pytest.raises(ConfigError) as caught:
        plan.choose(net.inventory, wanted, ["gluon"])
    assert caught.value.line() == (
        "no selected router fits the playbook's 'where: platform=openwrt'; see 'wifimgr router list' [nothing-selected]"
    )


@pytest.mark.parametrize(("name", "platform", "id"), [("watched", "", "watch-only"), ("ok", "other", "wrong-platform")])
def test_guard_refuses_by_itself(net: Net, name: str, platform: str, id: str) -> None:
    router = net.inventory.routers[name]
    with pytest.raises(Refused) as caught:
        plan.guard(net.inventory, replace(router, platform=platform or router.platform))
    assert caught.value.id == id


# --- hostile answers ---


class Fake(Connection):
    """A router that answers what it likes."""

    def __init__(self, answer: Callable[[str], str]) -> None:
        self._answer = answer

    def run(self, script: str, deadline: Deadline) -> bytes:
        nonce = re.search(r"^NONCE=(\w+)$", script, re.M)
        assert nonce
        return self._answer(f"wifimgr:{nonce[1]} ").encode()


@pytest.mark.parametrize(
    "answer",
    [
        lambda mark: "",
        lambda mark: f"{mark}end\n",
        lambda mark: f"{mark}absent etc/passwd\n{mark}end\n",
        lambda mark: f"{mark}file etc/config/wireless 5 -rw\n",
        lambda mark: f"{mark}file etc/config/wireless 99999999999999 -rw\nx\n{mark}end\n",
        lambda mark: f"{mark}\n",
    ],
)
def test_answer_that_lacks_something_is_this_routers_error(net: Net, answer: Callable[[str], str]) -> None:
    wanted, router = playbook.load(net.folder, "radio"), net.inventory.routers["ok"]
    with pytest.raises(RouterError) as caught:
        plan.change_for(wanted, router, wanted.wishes(router), Fake(answer), Deadline(1))
    assert caught.value.id == "bad-answer"


def test_error_becomes_the_outcome_of_its_router() -> None:
    error = RouterError("unreachable", "cannot be reached", where="x", hint="check power")
    assert plan.outcome_of("ok", error) == Outcome(
        "ok", Result.UNREACHABLE, "cannot be reached", "check power", "unreachable"
    )
    assert plan.outcome_of("ok", Refused("leased", "x")).result is Result.REFUSED
    assert plan.outcome_of("ok", ConfigError("bad-wish", "x")).result is Result.FAILED


# --- the playbook's own faults ---


def test_missing_variable_stops_the_plan_before_any_router_is_asked(net: Net, tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    text = (net.folder / "playbooks/name.yaml").read_text().replace("router_name", "rooter_name")
    path.write_text(text)
    routers = [net.inventory.routers[name] for name in ("ok", "silent")]
    with pytest.raises(ConfigError) as caught:
        plan.make_plan(net.inventory, net.known_hosts, playbook.load(net.folder, str(path)), routers)
    [line] = caught.value.lines()
    assert line.startswith(f"{path}:6: ok, silent: no variable 'rooter_name'; ")
    assert "did you mean router_name?" in line


def test_script_asks_for_the_paths_and_for_what_tells_the_platform(net: Net) -> None:
    asked: list[str] = []
    wanted, router = playbook.load(net.folder, "radio"), net.inventory.routers["ok"]

    class Asked(Fake):
        def run(self, script: str, deadline: Deadline) -> bytes:
            asked.append(script.splitlines()[-3])
            return super().run(script, deadline)

    with pytest.raises(RouterError):
        plan.change_for(wanted, router, wanted.wishes(router), Asked(lambda mark: ""), Deadline(1))
    assert asked == ["show etc/config/wireless lib/gluon/gluon-version"]
