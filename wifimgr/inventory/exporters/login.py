"""How this machine logs in to a router, in the words of OpenSSH: what the formats for programs with SSH share."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from wifimgr.errors import INVISIBLE, ConfigError
from wifimgr.inventory.load import Inventory
from wifimgr.inventory.way import Stop
from wifimgr.settings import Endpoint, Host

KNOWN_HOSTS = "inventory/known_hosts"
_ADDRESS = re.compile(r"[A-Za-z0-9_.:][A-Za-z0-9_.:-]*(%[A-Za-z0-9_.-]+)?")
"""OpenSSH puts the address into a command line of a shell when it goes through another router."""
_USER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
"""The same goes for the user; those of the inventory are like this anyway."""


@dataclass(frozen=True, slots=True)
class Login:
    """How to log in to one router, or to a host on the way to one."""

    endpoint: Endpoint
    user: str
    options: tuple[tuple[str, str], ...]
    """Of OpenSSH, with which only our keys and the trusted host key count: keyword and value as in ssh_config."""


def login_of(inventory: Inventory, stop: Stop) -> Login:
    """How this machine logs in to a router, or to a host of ``~/.ssh/config`` on the way to one.

    Raises ConfigError ``cannot-export`` for what OpenSSH would misread.
    """
    if isinstance(stop, Host):
        _check(stop.name, "~/.ssh/config", stop.name, stop.endpoint.address, stop.alias or stop.name, user=stop.user)
        alias = (("HostKeyAlias", stop.alias),) if stop.alias else ()
        return Login(stop.endpoint, stop.user, (*_keys(stop.keys), *alias))
    network, profile = inventory.network, inventory.network.ssh_profile(stop)
    endpoint = network.endpoint(stop, "ssh")
    _check(stop.name, str(stop.origins.get("addresses", "")), endpoint.address, user=profile.user)
    host_key = {
        "HostKeyAlias": stop.name,
        "UserKnownHostsFile": quoted(network.folder / KNOWN_HOSTS),
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
    }
    keys = (profile.key,) if profile.key else profile.keys
    return Login(endpoint, profile.user, (*_keys(keys), *host_key.items()))


def _check(key: str, where: str, *addresses: str, user: str) -> None:
    """Raises ConfigError ``cannot-export`` for addresses and users that would mean something to a shell."""
    if not all(map(_ADDRESS.fullmatch, addresses)):
        hint = "write letters, digits and . : - _ only, and those after the % of a zone"
        raise ConfigError("cannot-export", "its address is none for OpenSSH", where=where, key=key, hint=hint)
    if not _USER.fullmatch(user):
        what, hint = "its user is none for OpenSSH", "write letters, digits and . - _ only"
        raise ConfigError("cannot-export", what, where="~/.ssh/config", key=key, hint=hint)


def _keys(keys: Iterable[Path]) -> tuple[tuple[str, str], ...]:
    """Only these keys; where none is named, OpenSSH takes its agent and the usual ones, as we do."""
    named = tuple(("IdentityFile", quoted(key)) for key in keys)
    return (*named, ("IdentitiesOnly", "yes")) if named else ()


def literal(text: str) -> str:
    """Text in which OpenSSH expands nothing that begins with ``%``."""
    return text.replace("%", "%%")


def quoted(path: Path) -> str:
    """A path as it stands in ssh_config. Raises ConfigError ``cannot-export``."""
    text = str(path)
    if INVISIBLE.search(text) or "${" in text:  # there is no way to write these
        what = "a path holds ${ or an invisible character, and OpenSSH would read another one"
        raise ConfigError("cannot-export", what, where=text, hint="give the file or folder another name")
    return '"' + re.sub(r'(["\\])', r"\\\1", literal(text)) + '"'
