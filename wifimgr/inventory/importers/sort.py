"""Which entries of a file are routers that we know already, which stand there twice, and which are new."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from wifimgr.inventory.edit import trusted_names
from wifimgr.inventory.importers.base import Found, Note
from wifimgr.inventory.importers.fit import Fit
from wifimgr.inventory.importers.limits import Limit
from wifimgr.inventory.importers.names import Unique, router_name, short
from wifimgr.inventory.importers.places import Newcomer
from wifimgr.inventory.load import Inventory
from wifimgr.inventory.schema import normalised
from wifimgr.model import Lifecycle, Router

NAMELESS = "has no id, no address, and no name of letters and digits"
TWICE = "stands twice in the file"
SHARED = "an address was left out: another router has it"


class Sorting:
    """Every entry comes out once: as somebody who is there, as a newcomer, or skipped for a reason."""

    def __init__(self, inventory: Inventory, fit: Fit, limit: Limit) -> None:
        self._fit, self._limit = fit, limit
        self._routers = inventory.routers
        routers = list(inventory.routers.values())[::-1]  # of two with the same id, the first one counts
        in_use = [router for router in routers if router.lifecycle is not Lifecycle.RETIRED]
        self._by_id = {_same(router.node_id): router for router in routers if router.node_id}
        self._by_address = {normalised(address): router for router in in_use for address in router.addresses}
        self._claimed: set[str] = set()
        self._names = Unique({*inventory.routers, *trusted_names(inventory.network.folder)})
        self._new_ids: dict[str, Found] = {}
        self._new_addresses: dict[str, Found] = {}
        self._new_names: dict[str, Found] = {}
        self._notes: list[Note] = []
        self._wheres: set[str] = set()
        self._outside: Counter[str] = Counter()
        self.there: list[tuple[Found, Router]] = []
        """Routers of the inventory that the file tells about."""

    def sort(self, told: Iterable[Found | Note]) -> list[Newcomer]:
        """The newcomers, in the order of the file.

        First everybody is looked for who is known by id or address: only then it is clear whose name is still free.
        """
        unknown = []
        for found in self._meant(told):
            router = self._known(found)
            if router:
                self._is_there(found, router)
            else:
                unknown.append(found)
        return [newcomer for found in unknown if (newcomer := self._newcomer(found))]

    def _meant(self, told: Iterable[Found | Note]) -> Iterator[Found]:
        """What fits and is not outside of the limit."""
        for item in told:
            if isinstance(item, Note):
                self._notes.append(item)
                continue
            self._wheres.add(item.where)
            found, changes = self._fit(item)
            self._notes += [Note(found.where, "changed", what) for what in changes]
            outside = self._limit(found)
            if outside:
                self._outside[outside] += 1
            else:
                yield found

    def _is_there(self, found: Found, router: Router) -> None:
        self._claimed.add(router.name)
        self.there.append((found, router))

    def _known(self, found: Found) -> Router | None:
        """By its id, else by an address, unless both have an id and they differ: some addresses are used by many."""
        router = self._by_id.get(_same(found.node_id)) if found.node_id else None
        holders = (self._by_address.get(address) for address in found.addresses)
        return router or next((each for each in holders if each and _may_be(found.node_id, each.node_id)), None)

    def _newcomer(self, found: Found) -> Newcomer | None:
        router = self._named(found)
        if router:
            self._is_there(found, router)
        elif not (router_name(found.name) or found.node_id or found.addresses):
            self._skip(found, NAMELESS)
        elif twin := self._twin(found):
            self._skip(found, f"{TWICE}: it is {twin.where} again")
        else:
            return self._new(found)
        return None

    def _named(self, found: Found) -> Router | None:
        """A router of its name: one that no other entry is, or any where nothing but the name tells who it is."""
        router = self._routers.get(router_name(found.name))
        free = router and (router.name not in self._claimed or not (found.node_id or found.addresses))
        return router if router and free and _may_be(found.node_id, router.node_id) else None

    def _twin(self, found: Found) -> Found | None:
        """The newcomer that it is again: by its id, by an address, or where nothing else is told by its name."""
        if found.node_id and (twin := self._new_ids.get(_same(found.node_id))):
            return twin
        holders = (self._new_addresses.get(address) for address in found.addresses)
        twin = next((each for each in holders if each and _may_be(found.node_id, each.node_id)), None)
        return twin or (None if found.node_id or found.addresses else self._new_names.get(found.name))

    def _new(self, found: Found) -> Newcomer:
        taken = [
            address for address in found.addresses if address in self._by_address or address in self._new_addresses
        ]
        if taken:
            self._notes.append(Note(found.where, "changed", SHARED))
        found = replace(found, addresses=tuple(address for address in found.addresses if address not in taken))
        name = self._names.take(router_name(found.name) or router_name(found.node_id) or "router")
        if name != found.name:
            what = (
                f"the name '{short(found.name)}' became {name}" if found.name else f"it has no name: it became {name}"
            )
            self._notes.append(Note(found.where, "changed", what))
        self._new_names.setdefault(found.name, found)
        self._new_addresses |= dict.fromkeys(found.addresses, found)
        if found.node_id:
            self._new_ids[_same(found.node_id)] = found
        return Newcomer(name, found)

    def _skip(self, found: Found, what: str) -> None:
        self._notes.append(Note(found.where, "skipped", what))

    # ------------------------------------------------------------ what people are told

    def notes(self, newcomers: Iterable[Newcomer]) -> list[Note]:
        """What is to be said; nothing changes about entries that are there already, twice, or not meant."""
        silent = self._wheres - {newcomer.found.where for newcomer in newcomers}
        return [note for note in self._notes if note.kind == "skipped" or note.where not in silent]

    @property
    def skipped(self) -> Mapping[str, int]:
        """How many entries were left out, by reason: what a note says before its colon."""
        noted = Counter(note.what.partition(":")[0] for note in self._notes if note.kind == "skipped")
        return {**noted, **self._outside}


def _same(node_id: str) -> str:
    """One spelling for each id."""
    return node_id.lower()


def _may_be(one_id: str, other_id: str) -> bool:
    """Whether two routers can be the same one, by their ids: not every file tells them."""
    return not (one_id and other_id) or _same(one_id) == _same(other_id)
