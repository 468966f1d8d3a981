"""The story of the demo, from the first diff to the status page: told in two halves, and judged by itself."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from pathlib import Path

from rich.text import Text

from wifimgr.cli.stage import Stage
from wifimgr.cli.story_push import PushStory
from wifimgr.cli.story_watch import Doors, WatchStory, served
from wifimgr.model import Change, Manage
from wifimgr.push import opening
from wifimgr.push.ready import is_ours

NOTICED = "time-and-log"
"""A playbook that people would notice, and that the story does not use."""


def tell(folder: Path, *, stay: bool) -> list[str]:
    """Tells the story on a network folder that may be played with; returns what was not as it should be."""
    with ExitStack() as stack:
        stage = stack.enter_context(Stage(folder))
        _introduce(stage)
        PushStory(stage).tell()
        doors = stack.enter_context(served(stage))
        WatchStory(stage, doors).tell()
        stage.end()
        if stay and not stage.wrong:
            _stay(stage, doors)
    return stage.wrong


def _introduce(stage: Stage) -> None:
    size = f"{len(stage.inventory.sites)} places, {len(stage.lab.routers)} routers,"
    stage.console.print(Text.assemble((stage.inventory.network.name, "bold"), f": {size}"))
    stage.console.print("simulated on this machine: real SSH, SNMP and respondd, a real shell, the real scripts.")


def _stay(stage: Stage, doors: Doors) -> None:
    """Keeps everything up until Ctrl-C."""
    stage.calm_down()
    router = next(each for each in stage.inventory.routers.values() if each.manage is Manage.PUSH)
    place = router.site
    stage.console.print("\nEverything stays up until you press Ctrl-C. Open in a browser:\n")
    for address, what in ((doors.pages, "the status page"), (doors.ops, "ops: exact numbers, and /metrics")):
        stage.console.print(f"   [bold]{address}[/]  {what}")
    stage.console.print("\nTry in another terminal:\n")
    for words in (
        "status",
        f"poll --explain -s {router.name}",
        f"site explain {place}",
        f"router show {router.name}",
        "plan identity",
        f"apply identity -s {place}",
        *_that_wait(stage),
        "journal list",
    ):
        stage.console.print(f"   {stage.command(words)}", markup=False)
    try:
        threading.Event().wait()
    except KeyboardInterrupt:
        stage.console.print("\nstopped; nothing is left behind")


def _that_wait(stage: Stage) -> list[str]:
    """A command that waits for a place to close, and the same that does not; none where no place will."""
    at, inventory = opening.now(), stage.inventory
    ours = (router for router in inventory.routers.values() if is_ours(router))
    noticed = (Change(router=router.name, paths=(), touched=(), connectivity=True) for router in ours)
    places = (inventory.routers[each.router].site for each in noticed if opening.waits(inventory, each, at))
    place = next(places, "")
    if not (place and (stage.folder / "playbooks" / f"{NOTICED}.yaml").is_file()):
        return []
    return [f"apply {NOTICED} -s {place}{option}" for option in ("", " --while-open")]
