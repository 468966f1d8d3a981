"""``~/.ssh/config``: what it says about hosts, as far as wifimgr goes by it (ssh_config(5)). Nothing in it is ever run.

paramiko has a reader, too. This one knows ``Include``, takes a block that is meant for a router's name or for its
address, asks nobody over the network, and starts no program: where a program would decide, it says so.
"""

from __future__ import annotations

import getpass
import glob
import os
import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

from wifimgr.errors import ConfigError, Refused
from wifimgr.settings.values import DEFAULT_PORTS, Endpoint

NOWHERE = Path("/nonexistent")
"""The home folder of who has none."""
MOST_INCLUDES = 16
"""So deep files may include each other, as with OpenSSH."""
KEYS = ("user", "hostname", "port", "identityfile", "proxyjump", "proxycommand", "hostkeyalias")
"""What counts for us. Everything else is passed over."""
WAYS = ("proxyjump", "proxycommand")
"""Two answers to one question: the first one that is found counts."""
_LINE = re.compile(r"\s*(\w+)(?:\s*=\s*|\s+|$)(.*?)\s*")
_HOP = re.compile(r"(?:ssh://)?(?:([^@\s]+)@)?(?:\[([^\]\s]+)\]|([^:\[\]@\s]+))(?::([0-9]{1,5}))?/?")
_HINT = "correct it; 'ssh -G NAME' tells what OpenSSH makes of it"


def _wrong(where: str, what: str, hint: str = _HINT) -> ConfigError:
    return ConfigError("bad-ssh-config", what, where=where, hint=hint)


def local_user() -> str:
    """Who runs this program; ``root`` where nobody can tell."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "root"


@dataclass(frozen=True, slots=True)
class Condition:
    """One ``Host`` line, or one criterion of a ``Match`` line."""

    kind: str
    patterns: tuple[str, ...] = ()
    negated: bool = False

    def holds(self, names: tuple[str, ...], found: Mapping[str, list[Said]]) -> bool | None:
        """Whether it holds for a host that is called by any of these names. None: only a program could tell.

        Nothing is canonical or tagged, as nobody asks for it.
        """
        values: tuple[str, ...] | None = {
            "all": ("",),
            "final": ("",),
            "canonical": (),
            "tagged": (),
            "host": tuple(said.text for said in found.get("hostname", ())) or names,
            "originalhost": names,
            "user": tuple(said.text for said in found.get("user", ())[:1]) or (local_user(),),
            "localuser": (local_user(),),
        }.get(self.kind)
        return None if values is None else self._fits(values) is not self.negated

    def _fits(self, values: tuple[str, ...]) -> bool:
        wanted = [pattern for pattern in self.patterns if not pattern.startswith("!")]
        unwanted = [pattern[1:] for pattern in self.patterns if pattern.startswith("!")]
        return _any(wanted, values) and not _any(unwanted, values)


def _any(patterns: list[str], values: tuple[str, ...]) -> bool:
    forms = [re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".") for pattern in patterns]
    return any(re.fullmatch(form, value, re.IGNORECASE | re.DOTALL) for form in forms for value in values)


@dataclass(frozen=True, slots=True)
class Said:
    """One value, and where it was written."""

    text: str
    where: str
    sure: bool = True
    """Whether it counts; False: only a program could tell, or the value is one."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One line, and all that has to hold for it to count."""

    key: str
    said: Said
    conditions: tuple[Condition, ...]

    def counts(self, names: tuple[str, ...], found: Mapping[str, list[Said]]) -> bool | None:
        """Whether it is meant for a host. None: only a program could tell."""
        held = [condition.holds(names, found) for condition in self.conditions]
        return False if False in held else None if None in held else True


@dataclass(frozen=True, slots=True)
class Hop:
    """One host of a ``ProxyJump``, as it is written there."""

    name: str
    user: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True)
