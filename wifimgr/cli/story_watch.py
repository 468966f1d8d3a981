"""The second half of the demo: what everybody gets to see, on a good day and on a bad one."""

from __future__ import annotations

import asyncio
import io
import json
import re
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from datetime import UTC, datetime

from wifimgr.cli import common, output
from wifimgr.cli.serve import Part, Serving
from wifimgr.cli.stage import PATIENCE, Stage
from wifimgr.cli.watch import status
from wifimgr.errors import visible
from wifimgr.health import watched
from wifimgr.model import Health, Measured, Router, Site, State
from wifimgr.views.snapshot import Snapshot, take

LOOKS = {
    State.UP: ("●", "green"),
    State.DEGRADED: ("◐", "yellow"),
    State.DOWN: ("✗", "red"),
    State.UNKNOWN: ("?", "yellow"),
}
"""A sign and a colour for each state that is not on purpose."""
GUESTS = 60
"""Whom each router of a busy place seats: so many that their number is no minute of the clock."""


@dataclass(frozen=True)
class Proof:
    """What shows that a source is alive, from the first and the latest thing that it told about a router."""

    name: str
    what: str
    holds: Callable[[Measured, Measured], bool]


def _octets(measured: Measured) -> int:
    return sum(interface.receive_bytes or 0 for interface in measured.interfaces)


def _reached(first: Measured, latest: Measured) -> bool:
    return bool(latest.internet and latest.internet.works)


PROOFS = {
    "snmp": Proof(
        "SNMP", "answer, and their counters move", lambda first, latest: 0 < _octets(first) < _octets(latest)
    ),
    "respondd": Proof("respondd", "answer, and reach the internet through the mesh", _reached),
    "ubus": Proof("internet reading", "reached the internet, asked from inside", _reached),
    "ping": Proof("ping", "answer", lambda first, latest: latest.round_trip is not None),
}
"""By source, in the order of telling."""


@dataclass(frozen=True)
class Doors:
    """Where the pages and the metrics are."""

    pages: str
    ops: str

    def page(self, path: str) -> str:
        """What the public door answers; empty for anything but success."""
        return _get(self.pages + path)

    def metrics(self) -> str:
        """What Prometheus gets; empty for anything but success."""
        return _get(f"{self.ops}metrics")


def _get(url: str) -> str:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310 (our own address)
            return str(answer.read().decode())
    except (OSError, ValueError):
        return ""


@contextmanager
def served(stage: Stage) -> Iterator[Doors]:
    """``wifimgr serve`` for the network of the stage, in a thread of its own, at ports that are free."""
    anywhere = dict.fromkeys((Part.PAGES, Part.OPS), "127.0.0.1:0")
    with Serving(stage.folder, Part, anywhere, lambda text: stage.say(text, "red")) as serving:
        running: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        began = threading.Event()

        async def work() -> None:
            running.append((asyncio.get_running_loop(), asyncio.Event()))
            began.set()
            await serving.run(running[0][1])

        thread = threading.Thread(target=lambda: asyncio.run(work()), name="demo-serve")
        thread.start()
        began.wait()
        try:
            yield Doors(serving.addresses[Part.PAGES], serving.addresses[Part.OPS])
        finally:
            loop, stop = running[0]
            if thread.is_alive():
                loop.call_soon_threadsafe(stop.set)
            thread.join()


