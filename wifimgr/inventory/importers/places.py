"""Where newcomers shall stand: what is near each other is found over a grid, so thousands of them take linear time."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from statistics import median
from typing import Generic, TypeVar

from wifimgr.inventory.findings import Ranges
from wifimgr.inventory.importers.base import Found
from wifimgr.inventory.importers.names import Unique, slug, start
from wifimgr.inventory.load import Inventory
from wifimgr.inventory.schema import ip_of
from wifimgr.model import Lifecycle, Origin
from wifimgr.settings.area import EARTH_METERS, Point, meters_between

NEAR = 75.0
"""Metres: routers of one house are told to be that near each other."""
_STEP = math.degrees(NEAR * 1.01 / EARTH_METERS)
"""Degrees from one row of the grid to the next: a little more than NEAR, for no row to be passed over."""

Thing = TypeVar("Thing")


class Near(Generic[Thing]):
    """Things on the ground."""

    def __init__(self) -> None:
        self._cells: defaultdict[tuple[int, int], list[tuple[Point, Thing]]] = defaultdict(list)

    def add(self, point: Point, thing: Thing) -> None:
        """Put a thing somewhere."""
        row = _row(point)
        self._cells[row, _column(point, row)].append((point, thing))

    def nearest(self, point: Point) -> Thing | None:
        """The nearest thing within :data:`NEAR`; of equally near ones always the same."""
        row = _row(point)
        around = (
            (meters_between(point, other), thing)
            for near_row in (row - 1, row, row + 1)
            for column in range(_column(point, near_row) - 1, _column(point, near_row) + 2)
            for other, thing in self._cells.get((near_row, column), ())
        )
        meters, thing = min(around, key=lambda pair: pair[0], default=(math.inf, None))
        return thing if meters <= NEAR else None


def _row(point: Point) -> int:
    return math.floor(point[0] / _STEP)


def _column(point: Point, row: int) -> int:
    """Columns grow narrow towards the poles, in degrees they grow wide."""
    farthest = min(89.0, (abs(row) + 1) * _STEP)
    return math.floor(point[1] * math.cos(math.radians(farthest)) / _STEP)


def middle(points: list[Point]) -> Point:
    """The median of positions, to about a metre: one that is far off does not move it."""
    return round(median(lat for lat, _ in points), 5), round(median(lon for _, lon in points), 5)


# ---------------------------------------------------------------- from routers to places

UNPLACED, UNPLACED_NAME = "unplaced", "Ohne Ort"
"""The place of all routers that nothing tells the place of."""


@dataclass(frozen=True, slots=True)
class Newcomer:
    """A router that is not in the inventory yet, under a name that is valid and no other's."""

    name: str
    found: Found


@dataclass(slots=True)
class Place:
    """A place, and the newcomers that shall stand there."""

    slug: str
    name: str
    new: bool
    """Whether its file is still to be written."""
    routers: list[Newcomer] = field(default_factory=list)

    @property
    def position(self) -> Point | None:
        """The middle of its newcomers; None: no position is told."""
        points = [router.found.position for router in self.routers if router.found.position]
        return middle(points) if points else None

    @property
    def district(self) -> str:
        """The first one that is told."""
        return next((router.found.district for router in self.routers if router.found.district), "")


def place(inventory: Inventory, newcomers: Iterable[Newcomer]) -> list[Place]:
    """Where newcomers shall stand: each place once, with those that come to it.

    Where the file says so; else at the place whose addresses they have, or that is near; else together with newcomers
    that are near; else, without a position, with those whose names start alike; and all the rest at one place for what
    is still to be sorted.
    """
    return _Placing(inventory).place(newcomers)


