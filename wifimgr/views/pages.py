"""The public door: the status page for everybody, as HTML without scripts, as JSON, and as plain text.

It shows what :mod:`wifimgr.views.site` lets through, to whoever asks, and takes nothing in: only GET and HEAD.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus
from importlib.resources import files
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from wifimgr.errors import StoreError, visible
from wifimgr.model import State
from wifimgr.views.locale import LANGUAGES
from wifimgr.views.site import SiteView, is_shown, site_json, site_text, view_of
from wifimgr.views.snapshot import Snapshot
from wifimgr.views.words import Speech, languages

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; img-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
"""Of every answer: nothing is loaded from elsewhere, nothing runs, and nobody is told who came from where."""
ASK_AGAIN = "no-cache"
"""May be kept, but has to be asked about each time: who reloads a page wants to know how it is now."""
FOR_EVER = "public, max-age=31536000, immutable"
NEVER = "no-store"
HTML = "text/html; charset=utf-8"

TROUBLE = (State.DOWN, State.DEGRADED)
"""What is shown first, and in this order."""
OFF_DUTY = {State.CLOSED, State.PAUSED, State.MAINTENANCE}
"""Nobody expects the Wi-Fi of a place in such a state to work."""
KINDS = ("youth-center", "library", "school", "square", "office", "shelter", "other")
"""In the order of the overview."""


def app(look: Callable[[], Snapshot]) -> Starlette:
    """The public door. ``look`` gives what is shown, and is called for every page; it may raise StoreError."""
    routes = [
        Route("/", _overview),
        Route("/s/{name}", _site),
        Route("/static/{name}", _static),
        Route("/{language}", _overview),
        Route("/{language}/", _overview),
        Route("/{language}/s/{name}", _site),
    ]
    handlers: dict[Any, Any] = {HTTPException: _refuse, StoreError: _do_not_know, Exception: _stumble}
    door = Starlette(routes=routes, exception_handlers=handlers)
    door.router.redirect_slashes = False  # it would believe the Host header
    door.state.look, door.state.written = look, _Written()
    return door


class _Written:
    """The pages of one snapshot: each is written once, so that many visitors do not slow down whoever polls routers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._snapshot: Snapshot | None = None
        self._pages: dict[str, str] = {}

    def __call__(self, path: str, snapshot: Snapshot, write: Callable[[], str]) -> str:
        """The page at this path."""
        with self._lock:
            if self._snapshot is not snapshot:
                self._snapshot, self._pages = snapshot, {}
            if path not in self._pages:
                self._pages[path] = write()
            return self._pages[path]


# ---------------------------------------------------------------- the pages


def _overview(request: Request) -> Response:
    snapshot, language = _look(request)
    return _answer(request, _written(request, snapshot, partial(_write_overview, snapshot, language)), HTML)


def _write_overview(snapshot: Snapshot, language: str) -> str:
    shown = (slug for slug, site in snapshot.inventory.sites.items() if is_shown(site))
    views = [view for slug in shown if (view := view_of(snapshot, slug, language))]
    speech = Speech(language, ZoneInfo(snapshot.inventory.network.file.timezone), snapshot.at)
    checked = max((view.checked for view in views if view.checked), default=None)
    return _page(
        "overview.html",
        snapshot,
        language,
        views=views,
        headline=_headline(views, speech),
        tally=_tally(views, speech),
        groups=_groups(views, speech),
        checked=checked,
        checked_text=speech.checked(checked),
    )


def _site(request: Request) -> Response:
    snapshot, language = _look(request)
    slug, dot, form = request.path_params["name"].partition(".")
    if dot and form not in _FORMS:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    media_type, write = _FORMS[form] if dot else (HTML, partial(_write_site, snapshot))

    def page() -> str:
        if (view := view_of(snapshot, slug, language)) is None:
            raise HTTPException(HTTPStatus.NOT_FOUND)
        return write(view)

    return _answer(request, _written(request, snapshot, page), media_type)


def _write_site(snapshot: Snapshot, view: SiteView) -> str:
    return _page("site.html", snapshot, view.language, view=view)


def _written(request: Request, snapshot: Snapshot, write: Callable[[], str]) -> str:
    page: str = request.app.state.written(request.scope["path"], snapshot, write)
    return page


def _json(view: SiteView) -> str:
    return json.dumps(site_json(view), ensure_ascii=False, indent=2) + "\n"


_FORMS: Mapping[str, tuple[str, Callable[[SiteView], str]]] = {
    "json": ("application/json", _json),
    "txt": ("text/plain; charset=utf-8", site_text),
}


def _headline(views: Sequence[SiteView], speech: Speech) -> str:
    """How all places are, in one sentence."""
    open_places = [view for view in views if view.state not in OFF_DUTY]
    up = sum(view.state is State.UP for view in open_places)
    unknown = sum(view.state is State.UNKNOWN for view in open_places)
    rules = (
        ("empty", not views),
        ("closed", not open_places),
        ("unknown", unknown == len(open_places)),
        ("one", up == len(open_places) == 1),
        ("all", up == len(open_places)),
        ("none", all(view.state is State.DOWN for view in open_places)),
        ("some", True),
    )
    key = next(key for key, holds in rules if holds)
    return speech(f"overview.{key}", up=up, open=len(open_places))