class WatchStory:
    """Watch, let two things go wrong, and see that everybody is told the same."""

    def __init__(self, stage: Stage, doors: Doors) -> None:
        self.stage, self.doors = stage, doors
        self._first: dict[tuple[str, str], Measured] = {}
        sites = stage.inventory.sites.values()
        closed = {slug for slug, health in self._look().verdict.sites.items() if health.state is State.CLOSED}
        self.dark = next((site for site in sites if site.slug in closed and site.power == "switched"), None)
        open_sites = [site for site in sites if site.public and site.slug not in closed and self._hangs_on_one(site)]
        self.offline, self.dead = [*open_sites, None, None][:2]
        shown = [site for site in sites if site.public and site.show_guests and site.slug not in closed]
        self.busy = next((site for site in shown if site not in (self.offline, self.dead)), None)

    def tell(self) -> None:
        """Tells it from beginning to end."""
        self._watch()
        self._break()
        self._read_pages()
        self._compare()

    # ------------------------------------------------------------ looking

    def _look(self) -> Snapshot:
        return take(self.stage.inventory, self.stage.store, datetime.now(UTC))

    def _health(self, site: Site) -> Health:
        return self._look().verdict.sites[site.slug]

    def _routers(self, site: Site) -> list[Router]:
        return [router for router in watched(self.stage.inventory) if router.site == site.slug]

    def _gateway(self, site: Site) -> Router | None:
        """The router of a place that most others are behind."""
        ways = [router.behind for router in self._routers(site)]
        return max(
            (router for router in self._routers(site) if router.name in ways),
            key=lambda router: ways.count(router.name),
            default=None,
        )

    def _leaves(self, site: Site) -> list[Router]:
        """The routers of a place that are behind its gateway."""
        gateway = self._gateway(site)
        return [router for router in self._routers(site) if gateway and router.behind == gateway.name]

    def _hangs_on_one(self, site: Site) -> bool:
        """Whether all routers of a place but one are behind that one."""
        return 0 < len(self._leaves(site)) == len(self._routers(site)) - 1

    # ------------------------------------------------------------ a good day

    def _watch(self) -> None:
        self.stage.title("Watch: how is everybody?")
        self.stage.say("wifimgr serve", "dim")
        for router in self._routers(self.dark) if self.dark else []:
            self.stage.lab.routers[router.name].power_cut()
        for router in self._routers(self.busy) if self.busy else []:
            self.stage.lab.routers[router.name].life.seat(GUESTS)
        for source, proof in PROOFS.items():
            self._prove(source, proof)
        healths = self._look().verdict.sites
        on = [self.stage.inventory.sites[slug] for slug, each in healths.items() if each.state is not State.CLOSED]
        self.stage.wait(lambda: all(self._health(site).state is State.UP for site in on))
        for site in self.stage.inventory.sites.values():
            self._show(site)
        ill = [site.slug for site in on if self._health(site).state is not State.UP]
        self.stage.check(
            not ill, f"{len(on)} places work, and the internet was reached through them", f"not well: {', '.join(ill)}"
        )
        if self.dark:
            dark = self._health(self.dark)
            self.stage.check(
                dark.state is State.CLOSED and dark.fault is None,
                f"{self.dark.slug}: its lamp posts are off on purpose, so it is closed and not down",
                f"{self.dark.slug} is off on purpose, but counts as {dark.state}",
            )

    def _prove(self, source: str, proof: Proof) -> None:
        """Waits until a source tells of every router that has it; names it when it does not."""
        here = [
            router for router in watched(self.stage.inventory) if self.dark is None or router.site != self.dark.slug
        ]
        asked = [router.name for router in here if source in router.sources]
        if not asked:
            return
        mute = asked

        def all_tell() -> bool:
            nonlocal mute
            mute = [name for name in asked if not self._tells(name, source, proof)]
            return not mute

        self.stage.wait(all_tell)
        known = self._look().known
        why = [known[name, source].latest.detail or "it answers" for name in mute if (name, source) in known]
        self.stage.check(
            not mute,
            f"{proof.name}: {len(asked)} routers {proof.what}",
            f"{proof.name}: {len(mute)} of {len(asked)} routers do not tell ({', '.join(mute[:1] + why[:1])})",
        )

    def _tells(self, name: str, source: str, proof: Proof) -> bool:
        known = self._look().known.get((name, source))
        if known is None or known.latest.measured is None:
            return False
        first = self._first.setdefault((name, source), known.latest.measured)
        return proof.holds(first, known.latest.measured)

    def _show(self, site: Site) -> None:
        state = self._health(site).state
        sign, colour = LOOKS.get(state, ("○", "dim"))
        self.stage.say(f"{sign} {visible(site.name):<36} {state}", colour)

    # ------------------------------------------------------------ a bad day

    def _break(self) -> None:
        if not (self.offline and self.dead):
            self.stage.say("two places with a router behind a gateway would be needed to break something", "dim")
            return
        offline, dead = self._gateway(self.offline), self._gateway(self.dead)
        assert offline
        assert dead
        self.stage.title("Now two things go wrong")
        self.stage.say(f"{offline.name}: its line has no internet any more; the router itself goes on")
        self.stage.say(f"{dead.name}: somebody pulls its plug")
        self.stage.lab.routers[offline.name].set_internet(False)
        self.stage.lab.routers[dead.name].power_cut()
        self._expect(self.offline, offline, "no-internet", "it answers, but no guest reaches the internet")
        self._expect(self.dead, dead, "silent", "nobody answers there")
        behind = self._leaves(self.dead)

        def unknown() -> list[str]:
            routers = self._look().verdict.routers
            told = {router.name: routers[router.name] for router in behind}
            return [name for name, each in told.items() if not _is_behind(each, dead.name)]

        self.stage.wait(lambda: not unknown())
        wrong = unknown()
        self.stage.check(
            not wrong,
            f"{len(behind)} behind it: unknown (behind {dead.name}), not down",
            f"not known as behind {dead.name}: {', '.join(wrong)}",
        )

    def _expect(self, site: Site, router: Router, reason: str, told: str) -> None:
        """A router and its place are down, for this reason."""

        def judged() -> bool:
            verdict = self._look().verdict
            health = verdict.routers[router.name]
            return {health.state, verdict.sites[site.slug].state} == {State.DOWN} and health.reasons[0].id == reason

        fine = self.stage.wait(judged)
        states = f"{self._look().verdict.routers[router.name].state}, its place {self._health(site).state}"
        self.stage.check(fine, f"{router.name}: {told}: down", f"{router.name}: {told}, but it counts as {states}")

    # ------------------------------------------------------------ who sees what

    def _read_pages(self) -> None:
        self.stage.title("What the people there read on their phone")
        self.stage.say("wifimgr site explain PLACE", "dim")
        shown = [site for site in (self.offline, self.dead, self.dark, self.busy) if site and site.public]
        for site in shown:
            told = self._page(site)
            sentence = str(told.get("sentence", ""))
            fine = bool(sentence) and sentence in self.doors.page(f"s/{site.slug}")
            self.stage.check(fine, f"{visible(site.name)}: {sentence}", f"page: /s/{site.slug} cannot be read")
        if self.busy:
            self._count_guests(self.busy)
        self.stage.check(
            not self.doors.page("metrics"), "numbers for ops are not at this door", "/metrics is open to everybody"
        )

    def _page(self, site: Site) -> dict[str, object]:
        """What ``/s/<slug>.json`` says; empty when it says nothing."""
        try:
            told = json.loads(self.doors.page(f"s/{site.slug}.json"))
        except ValueError:
            return {}
        return told if isinstance(told, dict) else {}

    def _count_guests(self, site: Site) -> None:
        """The page of a full place shows a band, and nowhere how many there are."""
        banded = self.stage.wait(lambda: self._page(site).get("guests") == "50+")
        look = self._look()
        counts = [look.measured(router).clients or 0 for router in self._routers(site)]
        text = self.doors.page(f"s/{site.slug}")
        leaks = [number for number in (sum(counts), *counts) if number > GUESTS and re.search(rf"\b{number}\b", text)]
        self.stage.check(
            banded and not leaks,
            f"{visible(site.name)}: {sum(counts)} guests, but its page says 50+",
            f"page: guests of /s/{site.slug}: {self._page(site).get('guests')}, and the page shows {leaks}",
        )

    def _compare(self) -> None:
        self.stage.title("What ops sees")
        self.stage.say("wifimgr status", "dim")
        text = self.doors.metrics()
        series = sum(not line.startswith("#") for line in text.splitlines())
        self.stage.check(series > 0, f"metrics: {series} series for Prometheus", "metrics: /metrics cannot be read")
        differing = ["nothing was compared"]

        def agree() -> bool:
            nonlocal differing
            differing = self._differing()
            return not differing

        self.stage.wait(agree)
        self.stage.check(
            not differing,
            "page, command line and metrics say the same about every place and every router",
            f"page, command line and metrics differ: {', '.join(differing[:3])}",
        )

    def _differing(self) -> list[str]:
        """Places and routers about which not everybody says the same."""
        by_metric = _states_in(self.doors.metrics())
        by_command = self._status()
        by_page = {
            ("site", site.slug): self._page(site).get("state")
            for site in self.stage.inventory.sites.values()
            if site.public and site.slug in self._look().verdict.sites
        }
        return [
            name
            for (kind, name), state in by_command.items()
            if by_metric.get((kind, name)) != state or by_page.get((kind, name), state) != state
        ] or [f"{kind} {name}" for kind, name in (by_metric.keys() | by_page.keys()) - by_command.keys()]

    def _status(self) -> dict[tuple[str, str], str]:
        """What ``wifimgr status -o json`` says: (kind, name) to state."""
        with redirect_stdout(io.StringIO()) as printed:
            status(common.Run(self.stage.folder, quiet=True), form=output.Form.JSON)
        told = json.loads(printed.getvalue())
        return {(row["kind"], row["name"]): row["state"] for row in told["states"]}


def _is_behind(health: Health, name: str) -> bool:
    reasons = [(reason.id, reason.about) for reason in health.reasons]
    return health.state is State.UNKNOWN and ("behind", name) in reasons


def _states_in(text: str) -> dict[tuple[str, str], str]:
    """What a page of metrics says: (kind, name) to state."""
    found = {}
    for kind in ("site", "router"):
        for labels in re.findall(rf"(?m)^wifimgr_{kind}_health\{{(.*)\}} 1\.0$", text):
            told = dict(re.findall(r'(\w+)="([^"]*)"', labels))
            found[kind, told[kind]] = told["state"]
    return found
