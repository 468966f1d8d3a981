"""A router that plays RouterOS: SSH, its console, its menus, its safe mode. Nobody here has a real one.

What it does is taken from MikroTik's manual and from netmiko's driver, not from what wifimgr sends: the line editor
(echo with repainting, TAB and ``?`` ask for help wherever they are typed), quoting and escapes, ``:local``,
``:foreach``, ``get``, ``find``, ``set``, ``add``, ``remove``, and safe mode with its 100 actions, its hijacking, and
what undoes it: the end of the session, but not ``/quit``.

Text is held as latin-1: one character for each byte.
"""

from __future__ import annotations

import copy
import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import paramiko

from wifimgr.ssh import HostKey

PASSWORD = "Nur-fuer-Tests-1"
MOST_ACTIONS = 100
ESCAPES = {
    '"': '"',
    "\\": "\\",
    "$": "$",
    "?": "?",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "_": " ",
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "v": "\v",
}


class Time(str):
    """A value of the type time."""


class Complaint(Exception):
    """What the console prints in place of carrying a line out."""


class Gone(Exception):
    """The session ends."""


Item = dict[str, Any]


@dataclass
class Menu:
    """Settings (one item without id), or a list of items; ``template``: the options that a new item has."""

    items: dict[str, Item]
    template: Item | None = None
    newest: int = 0


def settings(**options: Any) -> Menu:
    """A menu of settings."""
    return Menu({"": {name.replace("_", "-"): value for name, value in options.items()}})


def listed(template: Item, *items: Item) -> Menu:
    """A menu of items."""
    numbered = {f"*{number:X}": {**template, **item} for number, item in enumerate(items, 1)}
    return Menu(numbered, template, len(items))


FILTER = {
    "chain": None,
    "action": "accept",
    "comment": "",
    "disabled": False,
    "src-address": None,
    "protocol": None,
    "in-interface": None,
    "out-interface": None,
}
WIRELESS = {"name": "", "ssid": "MikroTik", "disabled": True, "mtu": 1500, "wpa2-pre-shared-key": "", "comment": ""}


def fresh() -> dict[str, Menu]:
    """The menus of a router as it comes."""
    return {
        "system/identity": settings(name="MikroTik"),
        "system/resource": settings(platform="MikroTik", version="7.16.2 (stable)"),
        "system/note": settings(note="", show_at_login=True),
        "ip/dns": settings(servers=["192.0.2.53"], allow_remote_requests=True, cache_max_ttl=Time("1w")),
        "ip/service": listed(
            {"name": "", "port": 0, "disabled": False}, {"name": "ssh", "port": 22}, {"name": "telnet", "port": 23}
        ),
        "interface": listed({"name": "", "running": True}, {"name": "ether1"}, {"name": "wlan1", "running": False}),
        "interface/wireless": listed(WIRELESS, {"name": "wlan1"}, {"name": "wlan2", "ssid": "zwei"}),
        "ip/route": listed({"dst-address": "", "active": True}, {"dst-address": "0.0.0.0/0"}),
        "ip/firewall/filter": listed(
            FILTER, {"chain": "input", "comment": "defconf"}, {"chain": "forward", "comment": "wifimgr guests"}
        ),
        "ip/firewall/nat": listed(FILTER, {"chain": "srcnat", "comment": "old printer"}),
    }


# ---------------------------------------------------------------- the language


