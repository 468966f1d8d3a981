"""RouterOS 6 and 7: menus of options, read and changed over its command line, taken back by its own safe mode.

Experimental: written from MikroTik's manual and tested against a console that we wrote ourselves; nobody has reported
it from real hardware. What is taken from the manual (https://help.mikrotik.com/docs, and https://wiki.mikrotik.com for
RouterOS 6): pages "Scripting" (quoting, ``:foreach``, ``get``, ``find``, types), "Command Line Interface" (safe mode),
"Console login process".
"""

from __future__ import annotations

import re
import secrets as tokens
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from wifimgr.errors import ConfigError, Refused, RouterError
from wifimgr.model import PathChange, Touched, Value
from wifimgr.platforms import diff, openwrt
from wifimgr.platforms.edits import Edit, MenuEdit
from wifimgr.settings import Endpoint, Secret

if TYPE_CHECKING:
    from wifimgr.ssh import Deadline

SAFE_MODE = True
"""A change gets there over the router's console, under its safe mode, and not by the script that shells run."""
CARRIES = (MenuEdit,)
"""The kinds of edits that this platform can carry out."""
CAUTION = (
    "RouterOS is experimental until somebody reports it from real hardware: no snapshot and no guard at its start. Its "
    "own safe mode undoes what is not confirmed, after a cut link within up to 9 minutes; a power cut in that time may "
    "keep the change."
)
"""What nobody should expect of this platform, for plans and for the docs."""
MOST_COMMANDS = 50
"""Safe mode remembers the last 100 actions, those of others too; past that it ends by itself and undoes nothing
(manual, "Safe Mode")."""

CONNECTIVITY = ("interface", "ip", "ipv6", "ppp", "routing", "user", "system/identity")
"""A mistake below one of these menus can cut our way to the router."""
LOGIN = ("ip/service", "ip/ssh", "user")
"""How the menus begin that concern nobody but those who log in."""
SETTINGS = "-"
"""Stands for the id of what a menu of settings holds: there is one and it has none."""
WHOLE = ".whole"
"""Stands for all options of an item together, as one text; no option is called so."""

_BARE = re.compile(r"[A-Za-z0-9.:/,_-]+")
_PLAIN = re.compile(rb"[A-Za-z0-9 .:/,_=+@-]")
_MOVES_BY_ITSELF = re.compile(
    r"\.id|\.nextid|bytes|packets|(?:fp-)?[rt]x-(?:.*-)?(?:byte|packet|drop|error)s?|[rt]x-rate|last-.*|expires-.*|"
    r"age|uptime|active|dynamic|invalid|running|status"
)
"""Options that hold no wish of anybody, but what an item counts or does right now."""
_NUMBER = r"([0-9]{1,9})"  # int() refuses texts that are much longer
_SIMPLE_TIME = re.compile("".join(f"(?:{_NUMBER}{unit})?" for unit in "wdhms"))
_CLOCK_TIME = re.compile(rf"(?:{_NUMBER}w)?(?:{_NUMBER}d)?{_NUMBER}:([0-9]{{2}}):([0-9]{{2}})")
_UNITS = (604800, 86400, 3600, 60, 1)
_YES, _NO = ("yes", "true", "1"), ("no", "false", "0")


class Speaks(Protocol):
    """Somebody who types one line on a console and tells what it showed: :class:`wifimgr.ssh.Console`."""

    unspoken: set[str]
    """What is not repeated in an error, whatever the router says."""

    def run(self, script: str, deadline: Deadline) -> bytes:
        """Raises RouterError where the router does not take the line."""


@dataclass(frozen=True, slots=True)
class Held:
    """What an option holds on a router: the name of its type in RouterOS (``bool``, ``array`` …), and its text."""

    kind: str
    text: str

    @property
    def shown(self) -> str | None:
        """As people write it; None: it is not set."""
        if self.kind in ("nil", "nothing", ""):
            return self.text or None
        if self.kind == "bool":
            return "yes" if self.text in _YES else "no"
        return self.text.replace(";", ",") if self.kind == "array" else self.text


NOTHING = Held("nil", "")

Items = Mapping[str, Mapping[str, Held]]
"""What a menu holds: internal id (``*1F``) to option to value."""
Menus = Mapping[str, Items]
"""What was read from a router: menu to its items."""


# ---------------------------------------------------------------- reading


