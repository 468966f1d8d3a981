"""The only place that opens SSH: connect, check the host key, log in, run a script, all before one deadline.

Routers are reached with paramiko over a socket of our own (``TCP_NODELAY``: without it, Nagle and delayed ACK cost
90 ms per connection). There is no prompt guessing and no SFTP: a script goes to ``sh -s`` on standard input, never
into the command, where it would stand in the router's process list.

Host keys are pinned in ``inventory/known_hosts``, by router name: an address may change hands, a name may not.

A router can be reached through another one: we log in there, let it open a connection to the next one
(``direct-tcpip``), and speak SSH over that. Each hop has its own login and its own pinned host key, and sees nothing of
what is inside.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import logging
import os
import re
import socket
import tempfile
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

import paramiko
from paramiko.pkey import UnknownKeyType
from paramiko.ssh_exception import ChannelException, IncompatiblePeer

from wifimgr.errors import ConfigError, Refused, RouterError
from wifimgr.inventory import Inventory
from wifimgr.inventory.schema import normalised
from wifimgr.model import Router
from wifimgr.settings import Endpoint, Secret

# Dropbear on MIPS signs with Ed25519 many times faster than with RSA.
KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")
RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256")
WINDOW = 65536
LONGEST_ANSWER = 4 << 20
"""Bytes. All configuration of a router is a hundredth of it."""
LONGEST_BANNER = 255
"""Characters (RFC 4253, 4.2)."""
LOGINS_AT_ONCE = 4
"""So many logins to one router go on at the same time, as when others are reached through it: dropbear hangs up on the
sixth stranger of one address."""
CONNECT_FAILED = 2
"""Why a server opens no channel: it cannot reach who was asked for. All other reasons are its own (RFC 4254, 5.1)."""

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

    def routers_with(self, key: HostKey) -> list[str]:
        """The routers that this key is trusted for."""
        return [name for name, keys in self._keys.items() if key in keys]

    def trust(self, keys: Mapping[str, HostKey]) -> None:
        """Pins one key for each of these routers, by name, in place of whatever was pinned before.

        Every other line stays as it is. Raises ConfigError ``unreadable-file``.
        """
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        kept = [line for line in lines if not keys.keys() & set(line.split("#")[0].split()[:1])]
        text = "\n".join([*kept, *(f"{name} {key.type} {key.base64}" for name, key in keys.items())]) + "\n"
        try:  # a file of a name that nobody can know: a link under a known one would lead our writing elsewhere
            number, name = tempfile.mkstemp(dir=self.path.parent, prefix=".known_hosts.")
            with os.fdopen(number, "w", encoding="utf-8") as file:
                file.write(text)
            fresh = Path(name)
            fresh.chmod(0o644)
            fresh.replace(self.path)
        except OSError as error:
            raise ConfigError("unreadable-file", f"cannot be written: {error}", where=str(self.path)) from None
        self._keys |= {name: (key,) for name, key in keys.items()}


class KeyList:
    """Host keys as OpenSSH keeps them in a known_hosts file and as ssh-keyscan prints them. Nothing is trusted by it.

    Each line is ``[marker] <names> <type> <base64> [comment]``; names have commas between them or are hashed (sshd(8),
    SSH_KNOWN_HOSTS FILE FORMAT). A key that is revoked is none, for whomever.
    """

    def __init__(self, text: str) -> None:
        self.passed_over: dict[str, list[int]] = {}
        """Why lines were passed over, at least in part, to their numbers."""
        self._plain: dict[str, list[HostKey]] = {}
        self._hashed: list[tuple[bytes, bytes, HostKey]] = []
        self._revoked: set[HostKey] = set()
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split()
            if words and not words[0].startswith("#"):
                for why in self._take(words):
                    self.passed_over.setdefault(why, []).append(number)

    def _take(self, words: list[str]) -> Iterator[str]:
        """Keeps the key of a line; tells what of it was passed over, and why."""
        marker = words.pop(0) if words[0].startswith("@") else ""
        names, kind, data = words[:3] if len(words) > 2 else ("", "", "")
        if kind and kind not in KEY_TYPES:
            yield f"key type {kind}"
            return
        try:
            content = base64.b64decode(data, validate=True)
        except ValueError:
            content = b""
        if not _is_key(kind, content):
            yield "no host key"
            return
        key = HostKey(kind, base64.b64encode(content).decode())
        if marker:
            yield f"marked {marker}"
            self._revoked |= {key} if marker == "@revoked" else set()
            return
        for name in names.split(","):
            if name.startswith("|"):
                try:
                    _, _, salt, digest = name.split("|")
                    self._hashed.append((base64.b64decode(salt), base64.b64decode(digest), key))
                except ValueError:
                    yield "no hashed name"
            elif set(name) & set("*?!"):
                yield "a pattern in place of a name"
            else:
                self._plain.setdefault(_spelled(name), []).append(key)

    def of(self, names: Iterable[str]) -> tuple[HostKey, ...]:
        """The keys under any of these names (see :func:`ssh_names`), the best types first."""
        wanted = {_spelled(name) for name in names}
        found = {key for name in wanted for key in self._plain.get(name, ())}
        found |= {
            key
            for salt, digest, key in self._hashed
            if any(hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest) for name in wanted)
        }
        return tuple(sorted(found - self._revoked, key=lambda key: (KEY_TYPES.index(key.type), key)))


def _is_key(kind: str, content: bytes) -> bool:
    """Whether these bytes are a key of a type and whole: its name, then its numbers, each with its length before it."""
    parts = []
    while content:
        size = 4 + int.from_bytes(content[:4], "big")
        parts.append(content[4:size])
        if size > len(content):
            return False
        content = content[size:]
    return len(parts) > 1 and parts[0] == kind.encode()


def _spelled(name: str) -> str:
    """One spelling for each name in a known_hosts file: ``[2001:DB8:0::1]:22`` is ``2001:db8::1``."""
    bracketed = re.fullmatch(r"\[(.*)\]:([0-9]+)", name)
    host, port = bracketed.groups() if bracketed else (name, "22")
    try:
        host = normalised(host)
    except ValueError:
        host = host.lower()
    return host if port == "22" else f"[{host}]:{port}"


def ssh_names(inventory: Inventory, router: Router) -> set[str]:
    """What a known_hosts file may call the SSH server of a router: its name, and each address with its port."""
    network = inventory.network
    port = network.port(router, "ssh")
    local = network.local.endpoints.get(router.name, {}).get("ssh")
    endpoints = [Endpoint(address, port) for address in (router.name, *router.addresses)] + ([local] if local else [])
    return {router.name, *(f"[{endpoint.address}]:{endpoint.port}" for endpoint in endpoints)}


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
    through: Target | None = None
    """The router that this one is reached through; None: straight."""

    def describe(self) -> str:
        """The router's name and where it is reached, for messages."""
        return f"{self.name} ({self.endpoint}{f' through {self.through.name}' if self.through else ''})"


