"""Connect, check the host key, log in, run a script: at one router, and at each hop on the way to it.

There is no prompt guessing and no SFTP: a script goes to ``sh -s`` on standard input, never into the command, where it
would stand in the router's process list.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import paramiko

from wifimgr.errors import Refused, RouterError
from wifimgr.settings import Endpoint
from wifimgr.ssh.deadline import Deadline
from wifimgr.ssh.hostkeys import KEY_TYPES, HostKey
from wifimgr.ssh.ourkeys import authenticate
from wifimgr.ssh.target import Target
from wifimgr.ssh.transport import Transport, speak
from wifimgr.ssh.trouble import unreachable

SHELL = "sh -s"
WINDOW = 65536
LONGEST_ANSWER = 4 << 20
"""Bytes. All configuration of a router is a hundredth of it."""
LONGEST_BANNER = 255
"""Characters (RFC 4253, 4.2)."""
LOGINS_AT_ONCE = 4
"""So many logins to one router go on at the same time, as when others are reached through it: dropbear hangs up on the
sixth stranger of one address."""


class Connection:
    """One SSH connection to one router, logged in. Use :func:`connect`."""

    def __init__(self, target: Target, transport: Transport) -> None:
        self.target = target
        self._transport = transport
        self._kept: paramiko.Channel | None = None

    @property
    def is_kept(self) -> bool:
        """Whether the next script goes to the shell of the last one, and finds there what that has defined."""
        return self._kept is not None and not self._kept.eof_received

    @property
    def key(self) -> tuple[str, str] | None:
        """Type and text of the public key that we have logged in with; None: it was a password."""
        key = getattr(self._transport.auth_handler, "private_key", None)
        return (key.get_name(), key.get_base64()) if key else None

    def run(self, script: str, deadline: Deadline, keep: bytes = b"") -> bytes:
        """Runs a shell script that is sent on standard input; returns all that it printed on standard output.

        A script that is cut on the way must not do anything: wrap it in ``{ …; }``. Its shell ends with it, unless it
        is to be kept for the next script as soon as ``keep`` was printed. Raises RouterError (``unreachable``) when the
        connection breaks or the deadline passes.
        """
        try:
            channel, self._kept = self._kept if self.is_kept else None, None
            channel = channel or self._shell(deadline)
            channel.settimeout(deadline.left())
            channel.sendall(script.encode("utf-8", "surrogateescape"))
            if not keep:
                channel.shutdown_write()
            output = bytearray()
            while data := channel.recv(WINDOW):
                output += data
                if keep and keep in output:
                    self._kept = channel
                    return bytes(output)
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
            late = deadline.passed() or self._transport.line.is_over
            raise unreachable(self.target, TimeoutError() if late else error) from None
        return bytes(output)

    def _shell(self, deadline: Deadline) -> paramiko.Channel:
        channel = self._transport.open_session(timeout=deadline.left())
        channel.settimeout(deadline.left())
        _start(self._transport, channel)
        return channel


def _start(transport: paramiko.Transport, channel: paramiko.Channel) -> None:
    """Asks for a shell and does not wait for the yes, as paramiko would: the script follows at once, a round trip
    earlier. A no closes the channel."""
    request = paramiko.Message()
    request.add_byte(paramiko.common.cMSG_CHANNEL_REQUEST)
    request.add_int(channel.remote_chanid)
    request.add_string("exec")
    request.add_boolean(True)
    request.add_string(SHELL)
    transport._send_user_message(request)  # type: ignore[attr-defined] # as Channel.exec_command does


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
        transport = speak(target, way, deadline, KEY_TYPES, opened)
        return Shown(_host_key(target, transport), transport.remote_version[:LONGEST_BANNER])


def _login(target: Target, deadline: Deadline, opened: ExitStack) -> Transport:
    """A transport to a router that is the right one and has let us in."""
    if not target.keys:
        hint = f"compare the fingerprint and trust it with 'wifimgr router trust {target.name}'"
        if target.outside:
            hint = f"log in once with 'ssh {target.name}' and compare the fingerprint: then ~/.ssh/known_hosts has it"
        what = "its host key was never trusted, so nothing was sent"
        raise Refused("host-key-unknown", what, where=target.describe(), hint=hint)
    way = _through(target, deadline, opened)
    with _turn(target, deadline):
        login = Deadline(min(target.timeout, deadline.left()))
        transport = speak(target, way, login, tuple(key.type for key in target.keys), opened)
        # Some waits of paramiko know no end (for the answer to a request, for room to send): they end with the line.
        transport.line.until = deadline
        _check_host_key(target, _host_key(target, transport))
        authenticate(target, transport, login)
    return transport


_TURNS: dict[Endpoint, threading.BoundedSemaphore] = {}


@contextmanager
def _turn(target: Target, deadline: Deadline) -> Iterator[None]:
    """One of the logins to a router that may go on at the same time."""
    turns = _TURNS.setdefault(target.endpoint, threading.BoundedSemaphore(LOGINS_AT_ONCE))
    if not turns.acquire(timeout=deadline.left()):
        raise unreachable(target, TimeoutError())
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


def _host_key(target: Target, transport: paramiko.Transport) -> HostKey:
    try:
        key = transport.get_remote_server_key()
    except Exception as error:  # the router went away in this very moment, or what it shows is no key
        raise unreachable(target, error) from None
    return HostKey(key.get_name(), key.get_base64())


def _check_host_key(target: Target, shown: HostKey) -> None:
    if shown in target.keys:
        return
    trusted = ", ".join(key.fingerprint for key in target.keys)
    hint = f"if the router was reset or replaced: 'wifimgr router trust {target.name} --replace'"
    if target.outside:
        hint = f"if it was set up anew: correct ~/.ssh/known_hosts, as 'ssh {target.name}' tells"
    raise Refused(
        "host-key-changed",
        f"HOST KEY CHANGED: it shows {shown.fingerprint}, trusted is {trusted}; somebody else may be listening, "
        "nothing was sent",
        where=target.describe(),
        hint=hint,
    )