def check_identity(router: str, connection: Speaks, deadline: Deadline) -> None:
    """Raises Refused (``wrong-platform``) when the router does not say that it is a MikroTik."""
    told = _told(connection, "/system resource get platform", deadline)
    if told != "MikroTik":
        what = f"it does not say that it runs RouterOS, but {told[:60]!r}"
        raise Refused("wrong-platform", what, where=router, hint="check 'platform:' in its site file")


def read(router: str, edits: Iterable[Edit], connection: Speaks, deadline: Deadline) -> Menus:
    """Reads every option that edits speak about, from all items of their menus.

    Each value comes with its type and length, so that line breaks and unknown signs in it cannot be mistaken. What is
    wished may be secret, so the connection keeps it to itself from here on. Raises RouterError (``bad-answer``),
    ConfigError (``bad-wish``) where a wish does not fit the router.
    """
    edits = tuple(edits)
    questions = _questions(edits)
    connection.unspoken.update(_wished(edits))
    menus: dict[str, dict[str, dict[str, Held]]] = {}
    for menu, (listed, options) in questions.items():
        items = menus.setdefault(menu, {} if listed else {SETTINGS: {}})
        for option in options:
            for number, held in _values(router, menu, option, listed, connection, deadline):
                items.setdefault(number, {})[option] = held
        if any(options != list(item) for item in items.values()):
            what = f"/{menu} changed while it was read, or it does not tell about all of {', '.join(options)}"
            raise RouterError("bad-answer", what, where=router, hint="try again, and check the names of the options")
    return menus


def _questions(edits: Iterable[Edit]) -> dict[str, tuple[bool, list[str]]]:
    """Menu to whether it holds a list of items, and the options to ask for."""
    found: dict[str, tuple[bool, list[str]]] = {}
    for edit in edits:
        assert isinstance(edit, MenuEdit)
        listed, options = found.setdefault(edit.menu, (bool(edit.match), []))
        if listed != bool(edit.match):
            what = f"/{edit.menu} is wished once with match and once without"
            raise ConfigError("bad-wish", what, where=edit.where, hint="a menu holds items, or it holds settings")
        wanted = (*edit.match, *edit.set, *([WHOLE] if edit.absent else []))
        options += [option for option in wanted if option not in options]
    return found


def _wished(edits: Iterable[Edit]) -> set[str]:
    return {_text(value) for edit in edits if isinstance(edit, MenuEdit) for value in edit.set.values()}


def _values(
    router: str, menu: str, option: str, listed: bool, connection: Speaks, deadline: Deadline
) -> Iterator[tuple[str, Held]]:
    mark = f"val-{tokens.token_hex(4)}"
    words = menu.replace("/", " ")
    number = "$wmi" if listed else f'"{SETTINGS}"'
    which = "$wmi " if listed else ""
    value = f"print detail as-value from={which}" if option == WHOLE else f"get {which}{option}"
    ask = (
        f":local wmv [/{words} {value}]; :local wms [:tostr $wmv]; "
        f':put ("wifi" . "{mark} " . {number} . " " . [:typeof $wmv] . " " . [:len $wms] . " " . $wms)'
    )
    raw = connection.run(f":foreach wmi in=[/{words} find] do={{{ask}}}" if listed else ask, deadline)
    heads = list(re.finditer(rf"wifi{mark} (\*[0-9A-Fa-f]+|-) ([a-z]*) {_NUMBER} ".encode(), raw))
    ends = [*(each.start() for each in heads[1:]), len(raw)]
    for head, end in zip(heads, ends, strict=False):
        text = _whole(raw[head.end() : end], int(head[3]))
        if text is None:
            what = f"/{menu} {option} cannot be read whole"
            raise RouterError("bad-answer", what, where=router, hint="look at the value there: it may hold odd signs")
        yield head[1].decode(), Held(head[2].decode(), _lasting(text) if option == WHOLE else text)


def _whole(raw: bytes, length: int) -> str | None:
    """A value as it was before the terminal made its line ends; None: something else became of it, too."""
    shown = re.sub(rb"\r?\n\Z", b"", raw)
    texts = [found.decode("utf-8", "surrogateescape") for found in (shown, shown.replace(b"\r\n", b"\n"))]
    by_bytes = [text for text in texts if len(text.encode("utf-8", "surrogateescape")) == length]
    by_letters = [text for text in texts if len(text) == length]  # should a version count so
    return next(iter(by_bytes + by_letters), None)


