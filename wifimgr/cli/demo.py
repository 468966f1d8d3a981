"""``demo``: the whole job on simulated routers, told step by step, and judged by itself."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import typer

from wifimgr.cli import common
from wifimgr.errors import ConfigError, LabError

Once = Annotated[bool, typer.Option("--once", help="End after the story instead of keeping the routers up.")]


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    common.command(app, "demo")(demo)


def demo(run: common.Run, once: Once = False) -> None:
    """Show the whole job on simulated routers, on this machine only."""
    from wifimgr.cli.story import tell

    with _network_copy(run) as folder:
        wrong = tell(folder, stay=not once)
    if wrong:
        raise LabError("lab-failed", f"the demo saw {len(wrong)} wrong: {'; '.join(wrong)}")


@contextmanager
def _network_copy(run: common.Run) -> Iterator[Path]:
    """A copy of the network around here, or of the example that wifimgr brings, in a folder of its own."""
    source: AbstractContextManager[Path]
    try:
        source = nullcontext(run.folder())
    except ConfigError:
        if run.network:
            raise
        source = common.example()
    folder = Path(tempfile.mkdtemp(prefix="wifimgr-demo-"))
    try:
        with source as found:
            for part in ("inventory", "playbooks"):
                shutil.copytree(found / part, folder / part, ignore=shutil.ignore_patterns("known_hosts"))
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
