"""SSH servers that a test can make of any kind, and what is needed to log in to them."""

from __future__ import annotations

import base64
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paramiko
import pytest
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from wifimgr.errors import WifimgrError
from wifimgr.lab import make_key
from wifimgr.settings import Endpoint
from wifimgr.ssh import Deadline, HostKey, Target, connect

RSA = paramiko.RSAKey.generate(2048)
HOST_RSA = paramiko.RSAKey.generate(2048)
HOST = make_key()[0]


@dataclass
class Desk(paramiko.ServerInterface):
    """Lets in whoever holds one key or a password, and notes what it is asked."""

    user_keys: list[paramiko.PKey]
    password: str = ""
    tried: list[str] = field(default_factory=list)
    """Key types, and ``password``, in the order in which they came."""
    users: list[str] = field(default_factory=list)
    hold: Callable[[], object] = lambda: None
    """Called before each answer about a proof."""

    def get_allowed_auths(self, username: str) -> str:
        return "publickey,password"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        self.tried.append(key.get_name())
        self.users.append(username)
        self.hold()
        return AUTH_SUCCESSFUL if key in self.user_keys else AUTH_FAILED

    def check_auth_password(self, username: str, password: str) -> int:
        self.tried.append("password")
        return AUTH_SUCCESSFUL if password == self.password else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        return True


Answer = Callable[[paramiko.Channel], object]


@contextmanager
def serving(
    desk: Desk,
    host_key: paramiko.PKey,
    answer: Answer = lambda channel: channel.close(),
    transport_type: type[paramiko.Transport] = paramiko.Transport,
    before: Callable[[socket.socket], object] = lambda client: None,
    family: socket.AddressFamily = socket.AF_INET,
    address: str = "127.0.0.1",
) -> Iterator[Endpoint]:
    """An SSH server: ``before`` is called with each client before anything is said, ``answer`` with each session."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server((address, 0), family=family))
        stopped = threading.Event()
        transports: list[paramiko.Transport] = []
        threads: list[threading.Thread] = []

        def serve(client: socket.socket) -> None:
            with suppress(OSError, EOFError, paramiko.SSHException), client:
                before(client)
                transport = transport_type(client)
                transports.append(transport)
                transport.add_server_key(host_key)
                transport.start_server(server=desk)
                while transport.is_active() and not stopped.is_set():
                    if channel := transport.accept(0.2):
                        answer(channel)

        def accept() -> None:
            with suppress(OSError):
                while True:
                    threads.append(threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True))
                    threads[-1].start()

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield Endpoint(*listener.getsockname()[:2])
        finally:
            stopped.set()
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            for transport in transports:
                transport.close()
            thread.join(10)
            for each in threads:
                each.join(10)


def to(endpoint: Endpoint, host_key: paramiko.PKey, **other: Any) -> Target:
    """How to log in to such a server."""
    keys = (HostKey(host_key.get_name(), host_key.get_base64()),)
    return Target(**{"name": "ap", "endpoint": endpoint, "user": "root", "keys": keys, **other})


def refused(target: Target, seconds: float = 20.0) -> WifimgrError:
    with pytest.raises(WifimgrError) as caught, connect(target, Deadline(seconds)):
        pass
    assert "\n" not in caught.value.line()
    return caught.value


def enter(target: Target, seconds: float = 20.0) -> None:
    with connect(target, Deadline(seconds)):
        pass


def keygen(path: Path, *options: str, passphrase: str = "") -> paramiko.PKey:
    """Makes a key as people do; returns its public half."""
    command = ["ssh-keygen", "-q", "-N", passphrase, "-f", str(path), *options]
    subprocess.run(command, check=True)
    kind, data = Path(f"{path}.pub").read_text().split()[:2]
    return paramiko.PKey.from_type_string(kind, base64.b64decode(data))


def rsa_file(folder: Path) -> Path:
    path = folder / "id_rsa"
    RSA.write_private_key_file(str(path))
    return path
