"""A real SSH server on loopback for one simulated router: its own host key, one user key, and a real shell.

It speaks SSH through paramiko's server side and runs what it is sent in ``/bin/sh`` on that router's directory tree.
Like dropbear on OpenWrt it has no PTY and no SFTP, and what a script leaves in the background outlives the login. It
opens connections to other simulated routers for who is logged in, and to nothing else.
"""

from __future__ import annotations

import logging
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import IO

import paramiko
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from paramiko.common import (
    AUTH_FAILED,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_FAILED_CONNECT_FAILED,
    OPEN_SUCCEEDED,
)

BLOCK = 65536
LOOK_SECONDS = 0.5
COMMAND_SECONDS = 5.0

# Clients that come and go in the middle of a handshake are what the lab is for, not news.
logging.getLogger("paramiko.transport").setLevel(logging.CRITICAL)


Key = paramiko.PKey
"""A host key or a user key of the lab."""
Reach = Callable[[str, int], socket.socket]
"""Opens a connection to an address and port beyond a router. Raises PermissionError, or OSError: nobody is there."""


def make_key() -> tuple[Key, str]:
    """A fresh Ed25519 key and its private half as an OpenSSH file."""
    private = Ed25519PrivateKey.generate()
    text = private.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()
    return paramiko.Ed25519Key(file_obj=StringIO(text)), text


