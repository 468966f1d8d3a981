"""Secrets: a type that does not show itself, references to where they are, and how to tell a plain one."""

from __future__ import annotations

import functools
import hmac
import os
import re
import shlex
import subprocess
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic_core import PydanticCustomError

from wifimgr.errors import ConfigError
from wifimgr.yamlfile import KeyPath, fault

Kind = Literal["env", "file", "command"]
"""Where a secret may be found."""


class Secret:
    """A secret in memory: shows itself only to who asks with :meth:`reveal`."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The secret itself; never log, print or store what this returns."""
        return self._text

    def __repr__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        mine, theirs = (secret._text.encode("utf-8", "surrogatepass") for secret in (self, other))
        return hmac.compare_digest(mine, theirs)

    __hash__ = None  # type: ignore[assignment]  # a hash would tell something about the secret

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a secret cannot be copied or pickled")


@dataclass(frozen=True, slots=True)
class SecretRef:
    """Where a secret is found: ``{env: NAME}``, ``{file: PATH}`` or ``{command: LINE}``. As text it is ``***``."""

    kind: Kind
    name: str
    folder: Path = Path()
    """Relative paths are meant from here: the network folder."""
    where: str = field(default="", compare=False)
    """``file:line`` of the reference."""
    allowed: frozenset[str] = field(default=frozenset(), compare=False)
    """The programs that this machine lets a reference start."""

    def resolve(self) -> Secret:
        """Fetch the secret. Raises ConfigError ``missing-secret`` when it is not there or empty."""
        text = {"env": self._environment, "file": self._read, "command": self._ask}[self.kind]()
        if not text:
            self._missing("is empty")
        return Secret(text)

    def _environment(self) -> str:
        return os.environ[self.name] if self.name in os.environ else self._missing("is not set")

    def _read(self) -> str:
        try:
            text = placed(self.folder, self.name).read_bytes().decode()
        except UnicodeDecodeError:
            self._missing("is not UTF-8 text")
        except OSError as error:
            self._missing(f"cannot be read: {(error.strerror or 'unknown reason').lower()}")
        return re.sub(r"\r?\n\Z", "", text)

    def _ask(self) -> str:
        """What the command prints; asked once in a run of the program, so that nobody types a passphrase twice."""
        words = shlex.split(self.name)
        if words[0] not in self.allowed:
            hint = f"if you trust these files, set WIFIMGR_SECRET_COMMANDS={words[0]} on this machine"
            what = f"this machine does not let files start {words[0]}"
            raise ConfigError("missing-secret", what, where=self.where, hint=hint)
        with _ASKING:
            try:
                return _printed(tuple(words), self.folder)
            except (OSError, subprocess.SubprocessError, UnicodeDecodeError) as error:
                self._missing(_why(error))

    def _missing(self, why: str) -> NoReturn:
        what, hint = {
            "env": (f"the environment variable {self.name}", f"set {self.name} before you start wifimgr"),
            "file": (
                f"the secret file {self.name}",
                f"write the secret into {placed(self.folder, self.name)}",
            ),
            "command": (f"what '{self.name}' prints", "run it yourself to see what is wrong"),
        }[self.kind]
        raise ConfigError("missing-secret", f"{what} {why}", where=self.where, hint=hint)

    def __str__(self) -> str:
        return "***"


SECONDS_TO_ASK = 60.0
"""For a command that fetches a secret: somebody may have to type a passphrase."""
_ASKING = threading.Lock()
"""Commands run one after the other: two questions at once could not be told apart."""


@functools.cache
def _printed(words: tuple[str, ...], folder: Path) -> str:
    """What a program prints, without the last line break. Its complaints are seen by who started us, never kept."""
    done = subprocess.run(words, cwd=folder, stdout=subprocess.PIPE, timeout=SECONDS_TO_ASK, check=True)
    return re.sub(r"\r?\n\Z", "", done.stdout.decode())