def _lasting(whole: str) -> str:
    """All options of an item as one text, ``a=1;b=2``, without those that change by themselves. Only good to compare:
    a value may hold a semicolon, too."""
    return ";".join(part for part in whole.split(";") if not _MOVES_BY_ITSELF.fullmatch(part.partition("=")[0]))


def _told(connection: Speaks, command: str, deadline: Deadline) -> str:
    """What one command gives back, as text of one line."""
    mark = f"val-{tokens.token_hex(4)}"
    raw = connection.run(f':put ("wifi" . "{mark} " . [:tostr [{command}]])', deadline)
    found = re.search(rf"wifi{mark} ([^\r\n]*)".encode(), raw)
    return found[1].decode("utf-8", "replace").strip() if found else ""


# ---------------------------------------------------------------- wishes against what is there


@dataclass(frozen=True, slots=True)
class _Made:
    """What became of one edit."""

    edit: MenuEdit
    before: Mapping[str, Held] | None
    after: Mapping[str, Held] | None
    command: str
    """Empty: nothing is to be done."""


def render(router: str, edits: Sequence[Edit], menus: Menus) -> tuple[tuple[PathChange, ...], tuple[Touched, ...]]:
    """Makes the edits on what was read. Returns the menus that differ, and everything that is wished.

    A menu looks like a file: one line for each option that is wished. Raises ConfigError (``bad-wish``).
    """
    made = _made(edits, menus)
    by_menu: dict[str, list[_Made]] = {}
    for each in made:
        by_menu.setdefault(each.edit.menu, []).append(each)
    changes = [_path_change(menu, found) for menu, found in sorted(by_menu.items())]
    touched = tuple(wish for each in made for wish in _touched(each))
    return tuple(change for change in changes if change.before != change.after or change.diff), touched


def commands(edits: Sequence[Edit], menus: Menus) -> tuple[str, ...]:
    """What to type to make the edits on what was read, in their order. May hold secrets.

    Raises ConfigError (``bad-wish``), also for more than safe mode could take back for sure.
    """
    found = tuple(each.command for each in _made(edits, menus) if each.command)
    if len(found) > MOST_COMMANDS:
        what = f"{len(found)} items would change at once; safe mode takes back {MOST_COMMANDS} for sure"
        raise ConfigError("bad-wish", what, where=edits[0].where, hint="make several playbooks of it")
    return found


def _made(edits: Sequence[Edit], menus: Menus) -> list[_Made]:
    now = {menu: {number: dict(item) for number, item in items.items()} for menu, items in menus.items()}
    made = []
    for edit in edits:
        assert isinstance(edit, MenuEdit)
        items = now[edit.menu]
        number = _find(edit, items)
        before = None if number is None else dict(items[number])
        words = edit.menu.replace("/", " ")
        if edit.absent:
            if number is not None:
                del items[number]
            made.append(_Made(edit, before, None, "" if number is None else f"/{words} remove {number}"))
            continue
        if number is None:
            wished, number = {**edit.match, **edit.set}, f"new{len(items)}"
            command = f"/{words} add"
        else:
            wished = {name: value for name, value in edit.set.items() if not is_as_wished(items[number][name], value)}
            command = f"/{words} set" if number == SETTINGS else f"/{words} set {number}"
            if number.startswith("new") and wished:
                what = "two wishes are about the same new item"
                raise ConfigError("bad-wish", what, where=edit.where, hint="make one wish of them")
        item = items.setdefault(number, {})
        arguments = [f" {name}={_argument(edit, name, value, item.get(name))}" for name, value in wished.items()]
        item |= {name: _after(value, item.get(name, NOTHING)) for name, value in wished.items()}
        made.append(_Made(edit, before, dict(item), f"{command}{''.join(arguments)}" if arguments else ""))
    return made


def _find(edit: MenuEdit, items: Items) -> str | None:
    """The item that an edit is about; None: there is none."""
    found = [
        number
        for number, item in items.items()
        if all(is_as_wished(item.get(name, NOTHING), value) for name, value in edit.match.items())
    ]
    if len(found) > 1:
        what = f"{len(found)} items of /{edit.menu} fit {_label(edit)}"
        raise ConfigError("bad-wish", what, where=edit.where, hint="say more under match, or tidy up there")
    return next(iter(found), None)


