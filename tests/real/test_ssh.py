"""SSH with a real dropbear: full of strangers, slow and stalling lines, a shell that talks, old signatures."""

from __future__ import annotations

import heapq
import random
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import paramiko
import pytest

from tests.conftest import require_real
from tests.real.conftest import PATIENT, Connect, Start
from tests.real.routers import Router, wait_for, write
from wifimgr.errors import RouterError
from wifimgr.model import Result
from wifimgr.settings import Endpoint
from wifimgr.ssh import Deadline, HostKey, Target, connect

pytestmark = pytest.mark.real

STRANGERS = 5
"""So many of one address may be logging in to dropbear at the same time (MAX_UNAUTH_PER_IP)."""


def look(target: Target, seconds: float = 60.0) -> bytes:
    """What a router says when it is asked something."""
    deadline = Deadline(seconds)
    with connect(target, deadline) as connection:
        return connection.run("echo here", deadline)


def test_a_shell_is_kept_for_the_next_script_and_ends_with_the_connection(start: Start) -> None:
    router = start("ash")
    with connect(router.target, Deadline(60)) as connection:
        first = connection.run("{ known=here; echo $$; echo so; } </dev/null\n", Deadline(60), keep=b"so\n")
        shell = int(first.split()[0])
        said = connection.run("{ echo $known $$; echo so; } </dev/null\n", Deadline(60), keep=b"so\n")
        assert said == b"here %d\nso\n" % shell

    def is_gone() -> bool:
        with connect(router.target, Deadline(60)) as connection:
            return connection.run(f"kill -0 {shell} 2>/dev/null || echo gone", Deadline(60)) == b"gone\n"

    wait_for(is_gone)


# --- full of strangers ---


@contextmanager
def scanner(target: Target) -> Iterator[list[socket.socket]]:
    """Somebody who takes all places for logins and says nothing. Yields what he holds."""
    with ExitStack() as stack:
        address = (target.endpoint.address, target.endpoint.port)
        held: list[socket.socket] = []
        while len(held) < STRANGERS:  # somebody who has just left may still have a place for a moment
            line = stack.enter_context(socket.create_connection(address, 10))
            with suppress(ConnectionResetError):
                held += [line] if line.recv(4) == b"SSH-" else []
        yield held


@pytest.mark.scenario(29)
def test_a_router_whose_places_are_all_taken_is_asked_again_until_one_is_free_and_no_other_waits_for_it(
    start: Start,
) -> None:
    full, other = start(), start()
    with scanner(full.target) as held, ThreadPoolExecutor(2) as pool:
        with socket.create_connection((full.endpoint.address, full.endpoint.port), 10) as late, suppress(OSError):
            assert late.recv(4) == b"", "dropbear hangs up on the sixth before it says anything"
        waiting = pool.submit(look, replace(full.target, timeout=60.0))
        assert look(other.target) == b"here\n"
        assert not waiting.done()
        held[0].close()
        assert waiting.result(60) == b"here\n"


@pytest.mark.scenario(29)
def test_a_router_whose_places_stay_taken_is_given_up_with_a_word_about_it(start: Start) -> None:
    full = start()
    with scanner(full.target), pytest.raises(RouterError) as caught:
        look(replace(full.target, timeout=1.5))
    assert "it hung up before it said anything" in caught.value.line() or "reset" in caught.value.line()
    assert caught.value.hint == "its SSH server may be full: see who else logs in there, or try again in some minutes"


@pytest.mark.scenario(29)
def test_a_push_to_a_router_that_is_full_for_a_while_is_done(start: Start, network: Connect) -> None:
    full = start()
    net = network(full)
    name = net.write_playbook("banner", files=[{"path": "/etc/banner", "content": "hier\n"}])
    planned = net.change(name, full)
    with scanner(full.target) as held, ThreadPoolExecutor(1) as pool:
        outcome = pool.submit(net.push, name, planned)
        time.sleep(1)
        assert not outcome.done()
        for line in held:
            line.close()
        assert outcome.result(60).result is Result.DONE


# --- a slow line ---


@dataclass
class SlowLine:
    """Carries connections to a router; what it carries is late, and now and then it stalls."""

    to: Endpoint
    delay: float
    """Seconds each way."""
    stall: float
    """Seconds more, for one in twenty."""
    carried: int = 0
    stalled: int = 0
    _chance: random.Random = field(default_factory=lambda: random.Random(30))

    @contextmanager
    def opened(self) -> Iterator[Endpoint]:
        """Listens until the block ends."""
        with socket.create_server(("127.0.0.1", 0), backlog=64) as listener:
            thread = threading.Thread(target=self._accept, args=(listener,), daemon=True)
            thread.start()
            try:
                yield Endpoint(*listener.getsockname())
            finally:
                with suppress(OSError):
                    listener.shutdown(socket.SHUT_RDWR)
                thread.join(10)

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                server = socket.create_connection((self.to.address, self.to.port), 10)
                for line in (client, server):
                    line.settimeout(None)
                    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                ends = threading.Barrier(2, action=lambda lines=(client, server): [line.close() for line in lines])
                for ways in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=(*ways, ends), daemon=True).start()

    def _carry(self, source: socket.socket, sink: socket.socket, ends: threading.Barrier) -> None:
        """Hands on what comes, in its order, each part some time after it came."""
        parts: list[tuple[float, int, bytes]] = []
        some, last = threading.Condition(), [0.0]

        def deliver() -> None:
            while True:
                with some:
                    some.wait_for(lambda: parts)
                    at, _, data = heapq.heappop(parts)
                time.sleep(max(0.0, at - time.monotonic()))
                with suppress(OSError):
                    sink.sendall(data) if data else sink.shutdown(socket.SHUT_WR)
                if not data:
                    ends.wait()
                    return

        threading.Thread(target=deliver, daemon=True).start()
        number, data = 0, b"?"
        while data:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            with some:
                number += 1
                late = self._chance.random() < 0.05
                self.carried, self.stalled = self.carried + 1, self.stalled + late
                last[0] = max(last[0], time.monotonic() + self.delay + late * self.stall)
                heapq.heappush(parts, (last[0], number, data))
                some.notify()