def _tally(views: Sequence[SiteView], speech: Speech) -> list[tuple[State, str, int]]:
    """How many places there are in each state: state, word, number."""
    counts = Counter(view.state for view in views)
    return [(state, speech(f"word.{state}"), counts[state]) for state in State if counts[state]]


def _groups(views: Sequence[SiteView], speech: Speech) -> list[tuple[str, str, list[SiteView]]]:
    """Id, heading and places of each group: what is in trouble first, the rest by kind; by name within."""
    by_name = sorted(views, key=lambda view: view.name.casefold())
    trouble = [view for state in TROUBLE for view in by_name if view.state is state]
    groups = [("trouble", speech("overview.trouble"), trouble)]
    for kind in KINDS:
        here = [view for view in by_name if view.kind == kind and view not in trouble]
        groups.append((kind, speech(f"kind.{kind}"), here))
    return [group for group in groups if group[2]]


# ---------------------------------------------------------------- errors


def _refuse(request: Request, error: HTTPException) -> Response:
    """No such page, or not a way to ask for one."""
    if error.status_code != HTTPStatus.NOT_FOUND:
        return _answer(request, f"{error.detail}\n", "text/plain; charset=utf-8", error.status_code, error.headers)
    try:
        return _message(request, request.app.state.look(), HTTPStatus.NOT_FOUND)
    except StoreError as broken:
        return _do_not_know(request, broken)


def _do_not_know(request: Request, error: StoreError) -> Response:
    """The store cannot be read: that says nothing about any Wi-Fi."""
    return _message(request, None, HTTPStatus.SERVICE_UNAVAILABLE)


def _stumble(request: Request, error: Exception) -> Response:
    """A bug of ours; what it was goes to the log of the server, not to the public."""
    return _message(request, None, HTTPStatus.INTERNAL_SERVER_ERROR)


def _message(request: Request, snapshot: Snapshot | None, status: HTTPStatus) -> Response:
    """A page that says what is wrong, in the language of the address where it has one."""
    spoken = languages(snapshot.inventory.network) if snapshot else list(LANGUAGES)
    first = request.scope["path"].removeprefix("/").partition("/")[0]  # "*" and "" are asked for, too
    body = _page("message.html", snapshot, first if first in spoken else spoken[0], status)
    return _answer(request, body, HTML, status)


# ---------------------------------------------------------------- how it is answered


def _look(request: Request) -> tuple[Snapshot, str]:
    """What is shown, and in which language. Raises HTTPException for a language that the page does not have."""
    snapshot: Snapshot = request.app.state.look()
    spoken = languages(snapshot.inventory.network)
    language = request.path_params.get("language", spoken[0])
    if language not in spoken:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return snapshot, language


_FILES = {name: files("wifimgr.views").joinpath("static", name).read_bytes() for name in ("style.css", "icon.svg")}
_TYPES = {"css": "text/css; charset=utf-8", "svg": "image/svg+xml"}


def _hashed(name: str) -> str:
    """The name of a static file with its content in it, so that it can be kept for ever: ``style-1a2b3c4d.css``."""
    stem, _, ending = name.rpartition(".")
    return f"{stem}-{hashlib.sha256(_FILES[name]).hexdigest()[:8]}.{ending}"


_STATIC = {_hashed(name): content for name, content in _FILES.items()}


def _static(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in _STATIC:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    return _answer(request, _STATIC[name], _TYPES[name.rpartition(".")[2]], cache=FOR_EVER)


_TEMPLATES = Environment(
    loader=PackageLoader("wifimgr.views"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals["static"] = {name: f"/static/{_hashed(name)}" for name in _FILES}


def _page(
    template: str,
    snapshot: Snapshot | None,
    language: str,
    status: HTTPStatus = HTTPStatus.OK,
    **values: object,
) -> str:
    """A page of HTML. Without a snapshot it does with what is always there."""
    texts = LANGUAGES[language]
    spoken = languages(snapshot.inventory.network) if snapshot else list(LANGUAGES)
    roots = {other: "" if other == spoken[0] else f"/{other}" for other in spoken}
    return _TEMPLATES.get_template(template).render(
        values,
        status=status.value,
        texts=texts,
        language=language,
        home=spoken[0],
        roots=roots,
        others={other: LANGUAGES[other]["language"] for other in spoken if snapshot and other != language},
        network=visible(snapshot.inventory.network.name) if snapshot else texts["title"],
    )


def _answer(
    request: Request,
    body: str | bytes,
    media_type: str,
    status: int = HTTPStatus.OK,
    headers: Mapping[str, str] | None = None,
    cache: str = ASK_AGAIN,
) -> Response:
    """An answer with the headers that each one has; 304 when the browser has the same already."""
    content = body.encode() if isinstance(body, str) else body
    tag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
    found = status == HTTPStatus.OK
    all_headers = {**HEADERS, **(headers or {}), "Cache-Control": cache if found else NEVER}
    if found:
        all_headers["ETag"] = tag
        held = {held.strip().removeprefix("W/") for held in request.headers.get("If-None-Match", "").split(",")}
        if held & {tag, "*"}:
            return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=all_headers)
    return Response(content, status, all_headers, media_type)