@dataclass
class Parser:
    """One line as commands: lists of words, parameters and values."""

    text: str
    at: int = 0

    def script(self, end: str = "") -> list[list[Any]]:
        """Commands up to a closing bracket, or to the end."""
        commands: list[list[Any]] = [[]]
        while True:
            self.blank()
            if self.at >= len(self.text):
                if end:
                    raise self.complaint()
                break
            letter = self.text[self.at]
            if end and letter == end:
                self.at += 1
                break
            if letter == ";":
                self.at += 1
                commands.append([])
            else:
                commands[-1].append(self.word())
        return [command for command in commands if command]

    def blank(self) -> None:
        while self.text[self.at : self.at + 1] == " ":
            self.at += 1

    def complaint(self) -> Complaint:
        return Complaint(f"syntax error (line 1 column {self.at + 1})")

    def word(self) -> Any:
        """A bare word, ``name=value`` or a value."""
        if self.text[self.at] in '"[({$':
            return self.value()
        bare = self.bare("=")
        if self.text[self.at : self.at + 1] == "=":
            self.at += 1
            return ("parameter", bare, self.value())
        return bare

    def bare(self, stop: str = "") -> str:
        found = re.compile(rf"[^\s;\"\[\]{{}}()$\\{stop}]+").match(self.text, self.at)
        if not found:
            raise self.complaint()
        self.at = found.end()
        return found[0]

    def value(self) -> Any:
        letter = self.text[self.at : self.at + 1]
        if letter == '"':
            return ("text", self.string())
        self.at += letter in tuple("[({$")
        if letter == "[":
            return ("result", self.script("]"))
        if letter == "{":
            return ("block", self.script("}"))
        if letter == "$":
            return ("variable", self.bare(".="))
        if letter == "(":
            return ("joined", self.joined())
        return ("text", [self.bare()])

    def joined(self) -> list[Any]:
        parts = []
        while True:
            self.blank()
            parts.append(self.value())
            self.blank()
            letter = self.text[self.at : self.at + 1]
            self.at += 1
            if letter == ")":
                return parts
            if letter != ".":
                raise self.complaint()

    def string(self) -> list[Any]:
        """Parts of a text in quotes: plain ones, and variables in it."""
        parts: list[Any] = [""]
        self.at += 1
        while True:
            letter = self.text[self.at : self.at + 1]
            self.at += 1
            if letter == "":
                raise self.complaint()
            if letter == '"':
                return parts
            if letter == "$":
                raise Complaint("syntax error: a variable in a text")
            if letter == "\\":
                follows = self.text[self.at : self.at + 2]
                if re.fullmatch("[0-9A-F]{2}", follows):
                    parts[-1] += chr(int(follows, 16))
                    self.at += 2
                    continue
                if follows[:1] not in ESCAPES:
                    raise self.complaint()
                letter = ESCAPES[follows[:1]]
                self.at += 1
            parts[-1] += letter


