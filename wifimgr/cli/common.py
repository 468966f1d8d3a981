"""What all commands share: the options that every command takes, and how a command is registered."""

from __future__ import annotations

import inspect
import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Annotated, Any

import typer

from wifimgr.cli.output import Form
from wifimgr.errors import ConfigError, visible

NetworkFolder = Annotated[
    Path | None,
    typer.Option("--network", metavar="DIR", help="The network folder; default: found from here upwards."),
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print only data and errors.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Print more about what is done.")]
Select = Annotated[
    list[str],
    typer.Option(
        "--select",
        "-s",
        metavar="SELECTOR",
        help="Which routers: a name, a site, or terms like 'role=gateway site=jz-*'. Several: any of them.",
    ),
]
Output = Annotated[
    Form | None,
    typer.Option("--output", "-o", help="The form of the output; default: table on a terminal, else tsv."),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the program: where the network is, and how much to tell on stderr."""

    network: Path | None = None
    quiet: bool = False
    verbose: bool = False

    def folder(self) -> Path:
        """The network folder. Raises ConfigError ``no-network``."""
        from wifimgr.settings import find_network

        folder = find_network(self.network)
        self.detail(f"network folder: {folder}")
        return folder

    def say(self, text: str) -> None:
        """Tell a person something; never data."""
        if not self.quiet:
            with suppress(OSError):  # nobody listens any more: no reason to stop in the middle of a push
                print(visible(text), file=sys.stderr)

    def detail(self, text: str) -> None:
        """Tell a person more, when asked to with ``-v``."""
        if self.verbose:
            self.say(text)


def command(app: typer.Typer, name: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a command. Its first parameter is the :class:`Run`, the others are its arguments and options.

    ``--network``, ``-q`` and ``-v`` come by themselves. They may stand before the command or after it; of two
    network folders the one after it wins.
    """

    def register(function: Callable[..., None]) -> Callable[..., None]:
        own = list(inspect.signature(function, eval_str=True).parameters.values())[1:]
        context, *shared = inspect.signature(_every_command, eval_str=True).parameters.values()

        def call(ctx: typer.Context, **options: Any) -> None:
            given: Run = ctx.find_root().obj
            run = Run(
                options.pop("network") or given.network,
                quiet=options.pop("quiet") or given.quiet,
                verbose=options.pop("verbose") or given.verbose,
            )
            function(run, **options)

        call.__doc__ = function.__doc__
        call.__signature__ = inspect.Signature([context, *own, *shared])  # type: ignore[attr-defined]
        app.command(name)(call)
        return function

    return register


def _every_command(
    ctx: typer.Context, network: NetworkFolder = None, quiet: Quiet = False, verbose: Verbose = False
) -> None:
    """The parameters that every command has."""


def need_somebody(yes: bool, hint: str) -> None:
    """Raises ConfigError ``need-terminal`` when a question would have to be asked and nobody is there to answer."""
    if not (yes or (sys.stdin.isatty() and sys.stderr.isatty())):
        raise ConfigError("need-terminal", "somebody has to say yes, and there is no terminal to ask on", hint=hint)


@contextmanager
def example() -> Iterator[Path]:
    """The example network: in the wheel it lies in the package, in a checkout beside it."""
    with as_file(files("wifimgr")) as package:
        inside = package / "example"
        yield inside if inside.is_dir() else package.parent


def log_to(state: Path) -> None:
    """Surprises are kept in a file of the state folder: a person sees one line, whoever repairs it the traceback."""
    handler = logging.FileHandler(state / "wifimgr.log", encoding="utf-8", delay=True)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(message)s"))
    logger = logging.getLogger("wifimgr")
    for earlier in list(logger.handlers):  # of another network, in the same process
        logger.removeHandler(earlier)
        earlier.close()
    logger.addHandler(handler)


def noun(app: typer.Typer, name: str, help: str) -> typer.Typer:
    """The group of commands about one noun (``router list``, ``router trust``); several files may add to it."""
    for known in app.registered_groups:
        if known.name == name and known.typer_instance:
            return known.typer_instance
    group = typer.Typer(help=help, no_args_is_help=True)
    app.add_typer(group, name=name)
    return group