class _Placing:
    def __init__(self, inventory: Inventory) -> None:
        self._sites = inventory.sites
        in_use = [site for site in inventory.sites.values() if site.lifecycle is not Lifecycle.RETIRED]
        # To be near, or to be called alike, is a guess, and a guess never puts a router onto a page.
        self._open = {site.slug for site in in_use if not site.public}
        self._named = {site.name.casefold(): site.slug for site in reversed(in_use)}
        self._ranges = Ranges(
            (prefix, site.slug, site.origin or Origin("", 0)) for site in in_use for prefix in site.prefixes
        )
        self._near: Near[str] = Near()
        for site in in_use:
            if site.position and site.slug in self._open:
                self._near.add(site.position, site.slug)
        self._seeds: Near[Point] = Near()
        self._slugs = Unique(inventory.sites)
        self._places: dict[str, Place] = {}

    def place(self, newcomers: Iterable[Newcomer]) -> list[Place]:
        told: dict[str, list[Newcomer]] = defaultdict(list)
        near: dict[Point, list[Newcomer]] = defaultdict(list)
        nowhere = []
        for newcomer in newcomers:
            site, position = newcomer.found.site, newcomer.found.position
            if there := self._known(newcomer.found):
                self._there(there).routers.append(newcomer)
            elif site:
                told[slug(site) or site.casefold()].append(newcomer)
            elif position:
                near[self._seed(position)].append(newcomer)
            else:
                nowhere.append(newcomer)
        for group in told.values():
            site = group[0].found.site
            self._new(self._slugs.take(slug(site) or "place"), site, group)
        for group in near.values():
            self._new_by_names(group)
        self._by_names(nowhere)
        return list(self._places.values())

    def _known(self, found: Found) -> str | None:
        """The slug of the place that is meant, where it is there already."""
        if found.site:
            plain = slug(found.site)
            return plain if plain in self._sites else self._named.get(found.site.casefold())
        ips = [ip for address in found.addresses if (ip := ip_of(address))]
        owners = (next(iter(owners)) for ip in ips for _, owners in self._ranges.around(ip))
        return next(owners, None) or (self._near.nearest(found.position) if found.position else None)

    def _seed(self, position: Point) -> Point:
        """The first newcomer around: no group grows wider than that, however many stand in a row."""
        seed = self._seeds.nearest(position)
        if seed is None:
            self._seeds.add(position, position)
        return seed or position

    def _there(self, site: str) -> Place:
        return self._places.setdefault(site, Place(site, self._sites[site].name, new=False))

    def _new(self, taken: str, name: str, group: list[Newcomer]) -> None:
        self._places[taken] = Place(taken, name, new=True, routers=group)

    def _new_by_names(self, group: list[Newcomer]) -> None:
        """A new place, called as the names of its routers start; else as the first of them."""
        told = [newcomer.found.name or newcomer.name for newcomer in group]
        names = [name for name in (start(told), told[0], group[0].name) if slug(name)]
        taken = self._slugs.take(*map(slug, names))
        self._new(taken, next((name for name in names if slug(name) == taken), taken), group)

    def _by_names(self, newcomers: Iterable[Newcomer]) -> None:
        starts: dict[tuple[str, ...], list[Newcomer]] = defaultdict(list)
        for newcomer in newcomers:
            parts = slug(newcomer.name).split("-")
            if there := self._called(parts):
                there.routers.append(newcomer)
            else:
                starts[tuple(parts[:2])].append(newcomer)
        for group in starts.values():
            if len(group) > 1:
                self._new_by_names(group)
            else:
                self._unplaced().routers.extend(group)

    def _called(self, parts: list[str]) -> Place | None:
        """The place whose slug is the start of a router's name, two words of it at least."""
        for length in range(len(parts) - 1, 1, -1):
            site = "-".join(parts[:length])
            if site in self._places or site in self._open:
                return self._places.get(site) or self._there(site)
        return None

    def _unplaced(self) -> Place:
        if UNPLACED in self._sites:
            return self._there(UNPLACED)
        return self._places.setdefault(UNPLACED, Place(UNPLACED, UNPLACED_NAME, new=True))
