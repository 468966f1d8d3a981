"""Checks across files: names and addresses used twice, names that mean nothing, circles.

Each check is a function that yields problems; ``CHECKS`` is the list of all of them. They find what makes an inventory
unusable; what is wrong with one that can be used is found in :mod:`~wifimgr.inventory.findings`.

Where a file is wrong, everything that was read is judged all the same. What was left out must raise no false alarm:
nothing is called missing, unknown or used twice that the part left out could explain (:meth:`Scope.sure`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

from wifimgr.errors import Problem, did_you_mean
from wifimgr.hours import Hours, HoursError
from wifimgr.inventory.compose import REQUIRED, Draft, Located, SiteSource
from wifimgr.inventory.schema import normalised
from wifimgr.model import Lifecycle, Manage, Router, Site
from wifimgr.settings import Network
from wifimgr.yamlfile import Document, KeyPath, dotted

AS_OPEN = "opening-hours"
"""A schedule of the Wi-Fi that is the opening hours of its place."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Everything that was read."""

    network: Network
    sources: Sequence[SiteSource]
    sites: Mapping[str, Site]
    drafts: Sequence[Draft]
    routers: Mapping[str, Draft]
    """By name; the first one where a name is used twice."""
    names: Collection[str] | None
    """All routers there are, also wrong ones. None: nobody knows, because a file could not be read."""

    def sure(self, draft: Draft, *keys: str) -> bool:
        """Whether a router surely has under these keys what it seems to: on none of its levels was one left out."""
        defaults, own = self.network.document.gaps, draft.document.gaps
        return defaults.sure(("defaults",), *keys) and own.sure((), *keys) and own.sure(draft.entry.key, *keys)


def problems(scope: Scope) -> list[Problem]:
    """Everything across files that makes the inventory unusable."""
    return [problem for check in CHECKS for problem in check(scope)]


def in_use(thing: Router | Site) -> bool:
    """Whether it is there now: neither planned nor retired."""
    return thing.lifecycle in (Lifecycle.ACTIVE, Lifecycle.MAINTENANCE)


def _at(located: Located, id: str, what: str, hint: str) -> Problem:
    return Problem(id, str(located.origin), dotted(located.key), what, hint)


def _missing(scope: Scope) -> Iterator[Problem]:
    for draft in scope.drafts:
        for key in REQUIRED:
            if key not in draft.values and scope.sure(draft, key):
                hint = f"write it here, at the site, or in defaults of {scope.network.document.shown}"
                yield _at(draft.entry, "missing-key", f"the router has no {key}", hint)


_ASKED_BY = ("addresses", "lifecycle", "operator", "sources")
"""What decides whether a router needs an address."""


def _unreachable(scope: Scope) -> Iterator[Problem]:
    """Who is asked or changed needs an address; not who is planned, gone, or only known from a map."""
    for draft in scope.drafts:
        router = draft.router
        asked = router.manage is Manage.PUSH or set(router.sources) - {"map"}
        if asked and not router.addresses and in_use(router) and scope.sure(draft, *_ASKED_BY):
            hint = "add them, or say lifecycle: planned, or sources: [map] for one that is only watched"
            yield _at(draft.entry, "missing-key", "the router has no addresses", hint)


def _names(scope: Scope) -> Iterator[Problem]:
    first = scope.routers
    for draft in scope.drafts:
        other = first[draft.router.name]
        if other is not draft:
            hint = f"the first one is in {other.entry.origin}; rename one"
            yield _at(draft.entry, "duplicate-name", f"the router name '{draft.router.name}' is used twice", hint)


def held(draft: Draft) -> Sequence[str]:
    """The addresses that a router has now: none when it is retired, or may be, as its lifecycle is wrong."""
    wrong = any(draft.document.gaps.concern((*at, "lifecycle")) for at in ((), draft.entry.key))
    return () if wrong or draft.router.lifecycle is Lifecycle.RETIRED else draft.router.addresses


def _addresses(scope: Scope) -> Iterator[Problem]:
    """Behind each jump router lies a network of its own: many houses have a 192.168.1.1."""
    owners: dict[tuple[str, str], Draft] = {}
    for draft in scope.drafts:
        for address in held(draft):
            same = (draft.router.jump or "", normalised(address))
            if same in owners:
                other = owners[same]
                hint = f"{other.router.name} has it in {other.values['addresses'].origin}"
                what = f"the address {address} is used twice"
                yield _at(draft.values["addresses"], "duplicate-address", what, hint)
            owners.setdefault(same, draft)


