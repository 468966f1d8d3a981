"""``ansible``: an inventory for Ansible as YAML (its plugin ``ansible.builtin.yaml``).

Text is tagged ``!unsafe``: Ansible takes it as it is, also where it holds ``{{ }}``.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import yaml

from wifimgr.errors import ConfigError
from wifimgr.inventory.exporters.base import with_address
from wifimgr.inventory.exporters.login import Login, literal, login_of
from wifimgr.inventory.load import Inventory
from wifimgr.inventory.way import Stop, jumps
from wifimgr.model import Router
from wifimgr.settings import SecretRef

try:
    from yaml import CSafeDumper as _SafeDumper
except ImportError:  # PyYAML without libyaml: the same language, slower
    from yaml import SafeDumper as _SafeDumper  # type: ignore[assignment]

OBEYED = "ansible_"
"""Ansible does what variables with such a name say: they come from us alone, not from ``vars``."""

MOST_JUMPS = 5
"""Each router on the way makes the command line three times as long."""

GROUPS: Mapping[str, Callable[[Inventory, Router], str]] = {
    "site": lambda inventory, router: router.site,
    "kind": lambda inventory, router: inventory.sites[router.site].kind,
    "role": lambda inventory, router: router.role,
    "platform": lambda inventory, router: router.platform,
    "manage": lambda inventory, router: router.manage,
}
"""What routers are grouped by. A group is named like ``role_access_point``, so none is called like a router."""


class _Text(str):
    """Text that is no template."""

    __slots__ = ()


class _Dumper(_SafeDumper):
    def ignore_aliases(self, data: object) -> bool:
        return True


_Dumper.add_representer(_Text, lambda dumper, text: dumper.represent_scalar("!unsafe", str(text)))


def export(inventory: Inventory, routers: Sequence[Router]) -> str:
    """Hosts with the way to log in to them and their variables, and groups. Raises ConfigError ``cannot-export``."""
    hosts = with_address(routers)
    groups: dict[str, dict[str, Any]] = {}
    for key, value_of in GROUPS.items():
        for router in hosts:
            name = f"{key}_{value_of(inventory, router)}".replace("-", "_")
            groups.setdefault(name, {"hosts": {}})["hosts"][router.name] = {}
    document = {"all": {"hosts": {router.name: _variables(inventory, router) for router in hosts}, "children": groups}}
    return yaml.dump(document, Dumper=_Dumper, sort_keys=False, width=1 << 20)


def _variables(inventory: Inventory, router: Router) -> dict[str, Any]:
    login = login_of(inventory, router)
    ours = {
        "ansible_host": login.endpoint.address,
        "ansible_port": login.endpoint.port,
        "ansible_user": login.user,
        "ansible_ssh_common_args": shlex.join(_options(inventory, router, login)),
    }
    plain = {
        name: value
        for name, value in sorted(router.vars.items())
        if not (isinstance(value, SecretRef) or name.startswith(OBEYED))
    }
    return {name: _as_it_is(value) for name, value in (ours | plain).items()}


def _options(inventory: Inventory, router: Router, login: Login) -> list[str]:
    """What OpenSSH is told besides: our key, the trusted host key, and how to get there through others."""
    way = jumps(inventory, router)
    if len(way) > MOST_JUMPS:
        what, where = f"is reached through more than {MOST_JUMPS} routers", str(router.origins.get("jump", ""))
        raise ConfigError(
            "cannot-export", what, where=where, key=router.name, hint="export ssh_config in place of ansible"
        )
    return _words(login, _connect(inventory, way))


def _words(login: Login, command: str) -> list[str]:
    options = (*login.options, ("ProxyCommand", command)) if command else login.options
    return [word for key, value in options for word in ("-o", f"{key}={value}")]


def _connect(inventory: Inventory, way: Sequence[Stop]) -> str:
    """The command that connects through others, from us on; with ``ProxyJump`` none of our options would count there.

    Empty: there is nobody on the way.
    """
    if not way:
        return ""
    *before, jump = way
    login = login_of(inventory, jump)
    words = ["ssh", *_words(login, _connect(inventory, before)), "-p", str(login.endpoint.port)]
    return f"{literal(shlex.join(words))} -W '[%h]:%p' {login.user}@{literal(login.endpoint.address)}"


def _as_it_is(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_as_it_is(item) for item in value]
    return _Text(value) if isinstance(value, str) else value
