"""A real browser in front of the public door.

It lives no longer than the tests of one file: while Playwright is open, its event loop counts as running in the thread
of the tests, and `asyncio.run` of any other test would refuse.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.conftest import find_program, require_real
from tests.doors import open_doors
from tests.views.door import Door
from tests.views.places import everything
from wifimgr.views.snapshot import Snapshot

NARROW = {"width": 320, "height": 640}
"""The narrowest screen that a page has to fit (WCAG 2.2, 1.4.10)."""
WIDE = {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    require_real("chromium")
    with sync_playwright() as playwright:
        # Chromium refuses its sandbox to root; what it is shown here is our own.
        browser = playwright.chromium.launch(executable_path=find_program("chromium"), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def look(tmp_path_factory: pytest.TempPathFactory) -> Snapshot:
    return everything(tmp_path_factory.mktemp("network"))


@pytest.fixture(scope="module")
def open_door(look: Snapshot) -> Iterator[Door]:
    door = Door(look)
    with open_doors(door.app) as [door.url]:
        yield door


@pytest.fixture
def door(open_door: Door, look: Snapshot) -> Door:
    return open_door.shows(look)


@pytest.fixture
def page(browser: Browser, door: Door) -> Iterator[Page]:
    """A page that knows where the door is: ``page.goto("/")``."""
    with browser.new_context(base_url=door.url, viewport=NARROW) as context:  # type: ignore[arg-type]
        yield context.new_page()