def is_as_wished(held: Held, wished: Value | Secret) -> bool:
    """Whether an option holds what is wished, however RouterOS writes it."""
    text = _text(wished)
    if held.kind == "bool":
        return text.lower() in (_YES if held.text in _YES else _NO)
    if held.kind == "time" and (seconds := _seconds(text)) is not None:
        return seconds == _seconds(held.text)
    return text == (held.shown or "")


def _seconds(text: str) -> int | None:
    """A time as RouterOS or people write it: ``1d02:03:04``, ``5m``, ``30``."""
    if re.fullmatch(_NUMBER, text):
        return int(text)
    found = (text and _SIMPLE_TIME.fullmatch(text)) or _CLOCK_TIME.fullmatch(text)
    return sum(int(part or 0) * unit for part, unit in zip(found.groups(), _UNITS, strict=True)) if found else None


def _after(wished: Value | Secret, held: Held) -> Held:
    return replace(held, text=_text(wished)) if held.kind == "bool" else Held("str", _text(wished))


def _text(value: Value | Secret) -> str:
    """A value as one text: a list with commas."""
    if isinstance(value, Secret):
        return value.reveal()
    return value if isinstance(value, str) else ",".join(value)


def _argument(edit: MenuEdit, name: str, value: Value | Secret, held: Held | None) -> str:
    if isinstance(value, tuple) and any("," in item for item in value):
        what = f"an entry of the list {name} holds a comma"
        raise ConfigError("bad-wish", what, where=edit.where, hint="RouterOS would take it for two")
    text = _text(value)
    if held and held.kind == "bool":
        text = "yes" if text.lower() in _YES else "no" if text.lower() in _NO else text
    if "\0" in text:
        raise ConfigError("bad-wish", f"{name} holds a NUL byte", where=edit.where, hint="RouterOS cannot hold it")
    return text if _BARE.fullmatch(text) else quoted(text)


def quoted(text: str) -> str:
    r"""A text as RouterOS takes it between quotes: every byte that is no plain letter, digit or mark as ``\XX``.

    The manual knows ``\"``, ``\\``, ``\$``, ``\n`` and so on, and ``\XX`` for the byte of any two hexadecimal digits,
    in capitals. Only that one is used: so nothing in a value can end it, start a command or a variable, or be taken as
    a key by the line editor (TAB and ``?`` ask for help even between quotes).
    """
    raw = text.encode("utf-8", "surrogateescape")
    return '"' + "".join(chr(byte) if _PLAIN.match(bytes([byte])) else f"\\{byte:02X}" for byte in raw) + '"'


# ---------------------------------------------------------------- what people see


def _label(edit: MenuEdit) -> str:
    """``[comment=guests]``: which item of its menu; empty for settings."""
    words = " ".join(f"{name}={value}" for name, value in edit.match.items())
    return f"[{words}]" if words else ""


def _touched(made: _Made) -> Iterator[Touched]:
    name = f"{made.edit.menu}{_label(made.edit)}"
    if made.edit.match:
        there = "there" if made.before is None or not made.edit.absent else made.before.get(WHOLE, NOTHING).text
        yield Touched(name, None if made.before is None else there, None if made.after is None else "there")
    for option, value in made.edit.set.items():
        before = (made.before or {}).get(option, NOTHING).shown
        yield Touched(f"{name}.{option}", before, (made.after or {}).get(option, Held("str", _text(value))).shown)


def _path_change(menu: str, made: Sequence[_Made]) -> PathChange:
    pairs = [(name, value) for each in made for name, value in each.edit.set.items() if isinstance(value, Secret)]
    names, wished = {name for name, _ in pairs}, {_text(value) for _, value in pairs}

    def hides(name: str, value: str) -> bool:  # what an option held before a secret was one, whatever its name
        return name in names or value in wished or _is_hidden(name)

    old, new = _first(made), {_label(each.edit): (each.edit, each.after) for each in made}
    before, after = (_lines(part, lambda name, value: value) for part in (old, new))
    hidden = [_hidden(part, hides) for part in (old, new)]
    veil = diff.Veil(*hidden)
    longer = {secret for part in hidden for secret in part if len(secret) >= openwrt.SURELY_NO_WORD}
    cover = veil.cover(wished | longer)
    veiled = (
        _lines(part, lambda name, value: veil.sign(value) if hides(name, value) else cover(value))
        for part in (old, new)
    )
    shown = [None if text is None else cover(text) for text in veiled]
    raw = [None if text is None else text.encode("utf-8", "surrogateescape") for text in (before, after)]
    return PathChange(path=menu, before=raw[0], after=raw[1], diff=veil.lifted(diff.unified(menu, *shown)))


