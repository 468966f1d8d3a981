"""Who we are: our key or password, and the login with it.

Our key is the one that is named; else those of the agent and the usual ones of ``~/.ssh`` are tried, few enough that no
server takes us for somebody who guesses.
"""

from __future__ import annotations

import base64
import os
import re
import shlex
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import paramiko
from paramiko.agent import SSH2_AGENT_IDENTITIES_ANSWER, AgentSSH, cSSH2_AGENTC_REQUEST_IDENTITIES
from paramiko.pkey import UnknownKeyType

from wifimgr.errors import ConfigError, RouterError
from wifimgr.settings import Secret
from wifimgr.ssh.deadline import Deadline
from wifimgr.ssh.hostkeys import KEY_TYPES, stamp
from wifimgr.ssh.target import Target
from wifimgr.ssh.transport import OldRSAKey, Transport
from wifimgr.ssh.trouble import reason, unreachable

MOST_KEYS = 5
"""So many keys are tried in one login. OpenSSH hangs up after 6 attempts (``MaxAuthTries``), dropbear after 10."""

MOST_HELD = 100
"""So many keys of an agent are looked at."""
LONGEST_REPLY = 256 << 10
"""Bytes of an answer of an agent; OpenSSH takes no more from one (authfd.c)."""


def authenticate(target: Target, transport: Transport, deadline: Deadline) -> None:
    """Proves who we are: with one key after the other, or with the password. Raises RouterError, ConfigError."""
    why, tried = "", 0
    with closing(_Agent(deadline)) as agent:
        for attempt in _attempts(target, transport, agent):
            transport.auth_timeout, tried = deadline.left(), tried + 1
            try:
                attempt()
            except paramiko.AuthenticationException as error:
                if deadline.passed():
                    raise unreachable(target, TimeoutError()) from None
                if tried == 1 and not transport.is_active():  # nobody is refused like that
                    raise unreachable(target, ConnectionResetError("it hung up in the middle of the login")) from None
                why = str(error) or "authentication failed"
            except Exception as error:  # paramiko raises whatever ended its thread
                raise unreachable(target, error) from None
            else:
                if transport.is_authenticated():
                    return
                why = "it wants yet another proof"
            if not transport.is_active():
                break
    several = f"none of {tried} keys is let in: {why}" if tried > 1 else why
    trouble = "; the SSH agent does not answer" if agent.is_mute else ""
    raise _login_refused(target, transport, f"{several or 'no key and no password is set'}{trouble}")


def _attempts(target: Target, transport: paramiko.Transport, agent: _Agent) -> Iterator[Callable[[], object]]:
    """Each way to prove who we are, in the order in which they are tried."""
    user = f"{target.user}{target.options}"
    if target.key_file is None and target.password is not None:
        yield partial(transport.auth_password, user, target.password.reveal())
        return
    for key in _our_keys(target, agent)[:MOST_KEYS]:
        if target.legacy and isinstance(key, paramiko.RSAKey):
            key = OldRSAKey(key=key.key)
        yield partial(transport.auth_publickey, user, key)


def _our_keys(target: Target, agent: _Agent) -> list[paramiko.PKey]:
    """The one that is named; else those of the agent and the usual ones, as far as they can be used, the best first."""
    if target.key_file:
        return [_named_key(target.key_file, target.passphrase, agent)]
    keys: list[paramiko.PKey] = list(agent.get_keys()) if target.agent else []
    for path in target.usual_keys:
        with suppress(ConfigError):
            keys.append(_named_key(path, None, agent))
    once = {key.asbytes(): key for key in keys if key.get_name() in KEY_TYPES or key.get_name().startswith("sk-")}
    order = ("ssh-rsa", *KEY_TYPES) if target.legacy else KEY_TYPES
    return sorted(once.values(), key=lambda key: order.index(key.get_name()) if key.get_name() in order else 0)


def _named_key(path: Path, passphrase: Secret | None, agent: _Agent) -> paramiko.PKey:
    """A key by its file: what the file holds, or what the agent holds of it. Raises ConfigError ``unreadable-file``."""
    try:
        return _private_key(path, passphrase)
    except ConfigError:
        public = _public_half(path)
        for key in agent.get_keys():
            if public and key.asbytes() == public:
                return key
        raise


