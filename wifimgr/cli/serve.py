"""``serve``: watch the routers, and open the two doors. Each part can also run alone."""

from __future__ import annotations

import signal
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from wifimgr.cli import common

if TYPE_CHECKING:
    import asyncio

    from wifimgr.inventory.live import LiveInventory
    from wifimgr.store import Store
    from wifimgr.worker import Worker


class Part(StrEnum):
    """A part of what ``serve`` does."""

    WORKER = "worker"
    PAGES = "pages"
    OPS = "ops"


DOORS = {Part.PAGES: "127.0.0.1:8080", Part.OPS: "127.0.0.1:8081"}
"""Where the doors are unless told otherwise: only this machine gets in."""
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C; a service manager, which gets exit code 0; a closed terminal."""

Only = Annotated[list[Part], typer.Option("--only", help="Run only this part. Several: all of them.")]
Pages = Annotated[str, typer.Option("--pages", metavar="ADDRESS:PORT", help="Where the pages for everybody are.")]
Ops = Annotated[str, typer.Option("--ops", metavar="ADDRESS:PORT", help="Where metrics and exact numbers are.")]


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    common.command(app, "serve")(serve)


def serve(run: common.Run, only: Only = [], pages: Pages = DOORS[Part.PAGES], ops: Ops = DOORS[Part.OPS]) -> None:  # noqa: B006
    """Watch the routers and show what is found: pages for everybody, metrics and exact numbers for ops."""
    import asyncio

    from wifimgr.settings import make_state_dir

    folder = run.folder()
    loud = replace(run, quiet=False).say  # what goes wrong is an error, and told with -q too
    with Serving(folder, only or Part, {Part.PAGES: pages, Part.OPS: ops}, loud) as serving:
        common.log_to(make_state_dir(folder))

        def announce() -> None:
            if serving.watching:
                run.say(f"worker: routers to watch: {serving.watching}")
            for part, address in serving.addresses.items():
                run.say(f"{part}: {address}")
            if serving.exposed:
                loud("warning: other machines can reach the ops door; it asks for no password and shows exact numbers")

        if asyncio.run(_until_told(serving, announce)) != signal.SIGTERM:
            raise KeyboardInterrupt


async def _until_told(serving: Serving, announce: Callable[[], None]) -> int:
    """Serves until somebody wants it to end; returns by which signal. The next one does not wait for anything.

    ``announce`` is called when signals are heard: whoever reads that it runs may end it at once.
    """
    import asyncio

    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    told: list[int] = []
    signals = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]  # as nohup wants it

    def end(number: int) -> None:
        told.append(number)
        for each in signals:
            loop.remove_signal_handler(each)
        stop.set()

    for number in signals:
        loop.add_signal_handler(number, end, number)
    announce()
    await serving.run(stop)
    return told[0]


class Serving:
    """The parts of ``serve``, ready to run: the inventory is right, the doors have their addresses, the store is open.

    ``doors`` says where the doors are; ``say`` is told what goes wrong while it runs. Making one raises ConfigError or
    StoreError, and leaves nothing open then.
    """

    def __init__(
        self, folder: Path, parts: Iterable[Part], doors: Mapping[Part, str], say: Callable[[str], None]
    ) -> None:
        from wifimgr.inventory.live import LiveInventory
        from wifimgr.settings import make_state_dir
        from wifimgr.store import Store
        from wifimgr.views import server
        from wifimgr.views.snapshot import Looker, take

        self._parts, self._say = frozenset(parts), say
        self._live = live = LiveInventory(folder)
        with ExitStack() as stack:
            self._sockets = {
                part: stack.enter_context(closing(server.bind(doors[part]))) for part in DOORS if part in self._parts
            }
            self._store = store = stack.enter_context(closing(Store(make_state_dir(folder))))
            self._look = Looker(lambda: take(live.current, store, datetime.now(UTC)))
            self._worker = _worker(live, store, say) if Part.WORKER in self._parts else None
            self._close = stack.pop_all().close
        self.addresses = {part: server.address_of(door) for part, door in self._sockets.items()}
        """Where the doors are, as people type it into a browser."""

    def __enter__(self) -> Serving:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    @property
    def watching(self) -> int:
        """How many routers the worker watches; 0 without a worker."""
        from wifimgr.health import watched

        return len(watched(self._live.current)) if self._worker else 0

    @property
    def exposed(self) -> bool:
        """Whether the ops door can be reached from other machines."""
        from ipaddress import ip_address

        hosts = [door.getsockname()[0].partition("%")[0] for part, door in self._sockets.items() if part is Part.OPS]
        return not all(ip_address(host).is_loopback for host in hosts)

    async def run(self, stop: asyncio.Event) -> None:
        """Runs all parts until ``stop`` is set. When one of them breaks, all end, and its error is raised."""
        import asyncio

        tasks = [asyncio.create_task(work) for work in self._work(stop)]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        stop.set()
        await asyncio.wait(tasks)
        for task in tasks:
            task.result()

    def _work(self, stop: asyncio.Event) -> Iterator[Coroutine[object, object, None]]:
        from wifimgr.views import ops, pages, server

        yield self._worker.run(stop) if self._worker else self._follow_files(stop)
        if self._sockets:
            apps = {
                Part.PAGES: lambda: pages.app(self._look),
                Part.OPS: lambda: ops.app(self._look, self._store, self._live),
            }
            yield server.run([(apps[part](), door) for part, door in self._sockets.items()], stop)

    async def _follow_files(self, stop: asyncio.Event) -> None:
        """Reads the inventory again when its files change, and says what is wrong: no worker does."""
        import asyncio

        from wifimgr.inventory.live import SECONDS_BETWEEN_LOOKS

        told = ""
        while not stop.is_set():
            await asyncio.to_thread(self._live.refresh)
            wrong = self._live.error
            if wrong != told:
                for line in wrong.splitlines() or ["the inventory is right again and used now"]:
                    self._say(line)
            told = wrong
            with suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), SECONDS_BETWEEN_LOOKS)


def _worker(live: LiveInventory, store: Store, say: Callable[[str], None]) -> Worker:
    from wifimgr.worker import Worker  # with all that reaches routers: a host of pages has no use for it

    return Worker(live, store, say)