@pytest.mark.scenario(30)
@pytest.mark.slow
def test_a_slow_line_that_stalls_is_no_failure(start: Start, network: Connect) -> None:
    """Round trips of 200 ms, and one part in twenty comes a second late, as after TCP has sent it again."""
    router = start()
    line = SlowLine(router.endpoint, delay=0.1, stall=1.0)
    with line.opened() as endpoint:
        router.endpoint = endpoint
        net = network(router, times=replace(PATIENT, confirm_within=60))
        for number in range(2):
            content = f"hier {number}\n" * 2000
            name = net.write_playbook("banner", files=[{"path": "/etc/banner", "content": content}])
            outcome = net.push(name, net.change(name, router))
            assert (outcome.result, outcome.why) == (Result.DONE, "")
            assert router.read("/etc/banner") == content.encode()
        for _ in range(10):
            assert look(router.target, 20) == b"here\n"
    assert line.stalled > 5


# --- a shell that talks ---

NOISY = """#!/bin/sh
head -c 1000000 /dev/urandom
echo; echo 'wifimgr:0 state confirmed'
exec /bin/sh "$@"
"""


@pytest.mark.scenario(38)
def test_a_megabyte_before_our_mark_is_no_answer(start: Start, network: Connect) -> None:
    router = start()
    write(router.tree / "sbin/noisy", NOISY, 0o755)
    write(router.tree / "etc/shells", "/bin/sh\n/sbin/noisy\n")
    write(router.tree / "etc/passwd", "root:x:0:0:root:/root:/sbin/noisy\n")
    assert len(look(router.target)) > 1_000_000
    net = network(router)
    name = net.write_playbook("banner", files=[{"path": "/etc/banner", "content": "hier\n"}])
    outcome = net.push(name, net.change(name, router))
    assert (outcome.result, router.read("/etc/banner")) == (Result.DONE, b"hier\n")
    assert net.change(name, router).paths == ()


# --- old signatures ---


@pytest.mark.scenario(28)
def test_signatures_with_sha1_are_spoken_as_dropbear_does(
    start: Start, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Here dropbear could do better, so nothing better is offered to it: what is left is what 2019.78 can do."""
    require_real("dropbearkey")
    router = start()
    made = host_key_of(router)
    user_key = paramiko.RSAKey.generate(2048)
    user_key.write_private_key_file(str(tmp_path / "id_rsa"))
    keys = router.tree / "root/.ssh/authorized_keys"
    keys.write_text(f"{keys.read_text()}ssh-rsa {user_key.get_base64()}\n")
    with answering(router, "/etc/dropbear/rsa") as endpoint:
        target = replace(router.target, endpoint=endpoint, keys=(made,), key_file=tmp_path / "id_rsa")
        assert look(target) == b"here\n", "with SHA-2"
        with monkeypatch.context() as patch:
            patch.setattr("wifimgr.ssh.transport.RSA_SIGNATURES", ())
            assert look(replace(target, legacy=True)) == b"here\n"
        agreed: list[Any] = []
        verify = paramiko.Transport._verify_key

        def watched(transport: Any, *rest: Any) -> Any:
            agreed.append(transport.host_key_type)
            return verify(transport, *rest)

        monkeypatch.setattr(paramiko.Transport, "_verify_key", watched)
        assert look(replace(target, legacy=True)) == b"here\n"
        assert agreed == ["rsa-sha2-256"], "what is allowed is not taken where there is something better"


def host_key_of(router: Router) -> HostKey:
    """Makes an RSA host key on a router; returns its public half."""
    path = router.tree / "etc/dropbear/rsa"
    command = ["dropbearkey", "-t", "rsa", "-s", "2048", "-f", str(path)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return HostKey(*next(line for line in shown.splitlines() if line.startswith("ssh-rsa ")).split()[:2])


@contextmanager
def answering(router: Router, host_key: str) -> Iterator[Endpoint]:
    """Listens, and lets a router answer with this host key."""
    servers: list[Any] = []

    def accept(listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                client, _ = listener.accept()
                with client:
                    servers.append(router.answer(client, "-r", host_key))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept, args=(listener,))
        thread.start()
        try:
            yield Endpoint(*listener.getsockname())
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            for server in servers:
                server.kill()
                server.wait(10)
