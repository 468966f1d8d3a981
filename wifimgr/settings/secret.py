"""Secrets: a type that does not show itself, references to where they are, and how to tell a plain one."""

from __future__ import annotations

import hmac
import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NoReturn

from pydantic_core import PydanticCustomError

from wifimgr.errors import ConfigError
from wifimgr.yamlfile import KeyPath, fault


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
    """Where a secret is found: ``{env: NAME}`` or ``{file: PATH}``. As text it is ``***``, as the secret."""

    kind: Literal["env", "file"]
    name: str
    folder: Path = Path()
    """Relative paths are meant from here: the network folder."""
    where: str = field(default="", compare=False)
    """``file:line`` of the reference."""

    def resolve(self) -> Secret:
        """Fetch the secret. Raises ConfigError ``missing-secret`` when it is not there or empty."""
        text = os.environ.get(self.name, "") if self.kind == "env" else self._read()
        if not text:
            self._missing("is empty" if self.kind == "file" or self.name in os.environ else "is not set")
        return Secret(text)

    def _read(self) -> str:
        try:
            text = placed(self.folder, self.name).read_bytes().decode()
        except UnicodeDecodeError:
            self._missing("is not UTF-8 text")
        except OSError as error:
            self._missing(f"cannot be read: {(error.strerror or 'unknown reason').lower()}")
        return re.sub(r"\r?\n\Z", "", text)

    def _missing(self, why: str) -> NoReturn:
        what, hint = {
            "env": (f"the environment variable {self.name}", f"set {self.name} before you start wifimgr"),
            "file": (
                f"the secret file {self.name}",
                f"write the secret into {placed(self.folder, self.name)}",
            ),
        }[self.kind]
        raise ConfigError("missing-secret", f"{what} {why}", where=self.where, hint=hint)

    def __str__(self) -> str:
        return "***"


def placed(folder: Path, name: str) -> Path:
    """A path as written in a file: ``~`` is the home folder, relative is from the network folder."""
    try:
        return folder / Path(name).expanduser()
    except RuntimeError:  # no such user: then it is a name like any other
        return folder / name


_SECRET_WORDS = re.compile(r"passwor[dt]|passwd|passphrase|secret(?!ar)|psk|token")


def looks_secret(name: str) -> bool:
    """Whether a key of this name holds a secret: ``wifi_password``, ``snmp_community``, ``private_key``.

    ``public_key`` is none, and ``key_holder`` tells about a key.
    """
    words = [word for word in re.split(r"[^a-z]+", name.lower()) if word]
    if _SECRET_WORDS.search(name.lower()) or "community" in words:
        return True
    return not {"public", "pub"} & set(words) and bool({"key", "keys"} & set(words[1:] or words))


def plain_secret() -> PydanticCustomError:
    """The problem of a secret that stands in a file."""
    hint = "write where it is found, {env: NAME} or {file: PATH}, and change the secret: this file is shared"
    return fault("a secret may not stand here in plain text", hint, "plain-secret")


def secret_ref(value: Any) -> SecretRef:
    """``{env: NAME}`` or ``{file: PATH}``, and nothing else. The value is never part of a message."""
    if not isinstance(value, dict):
        raise plain_secret()
    kind, name = next(iter(value.items())) if len(value) == 1 else ("", "")
    if kind not in ("env", "file") or not isinstance(name, str) or not name.isprintable():
        raise fault("is not a reference to a secret", "write {env: NAME} or {file: PATH}")
    if kind == "env" and not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise fault("is not a name of an environment variable", "write {env: NAME} or {file: PATH}")
    return SecretRef("env" if kind == "env" else "file", name)


def secrets_in(value: Any, key: KeyPath) -> list[KeyPath]:
    """Where plain secrets stand in free data."""
    if isinstance(value, list):
        return [found for index, item in enumerate(value) for found in secrets_in(item, (*key, index))]
    if not isinstance(value, dict):
        return [key] if any(looks_secret(str(part)) for part in key) and not isinstance(value, bool) else []
    if len(value) == 1 and set(value) <= {"env", "file"}:
        return []
    return [found for name, item in value.items() for found in secrets_in(item, (*key, name))]
