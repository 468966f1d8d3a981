"""The only place that opens SSH: connect, check the host key, log in, run a script, all before one deadline.

Routers are reached with paramiko over a socket of our own (``TCP_NODELAY``: without it, Nagle and delayed ACK cost
90 ms per connection). There is no prompt guessing and no SFTP: a script goes to ``sh -s`` on standard input, never
into the command, where it would stand in the router's process list.

Host keys are pinned in ``inventory/known_hosts``, by router name: an address may change hands, a name may not.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import paramiko
from paramiko.pkey import UnknownKeyType
from paramiko.ssh_exception import IncompatiblePeer

from wifimgr.errors import ConfigError, Refused, RouterError
from wifimgr.model import Router
from wifimgr.settings import Endpoint, Network, Secret

# Dropbear on MIPS signs with Ed25519 many times faster than with RSA.
KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256")
WINDOW = 65536
LONGEST_ANSWER = 4 << 20
"""Bytes. All configuration of a router is a hundredth of it."""

# What goes wrong is raised to us and told in one line; paramiko's thread would print it again, with a traceback.
logging.getLogger("paramiko.transport").setLevel(logging.CRITICAL)

SHELL = "sh -s"


class Deadline:
    """A point in time that everything done for one router in one round must keep."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def left(self) -> float:
        """Seconds left, at least a hundredth, so that it can be used as a timeout; see :meth:`passed`."""
        return max(0.01, self._end - time.monotonic())

    def passed(self) -> bool:
        """Whether the time is over."""
        return time.monotonic() >= self._end


