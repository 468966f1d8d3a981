"""The handshake with servers that are old, renewed, or full."""

from __future__ import annotations

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import paramiko
import pytest
from cryptography.hazmat.primitives.hashes import SHA1

from tests.networks import write
from tests.ssh.servers import HOST, HOST_RSA, RSA, Desk, enter, keygen, refused, rsa_file, serving, to
from wifimgr.cli import run as cli
from wifimgr.errors import RouterError
from wifimgr.inventory import load
from wifimgr.ssh import Deadline, KnownHosts, scan, target_of
from wifimgr.ssh.transport import FIRST_PAUSE, LONGEST_PAUSE

# --- old servers ---


class OldServerKey(paramiko.RSAKey):
    """Signs with SHA-1, whatever it is asked for, and takes nothing else."""

    HASHES = {"ssh-rsa": SHA1}

    def sign_ssh_data(self, data: bytes, algorithm: str | None = None) -> paramiko.Message:
        return super().sign_ssh_data(data, "ssh-rsa")


class OldServer(paramiko.Transport):
    """What dropbear up to 2019.78 knows: RSA with SHA-1, and it does not tell which signatures it takes."""

    _preferred_keys = ("ssh-rsa",)
    _preferred_pubkeys = ("ssh-rsa",)
    _key_info = {"ssh-rsa": OldServerKey}

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock, server_sig_algs=False)


OLD_HOST = OldServerKey(key=HOST_RSA.key)


@pytest.mark.scenario(28)
def test_an_old_server_is_told_clearly_and_reached_where_it_is_allowed(tmp_path: Path) -> None:
    desk = Desk([OldServerKey(key=RSA.key)])
    with serving(desk, OLD_HOST, transport_type=OldServer) as endpoint:
        target = to(endpoint, HOST_RSA, key_file=rsa_file(tmp_path))
        line = (
            f"ap ({endpoint}): its SSH server is so old that it signs with SHA-1 only (dropbear up to 2019.78 does); "
            "best new firmware; or allow it for this one: 'wifimgr router set ap legacy_ssh=true' [legacy-ssh]"
        )
        assert refused(target).line() == line
        with pytest.raises(RouterError) as caught:
            scan(target, Deadline(20))
        assert caught.value.line() == line
        assert desk.tried == []
        old = replace(target, legacy=True)
        enter(old)
        assert desk.tried == ["ssh-rsa"]
        assert scan(old, Deadline(20)).key == target.keys[0]
        assert refused(target).line() == line, "a router that is not allowed to is refused afterwards, too"


@pytest.mark.scenario(28)
def test_what_is_allowed_for_one_connection_is_so_for_no_other_at_the_same_time(tmp_path: Path) -> None:
    hashes = dict(paramiko.RSAKey.HASHES)
    desk = Desk([OldServerKey(key=RSA.key)])
    key_file = rsa_file(tmp_path)
    with serving(desk, OLD_HOST, transport_type=OldServer) as endpoint:

        def log_in(number: int) -> str:
            target = to(endpoint, HOST_RSA, name=f"ap-{number}", key_file=key_file, legacy=number % 2 == 0)
            try:
                enter(target, 60)
            except RouterError as error:
                return error.id
            return "in"

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(log_in, range(16))) == ["in", "legacy-ssh"] * 8
    assert hashes == paramiko.RSAKey.HASHES
    assert "ssh-rsa" not in paramiko.RSAKey.HASHES
    assert "ssh-rsa" not in paramiko.Transport._key_info
    signed = OldServerKey(key=RSA.key).sign_ssh_data(b"data").asbytes()
    assert paramiko.RSAKey(key=RSA.key).verify_ssh_sig(b"data", paramiko.Message(signed)) is False


class Forger(paramiko.Transport):
    """Agrees on SHA-2 and then signs with SHA-1."""

    _key_info = {**paramiko.Transport._key_info, "rsa-sha2-512": OldServerKey}


@pytest.mark.scenario(28)
def test_a_server_that_agrees_on_sha2_and_signs_with_sha1_is_refused_in_any_case(tmp_path: Path) -> None:
    desk = Desk([RSA])
    with serving(desk, OLD_HOST, transport_type=Forger) as endpoint:
        for legacy in (False, True):
            found = refused(to(endpoint, HOST_RSA, key_file=rsa_file(tmp_path), legacy=legacy))
            assert (found.id, "Signature verification" in found.what) == ("unreachable", True)
    assert desk.tried == []


def test_a_router_that_was_renewed_is_reached_in_the_new_way_though_the_old_one_is_allowed(tmp_path: Path) -> None:
    agreed: list[str] = []

    class Server(paramiko.Transport):
        def _activate_outbound(self) -> None:
            agreed.append(self.host_key_type)
            super()._activate_outbound()

    with serving(Desk([RSA]), HOST_RSA, transport_type=Server) as endpoint:
        enter(to(endpoint, HOST_RSA, key_file=rsa_file(tmp_path), legacy=True))
    assert agreed == ["rsa-sha2-512"]