class Shell:
    """The processes of one router: every script it runs, and whatever those leave behind."""

    def __init__(self, root: Path, path: str) -> None:
        self.environment = {"PATH": path, "WIFIMGR_ROOT": str(root), "HOME": "/", "LANG": "C"}
        self.file_limit: int | None = None
        """Bytes that a file can grow to; 0 plays a full flash."""
        self._groups: set[int] = set()
        self._lock = threading.Lock()

    def start(self, command: list[str], extra: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Starts a process in a group of its own, so that a power cut reaches its children too."""
        if self.file_limit is not None:
            # The shell sees "file too large" where a router sees "no space left"; the signal would kill it instead.
            command = [
                "/bin/sh",
                "-c",
                f"trap '' XFSZ; ulimit -f {self.file_limit}; exec \"$@\"",
                "sh",
                *command,
            ]
        with self._lock:
            process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**self.environment, **extra},
                start_new_session=True,
                cwd="/",
            )
            self._groups.add(process.pid)
        return process

    def kill_all(self) -> None:
        """SIGKILL for every process of this router, as when the power goes."""
        with self._lock:
            for group in self._groups:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(group, signal.SIGKILL)
            self._groups.clear()


class SshServer:
    """One listening port. ``link`` says before each new connection and login what the router does: see Link."""

    def __init__(self, shell: Shell, host_key: Key, user_key: Key, link: Link, reach: Reach) -> None:
        self._shell, self._host_key, self._user_key, self._link = shell, host_key, user_key, link
        self._reach = reach
        self._open: set[paramiko.Transport] = set()
        self._silent: list[socket.socket] = []
        self._stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True, name=f"lab-ssh-{self.port}").start()

    def stop(self) -> None:
        """Closes the port and every connection."""
        self._stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()

    def drop(self) -> None:
        """Ends every connection at once, without a goodbye."""
        for transport in list(self._open):
            transport.close()
        for sock in self._silent:
            sock.close()
        self._open.clear()
        self._silent.clear()

    def change_host_key(self, key: Key) -> None:
        """From now on the server shows another host key."""
        self._host_key = key

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                sock, peer = self._listener.accept()
            except OSError:
                return
            state = self._link.state()
            if state == "off":
                sock.close()
            elif state == "down":
                self._silent.append(sock)  # bound but silent: what a dead link or a lost route looks like
            else:
                threading.Thread(target=self._serve, args=(sock, peer[1]), daemon=True).start()

    def _serve(self, sock: socket.socket, client_port: int) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport = paramiko.Transport(sock)
        self._open.add(transport)
        try:
            transport.add_server_key(self._host_key)
            time.sleep(self._link.lag)
            session = _Session(self._user_key, self._link, self._reach)
            transport.start_server(server=session)
            while transport.is_active():
                channel = transport.accept(LOOK_SECONDS)  # is not woken when the transport ends
                if channel and channel.get_id() in session.lines:
                    _join(channel, session.lines.pop(channel.get_id()))
                elif channel and session.command.wait(COMMAND_SECONDS):
                    session.command.clear()
                    self._run(channel, f"127.0.0.1 {client_port} 127.0.0.1 {self.port}")
        except (paramiko.SSHException, OSError, EOFError):
            pass  # the client left, or the power did
        finally:
            transport.close()
            self._open.discard(transport)

    def _run(self, channel: paramiko.Channel, connection: str) -> None:
        process = self._shell.start(["/bin/sh", "-s"], {"SSH_CONNECTION": connection})
        assert process.stdin
        assert process.stdout
        threading.Thread(target=_feed, args=(channel, process.stdin), daemon=True).start()
        with suppress(OSError, EOFError):
            while data := os.read(process.stdout.fileno(), BLOCK):
                time.sleep(self._link.lag)
                channel.sendall(data)
            channel.send_exit_status(process.wait() & 0xFF)
        process.stdout.close()
        with suppress(OSError, EOFError):
            channel.close()
        process.wait()


def _feed(channel: paramiko.Channel, stdin: IO[bytes]) -> None:
    """Carries to a shell what comes for it, until the other side says that this was all, or is gone."""
    with suppress(OSError, EOFError):
        while data := channel.recv(BLOCK):
            stdin.write(data)
            stdin.flush()
    with suppress(OSError):
        stdin.close()


def _join(channel: paramiko.Channel, line: socket.socket) -> None:
    """Carries bytes both ways until one side ends."""

    def carry(receive: Callable[[int], bytes], send: Callable[[bytes], object]) -> None:
        with suppress(OSError, EOFError):
            while data := receive(BLOCK):
                send(data)
        with suppress(OSError, EOFError):
            channel.close()
        with suppress(OSError):
            line.shutdown(socket.SHUT_RDWR)  # wakes the other direction
        line.close()

    for ways in ((channel.recv, line.sendall), (line.recv, channel.sendall)):
        threading.Thread(target=carry, args=ways, daemon=True).start()


class Link:
    """What the network between us and a router does, read from the files that its stand-ins write."""

    def __init__(self, control: Path, reachable: Callable[[], bool]) -> None:
        self._file = control / "link"
        self._reachable = reachable
        self.powered = True
        self.silent = False
        self.lag = 0.0
        """Seconds that every answer is late."""

    def state(self) -> str:
        """``up``, ``down`` (bound but silent), ``off`` (no power), ``after-login`` (goes down after one more login)."""
        if not self.powered:
            return "off"
        if self.silent or not self._reachable():
            return "down"
        return self._told()

    def is_up(self) -> bool:
        """Whether power and link are there, for every service of the router."""
        return self.powered and not self.silent and self._told() != "down"

    def _told(self) -> str:
        try:
            return self._file.read_text(encoding="ascii").strip() or "up"
        except OSError:
            return "up"

    def logged_in(self) -> None:
        """Called after each login that succeeded."""
        if self.state() == "after-login":
            self._file.write_text("down", encoding="ascii")


class _Session(paramiko.ServerInterface):
    """Lets in whoever holds the one user key, runs nothing but ``sh -s``, and opens connections to other routers."""

    def __init__(self, user_key: Key, link: Link, reach: Reach) -> None:
        self._user_key, self._link, self._reach = user_key, link, reach
        self.command = threading.Event()
        self.lines: dict[int, socket.socket] = {}
        """Channel to the connection that was opened for it."""

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: Key) -> int:
        if username != "root" or key != self._user_key:
            return AUTH_FAILED
        self._link.logged_in()
        return AUTH_SUCCESSFUL

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED if kind == "session" else OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_direct_tcpip_request(self, chanid: int, origin: tuple[str, int], target: tuple[str, int]) -> int:
        try:
            self.lines[chanid] = self._reach(*target)
        except PermissionError:
            return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED
        except OSError:
            return OPEN_FAILED_CONNECT_FAILED
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        if command != b"sh -s":
            return False
        self.command.set()
        return True
