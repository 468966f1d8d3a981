"""What is needed to log in: the inventory and ``~/.ssh/config``, put together for one router and its way."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from wifimgr.inventory import Inventory, jumps
from wifimgr.model import Router
from wifimgr.settings import Endpoint, Host, Secret
from wifimgr.ssh.hostkeys import HostKey, KnownHosts, trusted_by_openssh

USUAL_KEYS = ("id_ed25519", "id_ecdsa", "id_rsa")
"""The files of ``~/.ssh`` that are tried where no key is named."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Everything needed to log in to one router. ``keys`` are the pinned host keys."""

    name: str
    endpoint: Endpoint
    user: str
    options: str = ""
    """Follows the user's name in the login itself; people are told the name."""
    keys: tuple[HostKey, ...]
    key_file: Path | None = None
    """Our key, where the network names one."""
    passphrase: Secret | None = field(default=None, repr=False)
    """What it is locked with."""
    password: Secret | None = field(default=None, repr=False)
    """Where no key is named."""
    usual_keys: tuple[Path, ...] = ()
    """Where neither is named: the keys to try, as far as they are there."""
    agent: bool = False
    """Whether all keys of the agent are tried, too."""
    timeout: float = 10.0
    """Seconds that a login may take."""
    legacy: bool = False
    """Whether it may sign with SHA-1 (``legacy_ssh``)."""
    outside: bool = False
    """Whether it is none of our routers, but a host of ``~/.ssh/config`` on the way to one."""
    through: Target | None = None
    """The router or host that this one is reached through; None: straight."""

    def describe(self) -> str:
        """The router's name and where it is reached, for messages."""
        return f"{self.name} ({self.endpoint}{f' through {self.through.name}' if self.through else ''})"


def target_of(inventory: Inventory, known_hosts: KnownHosts, router: Router) -> Target:
    """How to log in to a router, which itself need not be in the inventory: its way is looked up there.

    An endpoint of local.yaml is reached straight. Raises ConfigError (``missing-secret``; ``bad-ssh-config`` and
    ``loop`` for what ``~/.ssh/config`` says) and Refused (``needs-program``).
    """
    through: Target | None = None
    for stop in jumps(inventory, router):
        made = _outside(inventory, stop) if isinstance(stop, Host) else _ours(inventory, known_hosts, stop)
        through = replace(made, through=through)
    return replace(_ours(inventory, known_hosts, router), through=through)


def _ours(inventory: Inventory, known_hosts: KnownHosts, router: Router) -> Target:
    """A router, as if it was reached straight."""
    network, profile = inventory.network, inventory.network.ssh_profile(router)
    named = bool(profile.key or profile.password)
    return Target(
        name=router.name,
        endpoint=network.endpoint(router, "ssh"),
        user=profile.user,
        keys=known_hosts.of(router.name),
        key_file=profile.key,
        passphrase=profile.passphrase.resolve() if profile.passphrase else None,
        password=profile.password.resolve() if profile.password else None,
        usual_keys=() if named else profile.keys or _usual_keys(inventory),
        agent=not (named or profile.keys),
        timeout=profile.timeout,
        legacy=router.legacy_ssh,
    )


def _outside(inventory: Inventory, host: Host) -> Target:
    """A host of ``~/.ssh/config``, whose host key this user's OpenSSH knows."""
    name = host.alias or f"[{host.endpoint.address}]:{host.endpoint.port}"
    return Target(
        name=host.name,
        endpoint=host.endpoint,
        user=host.user,
        keys=trusted_by_openssh(inventory.network.openssh.known_hosts).of([name]),
        usual_keys=host.keys or _usual_keys(inventory),
        agent=not host.keys,
        outside=True,
    )


def _usual_keys(inventory: Inventory) -> tuple[Path, ...]:
    return tuple(inventory.network.openssh.home / ".ssh" / name for name in USUAL_KEYS)
