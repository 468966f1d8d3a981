"""Our keys: which are tried and in which order, passphrases, agents, passwords."""

from __future__ import annotations

import re
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import paramiko
import pytest

from tests.ssh.servers import HOST, RSA, Desk, enter, keygen, refused, rsa_file, serving, to
from wifimgr.settings import Secret
from wifimgr.ssh import Deadline
from wifimgr.ssh.ourkeys import MOST_HELD, MOST_KEYS, _Agent

with_openssh = pytest.mark.skipif(
    not all(map(shutil.which, ("ssh-keygen", "ssh-agent", "ssh-add"))), reason="needs OpenSSH's client"
)


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Callable[[Path], None]]:
    """An agent that runs; call it with a key to let it hold that."""
    path = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(path)], stdout=subprocess.DEVNULL)
    end = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.02)
    monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
    yield lambda key: subprocess.run(["ssh-add", "-q", str(key)], check=True) and None
    process.terminate()
    process.wait(20)


@with_openssh
@pytest.mark.parametrize("options", [("-t", "ed25519"), ("-t", "ecdsa"), ("-t", "rsa", "-b", "2048", "-m", "PEM")])
def test_a_key_with_a_passphrase_is_opened_with_it_and_only_with_it(options: tuple[str, ...], tmp_path: Path) -> None:
    key = keygen(tmp_path / "id", *options, passphrase="sehr-geheim")
    with serving(Desk([key]), HOST) as endpoint:
        target = to(endpoint, HOST, key_file=tmp_path / "id")
        assert refused(target).line() == (
            f"{tmp_path}/id: this SSH key has a passphrase; let your agent hold it ('ssh-add {tmp_path}/id'), "
            "or say where its passphrase is: passphrase, beside key [unreadable-file]"
        )
        wrong = refused(replace(target, passphrase=Secret("falsch-geheim")))
        assert wrong.line().startswith(f"{tmp_path}/id: this SSH key cannot be opened with its passphrase; ")
        assert "geheim" not in wrong.line()
        enter(replace(target, passphrase=Secret("sehr-geheim")))
        assert "geheim" not in repr(replace(target, passphrase=Secret("sehr-geheim")))


@with_openssh
@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_a_key_with_a_passphrase_is_used_where_the_agent_holds_it(
    kind: str, agent: Callable[[Path], None], tmp_path: Path
) -> None:
    key = keygen(tmp_path / "id", "-t", kind)
    agent(tmp_path / "id")
    other = keygen(tmp_path / "other", "-t", "ecdsa")
    agent(tmp_path / "other")
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "sehr-geheim", "-f", str(tmp_path / "id")], check=True)
    (tmp_path / "id.pub").unlink()
    desk = Desk([key, other])
    with serving(desk, HOST) as endpoint:
        enter(to(endpoint, HOST, key_file=tmp_path / "id"))
    assert desk.tried == [key.get_name()]


@with_openssh
def test_a_key_that_only_the_agent_has_may_be_named_by_its_public_half(
    agent: Callable[[Path], None], tmp_path: Path
) -> None:
    key = keygen(tmp_path / "id", "-t", "ed25519")
    agent(tmp_path / "id")
    (tmp_path / "id").unlink()
    with serving(Desk([key]), HOST) as endpoint:
        enter(to(endpoint, HOST, key_file=tmp_path / "id"))
        enter(to(endpoint, HOST, key_file=tmp_path / "id.pub"))
        (tmp_path / "id.pub").unlink()
        assert "this SSH key cannot be used: No such file" in refused(to(endpoint, HOST, key_file=tmp_path / "id")).what


