"""Consoles: what is heard of a router that means harm, and what is repeated of it."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.routeros import PASSWORD, Complaint, RouterOs, Session, running
from wifimgr.errors import RouterError
from wifimgr.settings import Endpoint, Secret
from wifimgr.ssh import Console, Deadline, Target, console, terminal

HOSTILE = [
    "[",
    "]",
    " ",
    "[a] ",
    "[a@b] /",
    "\r\n ",
    "\x1b[",
    "\x1b[1",
    "] " * 9 + "<SAFE",
    "error",
    "\n error\r",
    "Safe Mode ",
]
MUCH = 100_000
PROMPT = "\r\n[wifimgr@MikroTik] > "


@pytest.fixture
def ros() -> Iterator[RouterOs]:
    with running() as router:
        yield router


def target(router: RouterOs, **other: Any) -> Target:
    keys, endpoint = (router.host_key,), Endpoint("127.0.0.1", router.port)
    there = Target(name="gw", endpoint=endpoint, user="wifimgr", keys=keys, password=Secret(PASSWORD))
    return replace(there, **other)


class Wire:
    """A channel that sends what it is told to, so many bytes at a time, and then nothing more."""

    closed = False

    def __init__(self, text: str, size: int = terminal.WINDOW) -> None:
        raw = text.encode("latin-1")
        self.parts = [raw[at : at + size] for at in range(0, len(raw), size)]

    def settimeout(self, seconds: float) -> None:
        """Nothing is waited for."""

    def sendall(self, data: bytes) -> None:
        """Nobody hears it."""

    def recv(self, size: int) -> bytes:
        if not self.parts:
            raise TimeoutError
        return self.parts.pop(0)


class Driver:
    """netmiko's, and how much it was given to clean."""

    def __init__(self, wire: Wire) -> None:
        self.remote_conn, self.cleaned = wire, 0

    def strip_ansi_escape_codes(self, text: str) -> str:
        self.cleaned += len(text)
        return text


class Counted:
    """A pattern, and the longest text that it was searched in."""

    def __init__(self, pattern: re.Pattern[str]) -> None:
        self.pattern, self.longest = pattern, 0

    def fullmatch(self, text: str) -> re.Match[str] | None:
        self.longest = max(self.longest, len(text))
        return self.pattern.fullmatch(text)


def hearing(text: str, size: int = terminal.WINDOW) -> tuple[Console, Driver]:
    """A console that shows a text."""
    there = Target(name="gw", endpoint=Endpoint("192.0.2.1", 22), user="wifimgr", keys=())
    driver = Driver(Wire(text, size))
    made = Console(there, None, driver)  # type: ignore[arg-type]
    made._mark = "mgr-1"
    return made, driver


