"""The consoles of routers that have no shell: RouterOS."""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import paramiko

from wifimgr.errors import RouterError
from wifimgr.ssh.connection import LONGEST_ANSWER, Connection, connect
from wifimgr.ssh.deadline import Deadline
from wifimgr.ssh.target import Target
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
LOOK_SECONDS = 0.01
_PROMPT = re.compile(r"\[[^\r\n]*\] ?[/\w -]*(<SAFE>|>)[ >]*\Z")
_SAFE_MODE = re.compile(rf"Hijacking Safe Mode[^\r\n]*:\s*\Z|Safe Mode \w+[^\r\n]*\][\s\S]*{_PROMPT.pattern}", re.I)
_NOTHING = re.compile("(?!)")
_COMPLAINT = re.compile(
    r"^\s*((?:failure|error|syntax error|bad command|expected|invalid|input does not|value of|no such|not enough|"
    r"ambiguous|unknown|missing|interrupted|action|already have|can not|cannot|could not|timeout)\b[^\r\n]*)",
    re.M | re.I,
)


class Console(Connection):
    """A terminal session on a router that has a command line of its own and no shell: RouterOS, through netmiko.

    netmiko brings what is known about its login (questions about a licence, a first password, the default
    configuration) and about its terminal. The connection below it is ours: checked and logged in like any other.
    """

    def __init__(self, target: Target, transport: paramiko.Transport, session: Any) -> None:
        super().__init__(target, transport)
        self._session = session
        self._mark, self._lines = f"mgr-{secrets.token_hex(4)}", 0
        self.safe = False
        """Whether the newest prompt said that this session holds safe mode."""

    @property
    def lost(self) -> bool:
        """Whether the session is known to have ended."""
        return self._session.remote_conn is None or self._session.remote_conn.closed or not self._transport.is_active()

    def run(self, script: str, deadline: Deadline) -> bytes:
        """Types one line and returns everything that the console showed until it had carried it out.

        Whether it was carried out is told by a text that the router puts together from two halves, so that the echo of
        the line does not hold it. Raises RouterError: ``bad-answer`` with what the router says when it refuses the
        line, ``unreachable`` when the session ends or the deadline passes.
        """
        assert script.isascii(), "what is no plain character is sent as \\XX"
        assert script.isprintable(), "the line editor would take it as a key"
        self._lines += 1
        mark = f"{self._mark}-{self._lines}."
        self._type(f'{script}; :put ("wifi" . "{mark}")\r\n', deadline)
        done = re.compile(rf"wifi{re.escape(mark)}\s[\s\S]*{_PROMPT.pattern}")
        refused = re.compile(rf"{re.escape(mark)}[\s\S]*{_PROMPT.pattern}")  # its echo, and no answer
        shown = self._read(done, deadline, otherwise=refused)
        if not done.search(shown):
            told = _COMPLAINT.search(shown.rpartition(mark)[2])
            what = f"RouterOS says: {told[1].strip()[:200]}" if told else "RouterOS did not carry out a command"
            raise RouterError("bad-answer", what, where=self.target.describe(), hint="nothing more was sent to it")
        return shown.partition(f"wifi{mark}")[0].encode("latin-1")

    def take_safe_mode(self, deadline: Deadline) -> bool:
        """Takes safe mode, so that RouterOS undoes what follows unless it is kept; False: somebody else holds it."""
        self._type(SAFE_MODE_KEY, deadline)
        if "Hijacking" in self._read(_SAFE_MODE, deadline):
            self._type("d", deadline)
            self._read(_PROMPT, deadline)
            return False
        if not self.safe:
            what = "RouterOS does not say that it is in safe mode"
            raise RouterError("bad-answer", what, where=self.target.describe(), hint="look at it by hand")
        return True

    def keep(self, deadline: Deadline) -> bool:
        """Gives safe mode back: what was done stays. Returns whether the router said so."""
        self._type(SAFE_MODE_KEY, deadline)
        return "released" in self._read(_SAFE_MODE, deadline).lower() and not self.safe

    def end(self, deadline: Deadline) -> None:
        """Ends the session; what was done in safe mode is undone. Never raises: a session that is lost ends as well."""
        with suppress(RouterError):
            self._type(END_KEYS, deadline)
            self._read(_NOTHING, deadline)

    def _type(self, keys: str, deadline: Deadline) -> None:
        try:
            self._session.remote_conn.settimeout(deadline.left())
            self._session.write_channel(keys)
        except Exception as error:  # as in Connection.run
            raise unreachable(self.target, error) from None

    def _read(self, wanted: re.Pattern[str], deadline: Deadline, otherwise: re.Pattern[str] | None = None) -> str:
        """What the console shows until ``wanted`` is in it; or until ``otherwise`` is, and nothing comes after it."""
        text, since = "", time.monotonic()
        while True:
            try:
                ended = self.lost
                new = self._session.read_channel()
                if deadline.passed():
                    raise TimeoutError
                if len(text) > LONGEST_ANSWER:
                    raise EOFError(f"it sends more than {LONGEST_ANSWER >> 20} MiB")
                if ended and not new:
                    raise EOFError("the session was lost")
            except Exception as error:
                raise unreachable(self.target, error) from None
            if new:
                text, since = self._session.strip_ansi_escape_codes(text + new), time.monotonic()
            quiet = otherwise is not None and time.monotonic() - since > QUIET_SECONDS and otherwise.search(text)
            if quiet or (new and wanted.search(text)):
                prompt = _PROMPT.search(text)
                self.safe = bool(prompt and prompt[1] == "<SAFE>")
                return text
            if not new:
                time.sleep(LOOK_SECONDS)


@contextmanager
def console(target: Target, deadline: Deadline) -> Iterator[Console]:
    """Opens a terminal session on a RouterOS router; at the end it is dropped, which undoes what safe mode holds.

    netmiko's own connect would ask nobody whose host key it is; here it is given a connection that :func:`connect` has
    checked and logged in. Raises like :func:`connect`.
    """
    with connect(replace(target, user=f"{target.user}{CONSOLE_OPTIONS}"), deadline) as connection:
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

        def cleanup(self, command: str = "") -> None:
            """Never types ``quit``: it would keep what safe mode is there to undo."""

    return Session(
        host=target.endpoint.address,
        username=target.user,
        device_type="mikrotik_routeros",
        encoding="latin-1",  # bytes as they are: netmiko drops what it cannot decode, as half a letter at a time
        disable_lf_normalization=True,
        read_timeout_override=deadline.left(),
    )
