"""Who they are: the host keys that are pinned, and those in files of OpenSSH.

Host keys are pinned in ``inventory/known_hosts``, by router name: an address may change hands, a name may not.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from wifimgr.errors import ConfigError
from wifimgr.inventory import Inventory
from wifimgr.inventory.schema import normalised
from wifimgr.model import Router
from wifimgr.settings import Endpoint

# Dropbear on MIPS signs with Ed25519 many times faster than with RSA.
KEY_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")


@dataclass(frozen=True, slots=True, order=True)
class HostKey:
    """The public half of a router's host key: its type and its bytes in base64, as in an OpenSSH known_hosts file."""

    type: str
    base64: str

    @property
    def fingerprint(self) -> str:
        """``SHA256:…`` as ssh-keygen and dropbearkey print it."""
        digest = hashlib.sha256(base64.b64decode(self.base64)).digest()
        return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


class KnownHosts:
    """The pinned host keys of a network: a file with ``<router name> <type> <base64>`` a line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._keys: dict[str, tuple[HostKey, ...]] = {}
        try:
            text = path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError("unreadable-file", f"cannot be read: {error}", where=str(path)) from None
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split("#")[0].split()
            if words:
                self._keys[words[0]] = (*self.of(words[0]), self._parse(words, number))

    def _parse(self, words: list[str], number: int) -> HostKey:
        try:
            _, kind, data = words
            if kind not in KEY_TYPES or not base64.b64decode(data, validate=True):
                raise ValueError(kind)
        except ValueError:
            hint = "write '<router name> <key type> <base64>', or remove the line and run 'wifimgr router trust'"
            raise ConfigError("wrong-type", "is no host key", where=f"{self.path}:{number}", hint=hint) from None
        return HostKey(kind, data)

    def of(self, name: str) -> tuple[HostKey, ...]:
        """The keys trusted for a router; none when it was never trusted."""
        return self._keys.get(name, ())

    def routers_with(self, key: HostKey) -> list[str]:
        """The routers that this key is trusted for."""
        return [name for name, keys in self._keys.items() if key in keys]

    def trust(self, keys: Mapping[str, HostKey]) -> None:
        """Pins one key for each of these routers, by name, in place of whatever was pinned before.

        Every other line stays as it is. Raises ConfigError ``unreadable-file``.
        """
        lines = self.path.read_text(encoding="utf-8").splitlines() if self.path.exists() else []
        kept = [line for line in lines if not keys.keys() & set(line.split("#")[0].split()[:1])]
        text = "\n".join([*kept, *(f"{name} {key.type} {key.base64}" for name, key in keys.items())]) + "\n"
        try:  # a file of a name that nobody can know: a link under a known one would lead our writing elsewhere
            number, name = tempfile.mkstemp(dir=self.path.parent, prefix=".known_hosts.")
            with os.fdopen(number, "w", encoding="utf-8") as file:
                file.write(text)
            fresh = Path(name)
            fresh.chmod(0o644)
            fresh.replace(self.path)
        except OSError as error:
            raise ConfigError("unreadable-file", f"cannot be written: {error}", where=str(self.path)) from None
        self._keys |= {name: (key,) for name, key in keys.items()}


class KeyList:
    """Host keys as OpenSSH keeps them in a known_hosts file and as ssh-keyscan prints them. Nothing is trusted by it.

    Each line is ``[marker] <names> <type> <base64> [comment]``; names have commas between them or are hashed (sshd(8),
    SSH_KNOWN_HOSTS FILE FORMAT). A key that is revoked is none, for whomever.
    """

    def __init__(self, text: str) -> None:
        self.passed_over: dict[str, list[int]] = {}
        """Why lines were passed over, at least in part, to their numbers."""
        self._plain: dict[str, list[HostKey]] = {}
        self._hashed: list[tuple[bytes, bytes, HostKey]] = []
        self._revoked: set[HostKey] = set()
        for number, line in enumerate(text.splitlines(), 1):
            words = line.split()
            if words and not words[0].startswith("#"):
                for why in self._take(words):
                    self.passed_over.setdefault(why, []).append(number)

    def _take(self, words: list[str]) -> Iterator[str]:
        """Keeps the key of a line; tells what of it was passed over, and why."""
        marker = words.pop(0) if words[0].startswith("@") else ""
        names, kind, data = words[:3] if len(words) > 2 else ("", "", "")
        if kind and kind not in KEY_TYPES:
            yield f"key type {kind}"
            return
        try:
            content = base64.b64decode(data, validate=True)
        except ValueError:
            content = b""
        if not _is_key(kind, content):
            yield "no host key"
            return
        key = HostKey(kind, base64.b64encode(content).decode())
        if marker:
            yield f"marked {marker}"
            self._revoked |= {key} if marker == "@revoked" else set()
            return
        for name in names.split(","):
            if name.startswith("|"):
                try:
                    _, _, salt, digest = name.split("|")
                    self._hashed.append((base64.b64decode(salt), base64.b64decode(digest), key))
                except ValueError:
                    yield "no hashed name"
            elif set(name) & set("*?!"):
                yield "a pattern in place of a name"
            else:
                self._plain.setdefault(_spelled(name), []).append(key)

    def of(self, names: Iterable[str]) -> tuple[HostKey, ...]:
        """The keys under any of these names (see :func:`ssh_names`), the best types first."""
        wanted = {_spelled(name) for name in names}
        found = {key for name in wanted for key in self._plain.get(name, ())}
        found |= {
            key
            for salt, digest, key in self._hashed
            if any(hmac.compare_digest(hmac.digest(salt, name.encode(), "sha1"), digest) for name in wanted)
        }
        return tuple(sorted(found - self._revoked, key=lambda key: (KEY_TYPES.index(key.type), key)))


def _is_key(kind: str, content: bytes) -> bool:
    """Whether these bytes are a key of a type and whole: its name, then its numbers, each with its length before it."""
    parts = []
    while content:
        size = 4 + int.from_bytes(content[:4], "big")
        parts.append(content[4:size])
        if size > len(content):
            return False
        content = content[size:]
    return len(parts) > 1 and parts[0] == kind.encode()


def _spelled(name: str) -> str:
    """One spelling for each name in a known_hosts file: ``[2001:DB8:0::1]:22`` is ``2001:db8::1``."""
    bracketed = re.fullmatch(r"\[(.*)\]:([0-9]+)", name)
    host, port = bracketed.groups() if bracketed else (name, "22")
    try:
        host = normalised(host)
    except ValueError:
        host = host.lower()
    return host if port == "22" else f"[{host}]:{port}"


def ssh_names(inventory: Inventory, router: Router) -> set[str]:
    """What a known_hosts file may call the SSH server of a router: its name, and each address with its port."""
    network = inventory.network
    port = network.port(router, "ssh")
    local = network.local.endpoints.get(router.name, {}).get("ssh")
    endpoints = [Endpoint(address, port) for address in (router.name, *router.addresses)] + ([local] if local else [])
    return {router.name, *(f"[{endpoint.address}]:{endpoint.port}" for endpoint in endpoints)}


def trusted_by_openssh(path: Path) -> KeyList:
    """What this user's OpenSSH trusts, by its file. It is read again when it changes."""
    return _read(path, stamp(path))


@lru_cache(maxsize=4)
def _read(path: Path, _: object) -> KeyList:
    try:
        return KeyList(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return KeyList("")


def stamp(path: Path) -> tuple[int, ...]:
    """Another one for each state of a file; none where there is no file."""
    try:
        status = path.stat()
    except OSError:
        return ()
    return (status.st_mtime_ns, status.st_size, status.st_ino)