class About:
    """What the file says about one host. What is asked for and only a program could tell is Refused."""

    names: tuple[str, ...]
    """What the host is called, the name that counts first."""
    found: Mapping[str, list[Said]] = field(default_factory=dict)
    home: Path = Path()

    @property
    def user(self) -> str:
        """Whom to log in as; empty: it does not say."""
        return self._one("user")

    @property
    def port(self) -> int:
        """The port of the SSH server; 0: it does not say."""
        text = self._one("port")
        if text and not (text.isascii() and text.isdecimal() and 0 < int(text) < 65536):
            raise _wrong(self.found["port"][0].where, f"Port: '{text}' is no port")
        return int(text or 0)

    @property
    def address(self) -> str:
        """``HostName``; else the name itself."""
        return self._expanded("hostname", self._one("hostname"), {"h": self.names[0]}) or self.names[0]

    @property
    def alias(self) -> str:
        """What the host is called in known_hosts; empty: as it is reached."""
        return self._one("hostkeyalias")

    def keys(self, endpoint: Endpoint, user: str) -> tuple[Path, ...]:
        """Our keys for it (``IdentityFile``), in their order; none: it does not say, or says ``none``."""
        parts = {"h": endpoint.address, "p": str(endpoint.port), "r": user}
        texts = [self._expanded("identityfile", said.text, parts) for said in self._sure("identityfile")]
        return tuple(Path(text) if Path(text).is_absolute() else self.home / text for text in texts if text != "none")

    @property
    def hops(self) -> tuple[Hop, ...]:
        """The hosts that it is reached through (``ProxyJump``), from us on. Itself does not count."""
        way = next(iter(self._sure("proxyjump")), None)
        if way is None or way.text.lower() == "none":
            return ()
        parts = {"h": self.names[0], "p": str(self.port or DEFAULT_PORTS["ssh"]), "r": self.user or local_user()}
        hops = []
        for part in self._expanded("proxyjump", way.text, parts).split(","):
            match = _HOP.fullmatch(part.strip())
            if not match or int(match[4] or 1) > 65535:
                raise _wrong(way.where, f"ProxyJump: '{part.strip()}' is no host")
            hops.append(Hop(match[2] or match[3], match[1] or "", int(match[4] or 0)))
        return tuple(hop for hop in hops if hop.name not in self.names)

    def _one(self, key: str) -> str:
        return next((said.text for said in self._sure(key)[:1]), "")

    def _sure(self, key: str) -> list[Said]:
        found = self.found.get(key, [])
        for said in found if key == "identityfile" else found[:1]:
            if not said.sure:
                what = f"{said.where} makes a program decide how it is logged in to, and wifimgr starts none"
                hint = "write ProxyJump, or Host in place of Match, there; or jump, user and key into the inventory"
                raise Refused("needs-program", what, where=self.names[0], hint=hint)
        return found

    def _expanded(self, key: str, text: str, parts: Mapping[str, str]) -> str:
        """A value with what ``%`` and ``${…}`` stand for."""
        known = {"%": "%", "n": self.names[0], "d": str(self.home), "u": local_user(), **parts}

        def value(match: re.Match[str]) -> str:
            part, variable = match[1], match[2]
            if (variable or part) in (os.environ if variable else known):
                return os.environ[variable] if variable else known[part]
            raise _wrong(self.found[key][0].where, f"wifimgr does not know what {match[0]} stands for", "write it out")

        expanded = re.sub(r"%(.?)|\$\{([^}]*)\}", value, text)
        return re.sub(r"^~(?=/|$)", lambda match: str(self.home), expanded)


