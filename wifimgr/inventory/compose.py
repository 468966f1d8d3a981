"""Compose each router from defaults, its site and itself: the nearest value wins and knows its origin."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from wifimgr.inventory.schema import Ports, SiteFile
from wifimgr.model import Contact, Lifecycle, Manage, Origin, Router, Site
from wifimgr.settings import Network, SecretRef
from wifimgr.settings.files import Level
from wifimgr.yamlfile import Document, KeyPath, read, validate

VARS = "vars."


class Located(NamedTuple):
    """A value, where it was written, and under which key there."""

    value: Any
    origin: Origin
    key: KeyPath


Values = Mapping[str, Located]
"""The values of one level or one router, flat: ``platform``, ``vars.ssid``; so one union composes two."""


class SiteSource(NamedTuple):
    """One site's file as read."""

    slug: str
    document: Document
    file: SiteFile


class Draft(NamedTuple):
    """A router as composed, before anything is checked across files."""

    router: Router
    values: Values
    entry: Located
    """The router itself: its name, and where its entry stands."""
    document: Document
    """The file of its site."""


def _given(ports: Ports) -> Mapping[str, int]:
    return MappingProxyType(ports.model_dump(exclude_none=True))


_FIELDS: Mapping[str, Callable[[Any], Any]] = {
    "operator": str,
    "platform": str,
    "role": str,
    "ssh": str,
    "jump": str,
    "snmp": str,
    "sources": tuple,
    "interval": float,
    "tags": tuple,
    "lifecycle": Lifecycle,
    "addresses": tuple,
    "model": str,
    "room": str,
    "behind": str,
    "node_id": str,
    "ports": _given,
    "legacy_ssh": bool,
}
"""Keys of a level that become fields of a router, and how."""

REQUIRED = ("operator", "platform", "role")
"""Keys that every router needs from one of the levels."""
_BLANK = dict.fromkeys(REQUIRED, "")


def defaults(network: Network) -> Values:
    """The first level: what network.yaml says for all routers."""
    return _values(network, network.document, ("defaults",), network.file.defaults)


def at_site(network: Network, source: SiteSource, base: Values) -> Values:
    """The first two levels: what a site says for all its routers, over the defaults."""
    return {**base, **_values(network, source.document, (), source.file)}


def inherited(network: Network, shown: str, text: str | None = None) -> dict[str, Any]:
    """What every router of a site's file gets without saying so, by key; with ``text`` as if that stood in the file."""
    document = read(network.folder / shown, shown, text)
    source = SiteSource(Path(shown).stem, document, validate(document, SiteFile))
    return {key: located.value for key, located in at_site(network, source, defaults(network)).items()}


def drafts(network: Network, source: SiteSource, base: Values) -> Iterator[Draft]:
    """The routers of one site, composed over the defaults."""
    file, document = source.file, source.document
    for_all = at_site(network, source, base)
    site_name = Located(file.name, document.origin(("name",)), ("name",))
    servers = _dns_servers(network, source)
    for name, entry in file.routers.items():
        key = ("routers", name)
        here = Located(name, document.origin(key), key)
        added = {f"{VARS}router_name": here, f"{VARS}site_name": site_name, **servers}
        values = {**for_all, **_values(network, document, key, entry), **added}
        yield Draft(_router(network, source.slug, here, values), values, here, document)


def _dns_servers(network: Network, source: SiteSource) -> dict[str, Located]:
    """The variable ``dns_servers`` where the place has a DNS profile that there is."""
    profile = network.file.dns_profiles.get(source.file.dns_profile or "")
    if profile is None:
        return {}
    key = ("dns_profile",)
    return {f"{VARS}dns_servers": Located(tuple(profile.servers), source.document.origin(key), key)}


def site(source: SiteSource, base: Values) -> Site:
    """A site from its file; the defaults may say its lifecycle."""
    file = source.file
    lifecycle = file.lifecycle or (base["lifecycle"].value if "lifecycle" in base else Lifecycle.ACTIVE)
    power, power_hours = file.power
    return Site(
        slug=source.slug,
        name=file.name,
        kind=file.kind,
        public=file.public,
        lifecycle=Lifecycle(lifecycle),
        district=file.district or "",
        address=file.address or "",
        position=file.position,
        prefixes=tuple(file.prefixes),
        opening_hours=file.opening_hours or "",
        power=power,
        power_hours=power_hours,
        uplink=MappingProxyType(file.uplink.model_dump(exclude_none=True)),
        dns_profile=file.dns_profile or "",
        wifi_schedule=file.wifi.schedule,
        show_guests=file.page.show_guests,
        contacts=tuple(Contact(**entry.model_dump(exclude_none=True)) for entry in file.contact),
        private=MappingProxyType(file.private),
        routers=tuple(file.routers),
        origin=source.document.origin(()),
    )


def _values(network: Network, document: Document, key: KeyPath, level: Level) -> dict[str, Located]:
    """What a level says, flat and with origins; what it does not say is not in there."""
    values = {}
    for name in level.model_fields_set & _FIELDS.keys():
        value = getattr(level, name)
        if value is not None:
            here = (*key, name)
            values[name] = Located(_FIELDS[name](value), document.origin(here), here)
    for name, value in level.vars.items():
        here = (*key, "vars", name)
        if isinstance(value, SecretRef):
            value = network.secret(value, document, here)
        values[VARS + name] = Located(value, document.origin(here), here)
    return values


def _router(network: Network, slug: str, entry: Located, values: Values) -> Router:
    fields = {name: located.value for name, located in values.items() if not name.startswith(VARS)}
    if fields.get("jump") == entry.value:  # said for its whole site: it is the one that is logged in through
        fields["jump"] = None
    variables = {name[len(VARS) :]: located.value for name, located in values.items() if name.startswith(VARS)}
    origins = {name: located.origin for name, located in values.items()}
    owner = fields.get("operator", "")
    operator = network.operators.get(owner)
    return Router(
        **_BLANK | fields,
        name=entry.value,
        site=slug,
        manage=Manage(operator.manage) if operator else Manage.WATCH,
        vars=MappingProxyType(variables),
        origins=MappingProxyType(
            {
                "name": entry.origin,
                "site": entry.origin,
                "manage": network.document.origin(("operators", owner, "manage")),
                **origins,
            }
        ),
    )
