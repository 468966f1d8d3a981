"""Whose a trouble is: the router, the house, the provider, a gateway, or the whole city."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from enum import Enum, auto

from wifimgr.health.routers import Judged
from wifimgr.model import Fault, Site, State


class _Standing(Enum):
    """How a place stands in comparison with others."""

    ONLINE = auto()
    """Something reaches the internet."""
    OFFLINE = auto()
    """It answers, and the internet was checked and not reached."""
    ANSWERS = auto()
    """It answers; nobody checked the internet."""
    SILENT = auto()
    """Nothing answers, and not because of a router at another place or planned power."""


_BETTER = {
    _Standing.OFFLINE: frozenset({_Standing.ONLINE}),
    _Standing.SILENT: frozenset({_Standing.ONLINE, _Standing.OFFLINE, _Standing.ANSWERS}),
}
"""For each trouble: what a place does that does not have it."""
_WIDEST_FIRST = (Fault.CITY, Fault.GATEWAY, Fault.PROVIDER, Fault.HOUSE, Fault.ROUTER, Fault.UNKNOWN)


def _standing(here: Sequence[Judged]) -> _Standing | None:
    if answering := [one for one in here if one.answers]:
        checked = [one.internet.works for one in answering if one.internet]
        return _Standing.ANSWERS if not checked else _Standing.ONLINE if any(checked) else _Standing.OFFLINE
    silent = any(one.state is State.DOWN and not one.is_maintained for one in here)
    return _Standing.SILENT if silent else None


class Blame:
    """Whose a trouble is. Places that share a provider or a gateway are compared."""

    def __init__(self, sites: Mapping[str, Site], here: Mapping[str, Sequence[Judged]]) -> None:
        self._sites = sites
        self._standings = {slug: standing for slug in sites if (standing := _standing(here[slug]))}
        self._counts: dict[tuple[str, str], Counter[_Standing]] = defaultdict(Counter)
        """(kind, uplink) to how the places behind it stand."""
        self._providers: dict[tuple[str, _Standing], set[str]] = defaultdict(set)
        """(gateway, standing) to the providers of its places that stand so."""
        for slug, standing in self._standings.items():
            uplink = sites[slug].uplink
            for kind, name in uplink.items():
                self._counts[kind, name][standing] += 1
            self._providers[uplink.get("gateway", ""), standing].add(uplink.get("provider", ""))
        self._all = Counter(self._standings.values())
        self._is_city = self._is_citywide()

    def of_router(self, one: Judged) -> Fault | None:
        """Whose it is that a router is not up; None: it is, or nobody knows."""
        if one.state in (State.UP, State.UNKNOWN):
            return None
        slug, first = one.heard.router.site, one.reasons[0].id
        standing = self._standings.get(slug)
        if first == "no-internet" and one.internet and one.internet.asked_from == "mesh":
            return Fault.GATEWAY
        whole = {"silent": _Standing.SILENT, "no-internet": _Standing.OFFLINE}.get(first)
        return self._of_place(slug, whole) if whole and whole is standing else Fault.ROUTER

    def widest(self, routers: Sequence[Judged]) -> Fault | None:
        """Of the faults of several routers the one that explains most."""
        faults = {self.of_router(one) for one in routers}
        return next((fault for fault in _WIDEST_FIRST if fault in faults), None)

    def _of_place(self, slug: str, trouble: _Standing) -> Fault:
        uplink = self._sites[slug].uplink
        provider, gateway = ("provider", uplink.get("provider", "")), ("gateway", uplink.get("gateway", ""))
        if self._is_city:
            return Fault.CITY
        if self._fails_whole(gateway, trouble) and len(self._providers[gateway[1], trouble]) > 1:
            return Fault.GATEWAY
        if self._fails_whole(provider, trouble) or trouble is _Standing.OFFLINE:
            return Fault.PROVIDER
        return Fault.HOUSE if self._better(self._counts[provider], trouble) else Fault.UNKNOWN

    def _better(self, counts: Counter[_Standing], trouble: _Standing) -> int:
        """How many places do not have this trouble."""
        return sum(counts[standing] for standing in _BETTER[trouble])

    def _fails_whole(self, uplink: tuple[str, str], trouble: _Standing) -> bool:
        """Whether all places behind an uplink have this trouble, and there are several."""
        counts = self._counts[uplink]
        if counts[trouble] < 2 or self._better(counts, trouble):
            return False
        # Where nobody answers anywhere, there is nothing to compare with.
        return trouble is not _Standing.SILENT or self._better(self._all, trouble) > 0

    def _is_citywide(self) -> bool:
        """Whether at least half of all places are in trouble, and no uplink that they share explains it."""
        troubled = [self._sites[slug].uplink for slug, standing in self._standings.items() if standing in _BETTER]

        def outside(kind: str) -> int:
            """How many of them are not behind the uplink that has most of them."""
            named = Counter(uplink[kind] for uplink in troubled if kind in uplink)
            return named.total() - max(named.values(), default=0)

        has_gateways = any("gateway" in uplink for uplink in troubled)
        is_shared = outside("provider") < 2 or (has_gateways and outside("gateway") < 2)
        return not is_shared and 2 * len(troubled) >= len(self._standings)