def as_text(value: Any) -> str:
    """``:tostr``."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return ";".join(value) if isinstance(value, list) else str(value)


def kind(value: Any) -> str:
    """``:typeof``."""
    kinds = {bool: "bool", int: "num", list: "array", type(None): "nil", Time: "time"}
    return kinds.get(type(value), "str")


def taken(option: str, old: Any, text: str) -> Any:
    """A value as an option of this type takes it."""
    if isinstance(old, bool):
        if text not in ("yes", "no", "true", "false"):
            raise Complaint(f"invalid value {text} for argument {option}")
        return text in ("yes", "true")
    if isinstance(old, int):
        if not text.isdigit():
            raise Complaint(f"invalid value {text} for argument {option}")
        return int(text)
    if isinstance(old, list):
        return [part for part in text.split(",") if part]
    return Time(text) if isinstance(old, Time) else text


# ---------------------------------------------------------------- the router


@dataclass
class RouterOs:
    """One router. ``before`` is called with each line before it is carried out, and may raise."""

    menus: dict[str, Menu] = field(default_factory=fresh)
    before: Callable[[RouterOs, Session, str], None] = lambda router, session, line: None
    reachable: Callable[[RouterOs], bool] = lambda router: True
    """Whether new connections are answered."""
    pings: frozenset[str] = frozenset()
    """Addresses that answer."""
    lines: list[str] = field(default_factory=list)
    """All that was carried out."""
    users: list[str] = field(default_factory=list)
    helped: int = 0
    """How often the line editor was asked for help."""
    holder: Session | None = None
    """Who is in safe mode."""
    snapshot: dict[str, Menu] = field(default_factory=dict)
    actions: int = 0
    undone: int = 0
    counted: int = 0
    """What its counters show: each look at them finds more."""
    undo_late: float = 0.0
    """Seconds that pass until it sees that a session is lost."""

    def __post_init__(self) -> None:
        self.lock = threading.RLock()
        self.key = paramiko.ECDSAKey.generate()
        self._sockets: list[socket.socket] = []
        self._stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=32)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def host_key(self) -> HostKey:
        """What it shows."""
        return HostKey(self.key.get_name(), self.key.get_base64())

    def holds(self, menu: str, option: str, **match: str) -> Any:
        """A value, as bytes where it is text."""
        [item] = [each for each in self.menus[menu].items.values() if match.items() <= each.items()]
        return item[option].encode("latin-1").decode() if isinstance(item[option], str) else item[option]

    def items(self, menu: str) -> list[Item]:
        """All items of a menu."""
        return list(self.menus[menu].items.values())

    def cut(self) -> None:
        """Every connection is lost."""
        for sock in self._sockets:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def stop(self) -> None:
        """The end."""
        self._stopped.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for sock in self._sockets:
            sock.close()

    def _accept(self) -> None:
        while not self._stopped.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self._sockets.append(sock)
            if not self.reachable(self):
                continue  # silent, as behind a firewall
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock: socket.socket) -> None:
        transport = paramiko.Transport(sock)
        try:
            transport.add_server_key(self.key)
            transport.start_server(server=_Door(self))
            channel = transport.accept(10)
            if channel:
                Session(self, channel).talk()
        except (paramiko.SSHException, OSError, EOFError):
            pass
        finally:
            transport.close()
            sock.close()

    # --- safe mode ---

    def take(self, session: Session) -> None:
        self.holder, self.snapshot, self.actions = session, copy.deepcopy(self.menus), 0

    def undo(self, session: Session) -> None:
        """Undoes what was done since a session took safe mode, if it still holds it."""
        with self.lock:
            if self.holder is session:
                self.menus, self.holder = self.snapshot, None
                self.undone += 1

    def acted(self) -> None:
        """Something was changed; by whomever."""
        self.actions += 1
        if self.holder and self.actions > MOST_ACTIONS:
            self.holder = None


class _Door(paramiko.ServerInterface):
    def __init__(self, router: RouterOs) -> None:
        self._router = router

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_auth_password(self, username: str, password: str) -> int:
        self._router.users.append(username)
        known = re.fullmatch(r"wifimgr(\+([0-9]*[a-z])*)?", username) and password == PASSWORD
        return paramiko.common.AUTH_SUCCESSFUL if known else paramiko.common.AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.common.OPEN_SUCCEEDED

    def check_channel_pty_request(self, *_: Any) -> bool:
        return True

    def check_channel_shell_request(self, channel: paramiko.Channel) -> bool:
        return True


class Session:
    """One terminal session: the line editor, and what it carries out."""

    def __init__(self, router: RouterOs, channel: paramiko.Channel) -> None:
        self.router, self.channel = router, channel
        self.line, self.question = "", False

    @property
    def prompt(self) -> str:
        name = self.router.menus["system/identity"].items[""]["name"]
        return f"[wifimgr@{name}] {'<SAFE> ' if self.router.holder is self else '> '}"

    def show(self, text: str) -> None:
        """Prints; line ends as a terminal wants them."""
        self.channel.sendall(text.replace("\n", "\r\n").encode("latin-1"))

    def talk(self) -> None:
        """Until the session ends; then what it did in safe mode is undone."""
        try:
            self.show("\n  MikroTik RouterOS 7.16.2 (c) 1999-2024       https://www.mikrotik.com/\n\n")
            self.show("Press F1 for help\n\n" + self.prompt)
            last = ""
            while data := self.channel.recv(4096).decode("latin-1"):
                for letter in data:
                    if not (letter == "\n" and last == "\r"):
                        self.key(letter)
                    last = letter
        except (Gone, OSError, EOFError):
            pass
        finally:
            if self.router.undo_late:
                threading.Event().wait(self.router.undo_late)
            self.router.undo(self)
            self.channel.close()

    def key(self, letter: str) -> None:
        """One key."""
        if self.question:
            self.question = False
            return self.hijack(letter)
        if letter in ("\r", "\n"):
            line, self.line = self.line, ""
            self.show("\n")
            self.carry_out(line)
            return self.show(f"\r{self.prompt}")
        if letter == "\x03":
            self.line = ""
            return self.show(f"\n{self.prompt}")
        if letter == "\x04":
            if not self.line:
                raise Gone
            return None
        if letter == "\x18":
            return self.safe_key()
        if letter in "\t?" and not self.line.endswith("\\"):
            self.router.helped += 1
            return self.show(f"\nhelp\n{self.prompt}{self.line}")
        self.line += letter
        shown = self.line[-400:]
        if letter == " " or len(self.line) % 40 == 0:  # repainting
            return self.show(f"\r\x1b[K{self.prompt}{'<' if shown != self.line else ''}{shown}")
        return self.show(letter)

    def safe_key(self) -> None:
        """Ctrl-X."""
        with self.router.lock:
            if self.router.holder is self:
                self.router.holder = None
                return self.show(f"\n[Safe Mode released]\n{self.prompt}")
            if self.router.holder is not None:
                self.question = True
                return self.show("\nHijacking Safe Mode from someone - unroll/release/don't take it [u/r/d]: ")
            self.router.take(self)
            return self.show(f"\n[Safe Mode taken]\n{self.prompt}")

    def hijack(self, letter: str) -> None:
        with self.router.lock:
            if letter in "ur":
                if letter == "u" and self.router.holder:
                    self.router.undo(self.router.holder)
                self.router.take(self)
        self.show(f"\n{self.prompt}")

    def carry_out(self, line: str) -> None:
        """Prints what a line does, or why it does nothing."""
        if not line.strip():
            return
        try:
            self.router.before(self.router, self, line)
            commands = Parser(line).script()
            with self.router.lock:
                self.router.lines.append(line)
                self.run(commands, {})
        except Complaint as complaint:
            self.show(f"{complaint}\n")

    def run(self, commands: list[list[Any]], variables: dict[str, Any]) -> Any:
        result = None
        for command in commands:
            result = self.command(command, variables)
        return result

    def evaluate(self, node: Any, variables: dict[str, Any]) -> Any:
        what, inner = node
        if what == "text":
            return "".join(inner)
        if what == "result":
            return self.run(inner, variables)
        if what == "joined":
            return "".join(as_text(self.evaluate(part, variables)) for part in inner)
        if what == "variable":
            if inner not in variables:
                raise Complaint(f"no variable {inner}")
            return variables[inner]
        return node

    def command(self, words: list[Any], variables: dict[str, Any]) -> Any:
        head, rest = words[0], words[1:]
        if not isinstance(head, str):
            raise Complaint("expected command name (line 1 column 1)")
        if head.lstrip("/") == "quit":
            self.router.holder = None if self.router.holder is self else self.router.holder
            raise Gone
        if head.startswith(":"):
            return self.global_command(head, rest, variables)
        if head == "/ping":
            address = self.argument(rest[0], variables)
            self.show(f"  SEQ HOST\n    0 {address}\n")
            return 3 if address in self.router.pings else 0
        path = [head.lstrip("/")]
        while rest and isinstance(rest[0], str) and rest[0] not in ("get", "set", "add", "remove", "find", "print"):
            path.append(rest.pop(0))
        menu = self.router.menus.get("/".join(path))
        if menu is None or not rest:
            raise Complaint("bad command name " + path[-1] + " (line 1 column 1)")
        verb, *rest = rest
        return getattr(self, f"menu_{verb}")(menu, rest, variables)

    def argument(self, word: Any, variables: dict[str, Any]) -> Any:
        return word if isinstance(word, str) else self.evaluate(word, variables)

    def global_command(self, head: str, rest: list[Any], variables: dict[str, Any]) -> Any:
        if head == ":foreach":
            parameters = {name: value for _, name, value in rest[1:]}
            for each in self.evaluate(parameters["in"], variables):
                self.run(parameters["do"][1], {**variables, rest[0]: each})
            return None
        if head == ":local":
            variables[rest[0]] = self.argument(rest[1], variables)
            return None
        value = self.argument(rest[0], variables)
        if isinstance(rest[0], str):  # a command without brackets
            value = self.run([rest], variables) if rest[0].startswith("/") else value
        if head == ":put":
            return self.show(f"{as_text(value)}\n")
        if head == ":tostr":
            return as_text(value)
        if head == ":typeof":
            return kind(value)
        if head == ":len":
            return len(value or "")
        raise Complaint(f"bad command name {head[1:]} (line 1 column 1)")

    def item(self, menu: Menu, rest: list[Any], variables: dict[str, Any]) -> Item:
        if menu.template is None:
            return menu.items[""]
        if not rest or (isinstance(rest[0], tuple) and rest[0][0] == "parameter"):
            raise Complaint("missing value(s) of argument(s) numbers")
        number = self.argument(rest.pop(0), variables)
        number = number[0] if isinstance(number, list) and number else number
        if not isinstance(number, str) or number not in menu.items:
            raise Complaint("no such item")
        return menu.items[number]

    def menu_get(self, menu: Menu, rest: list[Any], variables: dict[str, Any]) -> Any:
        item = self.item(menu, rest, variables)
        if len(rest) != 1 or rest[0] not in item:
            raise Complaint("unknown value name")
        return item[rest[0]]

    def menu_find(self, menu: Menu, rest: list[Any], variables: dict[str, Any]) -> Any:
        wanted = {name: self.evaluate(value, variables) for _, name, value in rest[1:]}
        written = {True: "yes", False: "no"}

        def fits(item: Item) -> bool:
            return all(written.get(item[name], item[name]) == text for name, text in wanted.items())

        return [number for number, item in menu.items.items() if fits(item)]

    def menu_print(self, menu: Menu, rest: list[Any], variables: dict[str, Any]) -> list[str]:
        """``print detail as-value from=``: all options that are set, and counters, as an array of names and values."""
        assert rest[:2] == ["detail", "as-value"], "anything else is for people"
        number = as_text(self.parameters({"from": ""}, rest[2:], variables)["from"])
        if number not in menu.items:
            raise Complaint("no such item")
        self.router.counted += 1
        shown = {".id": number, "bytes": self.router.counted, **menu.items[number]}
        return [f"{name}={as_text(value)}" for name, value in sorted(shown.items()) if value is not None]

    def parameters(self, item: Item, rest: list[Any], variables: dict[str, Any]) -> Item:
        found = {}
        for word in rest:
            if isinstance(word, str) or word[0] != "parameter" or word[1] not in item:
                raise Complaint("expected end of command (line 1 column 9)")
            found[word[1]] = taken(word[1], item[word[1]], as_text(self.evaluate(word[2], variables)))
        return found

    def menu_set(self, menu: Menu, rest: list[Any], variables: dict[str, Any]) -> None:
        item = self.item(menu, rest, variables)
        item |= self.parameters(item, rest, variables)
        self.router.acted()

    def menu_add(self, menu: Menu, rest: list[Any], variables: dict[str, Any]) -> None:
        assert menu.template is not None
        found = self.parameters(menu.template, rest, variables)
        if any(found.get("name", "") == each.get("name") != "" for each in menu.items.values()):
            raise Complaint("failure: already have such name")
        menu.newest += 1
        menu.items[f"*{menu.newest:X}"] = {**menu.template, **found}
        self.router.acted()

    def menu_remove(self, menu: Menu, rest: list[Any], variables: dict[str, Any]) -> None:
        item = self.item(menu, rest, variables)
        menu.items = {number: each for number, each in menu.items.items() if each is not item}
        self.router.acted()


@contextmanager
def running(**keys: Any) -> Iterator[RouterOs]:
    """A router that is there for a while."""
    router = RouterOs(**keys)
    try:
        yield router
    finally:
        router.stop()
