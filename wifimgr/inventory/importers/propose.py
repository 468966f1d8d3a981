"""From what a file tells to what would be written: who is new, under which name, at which place, and whose it is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from wifimgr.errors import ConfigError, did_you_mean
from wifimgr.inventory.importers.base import Found, Note
from wifimgr.inventory.importers.fit import SAID_ONCE, Fit
from wifimgr.inventory.importers.limits import Limit, no_limit
from wifimgr.inventory.importers.names import Unique
from wifimgr.inventory.importers.places import Place, place
from wifimgr.inventory.importers.sort import Sorting
from wifimgr.inventory.load import Inventory
from wifimgr.model import Router
from wifimgr.settings import Network

OTHERS = "others"
"""The operator of imported routers where the network has none whose routers are only watched."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What an import would write, and what people must be told before."""

    places: tuple[Place, ...]
    """Places with the routers that would be added."""
    there: tuple[tuple[Found, Router], ...]
    """Routers that are in the inventory already: they stay as they are."""
    notes: tuple[Note, ...]
    """What is said about single entries."""
    remarks: tuple[str, ...]
    """What is said about many routers at once."""
    skipped: Mapping[str, int]
    """How many entries are left out, by reason."""
    operator: str
    """Whose the new routers are: we only look."""
    new_operator: bool
    """Whether the network does not know the operator yet."""

    @property
    def taken(self) -> int:
        """How many routers would be added."""
        return sum(len(place.routers) for place in self.places)

    @property
    def new_sites(self) -> int:
        """How many sites would be made for them."""
        return sum(place.new for place in self.places)

    @property
    def changed(self) -> int:
        """How many of them are not quite as the file tells them."""
        told = {note.where for note in self.notes if note.kind == "changed"}
        return sum(router.found.where in told for place in self.places for router in place.routers)

    def summary(self) -> str:
        """All entries of the file, counted."""
        reasons = ", ".join(f"{reason}: {number}" for reason, number in self.skipped.items())
        skipped = f"{sum(self.skipped.values())} ({reasons})" if reasons else "0"
        return (
            f"taken {self.taken}, changed {self.changed}, skipped {skipped}, already there {len(self.there)}; "
            f"{self.new_sites} new {'site' if self.new_sites == 1 else 'sites'}"
        )


def propose(
    inventory: Inventory,
    told: Iterable[Found | Note],
    *,
    operator: str = "",
    limit: Limit = no_limit,
    keep_contacts: bool = False,
) -> Proposal:
    """What an import would write.

    Raises ConfigError: ``unknown-name`` and ``which-operator`` for the operator, and what ``told`` raises.
    """
    owner = _operator(inventory.network, operator)
    sorting = Sorting(inventory, Fit(inventory.network, keep_contacts=keep_contacts), limit)
    newcomers = sorting.sort(told)
    places = place(inventory, newcomers)
    notes = [*sorting.notes(newcomers), *_on_pages(inventory, places)]
    once = Counter(note.what for note in notes if note.what in SAID_ONCE)
    return Proposal(
        places=tuple(places),
        there=tuple(sorting.there),
        notes=tuple(note for note in notes if note.what not in SAID_ONCE),
        remarks=tuple(f"{what} ({number} {'router' if number == 1 else 'routers'})" for what, number in once.items()),
        skipped=sorting.skipped,
        operator=owner,
        new_operator=owner not in inventory.network.operators,
    )


def _on_pages(inventory: Inventory, places: Iterable[Place]) -> Iterator[Note]:
    for each in places:
        if not each.new and inventory.sites[each.slug].public:
            what = f"comes to a place of the status page: {each.slug}"
            yield from (Note(router.found.where, "changed", what) for router in each.routers)


def _operator(network: Network, wanted: str) -> str:
    """Whose imported routers are; where the network has nobody like that, somebody it does not know yet."""
    operators = network.operators
    watched = [name for name, operator in operators.items() if operator.manage == "watch"]
    if wanted and wanted not in operators:
        hint = did_you_mean(wanted, watched)
        raise ConfigError("unknown-name", f"there is no operator '{wanted}'", key="--operator", hint=hint)
    if wanted and wanted not in watched:
        what = f"imported routers are only watched, and those of '{wanted}' are not"
        hint = did_you_mean("", watched) if watched else "leave it out, then an operator is added for them"
        raise ConfigError("which-operator", what, key="--operator", hint=hint)
    if len(watched) > 1 and not wanted:
        hint = f"say --operator with one of {', '.join(watched)}"
        raise ConfigError("which-operator", "several operators are only watched", hint=hint)
    return wanted or next(iter(watched), None) or Unique(operators).take(OTHERS)
