"""What is wrong with an inventory that can be used all the same: only ``wifimgr check`` tells it.

Address ranges that overlap, places without routers, positions off the map: half-finished work looks like this, and it
must not stop the next command. Each of ``FINDINGS`` is a function that yields problems.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, timedelta
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Any

from pydantic import BaseModel

from wifimgr.errors import ConfigError, Problem
from wifimgr.hours import known_hours
from wifimgr.inventory.checks import Scope, all_hours, held, in_use
from wifimgr.inventory.compose import SiteSource
from wifimgr.inventory.schema import ip_of
from wifimgr.model import Lifecycle, Origin
from wifimgr.settings import Network, SecretRef
from wifimgr.yamlfile import Document, KeyPath

Range = IPv4Network | IPv6Network

SCHOOL_NOTICE = timedelta(days=30)
"""How long before its end the file of school holidays should be continued."""


def findings(scope: Scope, today: date) -> list[Problem]:
    """Everything that is wrong, or will be soon, in no special order."""
    found = [problem for find in FINDINGS for problem in find(scope)]
    return [*found, *_school_holidays_end(scope, today), *_legacy_ssh(scope)]


# --- address ranges ---


class Ranges:
    """Address ranges by their owners. Looking for one costs a step for each length of prefix that is in use."""

    def __init__(self, owned: Iterable[tuple[Range, str, Origin]]) -> None:
        self._found: dict[tuple[int, int], dict[int, tuple[Range, dict[str, Origin]]]] = {}
        for network, owner, origin in owned:
            same_length = self._found.setdefault((network.version, network.prefixlen), {})
            _, owners = same_length.setdefault(_bits(network, network.prefixlen), (network, {}))
            owners.setdefault(owner, origin)
        self._lengths = {
            version: sorted((length for each, length in self._found if each == version), reverse=True)
            for version in (4, 6)
        }

    def know(self, version: int) -> bool:
        """Whether there is any range of this version of IP."""
        return bool(self._lengths[version])

    def around(self, inner: Range | IPv4Address | IPv6Address) -> Iterator[tuple[Range, Mapping[str, Origin]]]:
        """Every range that holds all of ``inner``, the narrowest first: its owners, and where each wrote it."""
        most = inner.prefixlen if isinstance(inner, Range) else inner.max_prefixlen
        for length in self._lengths[inner.version]:
            if length <= most and (found := self._found[inner.version, length].get(_bits(inner, length))):
                yield found


def _bits(inner: Range | IPv4Address | IPv6Address, length: int) -> int:
    """The first bits of an address or a range, as a number."""
    first = inner.network_address if isinstance(inner, Range) else inner
    return int(first) >> inner.max_prefixlen - length


def _owned(scope: Scope) -> Iterator[tuple[SiteSource, int, Range]]:
    """The ranges of all places, each with its number there. A retired place has none any more."""
    for source in scope.sources:
        retired = scope.sites[source.slug].lifecycle is Lifecycle.RETIRED
        if not retired and not source.document.gaps.concern(("lifecycle",)):
            yield from ((source, index, prefix) for index, prefix in enumerate(source.file.prefixes))


def _ranges(scope: Scope) -> Ranges:
    """The ranges of all places, by their slugs."""
    return Ranges(
        (prefix, source.slug, source.document.origin(("prefixes", index))) for source, index, prefix in _owned(scope)
    )


def _our_ranges(scope: Scope) -> Ranges:
    """The ranges of the network itself."""
    origin = scope.network.document.origin(("prefixes",))
    return Ranges((prefix, "", origin) for prefix in scope.network.file.prefixes)


def _prefixes(scope: Scope) -> Iterator[Problem]:
    ours, ranges, shown = _our_ranges(scope), _ranges(scope), scope.network.document.shown
    for source, index, prefix in _owned(scope):
        key = ("prefixes", index)
        if ours.know(prefix.version) and not any(ours.around(prefix)):
            what, hint = f"the range {prefix} is none of ours", f"correct it, or add it to prefixes in {shown}"
            yield source.document.problem("foreign-address", key, what, hint)
        if outer := _overlapped(ranges, source.slug, prefix):
            other, owner, origin = outer
            what = f"the range {prefix} overlaps {other} of {owner}"
            yield source.document.problem("overlapping-prefix", key, what, f"see {origin}; make one of them smaller")


def _overlapped(ranges: Ranges, slug: str, prefix: Range) -> tuple[Range, str, Origin] | None:
    """The range of another place that holds this one; of two equal ones only the later one is told about the first.

    Two ranges overlap only where one holds the other, so it is told once: at the inner one. A wider range of the same
    place speaks for itself.
    """
    for outer, owners in ranges.around(prefix):
        owner, origin = next(iter(owners.items()))
        if owner != slug and (outer == prefix or slug not in owners):
            return outer, owner, origin
        if outer != prefix:
            return None
    return None


def _addresses(scope: Scope) -> Iterator[Problem]:
    """Link-local addresses are in nobody's range, nor are those behind a jump router; of DNS names nobody knows."""
    ours, ranges, shown = _our_ranges(scope), _ranges(scope), scope.network.document.shown
    for draft in scope.drafts:
        for index, address in enumerate(held(draft)):
            ip = ip_of(address)
            if ip is None or ip.is_link_local or draft.router.jump:
                continue
            key = (*draft.entry.key, "addresses", index)
            if ours.know(ip.version) and not any(ours.around(ip)):
                what, hint = f"{address} is no address of ours", f"correct it, or add its range to prefixes in {shown}"
                yield draft.document.problem("foreign-address", key, what, hint)
            elif around := _foreign(ranges, draft.router.site, ip):
                other, owner, origin = around
                what, hint = f"{address} is an address of {owner}", f"see {other} in {origin}; correct one of them"
                yield draft.document.problem("foreign-address", key, what, hint)