class OpenSsh:
    """The file of whoever runs wifimgr, read when it is first needed. Without one it says nothing about anybody."""

    def __init__(self, home: Path | None = None) -> None:
        self._given = home

    @cached_property
    def home(self) -> Path:
        """The home folder whose ``.ssh`` is meant."""
        try:
            return self._given or Path.home()
        except RuntimeError:
            return NOWHERE

    @property
    def known_hosts(self) -> Path:
        """The host keys that OpenSSH trusts."""
        return self.home / ".ssh/known_hosts"

    def about(self, *names: str) -> About:
        """What it says about a host that has these names. Raises ConfigError ``bad-ssh-config``."""
        found: dict[str, list[Said]] = {}
        for setting in self._settings:
            key = "proxyjump" if setting.key in WAYS else setting.key
            if key in found and key != "identityfile":
                continue
            counts = setting.counts(names, found)
            if counts is not False:
                found.setdefault(key, []).append(replace(setting.said, sure=setting.said.sure and counts is True))
        return About(names, found, self.home)

    @cached_property
    def _settings(self) -> tuple[Setting, ...]:
        return tuple(self._read(self.home / ".ssh/config", (), 0))

    def _read(self, path: Path, outer: tuple[Condition, ...], depth: int) -> Iterator[Setting]:
        """The lines of a file that count for us, and of the files that it includes. ``outer`` holds for all of them."""
        shown = self._shown(path)
        conditions = outer
        for number, line in enumerate(self._text(path, shown).splitlines(), 1):
            where = f"{shown}:{number}"
            match = _LINE.fullmatch(line)
            if match is None:
                if line.strip() and not line.lstrip().startswith("#"):
                    raise _wrong(where, "is no line of a configuration of OpenSSH")
                continue
            key, rest = match[1].lower(), match[2]
            if key in ("host", "match"):
                conditions = (*outer, *_conditions(key, _words(rest, where), where))
            elif key == "include":
                for name in _words(rest, where):
                    yield from self._included(name, where, conditions, depth + 1)
            elif key in KEYS:
                text = rest if key == "proxycommand" else " ".join(_words(rest, where))
                none = text.lower() == "none"
                yield Setting(key, Said(text, where, sure=key != "proxycommand" or none), conditions)

    def _included(self, name: str, where: str, conditions: tuple[Condition, ...], depth: int) -> Iterator[Setting]:
        if depth > MOST_INCLUDES:
            raise _wrong(where, "files include each other without end", "take one Include out")
        pattern = About(("",), {}, self.home)._expanded("include", name, {}) if name.startswith("~") else name
        for found in sorted(glob.glob(str(self.home / ".ssh" / pattern))):  # noqa: PTH207 - the pattern may be absolute
            yield from self._read(Path(found), conditions, depth)

    def _text(self, path: Path, shown: str) -> str:
        try:
            with path.open(encoding="utf-8") as file:
                status = os.fstat(file.fileno())
                if status.st_uid not in (0, os.geteuid()) or status.st_mode & 0o022:
                    what = "belongs to somebody else, or others may write to it, so OpenSSH would not take it"
                    raise _wrong(shown, what, f"chown it to yourself, and chmod go-w {shlex.quote(str(path))}")
                return file.read()
        except (FileNotFoundError, NotADirectoryError):
            return ""
        except UnicodeDecodeError:
            raise _wrong(shown, "is not UTF-8 text") from None
        except OSError as error:
            raise _wrong(shown, f"cannot be read: {(error.strerror or 'unknown reason').lower()}") from None

    def _shown(self, path: Path) -> str:
        return f"~/{path.relative_to(self.home)}" if path.is_relative_to(self.home) else str(path)


def _words(text: str, where: str) -> list[str]:
    """The words of a line; quotes hold words together, and a comment may follow."""
    try:
        words = shlex.split(text)
    except ValueError:
        raise _wrong(where, "a quote is not closed") from None
    end = next((number for number, word in enumerate(words) if word.startswith("#")), len(words))
    if not words[:end]:
        raise _wrong(where, "there is nothing behind the keyword")
    return words[:end]


def _conditions(key: str, words: list[str], where: str) -> Iterator[Condition]:
    """What a ``Host`` or ``Match`` line asks for."""
    if key == "host":
        yield Condition("originalhost", tuple(words))
        return
    while words:
        kind, equals, value = words.pop(0).partition("=")
        negated = kind.startswith("!")
        kind = kind.removeprefix("!").lower()
        if kind in ("all", "canonical", "final"):
            yield Condition(kind, ("*",), negated)
        elif value or words:
            yield Condition(kind, tuple((value if equals else words.pop(0)).split(",")), negated)
        else:
            raise _wrong(where, f"Match {kind}: there is nothing behind it")
