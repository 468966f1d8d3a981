"""Draws the pictures of the docs: the status page of the example network, on phone and desktop, by day and by night.

``python -m tests.e2e.screenshots FOLDER``. The network, its health and the clock are made up and fixed, so that a
picture changes only when the page does.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.conftest import find_program
from tests.doors import open_doors
from tests.views.door import Door
from tests.views.places import example

PAGES = {"overview": "/", "place": "/s/jz-meiderich"}
SCREENS = {"phone": (390, 844, 1.5), "desktop": (1280, 800, 1)}
"""Width and height, and how many dots each of their pixels has."""
SCHEMES = ("light", "dark")


def main(folder: Path) -> None:
    """Writes all pictures into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as network, sync_playwright() as playwright:
        door = Door(example(Path(network)))
        browser = playwright.chromium.launch(executable_path=find_program("chromium"), args=["--no-sandbox"])
        with open_doors(door.app) as [url]:
            for screen, (width, height, dots) in SCREENS.items():
                page = browser.new_page(viewport={"width": width, "height": height}, device_scale_factor=dots)
                for name, path in PAGES.items():
                    page.goto(url + path)
                    for scheme in SCHEMES:
                        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
                        picture = folder / f"{name}-{screen}-{scheme}.png"
                        page.screenshot(path=picture)
                        print(f"{picture}: {picture.stat().st_size // 1024} kB")
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