MOST_HINTS = 100
"""Names that are looked for among all others: each costs a look at every one of them."""
_REFERENCES: tuple[tuple[str, str, Callable[[Scope], Collection[str] | None]], ...] = (
    ("operator", "operator", lambda scope: scope.network.document.names("operators")),
    ("ssh", "SSH profile", lambda scope: scope.network.ssh_names()),
    ("snmp", "SNMP profile", lambda scope: scope.network.document.names("profiles", "snmp")),
    ("behind", "router", lambda scope: scope.names),
    ("jump", "router", lambda scope: scope.names),
)
"""Keys of a router whose value is the name of something else: what that is, and which ones there are."""


def _references(scope: Scope) -> Iterator[Problem]:
    for key, noun, names in _REFERENCES:
        known = names(scope)
        if known is None:
            continue
        told = dict.fromkeys(draft.values[key] for draft in scope.drafts if key in draft.values)
        for number, located in enumerate(each for each in told if each.value not in known):
            hint = did_you_mean(located.value, known) if number < MOST_HINTS else "see 'wifimgr router list'"
            yield _at(located, "unknown-name", f"there is no {noun} '{located.value}'", hint)


def _uplinks(scope: Scope) -> Iterator[Problem]:
    uplinks, names = scope.network.uplinks, scope.network.document.names("uplinks")
    if names is None:
        return
    for source in scope.sources:
        for kind, name in source.file.uplink.model_dump(exclude_none=True).items():
            known = [uplink for uplink in names if uplink not in uplinks or uplinks[uplink].kind == kind]
            if name not in known:
                what, hint = f"there is no {kind} '{name}'", did_you_mean(name, known)
                yield source.document.problem("unknown-name", ("uplink", kind), what, hint)


def _dns_profiles(scope: Scope) -> Iterator[Problem]:
    known = scope.network.document.names("dns_profiles")
    for source in scope.sources:
        name = source.file.dns_profile
        if known is not None and name and name not in known:
            what, hint = f"there is no DNS profile '{name}'", did_you_mean(name, known)
            yield source.document.problem("unknown-name", ("dns_profile",), what, hint)


def _local_endpoints(scope: Scope) -> Iterator[Problem]:
    document, known = scope.network.local_document, scope.names
    for name in scope.network.local.endpoints:
        if known is not None and name not in known:
            what, hint = f"there is no router '{name}'", did_you_mean(name, known)
            yield document.problem("unknown-name", ("endpoints", name), what, hint)


_WAYS = {
    "behind": "routers stand behind each other in a circle",
    "jump": "routers are logged in to through each other in a circle",
}
"""Keys of a router that lead to another one, and what to say where they lead back."""


def _circles(scope: Scope) -> Iterator[Problem]:
    for key, what in _WAYS.items():
        for circle in _circles_of(scope.routers, key):
            names = " -> ".join([*circle, circle[0]])
            yield _at(scope.routers[circle[0]].values[key], "loop", f"{what}: {names}", f"take one {key} out")


def _circles_of(routers: Mapping[str, Draft], key: str) -> Iterator[list[str]]:
    """Each circle once, beginning with the router that the way into it meets first."""
    seen: set[str] = set()
    for name in routers:
        way: dict[str, None] = {}
        step = name
        while step in routers and step not in seen:
            seen.add(step)
            way[step] = None
            step = getattr(routers[step].router, key) or ""
        if step in way:
            yield [*way][[*way].index(step) :]


def _hours(scope: Scope) -> Iterator[Problem]:
    for document, key, text in all_hours(scope):
        try:
            Hours.parse(text, scope.network.calendar)
        except HoursError as error:
            what = error.unquoted if key[0] == "contact" else error.what
            yield document.problem("wrong-type", key, what, error.hint)


def all_hours(scope: Scope) -> Iterator[tuple[Document, KeyPath, str]]:
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
        if file.wifi.schedule == AS_OPEN and not file.opening_hours and document.gaps.sure((), "opening_hours"):
            hint = "add opening_hours, or write hours here"
            yield document.problem("missing-key", ("wifi", "schedule"), "this place has no opening_hours", hint)


CHECKS: tuple[Callable[[Scope], Iterator[Problem]], ...] = (
    _missing,
    _unreachable,
    _names,
    _addresses,
    _references,
    _uplinks,
    _dns_profiles,
    _local_endpoints,
    _circles,
    _hours,
    _schedules,
)
