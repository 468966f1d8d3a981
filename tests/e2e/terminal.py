"""Draws the demo as it looks in a terminal: runs it, and makes a picture of its second half.

``python -m tests.e2e.terminal FOLDER``; takes as long as the demo.
"""

from __future__ import annotations

import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

from playwright.sync_api import sync_playwright
from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from tests.conftest import find_program

COLUMNS = 104
BEGIN = "Watch: how is everybody?"
"""The step that the picture begins with."""
PAGE = """<!DOCTYPE html><meta charset="utf-8"><style>
body {{ margin: 0; background: {background}; color: {foreground}; }}
pre {{ margin: 0; padding: 24px 28px; font: 15px/1.45 'DejaVu Sans Mono', monospace; display: inline-block; }}
</style><pre>{code}</pre>"""


def main(folder: Path) -> None:
    """Writes the picture into a folder."""
    command = [sys.executable, "-c", "from wifimgr.cli import main; main()", "demo", "--once"]
    environment = os.environ | {"FORCE_COLOR": "1", "TERM": "xterm-256color", "COLUMNS": str(COLUMNS)}
    told = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()
    begin = next(number for number, line in enumerate(told) if BEGIN in line)
    console = Console(record=True, width=COLUMNS, file=StringIO())
    console.print(Text.from_ansi("\n".join(told[begin:])), soft_wrap=True)
    html = console.export_html(theme=MONOKAI, inline_styles=True, code_format=PAGE)
    picture = folder / "demo.png"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_program("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 800, "height": 600})
        page.set_content(html)
        page.locator("pre").screenshot(path=picture)
        browser.close()
    print(f"{picture}: {picture.stat().st_size // 1024} kB")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
