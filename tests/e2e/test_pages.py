"""The status page in a real browser: for everybody, on every screen, with nothing but its own files."""

from __future__ import annotations

import gzip
import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import NARROW, WIDE
from tests.views.door import Door
from wifimgr.errors import StoreError
from wifimgr.views.snapshot import Snapshot

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice", "EN-301-549"]
PAGES = ["/", "/en/", "/s/lang", "/s/jz-meiderich", "/en/s/jz-marxloh", "/s/jz-walsum", "/s/nichts"]
"""Overview and place in both languages, longest names, every card, guests, closed, and not there."""
FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
SPACING = "* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }"
PARAGRAPHS = "p { margin-bottom: 2em !important }"


def problems(page: Page) -> list[str]:
    """What axe finds wrong with a page as it is now, and what it cannot decide."""
    options = {"runOnly": {"type": "tag", "values": TAGS}, "resultTypes": ["violations", "incomplete"]}
    answer: Any = Axe().run(page, options=options).response
    found = [*answer["violations"], *answer["incomplete"]]
    return [f"{one['id']}: {node['html']}" for one in found for node in one["nodes"]]


@pytest.mark.parametrize("path", PAGES)
def test_axe_finds_nothing(page: Page, path: str) -> None:
    page.goto(path)
    for scheme in ("light", "dark"):
        for screen in (NARROW, WIDE):
            page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            page.set_viewport_size(screen)  # type: ignore[arg-type]
            assert problems(page) == [], (scheme, screen)


def test_axe_finds_what_is_wrong(page: Page) -> None:
    page.goto("/s/jz-meiderich")
    page.evaluate("document.documentElement.removeAttribute('lang')")
    page.evaluate("document.querySelector('.sentence').style.color = '#ccc'")
    assert {problem.split(":")[0] for problem in problems(page)} == {"html-has-lang", "color-contrast"}


@pytest.mark.parametrize("path", PAGES)
def test_everything_fits_the_narrowest_screen(page: Page, path: str) -> None:
    page.goto(path)
    assert page.evaluate(FITS)
    for rule in (SPACING, PARAGRAPHS):
        page.evaluate("rule => document.styleSheets[0].insertRule(rule)", rule)
    assert page.evaluate("getComputedStyle(document.querySelector('h1')).letterSpacing") != "normal"
    assert page.evaluate(FITS)


@pytest.mark.parametrize("path", PAGES)
def test_fingers_find_every_link(page: Page, path: str) -> None:
    page.goto(path)
    links = page.locator("a:not(.skip)").all()
    sizes = {link.inner_text(): link.bounding_box() for link in links}
    assert len(sizes) >= 3
    for text, box in sizes.items():
        assert box, text
        assert box["height"] >= 44, text


def test_everything_is_there_without_scripts(browser: Browser, door: Door) -> None:
    with browser.new_context(base_url=door.url, java_script_enabled=False) as context:
        page = context.new_page()
        page.goto("/")
        page.get_by_role("link", name="Jugendzentrum Meiderich").click()
        expect(page.get_by_text("Das WLAN läuft, nur hier nicht: Obergeschoss, Werkraum.")).to_be_visible()
        phone = page.get_by_role("link", name="+49 221 4710 115")
        expect(phone).to_be_visible()
        expect(phone).to_have_attribute("href", "tel:+492214710115")
        page.get_by_role("link", name="Neu laden").click()
        page.get_by_role("link", name="English").click()
        expect(page.get_by_text("The Wi-Fi is working, but not here: Obergeschoss, Werkraum.")).to_be_visible()


def test_nothing_is_loaded_from_elsewhere_and_nothing_is_refused(page: Page, door: Door) -> None:
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text))
    for path in PAGES[:-1]:
        page.goto(path)
    assert {url.removeprefix(door.url)[0] for url in asked} == {"/"}
    assert all(url.startswith(door.url) for url in asked)
    assert complaints == []
    assert page.context.cookies() == []


def test_a_page_is_light(page: Page) -> None:
    for path in PAGES:
        answer = page.goto(path)
        assert answer
        assert len(gzip.compress(answer.body())) <= 14 << 10
        loaded = "['navigation', 'resource'].flatMap(kind => performance.getEntriesByType(kind))"
        sizes = page.evaluate(f"{loaded}.map(entry => entry.decodedBodySize)")
        assert 0 < len(answer.body()) < sum(sizes) <= 50 << 10


def test_the_keyboard_reaches_everything_in_order(page: Page) -> None:
    page.goto("/s/jz-meiderich")
    here = "document.activeElement"
    order = [link.get_attribute("href") for link in page.locator("a").all()]
    for href in order:
        page.keyboard.press("Tab")
        assert page.evaluate(f"{here}.getAttribute('href')") == href
        assert page.evaluate(f"getComputedStyle({here}).outlineStyle") == "solid"
        assert page.evaluate(f"parseFloat(getComputedStyle({here}).outlineWidth)") >= 2
        left, right = page.evaluate(f"[{here}.getBoundingClientRect().left, {here}.getBoundingClientRect().right]")
        assert 0 <= left < right <= NARROW["width"], href
    assert order[0] == "#content"


def test_the_skip_link_skips(page: Page) -> None:
    page.goto("/s/jz-meiderich")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "back"


def test_nothing_moves(page: Page) -> None:
    page.goto("/")
    page.locator(".places a").first.hover()
    assert page.evaluate("document.getAnimations().length") == 0


def test_states_are_told_without_their_colours(page: Page) -> None:
    page.emulate_media(forced_colors="active")
    page.goto("/s/jz-meiderich")
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert page.evaluate("getComputedStyle(document.querySelector('.hero')).borderTopStyle") == "solid"
    strokes = page.evaluate("[...document.querySelectorAll('.icon')].map(icon => getComputedStyle(icon).stroke)")
    assert len(strokes) > 8
    assert ground not in strokes


def test_on_paper_there_is_what_helps_on_paper(page: Page) -> None:
    page.goto("/s/jz-meiderich")
    page.emulate_media(media="print")
    for text in ("Das WLAN läuft, nur hier nicht", "+49 221 4710 115", "freifunk-jz-meiderich"):
        expect(page.get_by_text(text).first).to_be_visible()
    for name in ("Neu laden", "English"):
        expect(page.get_by_role("link", name=name)).to_have_count(0)


def test_when_the_store_is_broken_the_page_says_so(page: Page, door: Door) -> None:
    def look() -> Snapshot:
        raise StoreError("store-failed", "disk full")

    door.shows(look)
    answer = page.goto("/s/jz-meiderich")
    assert answer
    assert answer.status == 503
    expect(page.get_by_role("heading", name="Das wissen wir gerade nicht")).to_be_visible()
    assert problems(page) == []
    assert page.evaluate(FITS)


def test_the_longest_words_are_broken_and_not_cut(page: Page) -> None:
    page.goto("/s/lang")
    room = page.get_by_text(re.compile("^Jugendfreizeiteinrichtungsleitungsbüro$"))
    box = room.first.bounding_box()
    assert box
    assert box["x"] + box["width"] <= NARROW["width"]
