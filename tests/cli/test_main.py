"""The program itself: exit codes, errors in one line, pipes, terminals, what it loads."""

from __future__ import annotations

import os
import pty
import re
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

import wifimgr
from tests.networks import write
from wifimgr import cli
from wifimgr.cli import common
from wifimgr.errors import RouterError

PROGRAM = [sys.executable, "-c", "from wifimgr.cli import main; main()"]
TOP = Path(wifimgr.__file__).parent.parent
Out = pytest.CaptureFixture[str]


def program(*args: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *args],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(TOP)} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_version(capsys: Out) -> None:
    assert cli.run(["--version"]) == 0
    assert capsys.readouterr().out == f"wifimgr {wifimgr.__version__}\n"


@pytest.mark.parametrize(
    "args", [["no-such-command"], ["check", "--no-such-option"], ["router", "show"], ["check", "-o", "xml"]]
)
def test_usage_errors_end_with_2(args: list[str], capsys: Out) -> None:
    assert cli.run(args) == 2
    assert capsys.readouterr().out == ""


def test_help_ends_with_0(capsys: Out) -> None:
    assert cli.run(["router", "list", "--help"]) == 0
    assert "--network" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (RouterError("unreachable", "no answer", where="r1"), 3, "error: r1: no answer [unreachable]\n"),
        (KeyboardInterrupt(), 130, ""),
    ],
)
def test_errors_become_lines_and_exit_codes(
    monkeypatch: pytest.MonkeyPatch, capsys: Out, error: BaseException, code: int, message: str
) -> None:
    def fail(run: common.Run) -> Path:
        raise error

    monkeypatch.setattr(common.Run, "folder", fail)
    assert cli.run(["check"]) == code
    assert capsys.readouterr() == ("", message)


@pytest.mark.parametrize("with_state", [True, False])
def test_a_bug_is_one_line_and_a_log_that_only_we_can_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out, with_state: bool
) -> None:
    state, temp = write(tmp_path) / ".wifimgr", tmp_path / "temp"
    temp.mkdir()
    if with_state:
        state.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temp))
    monkeypatch.setenv("WIFIMGR_NETWORK", str(tmp_path))

    def fail(run: common.Run) -> Path:
        raise RuntimeError("secret detail")

    monkeypatch.setattr(common.Run, "folder", fail)
    assert cli.run(["check"]) == 1
    (log,) = (state if with_state else temp).glob("wifimgr-bug-*.log")
    assert capsys.readouterr().err == (
        f"error: this is a bug in wifimgr, please report it: RuntimeError; the details are in {log}\n"
    )
    assert "RuntimeError: secret detail" in log.read_text()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    routers = "".join(f"  r{n}: {{addresses: [10.0.{n >> 8}.{n & 255}]}}\n" for n in range(3000))
    write(tmp_path, haus=f"name: x\nkind: other\nrouters:\n{routers}")
    command = f'"{sys.executable}" -c "{PROGRAM[2]}" router list --network "{tmp_path}" | head -n 1'
    done = subprocess.run(["sh", "-c", command], cwd=TOP, capture_output=True, text=True, timeout=60, check=False)
    assert (done.stdout.split("\t")[0], done.stderr) == ("name", "")


def test_a_place_without_unicode_gets_the_data_all_the_same(tmp_path: Path) -> None:
    write(tmp_path, haus="name: Café ☕\nkind: other\nrouters: {}\n")
    done = program("site", "list", "--network", str(tmp_path), PYTHONIOENCODING="ascii", LANG="C")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[1].startswith("haus\tCaf\\xe9 \\u2615\t")


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_on_a_terminal_long_values_are_folded_not_cut(tmp_path: Path, columns: int) -> None:
    name = "abcdefghij" * 6
    write(tmp_path, haus=f"name: x\nkind: other\nrouters:\n  {name}: {{addresses: [192.0.2.1]}}\n")
    ours, theirs = pty.openpty()
    environment = os.environ | {"COLUMNS": str(columns), "TERM": "xterm", "PYTHONPATH": str(TOP)}
    command = [*PROGRAM, "router", "show", name, "--network", str(tmp_path)]
    with subprocess.Popen(command, stdout=theirs, env=environment) as process:
        os.close(theirs)
        shown = b""
        while chunk := _read(ours):
            shown += chunk
    os.close(ours)
    lines = re.sub(r"\x1b\[[0-9;]*m", "", shown.decode()).splitlines()
    assert process.returncode == 0
    assert max(map(len, lines)) <= columns
    assert sum(line.count("j") for line in lines[2:]) >= 2 * 6  # the name, and the variable of the same value
    assert "…" not in shown.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other end is closed
        return b""


def test_help_needs_no_heavy_import() -> None:
    code = "import sys; from wifimgr.cli import run; run(['--help']); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=TOP, capture_output=True, text=True, check=True)
    heavy = ("asyncio", "yaml", "pydantic", "paramiko", "netmiko", "sqlalchemy", "pysnmp", "starlette", "holidays")
    heavy += ("wifimgr.inventory", "wifimgr.settings", "wifimgr.health", "wifimgr.views", "wifimgr.lab")
    assert [module for module in heavy if f"'{module}'" in done.stdout.splitlines()[-1]] == []


def test_status_loads_neither_the_web_nor_what_reaches_routers(tmp_path: Path) -> None:
    write(tmp_path)
    code = f"import sys; from wifimgr.cli import run; run(['status', '--network', {str(tmp_path)!r}])"
    code += "; print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=TOP, capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1]
    assert "'wifimgr.health'" in loaded
    heavy = ("paramiko", "netmiko", "pysnmp", "icmplib", "starlette", "jinja2", "uvicorn", "wifimgr.ssh")
    assert [module for module in heavy if f"'{module}'" in loaded] == []