def test_an_old_server_gets_rsa_keys_first(tmp_path: Path) -> None:
    keygen(tmp_path / "ed", "-t", "ed25519")
    desk = Desk([OldServerKey(key=RSA.key)])
    with serving(desk, OLD_HOST, transport_type=OldServer) as endpoint:
        enter(to(endpoint, HOST_RSA, usual_keys=(tmp_path / "ed", rsa_file(tmp_path)), legacy=True))
    assert desk.tried == ["ssh-rsa"]


def test_old_ssh_is_allowed_per_router_and_told_loudly(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    site = (
        "name: Eins\nkind: library\nrouters:\n"
        "  eins-ap: {addresses: [192.0.2.2], legacy_ssh: true}\n  eins-gw: {addresses: [192.0.2.1]}\n"
    )
    folder = write(tmp_path, eins=site)
    inventory, nobody = load(folder), KnownHosts(tmp_path / "none")
    legacy = {name: target_of(inventory, nobody, router).legacy for name, router in inventory.routers.items()}
    assert legacy == {"eins-ap": True, "eins-gw": False}
    assert cli(["check", "--network", str(folder)]) == 0
    told = capsys.readouterr().err.splitlines()
    assert told == [
        "warning: inventory/sites/eins.yaml:4: routers.eins-ap.legacy_ssh: its SSH server may sign with SHA-1: whoever "
        "can forge that can pass for this router; update its firmware, then take legacy_ssh out [legacy-ssh]"
    ]
    for name, shown in legacy.items():
        assert cli(["router", "show", name, "--network", str(folder)]) == 0
        assert ("legacy_ssh" in capsys.readouterr().out) is shown


# --- servers that are full ---


class Crowd:
    """Hangs up on so many clients before it says anything."""

    def __init__(self, times: int, *, reset: bool = False) -> None:
        self.left, self.reset, self.came = times, reset, 0

    def __call__(self, client: socket.socket) -> None:
        self.came += 1
        if self.left:
            self.left -= 1
            if self.reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
            client.close()
            raise OSError


@pytest.mark.parametrize("reset", [False, True])
def test_who_hangs_up_before_a_word_is_asked_again(reset: bool, tmp_path: Path) -> None:
    crowd = Crowd(3, reset=reset)
    with serving(Desk([RSA]), HOST, before=crowd) as endpoint:
        enter(to(endpoint, HOST, key_file=rsa_file(tmp_path)), 60)
    assert crowd.came == 4


def test_pauses_grow_and_differ_and_end_with_the_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pauses: list[float] = []
    crowd = Crowd(10_000)
    now = [time.monotonic()]
    monkeypatch.setattr(time, "sleep", pauses.append)
    with serving(Desk([RSA]), HOST, before=crowd) as endpoint:
        monkeypatch.setattr("wifimgr.ssh.connection.Deadline", lambda seconds: Running(now[0] + seconds, pauses))
        found = refused(to(endpoint, HOST, key_file=rsa_file(tmp_path), timeout=10.0))
    assert "it hung up before it said anything" in found.line() or "reset" in found.line()
    bounds = [min(LONGEST_PAUSE, FIRST_PAUSE * 2**number) for number in range(len(pauses))]
    assert all(bound / 2 <= pause <= bound for pause, bound in zip(pauses, bounds, strict=True))
    assert 8.0 - LONGEST_PAUSE <= sum(pauses) <= 10.0
    assert len(set(pauses)) == len(pauses)


class Running(Deadline):
    """Runs by the pauses that were made, and by the clock."""

    def __init__(self, end: float, pauses: list[float]) -> None:
        self._end, self._pauses = end, pauses

    def left(self) -> float:
        return max(0.01, self._end - time.monotonic() - sum(self._pauses))

    def passed(self) -> bool:
        return self.left() == 0.01


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"SSH-2.0-dropbear\r\n", b"\n", b"SSH-2.0-x\r\n" + b"\xff" * 5000]
)
def test_who_said_something_is_not_asked_again(said: bytes, tmp_path: Path) -> None:
    came: list[object] = []

    def speak(client: socket.socket) -> None:
        came.append(client)
        client.sendall(said)
        client.shutdown(socket.SHUT_WR)
        while client.recv(1000):  # a connection that is closed with something unread takes back what was said
            pass
        raise OSError

    with serving(Desk([]), HOST, before=speak) as endpoint:
        assert refused(to(endpoint, HOST, key_file=rsa_file(tmp_path))).id == "unreachable"
    assert len(came) == 1