@with_openssh
def test_where_no_key_is_named_few_are_tried_and_the_best_first(agent: Callable[[Path], None], tmp_path: Path) -> None:
    for number, kind in enumerate(["rsa", "ecdsa", "ed25519", "ed25519", "ed25519", "ed25519"]):
        keygen(tmp_path / f"held-{number}", "-t", kind)
        agent(tmp_path / f"held-{number}")
    usual = tmp_path / "usual"
    keygen(usual, "-t", "ed25519")
    desk = Desk([])
    with serving(desk, HOST) as endpoint:
        target = to(endpoint, HOST, agent=True, usual_keys=(usual, tmp_path / "held-2", tmp_path / "nothing"))
        found = refused(target)
    assert found.id == "login-refused"
    assert f"none of {MOST_KEYS} keys is let in" in found.what
    assert desk.tried == ["ssh-ed25519"] * MOST_KEYS
    assert MOST_KEYS < 6, "OpenSSH's MaxAuthTries"


@with_openssh
def test_the_usual_keys_are_tried_in_their_order_and_those_that_cannot_be_used_are_not(tmp_path: Path) -> None:
    made = [keygen(tmp_path / kind, "-t", kind) for kind in ("rsa", "ecdsa", "ed25519")]
    keygen(tmp_path / "locked", "-t", "ed25519", passphrase="geheim")
    (tmp_path / "junk").write_text("junk")
    usual = tuple(tmp_path / name for name in ("locked", "junk", "rsa", "ecdsa", "ed25519", "none"))
    desk = Desk(made[:1])
    with serving(desk, HOST) as endpoint:
        enter(to(endpoint, HOST, usual_keys=usual))
    assert desk.tried == ["ssh-ed25519", "ecdsa-sha2-nistp256", "ssh-rsa"]


@with_openssh
def test_a_password_is_used_alone(agent: Callable[[Path], None], tmp_path: Path) -> None:
    keygen(tmp_path / "held", "-t", "ed25519")
    agent(tmp_path / "held")
    desk = Desk([], password="sehr-geheim")
    with serving(desk, HOST) as endpoint:
        enter(to(endpoint, HOST, password=Secret("sehr-geheim")))
        found = refused(to(endpoint, HOST, password=Secret("falsch-geheim")))
    assert desk.tried == ["password", "password"]
    assert "geheim" not in found.line()


@with_openssh
def test_a_key_file_that_changes_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "id"
    first = keygen(path, "-t", "ed25519")
    desk = Desk([first])
    with serving(desk, HOST) as endpoint:
        enter(to(endpoint, HOST, key_file=path))
        path.unlink()
        second = keygen(tmp_path / "new", "-t", "ed25519")
        (tmp_path / "new").rename(path)
        assert refused(to(endpoint, HOST, key_file=path)).id == "login-refused"
        desk.user_keys = [second]
        enter(to(endpoint, HOST, key_file=path))
        path.unlink()
        assert refused(to(endpoint, HOST, key_file=path)).id == "unreadable-file"


