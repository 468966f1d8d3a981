"""The ops door: exact numbers for the people who run the network. ``/`` to read, ``/metrics``, ``/healthz``.

It asks for no password, so it listens on loopback unless told otherwise; nothing of it is on the public door.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

import wifimgr
from wifimgr.errors import StoreError, WifimgrError
from wifimgr.health import SERVES_GUESTS, WORST_FIRST, known_of
from wifimgr.inventory.live import LiveInventory
from wifimgr.model import Health, Known, Measured, Router, Site
from wifimgr.store import Beat, Store
from wifimgr.views import metrics, pages
from wifimgr.views.admins import told, worker_trouble
from wifimgr.views.snapshot import Snapshot

HEADERS = {**pages.HEADERS, "Cache-Control": "no-store"}
_STYLE = files("wifimgr.views").joinpath("static/ops.css").read_bytes()


def app(look: Callable[[], Snapshot], store: Store, live: LiveInventory) -> Starlette:
    """The application of the ops door. ``look`` takes a snapshot, ``store`` knows the worker's signs of life."""
    door = _Door(look, store, live)
    routes = [
        Route("/", door.index),
        Route("/metrics", door.metrics),
        Route("/healthz", door.healthz),
        Route("/ops.css", _style),
    ]
    return Starlette(routes=routes, exception_handlers={StoreError: _store_failed})


def _store_failed(_: Request, error: Exception) -> Response:
    """One line, and never a part of a page: a scrape without an answer is better than one with half of the routers."""
    assert isinstance(error, WifimgrError)
    return PlainTextResponse(f"{error.line()}\n", 503, HEADERS)


def _style(_: Request) -> Response:
    return Response(_STYLE, headers=HEADERS, media_type="text/css")


class _Door:
    """What the ops door answers. Each method runs in a thread of its own, so it may wait for the store."""

    def __init__(self, look: Callable[[], Snapshot], store: Store, live: LiveInventory) -> None:
        self._look, self._store, self._live = look, store, live
        templates = Environment(
            loader=PackageLoader("wifimgr.views"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
        )
        self._template = templates.get_template("ops.html")

    def metrics(self, _: Request) -> Response:
        """For Prometheus. Raises StoreError."""
        beat = self._store.last_beat()
        page = metrics.page(metrics.Facts(self._look(), beat, not self._inventory_errors(beat)))
        return Response(page, headers={**HEADERS, "Content-Type": metrics.CONTENT_TYPE})

    def healthz(self, _: Request) -> Response:
        """Whether wifimgr itself works: 200, or 503 with the reasons."""
        beat, reasons = None, []
        try:
            beat = self._store.last_beat()
        except StoreError as error:
            reasons.append(error.line())
        else:
            reasons += worker_trouble(beat, datetime.now(UTC))
        reasons += self._inventory_errors(beat)
        answer = {
            "status": "failing" if reasons else "ok",
            "reasons": reasons,
            "worker_last_beat": beat and beat.at.isoformat(timespec="seconds"),
            "worker_lag_seconds": beat and beat.lag,
            "version": wifimgr.__version__,
        }
        return _Json(answer, 503 if reasons else 200, HEADERS)

    def _inventory_errors(self, beat: Beat | None) -> list[str]:
        """Why an older inventory is in use, here or in the worker; a line each."""
        lines = [*self._live.error.splitlines(), *(beat.inventory_error.splitlines() if beat else ())]
        return list(dict.fromkeys(lines))

    def index(self, _: Request) -> Response:
        """For people. Raises StoreError."""
        snapshot, beat = self._look(), self._store.last_beat()
        zone = ZoneInfo(snapshot.inventory.network.calendar.timezone)
        verdict = snapshot.verdict
        routers = {name: _Row.of(snapshot, name, verdict.routers[name]) for name in _worst_first(verdict.routers)}
        page = self._template.render(
            snapshot=snapshot,
            problems=[*worker_trouble(beat, snapshot.at), *self._inventory_errors(beat)],
            places=[_place(snapshot, slug, routers) for slug in _worst_first(verdict.sites)],
            routers=routers.values(),
            version=wifimgr.__version__,
            clock=lambda time: f"{time.astimezone(zone):%Y-%m-%d %H:%M:%S %Z}",
            told=told,
        )
        return HTMLResponse(page, headers=HEADERS)


class _Json(JSONResponse):
    def render(self, content: Any) -> bytes:
        """As people read it: a key a line."""
        return f"{json.dumps(content, indent=2, ensure_ascii=False)}\n".encode()


def _worst_first(healths: Mapping[str, Health]) -> list[str]:
    return sorted(healths, key=lambda name: (WORST_FIRST.index(healths[name].state), name))


@dataclass(frozen=True, slots=True)
class _Row:
    """One router as the page shows it."""

    router: Router
    health: Health
    measured: Measured
    known: Mapping[str, Known]
    """By source."""

    @classmethod
    def of(cls, snapshot: Snapshot, name: str, health: Health) -> _Row:
        router = snapshot.inventory.routers[name]
        return cls(router, health, snapshot.measured(router), known_of(router, snapshot.known))


@dataclass(frozen=True, slots=True)
class _Place:
    """One place as the page shows it."""

    site: Site
    health: Health
    routers: int
    clients: str
    """How many there are, as far as routers tell: ``7``, ``7 or more``; empty: none tells."""


def _place(snapshot: Snapshot, slug: str, routers: Mapping[str, _Row]) -> _Place:
    here = [row for row in routers.values() if row.router.site == slug]
    counts = [row.measured.clients for row in here if row.measured.clients is not None]
    mute = any(row.measured.clients is None and row.router.role in SERVES_GUESTS for row in here)
    clients = f"{sum(counts)}{' or more' if mute else ''}" if counts else ""
    return _Place(snapshot.inventory.sites[slug], snapshot.verdict.sites[slug], len(here), clients)
