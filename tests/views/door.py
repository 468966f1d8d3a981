"""The public door for tests: really served, and what is shown behind it can be changed."""

from __future__ import annotations

from collections.abc import Callable

from tests.doors import Answer, ask
from wifimgr.views.pages import app
from wifimgr.views.snapshot import Snapshot


class Door:
    """To be served by ``open_doors``; ``url`` is where it is then."""

    def __init__(self, look: Snapshot) -> None:
        self._look: Callable[[], Snapshot] = lambda: look
        self.app = app(lambda: self._look())
        self.url = ""

    def shows(self, look: Snapshot | Callable[[], Snapshot]) -> Door:
        self._look = look if callable(look) else lambda: look
        return self

    def get(self, path: str, method: str = "GET", **headers: str) -> Answer:
        return ask(self.url + path, method, **headers)
