"""The consoles of routers that have no shell: RouterOS."""

from __future__ import annotations

import logging
import re
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import paramiko

from wifimgr.errors import RouterError
from wifimgr.ssh.connection import LONGEST_ANSWER, WINDOW, Connection, connect
from wifimgr.ssh.deadline import Deadline
from wifimgr.ssh.target import Target
from wifimgr.ssh.transport import Transport
from wifimgr.ssh.trouble import unreachable

CONSOLE_OPTIONS = "+ct511w4098h"
"""Follows the user's name at a RouterOS login: no colours, no guessing of the terminal, its width and height. netmiko's
driver appends the same (mikrotik_ssh.py, ``_modify_connection_params``); the letters are explained in MikroTik's
manual, "Console login process"."""
SAFE_MODE_KEY = "\x18"
"""Ctrl-X takes safe mode, and Ctrl-X again gives it back and keeps what was done (manual, "Safe Mode")."""
END_KEYS = "\x03\x04"
"""Ctrl-C leaves a line or a question, Ctrl-D ends the session and undoes what was done in safe mode. ``/quit`` ends it
too and keeps all of it (manual, "Safe Mode")."""
QUIET_SECONDS = 1.0
"""A console that shows its prompt and nothing more for so long waits for us."""
NEWEST = 300
"""Characters at the end of what a console showed: whatever it waits with stands there. More is never searched again and
again, as what a router sends may be made to keep us busy."""
LONGEST_COMPLAINT = 200
"""Characters of what a router says that are repeated."""
SHORTEST_HIDDEN = 4
"""Characters. What shall not be repeated and is as long is covered where a router says it."""
_AFTER_NAME = re.compile(r" ?[/\w -]{0,99}(<SAFE>|>)[ >]{0,9}")
_COMPLAINT = re.compile(
    r"(?:failure|error|syntax error|bad command|expected|invalid|input does not|value of|no such|not enough|"
    r"ambiguous|unknown|missing|interrupted|action|already have|can not|cannot|could not|timeout)\b",
    re.I,
)