def _foreign(ranges: Ranges, slug: str, ip: IPv4Address | IPv6Address) -> tuple[Range, str, Origin] | None:
    """The narrowest range of another place that holds an address, unless one of its own place does, too."""
    around = list(ranges.around(ip))
    if not around or any(slug in owners for _, owners in around):
        return None
    outer, owners = around[0]
    return outer, *next(iter(owners.items()))


# --- places ---


def _positions(scope: Scope) -> Iterator[Problem]:
    area, shown = scope.network.file.area, scope.network.document.shown
    for _, document, file in scope.sources:
        if area and file.position and not area.holds(file.position):
            swapped = area.holds((file.position[1], file.position[0]))
            hint = "swap latitude and longitude" if swapped else f"correct it, or make area in {shown} larger"
            yield document.problem("outside-area", ("position",), "lies outside the area of the network", hint)


def _empty(scope: Scope) -> Iterator[Problem]:
    defaults = scope.network.document.gaps
    for slug, document, file in scope.sources:
        sure = defaults.sure(("defaults",), "lifecycle") and document.gaps.sure((), "routers", "lifecycle")
        if not file.routers and in_use(scope.sites[slug]) and sure:
            hint = "add one with 'wifimgr router add', say lifecycle: planned, or take the file away"
            yield document.problem("no-routers", ("routers",), "this place has no routers", hint)


def _contacts(scope: Scope) -> Iterator[Problem]:
    """A public place has a page, and that tells when somebody can be called."""
    network = scope.network
    known = network.file.contact.public and network.file.contact.public.hours
    if known or not network.document.gaps.sure((), "contact"):
        return
    for slug, document, file in scope.sources:
        told = any(contact.public and contact.hours for contact in file.contact)
        if file.public and in_use(scope.sites[slug]) and not told and document.gaps.sure((), "contact", "lifecycle"):
            what = "this place is public, and nobody says when somebody can be called"
            hint = f"add hours to a contact with public: true, or to contact of {network.document.shown}"
            yield document.problem("no-contact-hours", ("public",), what, hint)


def _school_holidays_end(scope: Scope, today: date) -> Iterator[Problem]:
    calendar, document = scope.network.calendar, scope.network.school_document
    if document is None or calendar.until - today > SCHOOL_NOTICE:
        return
    used = (known_hours(text, calendar) for _, _, text in all_hours(scope))
    if any(hours is not None and hours.need_school for hours in used):
        what = f"school holidays {'were' if calendar.until < today else 'are'} known until this day only"
        hint = "continue the file: later, hours with SH are neither open nor closed"
        yield replace(document.problem("school-holidays-end", ("until",), what, hint), severity="warning")


# --- logins ---


def _legacy_ssh(scope: Scope) -> Iterator[Problem]:
    """A router that speaks old SSH is told each time: it is a hole that nobody should get used to."""
    for draft in scope.drafts:
        if draft.router.legacy_ssh and in_use(draft.router):
            key = (*draft.entry.key, "legacy_ssh")
            what = "its SSH server may sign with SHA-1: whoever can forge that can pass for this router"
            hint = "update its firmware, then take legacy_ssh out"
            yield replace(draft.document.problem("legacy-ssh", key, what, hint), severity="warning")


FINDINGS: tuple[Callable[[Scope], Iterator[Problem]], ...] = (
    _prefixes,
    _addresses,
    _positions,
    _empty,
    _contacts,
)


# --- secrets ---


def missing_secrets(network: Network, files: Iterable[tuple[Document, BaseModel]]) -> Iterator[Problem]:
    """Fetches every secret that files refer to, each once, and tells each place whose secret cannot be had."""
    tried: dict[SecretRef, ConfigError | None] = {}
    for document, file in files:
        for key, ref in _references(file, ()):
            secret = network.secret(ref, document, key)
            if secret not in tried:
                tried[secret] = _failure(secret)
            if error := tried[secret]:
                yield document.problem(error.id, key, error.what, error.hint)


def _references(value: Any, key: KeyPath) -> Iterator[tuple[KeyPath, SecretRef]]:
    """Every reference to a secret in what was read from a file, and its key."""
    if isinstance(value, SecretRef):
        yield key, value
    elif isinstance(value, BaseModel | Mapping):
        for name, item in dict(value).items():
            yield from _references(item, (*key, name))


def _failure(secret: SecretRef) -> ConfigError | None:
    try:
        secret.resolve()
    except ConfigError as error:
        return error
    return None
