"""How this machine logs in to a router, in the words of OpenSSH: what the formats for programs with SSH share."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wifimgr.errors import INVISIBLE, ConfigError
from wifimgr.inventory.load import Inventory
from wifimgr.model import Router
from wifimgr.settings import Endpoint

KNOWN_HOSTS = "inventory/known_hosts"
_ADDRESS = re.compile(r"[A-Za-z0-9_.:][A-Za-z0-9_.:-]*(%[A-Za-z0-9_.-]+)?")
"""OpenSSH puts the address into a command line of a shell when it goes through another router."""


@dataclass(frozen=True, slots=True)
class Login:
    """How to log in to one router."""

    endpoint: Endpoint
    user: str
    options: Mapping[str, str]
    """Of OpenSSH, with which only our key and the trusted host key count: keyword to value, as ssh_config has them."""


def login_of(inventory: Inventory, router: Router) -> Login:
    """How this machine logs in to a router. Raises ConfigError ``cannot-export`` for what OpenSSH would misread."""
    network = inventory.network
    endpoint, profile = network.endpoint(router, "ssh"), network.ssh_profile(router)
    if not _ADDRESS.fullmatch(endpoint.address):
        where = str(router.origins.get("addresses", ""))
        hint = "write letters, digits and . : - _ only, and those after the % of a zone"
        raise ConfigError("cannot-export", "its address is none for OpenSSH", where=where, key=router.name, hint=hint)
    key = {"IdentityFile": quoted(profile.key), "IdentitiesOnly": "yes"} if profile.key else {}
    host_key = {
        "HostKeyAlias": router.name,
        "UserKnownHostsFile": quoted(network.folder / KNOWN_HOSTS),
        "GlobalKnownHostsFile": "/dev/null",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
    }
    return Login(endpoint, profile.user, key | host_key)


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