_Side = Mapping[str, tuple[MenuEdit, Mapping[str, Held] | None]]
"""How a menu stands: item as shown to people, to the newest edit of it and its options; None: it is not there."""


def _first(made: Sequence[_Made]) -> _Side:
    """How it was before the first of several edits of the same item."""
    sides: dict[str, tuple[MenuEdit, Mapping[str, Held] | None]] = {}
    for each in made:
        known = sides.get(_label(each.edit))
        sides[_label(each.edit)] = (each.edit, known[1] if known else each.before)
    return sides


def _lines(side: _Side, show: Callable[[str, str], str]) -> str | None:
    """One line an option, as text; None: there is nothing. ``show`` says how an option shows its value."""
    lines = []
    for label, (edit, item) in side.items():
        if item is None:
            continue
        if label:
            lines.append(_line(label))
        for name in sorted(item.keys() - edit.match.keys() - {WHOLE}):
            value = item[name].shown
            if value is not None:
                lines.append(_line(f"{label} {name}={show(name, value)}".lstrip()))
    return "".join(f"{line}\n" for line in lines) or None


def _line(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace("\r", "\\r")


def _hidden(side: _Side, hides: Callable[[str, str], bool]) -> set[str]:
    pairs = ((name, held.shown) for _, item in side.values() for name, held in (item or {}).items())
    return {value for name, value in pairs if value and hides(name, value)}


def _is_hidden(option: str) -> bool:
    return openwrt.is_hidden(option.replace("-", "_")) or openwrt.is_hidden(option.replace("-", ""))


# ---------------------------------------------------------------- what a change means


def touches_connectivity(changes: Iterable[PathChange]) -> bool:
    """Whether a mistake in the changed menus can cut our way to the router."""
    return any(change.path == menu or change.path.startswith(f"{menu}/") for change in changes for menu in CONNECTIVITY)


def endpoint_after(changes: Iterable[PathChange], endpoint: Endpoint) -> Endpoint:
    """Where it is reached after a change: at a new port of the service ssh, else where it was."""
    for change in changes:
        port = re.search(rb"^\[name=ssh\] port=([0-9]{1,5})$", change.after or b"", re.M)
        old = re.search(rb"^\[name=ssh\] port=([0-9]{1,5})$", change.before or b"", re.M)
        if change.path == "ip/service" and port and old and int(old[1]) == endpoint.port:
            return Endpoint(endpoint.address, int(port[1]))
    return endpoint


CHECKS: Mapping[str, tuple[str, str]] = {
    "default-route": (
        ":len [/ip route find where dst-address=0.0.0.0/0 active=yes]",
        "there is no default route",
    ),
    "interface": ("/interface get [/interface find where name={}] running", "the interface {!r} is not running"),
    "ping": ("/ping {} count=3", "{!r} does not answer a ping"),
}
"""The key in a playbook, what to ask (a number that is not 0, or ``true``, is right), and why it fails."""


def checks_as_wished(checks: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """The checks as they are. Raises Refused (``wrong-platform``) for those that RouterOS is not asked for."""
    wanted = tuple(checks)
    for name, _ in wanted:
        if name not in CHECKS:
            hint = f"keep to {', '.join(CHECKS)} where the playbook is for RouterOS"
            raise Refused("wrong-platform", f"the check {name!r} cannot be made on RouterOS", hint=hint)
    return wanted


def failing(checks: Iterable[tuple[str, str]], connection: Speaks, deadline: Deadline) -> str:
    """Why a change cannot be confirmed; empty when every check holds."""
    for name, wanted in checks:
        ask, why = CHECKS[name]
        try:
            told = _told(connection, ask.format(quoted(wanted)), deadline)
        except RouterError as error:
            if error.id != "bad-answer":  # what it cannot answer does not hold
                raise
            told = ""
        if told.strip("0") in ("", "no", "false"):
            return why.format(wanted)
    return ""
