"""Every wait ends: that for one router, and that of everybody for one that hangs."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest

from tests.push.net import Net, network
from tests.ssh.servers import HOST, RSA, Answer, Desk, rsa_file, serving, to
from wifimgr.errors import RouterError
from wifimgr.inventory import load
from wifimgr.model import Change, Result, Step
from wifimgr.push import fleet, plan
from wifimgr.push.apply import ARM_SECONDS
from wifimgr.settings import Endpoint
from wifimgr.ssh import Deadline, Target, connect


def test_deadline_counts_down_and_is_always_a_usable_timeout() -> None:
    deadline = Deadline(0.05)
    assert not deadline.passed()
    assert 0 < deadline.left() <= 0.05
    time.sleep(0.06)
    assert deadline.passed()
    assert deadline.left() == 0.01


def drip(channel: paramiko.Channel) -> None:
    with suppress(OSError, EOFError):
        while True:
            channel.sendall(b"x")
            time.sleep(0.05)


class StopsInTheMiddle(paramiko.Transport):
    """Says which keys it has, and nothing more."""

    def _negotiate_keys(self, m: paramiko.Message) -> None:
        while self.active:
            time.sleep(0.05)


@contextmanager
def hanging(where: str, user_key: paramiko.PKey, host_key: paramiko.PKey) -> Iterator[Endpoint]:
    """A server that hangs at this point."""
    free = threading.Event()

    def after_the_banner(client: socket.socket) -> None:
        if where == "banner":
            client.sendall(b"SSH-2.0-dropbear\r\n")
        if where in ("banner", "silence"):
            free.wait(120)
            raise OSError

    desk = Desk([user_key], hold=(lambda: free.wait(120)) if where == "login" else lambda: None)
    answer: Answer = drip if where == "answer" else lambda channel: free.wait(120)
    kind = StopsInTheMiddle if where == "key exchange" else paramiko.Transport
    with serving(desk, host_key, answer, kind, after_the_banner) as endpoint:
        try:
            yield endpoint
        finally:
            free.set()


POINTS = ["silence", "banner", "key exchange", "login", "session", "answer"]


@pytest.mark.parametrize("where", POINTS)
def test_a_router_that_hangs_is_left_at_the_deadline(where: str, tmp_path: Path) -> None:
    with hanging(where, RSA, HOST) as endpoint:
        deadline = Deadline(1.5)
        began = time.monotonic()
        target = to(endpoint, HOST, key_file=rsa_file(tmp_path))
        with pytest.raises(RouterError) as caught, connect(target, deadline) as connection:
            connection.run("true", deadline)
        assert time.monotonic() - began < 15
    assert caught.value.id == "unreachable"
    assert "(no answer in time)" in caught.value.line()


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    with network(tmp_path_factory.mktemp("net"), {"ap": {}, "zwei": {}, "drei": {}, "bad": {}}) as made:
        yield made


@contextmanager
def one_bad(net: Net, where: str) -> Iterator[Net]:
    """The network, in which one router hangs at this point."""
    bad = net.router("bad")
    user_key = paramiko.PKey.from_path(net.lab.key_file)
    host_key = bad._server._host_key
    local = net.folder / ".wifimgr/local.yaml"
    before = local.read_text(encoding="utf-8")
    with hanging(where, user_key, host_key) as endpoint:
        local.write_text(
            before.replace(str(net.inventory.network.endpoint(net.inventory.routers["bad"], "ssh")), str(endpoint))
        )
        try:
            yield replace(net, inventory=load(net.folder))
        finally:
            local.write_text(before, encoding="utf-8")


@pytest.mark.scenario(31)
@pytest.mark.parametrize("where", POINTS)
def test_a_plan_ends_by_its_deadline_though_one_router_hangs(
    where: str, net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plan, "READ_SECONDS", 6.0)
    with one_bad(net, where) as others:
        began = time.monotonic()
        made = others.plan(of="name")
        assert time.monotonic() - began < 30
    assert [change.router for change in made.changes] == ["ap", "zwei", "drei"]
    assert [(outcome.router, outcome.result) for outcome in made.outcomes] == [("bad", Result.UNREACHABLE)]


@pytest.mark.scenario(31)
@pytest.mark.slow
@pytest.mark.parametrize("where", ["banner", "key exchange", "login", "answer"])
def test_a_push_to_many_ends_though_one_of_them_hangs(where: str, net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    for router in net.lab.routers.values():
        (router.root / "etc/config/system").write_text("config system\n\toption hostname 'old'\n")
    changes = net.plan(of="name").to_do
    assert len(changes) == 4
    monkeypatch.setattr("wifimgr.push.apply.READ_SECONDS", 2.0)
    monkeypatch.setattr("wifimgr.push.apply.ARM_SECONDS", 2.0)
    with one_bad(net, where) as others:
        began = time.monotonic()
        outcomes = {
            each.router: each.result for each in fleet.push_all(others.pusher("name"), changes, lambda each: None)
        }
        assert time.monotonic() - began < 60
    assert outcomes == {"ap": Result.DONE, "zwei": Result.DONE, "drei": Result.DONE, "bad": Result.UNREACHABLE}


def test_a_connection_lasts_as_long_as_the_steps_of_a_push_may_take(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever runs on a connection ends with the time that the connection was made for."""
    lasting: list[float] = []

    def no(target: Target, deadline: Deadline) -> None:
        lasting.append(deadline.left())
        raise RouterError("unreachable", "nobody is there")

    monkeypatch.setattr("wifimgr.push.apply.connect", no)
    plain = Change(router="ap", paths=(), touched=())
    net.pusher("name").push(plain)
    net.pusher("name").push(replace(plain, steps=(Step(what="long", script=":", takes=3000.0),)))
    assert lasting[0] <= plan.READ_SECONDS + ARM_SECONDS < 3000 < lasting[1]