class Console(Connection):
    """A terminal session on a router that has a command line of its own and no shell: RouterOS, through netmiko.

    netmiko brings what is known about its login (questions about a licence, a first password, the default
    configuration) and about its terminal. The connection below it is ours: checked and logged in like any other.
    """

    def __init__(self, target: Target, transport: Transport, session: Any) -> None:
        super().__init__(target, transport)
        self._session = session
        self._mark, self._lines = f"mgr-{secrets.token_hex(4)}", 0
        self.safe = False
        """Whether the newest prompt said that this session holds safe mode."""
        self.unspoken: set[str] = set()
        """What is not repeated from what the router says: it may be a secret."""

    @property
    def lost(self) -> bool:
        """Whether the session is known to have ended."""
        return self._session.remote_conn is None or self._session.remote_conn.closed or not self._transport.is_active()

    def run(self, script: str, deadline: Deadline, keep: bytes = b"") -> bytes:
        """Types one line and returns everything that the console showed until it had carried it out. A console is one
        for all lines, whatever ``keep`` says.

        Whether it was carried out is told by a text that the router puts together from two halves, so that the echo of
        the line does not hold it. Raises RouterError: ``bad-answer`` with what the router says when it refuses the
        line, ``unreachable`` when the session ends or the deadline passes.
        """
        assert script.isascii(), "what is no plain character is sent as \\XX"
        assert script.isprintable(), "the line editor would take it as a key"
        self._lines += 1
        mark = f"{self._mark}-{self._lines}."
        self._type(f'{script}; :put ("wifi" . "{mark}")\r\n', deadline)
        shown = self._read(f"wifi{mark}", deadline, otherwise=mark)  # its echo, and no answer
        before, done, _ = shown.partition(f"wifi{mark}")
        if not done:
            told = _complaint(shown.rpartition(mark)[2], self.unspoken)
            what = f"RouterOS says: {told}" if told else "RouterOS did not carry out a command"
            raise RouterError("bad-answer", what, where=self.target.describe(), hint="nothing more was sent to it")
        return before.encode("latin-1")

    def take_safe_mode(self, deadline: Deadline) -> bool:
        """Takes safe mode, so that RouterOS undoes what follows unless it is kept; False: somebody else holds it.

        Raises RouterError, ``bad-answer`` where the console does not show that it is in safe mode.
        """
        self.run(':put ""', deadline)  # whatever comes from here on is the answer to the key
        self._type(SAFE_MODE_KEY, deadline)
        if _asks(self._read("safe mode", deadline, otherwise="")):
            self._type("d", deadline)
            self._read("", deadline)
            return False
        if not self.safe:
            what = "RouterOS does not say that it is in safe mode"
            raise RouterError("bad-answer", what, where=self.target.describe(), hint="look at it by hand")
        return True

    def keep(self, deadline: Deadline) -> bool:
        """Gives safe mode back: what was done stays. Returns whether the router said so."""
        self._type(SAFE_MODE_KEY, deadline)
        return "released" in self._read("safe mode", deadline, otherwise="").lower() and not self.safe

    def end(self, deadline: Deadline) -> None:
        """Ends the session; what was done in safe mode is undone. Never raises: a session that is lost ends as well."""
        with suppress(RouterError):
            self._type(END_KEYS, deadline)
            while True:
                self._hear(deadline)

    def _type(self, keys: str, deadline: Deadline) -> None:
        try:
            self._session.remote_conn.settimeout(deadline.left())
            self._session.remote_conn.sendall(keys.encode("latin-1"))
        except Exception as error:  # as in Connection.run
            raise unreachable(self.target, error) from None

    def _hear(self, deadline: Deadline) -> str:
        """What comes next; empty: nothing did for a while. Raises RouterError, also for a session that has ended."""
        try:
            new = _received(self._session.remote_conn, min(QUIET_SECONDS, deadline.left()))
            if deadline.passed():
                raise TimeoutError
        except Exception as error:  # as in Connection.run
            raise unreachable(self.target, error) from None
        return new

    def _read(self, wanted: str, deadline: Deadline, otherwise: str | None = None) -> str:
        """What the console shows until ``wanted`` was in it, in whatever case, and it waits for us at the end.

        Or until ``otherwise`` was in it, it waits at the end, and nothing comes any more. Both have to be shorter than
        :data:`NEWEST`.
        """
        parts, newest, length = list[str](), "", 0
        found = half = False
        while True:
            new = self._hear(deadline)
            newest = self._session.strip_ansi_escape_codes(newest + new)
            lower = newest.lower()
            found, half = found or wanted in lower, half or (otherwise is not None and otherwise in lower)
            parts.append(newest[:-NEWEST])
            newest, length = newest[-NEWEST:], length + len(new)
            if length > LONGEST_ANSWER:
                raise unreachable(self.target, EOFError(f"it sends more than {LONGEST_ANSWER >> 20} MiB"))
            if (found if new else half) and ((prompt := _prompt(newest)) or _asks(newest)):
                self.safe = prompt == "<SAFE>"
                return "".join([*parts, newest])


def _received(channel: Any, seconds: float) -> str:
    """What a console sends next, a character for each byte; empty: nothing in that time. Raises EOFError at its end."""
    channel.settimeout(seconds)
    try:
        data = channel.recv(WINDOW)
    except TimeoutError:
        return ""
    if not data:
        raise EOFError("the session was lost")
    text: str = data.decode("latin-1")
    return text


def _prompt(newest: str) -> str:
    """How the prompt ends that stands at the end of what was shown, ``>`` or ``<SAFE>``; empty: there is none."""
    line = newest[-NEWEST:].replace("\r", "\n").rpartition("\n")[2]
    name, bracket, rest = line.rpartition("]")
    after = _AFTER_NAME.fullmatch(rest) if bracket and "[" in name else None
    return after[1] if after else ""