@dataclass(frozen=True, slots=True, order=True)
class HostKey:
    """The public half of a router's host key: its type and its bytes in base64, as in an OpenSSH known_hosts file."""

    type: str
    base64: str

    @property
    def fingerprint(self) -> str:
        """``SHA256:…`` as ssh-keygen and dropbearkey print it."""
        digest = hashlib.sha256(base64.b64decode(self.base64)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


class KnownHosts:
    """The pinned host keys of a network: a file with ``<router name> <type> <base64>`` a line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys: dict[str, tuple[HostKey, ...]] = {}
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError("unreadable-file", f"cannot be read: {error}", where=str(path)) from None
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split("#")[0].split()
            if words:
                self._keys[words[0]] = (*self.of(words[0]), self._parse(words, number))

    def _parse(self, words: list[str], number: int) -> HostKey:
        try:
            _, kind, data = words
            if kind not in KEY_TYPES or not base64.b64decode(data, validate=True):
                raise ValueError(kind)
        except ValueError:
            hint = "write '<router name> <key type> <base64>', or remove the line and run 'wifimgr router trust'"
            raise ConfigError("wrong-type", "is no host key", where=f"{self.path}:{number}", hint=hint) from None
        return HostKey(kind, data)

    def of(self, name: str) -> tuple[HostKey, ...]:
        """The keys trusted for a router; none when it was never trusted."""
        return self._keys.get(name, ())

    def trust(self, name: str, key: HostKey) -> None:
        """Pins one key for a router, in place of whatever was pinned before, and keeps every other line as it is."""
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        kept = [line for line in lines if line.split("#")[0].split()[:1] != [name]]
        text = "\n".join([*kept, f"{name} {key.type} {key.base64}"]) + "\n"
        fresh = self.path.with_suffix(".new")
        try:
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(self.path)
        except OSError as error:
            raise ConfigError("unreadable-file", f"cannot be written: {error}", where=str(self.path)) from None
        self._keys[name] = (key,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Everything needed to log in to one router. ``keys`` are the pinned host keys."""

    name: str
    endpoint: Endpoint
    user: str
    keys: tuple[HostKey, ...]
    key_file: Path | None = None
    password: Secret | None = field(default=None, repr=False)
    timeout: float = 10.0
    """Seconds that a login may take."""

    def describe(self) -> str:
        """The router's name and where it is reached, for messages."""
        return f"{self.name} ({self.endpoint})"


def target_of(network: Network, known_hosts: KnownHosts, router: Router) -> Target:
    """How to log in to a router of the network. Raises ConfigError ``missing-secret``."""
    profile = network.ssh_profile(router)
    return Target(
        name=router.name,
        endpoint=network.endpoint(router, "ssh"),
        user=profile.user,
        keys=known_hosts.of(router.name),
        key_file=profile.key,
        password=profile.password.resolve() if profile.password else None,
        timeout=profile.timeout,
    )


class Connection:
    """One SSH connection to one router, logged in. Use :func:`connect`."""

    def __init__(self, target: Target, transport: paramiko.Transport) -> None:
        self.target = target
        self._transport = transport

    def run(self, script: str, deadline: Deadline) -> bytes:
        """Runs a shell script that is sent on standard input; returns all that it printed on standard output.

        A script that is cut on the way must not do anything: wrap it in ``{ …; }``. Raises RouterError
        (``unreachable``) when the connection breaks or the deadline passes.
        """
        try:
            channel = self._transport.open_session(timeout=deadline.left())
            channel.settimeout(deadline.left())
            channel.exec_command(SHELL)
            channel.sendall(script.encode("utf-8", "surrogateescape"))
            channel.shutdown_write()
            output = bytearray()
            while data := channel.recv(WINDOW):
                output += data
                if len(output) > LONGEST_ANSWER:
                    raise EOFError(f"it sends more than {LONGEST_ANSWER >> 20} MiB")
                channel.settimeout(deadline.left())
                if deadline.passed():
                    raise TimeoutError
            # Dropbear closes a channel at once that is opened before it has collected the process of the last one.
            if not channel.status_event.wait(deadline.left()):
                raise TimeoutError
            if channel.exit_status < 0:
                raise EOFError("the connection was lost")
        except Exception as error:  # paramiko raises whatever ended its thread: an answer of any form may be the cause
            raise _unreachable(self.target, error) from None
        return bytes(output)


@contextmanager
def connect(target: Target, deadline: Deadline) -> Iterator[Connection]:
    """Connects, checks the host key before anything of ours is sent, and logs in.

    Raises Refused (``host-key-unknown``, ``host-key-changed``), RouterError (``unreachable``, ``login-refused``).
    """
    if not target.keys:
        raise Refused(
            "host-key-unknown",
            "its host key was never trusted, so nothing was sent",
            where=target.describe(),
            hint=f"compare the fingerprint and trust it with 'wifimgr router trust {target.name}'",
        )
    login = Deadline(min(target.timeout, deadline.left()))
    transport = _handshake(target, login, tuple(key.type for key in target.keys))
    # Some waits of paramiko know no end (for the answer to a request, for room to send): closing ends them all.
    watchdog = threading.Timer(deadline.left(), transport.close)
    watchdog.daemon = True
    watchdog.start()
    try:
        _check_host_key(target, _host_key(target, transport))
        _log_in(target, transport, login)
        yield Connection(target, transport)
    finally:
        watchdog.cancel()
        transport.close()


def scan_host_key(target: Target, deadline: Deadline) -> HostKey:
    """The host key that a router shows now, Ed25519 where it has one. Nothing of ours is sent."""
    transport = _handshake(target, deadline, KEY_TYPES)
    try:
        return _host_key(target, transport)
    finally:
        transport.close()


def _handshake(target: Target, deadline: Deadline, key_types: tuple[str, ...]) -> paramiko.Transport:
    try:
        address = (target.endpoint.address, target.endpoint.port)
        sock = socket.create_connection(address, deadline.left())
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport = paramiko.Transport(sock)
    except (OSError, UnicodeError) as error:  # a name of an impossible form is no OSError
        raise _unreachable(target, error) from None
    try:
        transport.get_security_options().key_types = _signatures(key_types)
        transport.banner_timeout = transport.handshake_timeout = deadline.left()
        transport.start_client(timeout=deadline.left())
        if deadline.passed():  # it gives up without a word
            raise TimeoutError
    except IncompatiblePeer as error:
        transport.close()
        what = f"it cannot agree with us on how to speak SSH ({_reason(error)}); trusted: {', '.join(key_types)}"
        hint = f"if its host key is of another type now: 'wifimgr router trust {target.name} --replace'"
        raise RouterError("unreachable", what, where=target.describe(), hint=hint) from None
    except (
        Exception
    ) as error:  # paramiko raises whatever ended its thread: garbage from the other side may be the cause
        transport.close()
        raise _unreachable(target, error) from None
    return transport


def _signatures(key_types: tuple[str, ...]) -> list[str]:
    """Names to offer for key types, best first: an RSA key is asked to sign with SHA-2 only."""
    ordered = [kind for kind in KEY_TYPES if kind in key_types]
    return [name for kind in ordered for name in (RSA_SIGNATURES if kind == "ssh-rsa" else (kind,))]


def _host_key(target: Target, transport: paramiko.Transport) -> HostKey:
    try:
        key = transport.get_remote_server_key()
    except Exception as error:  # the router went away in this very moment, or what it shows is no key
        raise _unreachable(target, error) from None
    return HostKey(key.get_name(), key.get_base64())


def _check_host_key(target: Target, shown: HostKey) -> None:
    if shown in target.keys:
        return
    trusted = ", ".join(key.fingerprint for key in target.keys)
    raise Refused(
        "host-key-changed",
        f"HOST KEY CHANGED: it shows {shown.fingerprint}, trusted is {trusted}; somebody else may be listening, "
        "nothing was sent",
        where=target.describe(),
        hint=f"if the router was reset or replaced: 'wifimgr router trust {target.name} --replace'",
    )


def _log_in(target: Target, transport: paramiko.Transport, deadline: Deadline) -> None:
    key = None if target.key_file is None else _private_key(target.key_file)
    if key is None and target.password is None:
        raise _login_refused(target, "no key and no password is set")
    transport.auth_timeout = deadline.left()
    try:
        if key is not None:
            transport.auth_publickey(target.user, key)
        elif target.password is not None:
            transport.auth_password(target.user, target.password.reveal())
    except paramiko.AuthenticationException as error:
        raise _login_refused(target, str(error) or "authentication failed") from None
    except Exception as error:  # as in a handshake
        raise _unreachable(target, error) from None


@lru_cache(maxsize=16)
def _private_key(path: Path) -> paramiko.PKey:
    try:
        return paramiko.PKey.from_path(path)
    except (OSError, ValueError, TypeError, paramiko.SSHException, UnknownKeyType) as error:
        hint = "name a private key without a passphrase that can be read in profiles.ssh.<profile>.key.file"
        what = f"this SSH key cannot be used: {_reason(error)}"
        raise ConfigError("unreadable-file", what, where=str(path), hint=hint) from None


def _login_refused(target: Target, why: str) -> RouterError:
    hint = "check user and key of its SSH profile, and the router's authorized_keys"
    return RouterError(
        "login-refused",
        f"login as {target.user!r} was refused ({why})",
        where=target.describe(),
        hint=hint,
    )


def _unreachable(target: Target, error: Exception) -> RouterError:
    why = "no answer in time" if isinstance(error, TimeoutError) else _reason(error)
    hint = "check power, cable and address"
    return RouterError("unreachable", f"cannot be reached ({why})", where=target.describe(), hint=hint)


def _reason(error: Exception) -> str:
    """Why something failed, in the words of the system or the library; in ours where those explain nothing."""
    if "Error reading SSH protocol banner" in str(error):
        return "it hung up before it said anything"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).strip().rstrip(".")
