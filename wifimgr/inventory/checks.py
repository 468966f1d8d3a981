"""Checks across files: names and addresses used twice, names that mean nothing, circles.

Each check is a function that yields problems; ``CHECKS`` is the list of all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from wifimgr.errors import Problem, did_you_mean
from wifimgr.hours import Hours, HoursError
from wifimgr.inventory.compose import REQUIRED, Draft, Located, SiteSource
from wifimgr.inventory.schema import normalised
from wifimgr.model import Lifecycle
from wifimgr.settings import Network
from wifimgr.yamlfile import Document, KeyPath, dotted

AS_OPEN = "opening-hours"
"""A schedule of the Wi-Fi that is the opening hours of its place."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Everything that was read."""

    network: Network
    sources: Sequence[SiteSource]
    drafts: Sequence[Draft]
    routers: Mapping[str, Draft]
    """By name; the first one where a name is used twice."""
    names: Collection[str] | None
    """All names of routers that may be meant; None: not known."""


def problems(
    network: Network, sources: Sequence[SiteSource], drafts: Sequence[Draft], names: Collection[str] | None
) -> list[Problem]:
    """Everything that is wrong across files.

    ``names`` are all routers there are, also those in files that are wrong elsewhere. None: nobody knows,
    because a file could not be read; then no name of a router is called unknown.
    """
    routers = {draft.router.name: draft for draft in reversed(drafts)}
    scope = Scope(network, sources, drafts, routers, names)
    return list(dict.fromkeys(problem for check in CHECKS for problem in check(scope)))


def _at(located: Located, id: str, what: str, hint: str) -> Problem:
    return Problem(id, str(located.origin), dotted(located.key), what, hint)


def _missing(scope: Scope) -> Iterator[Problem]:
    for draft in scope.drafts:
        for key in REQUIRED:
            if key not in draft.values:
                hint = f"write it here, at the site, or in defaults of {scope.network.document.shown}"
                yield _at(draft.entry, "missing-key", f"the router has no {key}", hint)


def _names(scope: Scope) -> Iterator[Problem]:
    first = scope.routers
    for draft in scope.drafts:
        other = first[draft.router.name]
        if other is not draft:
            hint = f"the first one is in {other.entry.origin}; rename one"
            yield _at(draft.entry, "duplicate-name", f"the router name '{draft.router.name}' is used twice", hint)


def _addresses(scope: Scope) -> Iterator[Problem]:
    """A retired router no longer holds its addresses."""
    owners: dict[str, Draft] = {}
    for draft in scope.drafts:
        addresses = () if draft.router.lifecycle is Lifecycle.RETIRED else draft.router.addresses
        for address in addresses:
            same = normalised(address)
            if same in owners:
                other = owners[same]
                hint = f"{other.router.name} has it in {other.values['addresses'].origin}"
                what = f"the address {address} is used twice"
                yield _at(draft.values["addresses"], "duplicate-address", what, hint)
            owners.setdefault(same, draft)


_REFERENCES: tuple[tuple[str, str, Callable[[Scope], Collection[str] | None]], ...] = (
    ("operator", "operator", lambda scope: scope.network.operators),
    ("ssh", "SSH profile", lambda scope: scope.network.ssh_profiles),
    ("snmp", "SNMP profile", lambda scope: scope.network.snmp_profiles),
    ("behind", "router", lambda scope: scope.names),
)
"""Keys of a router whose value is the name of something else: what that is, and which ones there are."""


def _references(scope: Scope) -> Iterator[Problem]:
    for key, noun, names in _REFERENCES:
        known = names(scope)
        for draft in scope.drafts:
            located = draft.values.get(key)
            if located and known is not None and located.value not in known:
                hint = did_you_mean(located.value, known)
                yield _at(located, "unknown-name", f"there is no {noun} '{located.value}'", hint)


def _uplinks(scope: Scope) -> Iterator[Problem]:
    uplinks = scope.network.uplinks
    for source in scope.sources:
        for kind, name in source.file.uplink.model_dump(exclude_none=True).items():
            known = [uplink for uplink in uplinks if uplinks[uplink].kind == kind]
            if name not in known:
                what, hint = f"there is no {kind} '{name}'", did_you_mean(name, known)
                yield source.document.problem("unknown-name", ("uplink", kind), what, hint)


def _local_endpoints(scope: Scope) -> Iterator[Problem]:
    document, known = scope.network.local_document, scope.names
    for name in scope.network.local.endpoints:
        if known is not None and name not in known:
            what, hint = f"there is no router '{name}'", did_you_mean(name, known)
            yield document.problem("unknown-name", ("endpoints", name), what, hint)


def _circles(scope: Scope) -> Iterator[Problem]:
    routers = scope.routers
    seen: set[str] = set()
    for name in routers:
        way: dict[str, None] = {}
        step = name
        while step in routers and step not in seen:
            seen.add(step)
            way[step] = None
            step = routers[step].router.behind or ""
        if step in way:
            circle = [*way][[*way].index(step) :]
            what = f"routers stand behind each other in a circle: {' -> '.join([*circle, step])}"
            yield _at(routers[step].values["behind"], "loop", what, "take one behind out")


def _hours(scope: Scope) -> Iterator[Problem]:
    for document, key, text in _all_hours(scope):
        try:
            Hours.parse(text, scope.network.calendar)
        except HoursError as error:
            yield document.problem("wrong-type", key, error.what, error.hint)


def _all_hours(scope: Scope) -> Iterator[tuple[Document, KeyPath, str]]:
    """All hours that are written somewhere."""
    public = scope.network.file.contact.public
    if public and public.hours:
        yield scope.network.document, ("contact", "public", "hours"), public.hours
    for _, document, file in scope.sources:
        hours: list[tuple[KeyPath, str | None]] = [
            (("opening_hours",), file.opening_hours),
            (("power", "switched"), file.power[1]),
            (("wifi", "schedule"), None if file.wifi.schedule == AS_OPEN else file.wifi.schedule),
            *((("contact", index, "hours"), contact.hours) for index, contact in enumerate(file.contact)),
        ]
        yield from ((document, key, text) for key, text in hours if text)


def _schedules(scope: Scope) -> Iterator[Problem]:
    for _, document, file in scope.sources:
        if file.wifi.schedule == AS_OPEN and not file.opening_hours:
            hint = "add opening_hours, or write hours here"
            yield document.problem("missing-key", ("wifi", "schedule"), "this place has no opening_hours", hint)


CHECKS: tuple[Callable[[Scope], Iterator[Problem]], ...] = (
    _missing,
    _names,
    _addresses,
    _references,
    _uplinks,
    _local_endpoints,
    _circles,
    _hours,
    _schedules,
)