@pytest.mark.parametrize("noise", HOSTILE)
def test_only_the_end_of_what_a_router_shows_is_searched_and_nothing_twice(
    noise: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted = Counted(terminal._AFTER_NAME)
    monkeypatch.setattr(terminal, "_AFTER_NAME", counted)
    text = (noise * MUCH)[:MUCH] + "\nwifimgr-1-1.\r\n" + PROMPT
    heard, driver = hearing(text, size=1000)
    assert heard.run(":put 1", Deadline(600)).decode("latin-1") == (noise * MUCH)[:MUCH] + "\n"
    assert counted.longest <= terminal.NEWEST
    assert driver.cleaned <= len(text) + (len(text) // 1000 + 1) * terminal.NEWEST


@pytest.mark.parametrize("size", [1, 2, 7, 299, 300, 301, 5000])
def test_answer_is_found_whole_however_it_is_cut_on_its_way(size: int) -> None:
    heard, _ = hearing("x" * 700 + "wifimgr-1-1.\r\n" + PROMPT.replace("> ", "<SAFE> "), size)
    assert heard.run(":put 1", Deadline(600)) == b"x" * 700
    assert heard.safe


def test_router_that_does_not_stop_to_send_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(terminal, "LONGEST_ANSWER", 1 << 20)
    heard, driver = hearing(" " * (2 << 20))
    with pytest.raises(RouterError, match="it sends more than 1 MiB"):
        heard.run(":put 1", Deadline(600))
    assert len(driver.remote_conn.parts) > 10


SCRIPT = """
import sys
from tests.routeros import RouterOs, Session, running
from tests.ssh.test_terminal import HOSTILE, MUCH, target
from wifimgr.errors import RouterError
from wifimgr.ssh import Deadline, console

talk = Session.talk
for noise in HOSTILE:
    loud = (noise * MUCH)[:MUCH].replace(chr(10), "")
    Session.talk = lambda session: session.show(loud + chr(10)) or talk(session)

    def say(router, session, line):
        session.show(loud + chr(10))

    with running(before=say) as router:
        try:
            with console(target(router), Deadline(200)) as session:
                session.run(":put 1", Deadline(200))
                session.take_safe_mode(Deadline(200))
        except RouterError as error:
            assert error.id == "bad-answer", error.line()
    print("heard", flush=True)
"""


def test_no_output_keeps_us_busy_at_the_login_and_after_it() -> None:
    """Patterns that go back and forth in it would take minutes to hours for each, and let nobody else work."""
    folder = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=folder, timeout=900, capture_output=True, check=False)
    assert (done.stderr, done.stdout.split()) == (b"", [b"heard"] * len(HOSTILE))


# --- what is repeated ---


def refused(router: RouterOs, unspoken: set[str], says: str) -> str:
    """What becomes of a line that a router refuses with these words."""

    def refuse(ros: RouterOs, session: Session, line: str) -> None:
        raise Complaint(says.encode().decode("latin-1"))

    router.before = refuse
    with console(target(router), Deadline(20)) as session:
        session.unspoken |= unspoken
        with pytest.raises(RouterError) as caught:
            session.run("/system note set note=x", Deadline(20))
    return caught.value.what


@pytest.mark.parametrize("before", [0, 150, 185, 195, 250])
def test_secret_is_covered_before_what_a_router_says_is_cut(ros: RouterOs, before: int) -> None:
    secret = "sehr-geheimes-Wort-in-voller-Länge"
    told = refused(ros, {secret}, f"failure: {'x' * before} {secret} is too long")
    assert "sehr" not in told
    assert len(told) <= len("RouterOS says: ") + terminal.LONGEST_COMPLAINT


@pytest.mark.parametrize(
    ("secret", "says"),
    [
        ("geheime Börse", "invalid value geheime Börse for argument ssid"),
        ('ge"heim$is\\', r"invalid value ge\"heim\$is\\ for argument ssid"),
        ("erste Zeile\nzweite Zeile", "failure: erste Zeile\nzweite Zeile is not allowed"),
        ("geheim", "failure: geheim\nfailure: geheim is not allowed"),
    ],
)
def test_secret_is_covered_however_a_router_writes_it(ros: RouterOs, secret: str, says: str) -> None:
    told = refused(ros, {secret}, says)
    assert told.startswith("RouterOS says: ")
    assert "***" in told
    assert not any(word in told for word in ("geheim", "Börse", "heim", "Zeile"))


def test_complaint_is_the_last_line_that_is_one_and_not_a_value_before_it(ros: RouterOs) -> None:
    assert refused(ros, set(), "error geheim\nfailure: no") == "RouterOS says: failure: no"


# --- who we are ---


def test_login_that_is_refused_names_the_user_as_people_know_it(ros: RouterOs) -> None:
    with pytest.raises(RouterError) as caught, console(target(ros, password=Secret("falsch")), Deadline(20)):
        pass
    assert caught.value.what.startswith("login as 'wifimgr' was refused")
    assert terminal.CONSOLE_OPTIONS not in caught.value.line()
    assert ros.users == [f"wifimgr{terminal.CONSOLE_OPTIONS}"]


@pytest.mark.parametrize("trouble", ["silent", "gone", "no prompt"])
def test_no_message_names_the_options_of_the_console(
    ros: RouterOs, monkeypatch: pytest.MonkeyPatch, trouble: str
) -> None:
    if trouble == "silent":
        ros.reachable = lambda router: False
    if trouble == "gone":
        ros.stop()
    if trouble == "no prompt":
        monkeypatch.setattr(Session, "talk", lambda session: session.show("~ # "))
    with pytest.raises(RouterError) as caught, console(target(ros, timeout=1.0), Deadline(2)):
        pass
    assert "ct511" not in caught.value.line()
    assert caught.value.id == "unreachable"


# --- safe mode ---


@pytest.mark.parametrize(
    "says",
    ["", "\nSafe Mode is not possible: too many actions (100) in its history\n", "\nnot enough permissions (9)\n"],
)
def test_safe_mode_that_is_refused_is_told_at_once(ros: RouterOs, monkeypatch: pytest.MonkeyPatch, says: str) -> None:
    monkeypatch.setattr(Session, "safe_key", lambda session: session.show(f"{says}\n{session.prompt}"))
    with console(target(ros), Deadline(600)) as session:
        with pytest.raises(RouterError, match="does not say that it is in safe mode"):
            session.take_safe_mode(Deadline(600))
        assert not session.safe


def test_prompt_of_a_router_that_calls_itself_safe_is_not_believed(ros: RouterOs) -> None:
    """Only what stands behind the name counts, and a name may hold anything."""
    for name in ("<SAFE>", "x] <SAFE", "Safe Mode taken", "[Safe Mode taken]", "Hijacking Safe Mode:"):
        ros.menus["system/identity"].items[""]["name"] = name
        with console(target(ros), Deadline(60)) as session:
            session.run(":put 1", Deadline(60))
            assert not session.safe
            assert session.take_safe_mode(Deadline(60))
            assert session.keep(Deadline(60))
            assert not session.safe