def _asks(newest: str) -> bool:
    """Whether the console asks what shall become of somebody else's safe mode."""
    line = newest[-NEWEST:].rpartition("\n")[2].lower()
    return "hijacking safe mode" in line and line.rstrip().endswith(":")


def _complaint(shown: str, unspoken: Iterable[str]) -> str:
    """The last line with which a router refuses something, without what shall not be repeated; empty: there is none.

    What is covered has to be whole: nothing is cut before that.
    """
    lines = [line.strip() for line in shown.encode("latin-1").decode("utf-8", "replace").splitlines()]
    told = next((line for line in reversed(lines) if _COMPLAINT.match(line)), "")
    return _covered(told, unspoken)[:LONGEST_COMPLAINT]


def _covered(text: str, unspoken: Iterable[str]) -> str:
    """A line without what shall not be repeated, each line of that by itself, also as RouterOS would quote it."""
    lines = {line for each in unspoken for line in (each, *each.splitlines())}
    forms = {form for line in lines for form in (line, re.sub(r'([\\"$?])', r"\\\1", line))}
    for form in sorted((form for form in forms if len(form) >= SHORTEST_HIDDEN), key=len, reverse=True):
        text = text.replace(form, "***")
    return text


@contextmanager
def console(target: Target, deadline: Deadline) -> Iterator[Console]:
    """Opens a terminal session on a RouterOS router; at the end it is dropped, which undoes what safe mode holds.

    netmiko's own connect would ask nobody whose host key it is; here it is given a connection that :func:`connect` has
    checked and logged in. Raises like :func:`connect`.
    """
    with connect(replace(target, options=CONSOLE_OPTIONS), deadline) as connection:
        try:
            session = _netmiko(connection._transport, target, deadline)
        except Exception as error:  # netmiko has a dozen kinds, whose texts fill a screen
            why = EOFError("it shows no prompt of RouterOS") if connection._transport.is_active() else error
            raise unreachable(target, TimeoutError() if deadline.passed() else why) from None
        try:
            yield Console(target, connection._transport, session)
        finally:
            session.disconnect()


def _netmiko(transport: paramiko.Transport, target: Target, deadline: Deadline) -> Any:
    """netmiko's driver for RouterOS on a connection that is logged in already."""
    from netmiko.mikrotik.mikrotik_ssh import MikrotikRouterOsSSH

    logging.getLogger("netmiko").setLevel(logging.CRITICAL)  # its debug log holds all that is typed

    class Client(paramiko.SSHClient):
        def __init__(self) -> None:
            super().__init__()
            self._transport = transport

        def connect(self, *_: Any, **__: Any) -> None:
            """It is."""

    class Session(MikrotikRouterOsSSH):
        def _modify_connection_params(self) -> None:
            """Nobody logs in here any more."""

        def _build_ssh_client(self) -> paramiko.SSHClient:
            return Client()

        def session_preparation(self, *_: Any, **__: Any) -> None:
            """Its prompt is looked for where it matters."""

        def read_until_pattern(self, pattern: str = "", *_: Any, re_flags: int = 0, **__: Any) -> str:
            """Looks at what came last only: netmiko's searches all that ever came, each time that something comes."""
            text = ""
            while not re.search(pattern, text, re_flags):
                if deadline.passed():
                    raise TimeoutError
                text = (text + _received(self.remote_conn, deadline.left()))[-NEWEST:]
            return text

        def cleanup(self, command: str = "") -> None:
            """Never types ``quit``: it would keep what safe mode is there to undo."""

    return Session(
        host=target.endpoint.address,
        username=target.user,
        device_type="mikrotik_routeros",
        encoding="latin-1",  # bytes as they are: netmiko drops what it cannot decode, as half a letter at a time
        disable_lf_normalization=True,
    )