@pytest.mark.parametrize("talk", ["nobody", "silent", "closes", "junk"])
def test_an_agent_that_does_not_behave_has_no_keys_and_holds_nobody_up(
    talk: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "agent"
    monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
    with socket.socket(socket.AF_UNIX) as listener, serving(Desk([]), HOST) as endpoint:
        if talk != "nobody":
            listener.bind(str(path))
            listener.listen()

        def behave() -> None:
            with suppress(OSError):
                client, _ = listener.accept()
                if talk == "junk":
                    client.sendall(b"\0\0\0\1\5")  # it failed
                if talk != "silent":
                    client.close()
                held.append(client)

        held: list[socket.socket] = []
        thread = threading.Thread(target=behave, daemon=True)
        thread.start()
        found = refused(to(endpoint, HOST, agent=True, timeout=2.0))
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(10)
        for client in held:
            client.close()
    assert found.id in ("login-refused", "unreachable")


@contextmanager
def fake_agent(folder: Path, talk: Callable[[socket.socket], object]) -> Iterator[Path]:
    """An agent that does this with each who comes; it hangs up in the end."""
    path, clients = folder / "agent", list[socket.socket]()

    def serve() -> None:
        with suppress(OSError):
            while True:
                clients.append(listener.accept()[0])
                threading.Thread(target=behave, args=clients[-1:], daemon=True).start()

    def behave(client: socket.socket) -> None:
        with suppress(OSError):
            talk(client)

    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield path
        finally:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(10)
            for client in clients:
                with suppress(OSError):
                    client.shutdown(socket.SHUT_RDWR)
                client.close()


def identities(number: int, *keys: paramiko.PKey) -> bytes:
    """The answer of an agent that announces so many keys and tells these."""
    message = paramiko.Message()
    message.add_bytes(b"\x0c")
    message.add_int(number)
    for key in keys:
        message.add_string(key.asbytes())
        message.add_string("")
    return len(message.asbytes()).to_bytes(4, "big") + message.asbytes()


def drip(client: socket.socket) -> None:
    """A byte now and then, of an answer that never ends: each comes in time."""
    client.sendall((1000).to_bytes(4, "big"))
    while True:
        client.sendall(b"\x0c")
        time.sleep(0.1)


@pytest.mark.parametrize("talk", [lambda client: client.recv(1), drip], ids=["silent", "drips"])
def test_agent_that_hangs_leaves_time_for_the_keys_in_files(
    talk: Callable[[socket.socket], object], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = Desk([RSA])
    with fake_agent(tmp_path, talk) as path, serving(desk, HOST) as endpoint:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        target = to(endpoint, HOST, agent=True, usual_keys=(rsa_file(tmp_path),), timeout=12.0)
        enter(target)
        desk.user_keys.clear()
        found = refused(target)
    assert found.id == "login-refused"
    assert "; the SSH agent does not answer)" in found.what


def test_agent_that_hangs_when_it_shall_sign_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def talk(client: socket.socket) -> None:
        client.recv(5)
        client.sendall(identities(1, RSA))
        drip(client)

    with fake_agent(tmp_path, talk) as path, serving(Desk([RSA]), HOST) as endpoint:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        found = refused(to(endpoint, HOST, agent=True, timeout=2.0))
    assert found.id == "unreachable"
    assert re.fullmatch(r"cannot be reached \((no answer in time|the SSH agent does not answer)\)", found.what)


@pytest.mark.parametrize(
    ("told", "most"),
    [
        (identities(1_000_000), MOST_HELD),
        (identities(1_000_000, *[RSA] * 500), MOST_HELD),
        (identities(2**32 - 1, RSA), MOST_HELD),
        (b"\xff\xff\xff\xff" + identities(1, RSA), 0),
        (identities(2, RSA, RSA), 2),
    ],
)
def test_of_an_agent_that_announces_keys_without_end_few_are_taken(
    told: bytes, most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[bytes] = []

    class Key(paramiko.AgentKey):
        def __init__(self, agent: Any, blob: bytes, comment: str = "") -> None:
            taken.append(blob)
            super().__init__(agent, blob, comment)

    def talk(client: socket.socket) -> None:
        client.recv(5)
        client.sendall(told)

    monkeypatch.setattr(paramiko, "AgentKey", Key)
    monkeypatch.setattr(paramiko.agent, "AgentKey", Key)
    with fake_agent(tmp_path, talk) as path:
        monkeypatch.setenv("SSH_AUTH_SOCK", str(path))
        agent = _Agent(Deadline(600))
        assert len(agent.get_keys()) == len(taken) == most
        agent.close()


def test_who_is_refused_by_an_old_server_hears_of_it(tmp_path: Path) -> None:
    class Server(paramiko.Transport):
        def __init__(self, sock: socket.socket) -> None:
            super().__init__(sock, server_sig_algs=False)

    with serving(Desk([]), HOST, transport_type=Server) as endpoint:
        found = refused(to(endpoint, HOST, key_file=rsa_file(tmp_path)))
    assert found.hint.endswith("; its SSH server is old and may know RSA keys only: see legacy_ssh")
