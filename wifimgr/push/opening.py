"""Places that are open: a change that people would notice there waits until they have closed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from wifimgr.hours import Hours, known_hours
from wifimgr.inventory import Inventory
from wifimgr.model import Change, Lifecycle, Site
from wifimgr.push.patience import until_applied

FAR = datetime.max.replace(tzinfo=UTC)
A_WEEK = timedelta(days=6)
"""So far ahead the name of a day says which day is meant."""


NOTICED = {"wifi": "Wi-Fi", "internet": "internet", "network": "any network"}
"""What people notice when it is gone, by its name in a playbook, and how they call it."""


def now() -> datetime:
    """The moment that hours are asked about."""
    return datetime.now(UTC)


def is_noticed(change: Change) -> bool:
    """Whether people may notice a change: it says so, or it touches the network they use."""
    return bool(change.interrupts) or change.connectivity


def open_places(inventory: Inventory, name: str, at: datetime) -> list[Site]:
    """Which places are open whose Wi-Fi needs a router: its own place first, then those of the routers behind it.

    A place in maintenance is not: its page says already that the Wi-Fi may stop. Nor is one that is not in use, or
    whose hours nobody wrote.
    """
    return [site for site in _places(inventory, name) if (hours := _hours(inventory, site)) and hours.is_open(at)]


def never_closes(inventory: Inventory, site: Site, at: datetime) -> bool:
    """Whether a place is open from now on for good."""
    hours = _hours(inventory, site)
    return bool(hours and hours.is_open(at) and hours.never_closes(at))


def waits(inventory: Inventory, change: Change, at: datetime) -> str:
    """Why a change has to wait, like ``open until 18:00``; empty: it may be made now.

    Nor is it begun where the place opens before it can be confirmed. No change waits for a place that never closes:
    no other time would be better there.
    """
    if not is_noticed(change):
        return ""
    own, ends = inventory.routers[change.router].site, list[tuple[datetime, str]]()
    seconds = until_applied(change) + inventory.network.push.confirm_within + change.longer
    soon = at + timedelta(seconds=seconds)
    for site in _places(inventory, change.router):
        hours = _hours(inventory, site)
        opened = _opens(hours, at, soon) if hours else None
        if hours and opened and not hours.never_closes(opened):
            end = hours.next_change(opened)
            words = "open" if opened is at else "about to open,"
            text = f"{words} until {clock(inventory, end, at)}" if end else "open now"
            ends.append((end or FAR, text if site.slug == own else f"{site.slug}: {text}"))
    return max(ends)[1] if ends else ""


def _opens(hours: Hours, at: datetime, soon: datetime) -> datetime | None:
    """The first moment of a time at which it is open; None: there is none."""
    if hours.is_open(at):
        return at
    change = hours.next_change(at)
    return next((moment for moment in (change, soon) if moment and moment <= soon and hours.is_open(moment)), None)


def _places(inventory: Inventory, name: str) -> list[Site]:
    behind = {name}
    while more := {each.name for each in inventory.routers.values() if each.behind in behind} - behind:
        behind |= more
    slugs = sorted({inventory.routers[each].site for each in behind} - {inventory.routers[name].site})
    return [inventory.sites[slug] for slug in (inventory.routers[name].site, *slugs)]


def _hours(inventory: Inventory, site: Site) -> Hours | None:
    """When people are there; None: nobody said so, or it is not in use as always."""
    if site.lifecycle is not Lifecycle.ACTIVE:
        return None
    return known_hours(site.opening_hours, inventory.network.calendar)


def clock(inventory: Inventory, moment: datetime, at: datetime) -> str:
    """A moment as the clocks of the place show it, with the day where that is not today."""
    zone = ZoneInfo(inventory.network.calendar.timezone)
    local, today = moment.astimezone(zone), at.astimezone(zone).date()
    if local.date() == today:
        return f"{local:%H:%M}"
    return f"{local:%a %H:%M}" if local.date() - today <= A_WEEK else f"{local:%Y-%m-%d %H:%M}"