def target_of(inventory: Inventory, known_hosts: KnownHosts, router: Router) -> Target:
    """How to log in to a router, which itself need not be in the inventory: its way is looked up there.

    An endpoint of local.yaml is reached straight. Raises ConfigError ``missing-secret``.
    """
    network = inventory.network
    profile = network.ssh_profile(router)
    jump = network.jump(router)
    return Target(
        name=router.name,
        endpoint=network.endpoint(router, "ssh"),
        user=profile.user,
        keys=known_hosts.of(router.name),
        key_file=profile.key,
        password=profile.password.resolve() if profile.password else None,
        timeout=profile.timeout,
        through=target_of(inventory, known_hosts, inventory.routers[jump]) if jump else None,
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
    """Connects, checks the host key before anything of ours is sent, and logs in; the same at each hop on the way.

    Raises Refused (``host-key-unknown``, ``host-key-changed``), RouterError (``unreachable``, ``login-refused``).
    """
    with ExitStack() as opened:
        yield Connection(target, _login(target, deadline, opened))


@dataclass(frozen=True, slots=True)
class Shown:
    """What a router shows to anybody who connects."""

    key: HostKey
    """Ed25519 where it has one."""
    banner: str
    """How its SSH server calls itself: ``SSH-2.0-dropbear``. Any text of up to :data:`LONGEST_BANNER` characters."""


def scan(target: Target, deadline: Deadline) -> Shown:
    """Looks at the host key that a router shows now. Nothing of ours is sent to it, only to those on the way.

    Raises like :func:`connect`.
    """
    with ExitStack() as opened:
        way = _through(target, deadline, opened)
        transport = _speak(target, way, deadline, KEY_TYPES, opened)
        return Shown(_host_key(target, transport), transport.remote_version[:LONGEST_BANNER])


def _login(target: Target, deadline: Deadline, opened: ExitStack) -> paramiko.Transport:
    """A transport to a router that is the right one and has let us in."""
    if not target.keys:
        raise Refused(
            "host-key-unknown",
            "its host key was never trusted, so nothing was sent",
            where=target.describe(),
            hint=f"compare the fingerprint and trust it with 'wifimgr router trust {target.name}'",
        )
    way = _through(target, deadline, opened)
    with _turn(target, deadline):
        login = Deadline(min(target.timeout, deadline.left()))
        transport = _speak(target, way, login, tuple(key.type for key in target.keys), opened)
        # Some waits of paramiko know no end (for the answer to a request, for room to send): closing ends them all.
        watchdog = threading.Timer(deadline.left(), transport.close)
        watchdog.daemon = True
        watchdog.start()
        opened.callback(watchdog.cancel)
        _check_host_key(target, _host_key(target, transport))
        _authenticate(target, transport, login)
    return transport


_TURNS: dict[Endpoint, threading.BoundedSemaphore] = {}


@contextmanager
def _turn(target: Target, deadline: Deadline) -> Iterator[None]:
    """One of the logins to a router that may go on at the same time."""
    turns = _TURNS.setdefault(target.endpoint, threading.BoundedSemaphore(LOGINS_AT_ONCE))
    if not turns.acquire(timeout=deadline.left()):
        raise _unreachable(target, TimeoutError())
    try:
        yield
    finally:
        turns.release()


def _through(target: Target, deadline: Deadline, opened: ExitStack) -> paramiko.Transport | None:
    """The router that the target is reached through, with us logged in; None: it is reached straight.

    What goes wrong there is told as the trouble of the target, with the name of the hop.
    """
    jump = target.through
    if jump is None:
        return None
    try:
        return _login(jump, deadline, opened)
    except (Refused, RouterError) as error:
        what = f"the way through {jump.describe()}: {error.what}"
        raise type(error)(error.id, what, where=target.describe(), hint=error.hint) from None


def _speak(
    target: Target, way: paramiko.Transport | None, deadline: Deadline, key_types: tuple[str, ...], opened: ExitStack
) -> paramiko.Transport:
    """A transport to whoever is at the target's endpoint: nobody knows yet who that is."""
    try:
        transport = paramiko.Transport(_line(target, way, deadline))
        opened.callback(transport.close)
    except (OSError, UnicodeError) as error:  # a name of an impossible form is no OSError
        raise _unreachable(target, error) from None
    try:
        transport.get_security_options().key_types = _signatures(key_types)
        transport.banner_timeout = transport.handshake_timeout = deadline.left()
        transport.start_client(timeout=deadline.left())
        if deadline.passed():  # it gives up without a word
            raise TimeoutError
    except IncompatiblePeer as error:
        what = f"it cannot agree with us on how to speak SSH ({_reason(error)}); trusted: {', '.join(key_types)}"
        hint = f"if its host key is of another type now: 'wifimgr router trust {target.name} --replace'"
        raise RouterError("unreachable", what, where=target.describe(), hint=hint) from None
    except Exception as error:  # paramiko raises whatever ended its thread: perhaps garbage from the other side
        raise _unreachable(target, TimeoutError() if deadline.passed() else error) from None
    return transport


class _NotForwarded(ConnectionError):
    """A router on the way does not open connections for us."""


def _line(target: Target, way: paramiko.Transport | None, deadline: Deadline) -> socket.socket | paramiko.Channel:
    """Something that carries bytes to the target. Raises OSError, UnicodeError."""
    address = (target.endpoint.address, target.endpoint.port)
    if way is None or target.through is None:
        sock = socket.create_connection(address, deadline.left())
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return sock
    jump = target.through.name
    try:
        return way.open_channel("direct-tcpip", address, ("127.0.0.1", 0), timeout=deadline.left())
    except ChannelException as error:
        if error.code == CONNECT_FAILED:
            raise ConnectionRefusedError(f"{jump} cannot connect to it") from None
        raise _NotForwarded(f"{jump} does not forward connections") from None
    except Exception as error:  # as in a handshake
        if deadline.passed():
            raise TimeoutError from None
        raise ConnectionResetError(f"the connection to {jump} was lost: {_reason(error)}") from None


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


def _authenticate(target: Target, transport: paramiko.Transport, deadline: Deadline) -> None:
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
    if isinstance(error, _NotForwarded) and target.through:
        hint = f"allow TCP forwarding there: the SSH server of {target.through.name}, or our key on it, forbids it"
    return RouterError("unreachable", f"cannot be reached ({why})", where=target.describe(), hint=hint)


def _reason(error: Exception) -> str:
    """Why something failed, in the words of the system or the library; in ours where those explain nothing."""
    if "Error reading SSH protocol banner" in str(error):
        return "it hung up before it said anything"
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).strip().rstrip(".")