class _Agent(AgentSSH):
    """The agent of whoever runs this (``SSH_AUTH_SOCK``), asked when its keys are first needed.

    Without one, or when it does not answer in half the time that a login has left, it has no keys: our files of keys
    are still to be tried. To sign, it has all of that time, as it may ask somebody first. However it behaves, every
    wait for it ends then.
    """

    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._login = self._until = deadline
        self._asked = self.is_mute = False

    def get_keys(self) -> tuple[paramiko.AgentKey, ...]:
        """The first keys that it holds."""
        path = os.environ.get("SSH_AUTH_SOCK")
        if path and not self._asked:
            self._asked, self._until = True, Deadline(self._login.left() / 2)
            try:
                line = socket.socket(socket.AF_UNIX)
                line.settimeout(self._until.left())
                line.connect(path)
                self._connect(line)
            except Exception as error:  # nobody is there, or somebody else: paramiko raises anything
                self.is_mute = self.is_mute or isinstance(error, TimeoutError)
                line.close()
                self.close()
            self._until = self._login
        keys: tuple[paramiko.AgentKey, ...] = super().get_keys()
        return keys

    def _connect(self, line: socket.socket) -> None:
        """As paramiko does, which takes as many keys as are announced."""
        self._conn = line
        kind, answer = self._send_message(cSSH2_AGENTC_REQUEST_IDENTITIES)  # type: ignore[attr-defined]
        if kind != SSH2_AGENT_IDENTITIES_ANSWER:
            raise paramiko.SSHException("it is no agent, or it is locked")
        number = min(answer.get_int(), MOST_HELD)
        self._keys = tuple(paramiko.AgentKey(self, answer.get_binary(), answer.get_text()) for _ in range(number))

    def _read_all(self, wanted: int) -> bytes:
        """As paramiko does, which waits anew for each byte, and for as many as are announced."""
        if wanted > LONGEST_REPLY:
            raise paramiko.SSHException("it says too much")
        read = bytearray()
        while len(read) < wanted:
            self._conn.settimeout(self._until.left())
            try:
                new = self._conn.recv(wanted - len(read))
            except TimeoutError:
                new = b""
            if self._until.passed():
                self.is_mute = True
                raise paramiko.SSHException("the SSH agent does not answer")  # any other would end with a traceback
            if not new:
                raise paramiko.SSHException("it hung up")
            read += new
        return bytes(read)

    def close(self) -> None:
        """Hangs up."""
        self._close()  # type: ignore[attr-defined]


_KEYS: dict[Path, tuple[tuple[int, ...], paramiko.PKey]] = {}
"""Keys by their files, each with the state of the file when it was read: a key that is locked takes long to open."""
_OPENING = threading.Lock()


def _private_key(path: Path, passphrase: Secret | None = None) -> paramiko.PKey:
    """The key that a file holds now. Raises ConfigError ``unreadable-file``."""
    hint = "name a private key that can be read in profiles.ssh.<profile>.key.file"
    try:
        with _OPENING:
            state = stamp(path)
            if path not in _KEYS or _KEYS[path][0] != state:
                _KEYS[path] = (state, _unlocked(path, passphrase))
            return _KEYS[path][1]
    except _Locked:
        what, shown = "this SSH key has a passphrase", shlex.quote(str(path))
        hint = f"let your agent hold it ('ssh-add {shown}'), or say where its passphrase is: passphrase, beside key"
    except (OSError, ValueError, TypeError, paramiko.SSHException, UnknownKeyType) as error:
        what = f"this SSH key cannot be used: {reason(error)}"
        if passphrase and not isinstance(error, OSError):
            what, hint = "this SSH key cannot be opened with its passphrase", "correct the secret, or name another key"
    raise ConfigError("unreadable-file", what, where=str(path), hint=hint)


class _Locked(Exception):
    """A key has a passphrase, and we do not know it."""


def _unlocked(path: Path, passphrase: Secret | None) -> paramiko.PKey:
    try:
        return paramiko.PKey.from_path(path)
    except TypeError:  # so the library says that it wants a passphrase
        if passphrase is None:
            raise _Locked from None
        return paramiko.PKey.from_path(path, passphrase.reveal().encode())  # type: ignore[arg-type]  # bytes are right


_ARMOUR = re.compile(rb"-----BEGIN OPENSSH PRIVATE KEY-----\s+([A-Za-z0-9+/=\s]+)-----END")
_MAGIC = b"openssh-key-v1\0"


def _public_half(path: Path) -> bytes:
    """The public half of a key file that we cannot open: it stands before the rest, or in a file beside it.

    Empty: it cannot be found. The form is told in OpenSSH's PROTOCOL.key.
    """
    with suppress(OSError, ValueError, IndexError):
        if path.suffix != ".pub" and (found := _ARMOUR.search(path.read_bytes())):
            fields = base64.b64decode(found[1])
            if fields.startswith(_MAGIC):
                message = paramiko.Message(fields.removeprefix(_MAGIC))
                for _ in ("cipher", "how its key is made of the passphrase", "with which options"):
                    message.get_binary()
                return message.get_binary() if message.get_int() == 1 else b""
    with suppress(OSError, ValueError, IndexError):
        beside = path if path.suffix == ".pub" else path.with_name(f"{path.name}.pub")
        return base64.b64decode(beside.read_text(encoding="utf-8").split()[1])
    return b""


def _login_refused(target: Target, transport: Transport, why: str) -> RouterError:
    hint = "check user and key of its SSH profile, and the router's authorized_keys"
    if target.outside:
        hint = f"try 'ssh {target.name}': wifimgr takes user and key from ~/.ssh/config"
    elif not transport.server_extensions:
        hint += "; its SSH server is old and may know RSA keys only" + ("" if target.legacy else ": see legacy_ssh")
    what = f"login as {target.user!r} was refused ({why})"
    return RouterError("login-refused", what, where=target.describe(), hint=hint)
