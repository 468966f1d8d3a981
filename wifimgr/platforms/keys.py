"""Public keys that may log in, as lines of an ``authorized_keys`` file.

A line is ``[options] type key [comment]`` (sshd(8), "AUTHORIZED_KEYS FILE FORMAT"; dropbear reads the same). Two lines
are about the same key when type and key are the same. The comment says nothing about who may log in.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Self

from wifimgr.errors import ConfigError
from wifimgr.model import PathChange
from wifimgr.platforms.edits import KeysEdit

HINT = "write a whole line of a .pub file, like 'ssh-ed25519 AAAAC3Nza... name'"
PATH = "etc/dropbear/authorized_keys"
MODE = "600"
"""dropbear refuses a file that others can write (svr-authpubkey.c, ``checkpubkeyperms``)."""

_LINE = re.compile(
    r"(?:(?P<options>(?:[^\s\"]|\"(?:[^\"\\]|\\.)*\")+)[ \t]+)?"
    r"(?P<kind>(?:sk-)?(?:ssh-(?:ed25519|rsa|dss)|ecdsa-sha2-nistp(?:256|384|521))(?:@openssh\.com)?)[ \t]+"
    r"(?P<key>[A-Za-z0-9+/]+={0,2})(?:[ \t]+(?P<comment>[^\r\n]*))?"
)


_OPTION = re.compile(r"(?<![\w-])([\w-]+)=\"((?:[^\"\\\n]|\\.)*)")
_OPEN = ("cert-authority", "expiry-time", "from", "permitlisten", "permitopen", "principals", "tunnel")
"""Options whose values are no secrets. In ``command`` and ``environment`` there may be any."""


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One key, and what is allowed to who has it."""

    kind: str
    key: str
    options: str = ""

    @classmethod
    def parse(cls, line: str) -> Self | None:
        """The key in a line; None: there is none."""
        found = _LINE.fullmatch(line.strip())
        if not found:
            return None
        kind, key = found["kind"], found["key"]
        try:
            told = base64.b64decode(key, validate=True)
        except binascii.Error:
            return None
        length = int.from_bytes(told[:4], "big")  # the key says again of which type it is (RFC 4253, 6.6)
        return cls(kind, key, found["options"] or "") if told[4 : 4 + length] == kind.encode() else None

    @property
    def same(self) -> tuple[str, str]:
        """What two lines about the same key have in common."""
        return self.kind, self.key

    @property
    def label(self) -> str:
        """Short enough for people, and hardly ever that of another one."""
        return f"{self.kind} ...{self.key.rstrip('=')[-12:]}"


def loses(changes: Iterable[PathChange], ours: tuple[str, str] | None) -> bool:
    """Whether changes take away the key that we log in with, as far as that can be told from the file."""
    return any(
        change.path == PATH and ours in _kept(change.before) and ours not in _kept(change.after) for change in changes
    )


def secrets_in(text: str) -> set[str]:
    """What is in the quotes of options that may hold a secret."""
    return {value for name, value in _OPTION.findall(text) if value and name.lower() not in _OPEN}


def covered(text: str, cover: Callable[[str], str]) -> str:
    """The text with something else in those quotes."""

    def stand_in(option: re.Match[str]) -> str:
        return option[0] if option[1].lower() in _OPEN else f'{option[1]}="{cover(option[2])}'

    return _OPTION.sub(stand_in, text)


def _kept(raw: bytes | None) -> set[tuple[str, str]]:
    lines = (raw or b"").decode("utf-8", "surrogateescape").splitlines()
    return {key.same for line in lines if (key := PublicKey.parse(line))}


Told = tuple[str, str | None, str | None]
"""A line for people, as it is and as it shall be; None: not there."""


def wished(edit: KeysEdit, before: str) -> tuple[str, list[Told]]:
    """The file as it shall be, and each line that is wished or goes.

    Lines that are no keys stay, unless the wish is ``only``: then comments stay. Raises ConfigError ``bad-wish`` for
    what is no key, and where no key would be left.
    """
    present = {key.same: (key, line.strip()) for line in edit.present for key in [_parsed(line, edit)]}
    absent = {_parsed(line, edit).same for line in edit.absent}
    if both := absent & present.keys():
        kind, key = min(both)
        raise _wrong(edit, f"{PublicKey(kind, key).label} shall be both present and absent", "keep one of both")
    seen, lines = set[tuple[str, str]](), list[str]()
    told = list[Told]()
    for line in before.splitlines():
        found = PublicKey.parse(line)
        if not found:
            if edit.only and line.strip() and not line.lstrip().startswith("#"):
                told.append(("a line without a key", line, None))
            else:
                lines.append(line)
        elif found.same in absent or found.same in seen or (edit.only and found.same not in present):
            told.append((found.label, line, None))
        elif found.same not in present:
            lines.append(line)
        else:
            wanted, new = present[found.same]
            new = line if found.options == wanted.options else new
            seen.add(found.same)
            told.append((wanted.label, line, new))
            lines.append(new)
    for same, (wanted, new) in present.items():
        if same not in seen:
            told.append((wanted.label, None, new))
            lines.append(new)
    if not any(map(PublicKey.parse, lines)):
        raise _wrong(edit, "no key would be left to log in with", "name one that stays")
    after = "".join(f"{line}\n" for line in lines)
    return before if lines == before.splitlines() else after, told


def _parsed(line: str, edit: KeysEdit) -> PublicKey:
    key = PublicKey.parse(line)
    if not key:
        raise _wrong(edit, "this is not a public key", HINT)
    return key


def _wrong(edit: KeysEdit, what: str, hint: str) -> ConfigError:
    return ConfigError("bad-wish", what, where=edit.where, key="authorized_keys", hint=hint)