def _why(error: Exception) -> str:
    if isinstance(error, subprocess.CalledProcessError):
        return f"cannot be had: it ended with {error.returncode}"
    if isinstance(error, subprocess.TimeoutExpired):
        return f"cannot be had: it took more than {SECONDS_TO_ASK:g} s"
    if isinstance(error, UnicodeDecodeError):
        return "is not UTF-8 text"
    return f"cannot be had: {(getattr(error, 'strerror', None) or 'it cannot be started').lower()}"


def placed(folder: Path, name: str) -> Path:
    """A path as written in a file: ``~`` is the home folder, relative is from the network folder."""
    try:
        return folder / Path(name).expanduser()
    except RuntimeError:  # no such user: then it is a name like any other
        return folder / name


SECRET_NAMES = "|".join(
    (
        "passwor[dt]|passwd|passphrase|secret(?!ar)|psk|token",
        "(?<![a-z])community(?![a-z])",
        "^(?!.*(?<![a-z])pub(lic)?(?![a-z]))([^a-z]*keys?[^a-z]*$|.*[a-z][^a-z]+keys?(?![a-z]))",
    )
)
"""What the names of secrets are like, in small letters: a pattern that means the same here and in JSON Schema."""
_SECRET_NAMES = re.compile(SECRET_NAMES, re.DOTALL)


def looks_secret(name: str) -> bool:
    """Whether a key of this name holds a secret: ``wifi_password``, ``snmp_community``, ``private_key``.

    ``public_key`` is none, and ``key_holder`` tells about a key.
    """
    return bool(_SECRET_NAMES.search(name.lower()))


FORMS = "{env: NAME}, {file: PATH} or {command: LINE}"
"""How people write a reference to a secret."""
VARIABLE_NAME = "[A-Za-z_][A-Za-z0-9_]*"
"""What a name of an environment variable is like."""
PLAIN_SECRET = (
    "a secret may not stand here in plain text",
    f"write where it is found, {FORMS}, and change the secret: this file is shared",
)
"""What is wrong about a secret that stands in a file, and what to do."""


def plain_secret() -> PydanticCustomError:
    """The problem of a secret that stands in a file."""
    return fault(*PLAIN_SECRET, "plain-secret")


def secret_ref(value: Any) -> SecretRef:
    """``{env: NAME}``, ``{file: PATH}`` or ``{command: LINE}``, nothing else. The value is never part of a message."""
    if not isinstance(value, dict):
        raise plain_secret()
    kind: Any
    [(kind, name)] = value.items() if len(value) == 1 else [("", "")]
    if kind not in _KINDS or not isinstance(name, str) or not name.isprintable():
        raise fault("is not a reference to a secret", f"write {FORMS}")
    noun, fits = _KINDS[kind]
    if not fits(name):
        raise fault(f"is not {noun}", f"write {FORMS}")
    return SecretRef(kind, name)


def _is_command(line: str) -> bool:
    try:
        return bool("".join(shlex.split(line)[:1]))
    except ValueError:  # a quote is not closed
        return False


_KINDS: Mapping[Any, tuple[str, Callable[[str], object]]] = {
    "env": ("a name of an environment variable", re.compile(VARIABLE_NAME).fullmatch),
    "file": ("a path", str.strip),
    "command": ("a command", _is_command),
}
"""Where a secret may be found, what has to be told there, and whether a text is that."""


LONGEST_NAME = 200
"""Characters of a key that are looked at: a longer one is no name."""


def secrets_in(value: Any, key: KeyPath) -> list[KeyPath]:
    """Where plain secrets stand in free data."""
    if isinstance(value, list):
        return [found for index, item in enumerate(value) for found in secrets_in(item, (*key, index))]
    if not isinstance(value, dict):
        return (
            [key] if any(looks_secret(str(part)[:LONGEST_NAME]) for part in key) and not isinstance(value, bool) else []
        )
    if len(value) == 1 and set(value) <= _KINDS.keys():
        return []
    return [found for name, item in value.items() for found in secrets_in(item, (*key, name))]
