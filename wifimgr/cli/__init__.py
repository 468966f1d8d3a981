"""The command line: each command group is one file that parses, calls and prints."""

from __future__ import annotations

import errno
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from wifimgr import __version__
from wifimgr.cli import (
    adopt,
    change,
    check,
    common,
    demo,
    edit,
    exporting,
    importing,
    inventory,
    rollback,
    schema,
    serve,
    site,
    start,
    trust,
    watch,
)
from wifimgr.errors import WifimgrError

app = typer.Typer(
    name="wifimgr",
    help="Keep a network of free Wi-Fi routers: an inventory in YAML, and changes that never lose a router.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,  # they print source lines, and a secret may stand in one
)

for group in (
    demo,
    start,
    schema,
    check,
    inventory,
    edit,
    importing,
    exporting,
    change,
    rollback,
    watch,
    trust,
    adopt,
    serve,
    site,
):
    group.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"wifimgr {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    ctx: typer.Context,
    network: common.NetworkFolder = None,
    quiet: common.Quiet = False,
    verbose: common.Verbose = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    ctx.obj = common.Run(network, quiet=quiet, verbose=verbose)


def main(args: Sequence[str] | None = None) -> None:
    """The program ``wifimgr``: run a command and end with its exit code."""
    sys.stdout = sys.stdout or Path(os.devnull).open("w")  # noqa: SIM115 (closed by whoever started us; ends with us)
    sys.stderr = sys.stderr or Path(os.devnull).open("w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]  # LANG=C is no reason to fail
    for number in (signal.SIGTERM, signal.SIGHUP):  # kill, a closed terminal: clean up as after Ctrl-C
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup wants it
            signal.signal(number, signal.default_int_handler)
    sys.exit(run(sys.argv[1:] if args is None else args))


def run(args: Sequence[str]) -> int:
    """Run one command and return its exit code; every error becomes lines on stderr."""
    try:
        code = _exit_code(args)
        sys.stdout.flush()
    except WifimgrError as error:
        for line in error.lines():
            print(f"error: {line}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Who read our output has seen enough; without this, Python complains when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            print("error: the output cannot be written: no space left", file=sys.stderr)
            return 1
        print(f"error: this is a bug in wifimgr, please report it: {_log(error)}", file=sys.stderr)
        return 1
    return code


def _exit_code(args: Sequence[str]) -> int:
    try:
        app(list(args), prog_name="wifimgr")
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else int(bool(end.code))
    return 0


def _log(error: Exception) -> str:
    """Write the traceback where only we can read it, and say what happened and where that file is."""
    handle, name = tempfile.mkstemp(prefix="wifimgr-bug-", suffix=".log", dir=_state_dir())
    os.close(handle)
    trace = "".join(traceback.format_exception(error))
    Path(name).write_text(trace, encoding="utf-8", errors="backslashreplace")
    return f"{type(error).__name__}; the details are in {name}"


def _state_dir() -> Path | None:
    """The state folder if there is one that we may write to. No error comes out: the bug may be anywhere."""
    try:
        from wifimgr.settings import STATE_FOLDER, find_network

        folder = find_network() / STATE_FOLDER
    except Exception:
        return None
    return folder if os.access(folder, os.W_OK) else None
