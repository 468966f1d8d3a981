"""The store: leases and the journal, also between processes; migrations; and one clear line where it fails."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine

from wifimgr.errors import Refused, StoreError
from wifimgr.store import Store
from wifimgr.store.migrate import REVISION
from wifimgr.store.schema import metadata

VERSIONS = Path(__file__).parents[2] / "wifimgr/store/migrations/versions"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store(tmp_path)
    yield store
    store.close()


def sql(folder: Path, statement: str, *values: object) -> list[tuple[object, ...]]:
    """Asks the database without wifimgr."""
    with closing(sqlite3.connect(folder / "state.db", isolation_level=None)) as connection:
        return connection.execute(statement, values).fetchall()


@contextmanager
def python(program: str, *arguments: object) -> Iterator[subprocess.Popen[str]]:
    """Another process of wifimgr."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=30)


def go(*processes: subprocess.Popen[str]) -> list[str]:
    """Lets all of them begin at once; what each printed."""
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    return [process.communicate(timeout=60)[0] for process in processes]


# --- leases ---


def leased(store: Store, router: str = "ap") -> str:
    """The message of a refusal."""
    with pytest.raises(Refused) as caught, store.lease(router, 60):
        pass
    return caught.value.line()


def test_lease_keeps_others_out_until_its_block_ends(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path)
    with store.lease("ap", 60):
        line = leased(other)
        assert re.fullmatch(
            rf"ap: another wifimgr works on it \([^ ]+:{os.getpid()}, until \d\d:\d\d:\d\d at the latest\); "
            r"wait for it to end, then try again \[leased\]",
            line,
        )
        with other.lease("gw", 60):
            pass
    with other.lease("ap", 60):
        pass
    other.close()


def test_lease_ends_with_an_error_too(store: Store) -> None:
    with pytest.raises(ZeroDivisionError), store.lease("ap", 60):
        raise ZeroDivisionError
    with store.lease("ap", 60):
        pass


def test_lease_that_ran_out_can_be_taken_and_its_old_holder_does_not_give_it_back(store: Store) -> None:
    with store.lease("ap", -1):
        second = store.lease("ap", 60)
        second.__enter__()
    assert "leased" in leased(store)
    second.__exit__(None, None, None)
    with store.lease("ap", 60):
        pass


HOLD = """
import sys
from pathlib import Path
from wifimgr.store import Store
with Store(Path(sys.argv[1])).lease("ap", 600):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_lease_of_another_process_holds_until_that_process_is_dead(store: Store, tmp_path: Path) -> None:
    with python(HOLD, tmp_path) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        assert f":{process.pid}, " in leased(store)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with store.lease("ap", 60):
            pass


def test_lease_of_another_machine_holds_until_it_runs_out(store: Store, tmp_path: Path) -> None:
    for expires, free in (("2999-01-01 00:00:00.000000", False), ("2001-01-01 00:00:00.000000", True)):
        sql(tmp_path, "INSERT OR REPLACE INTO lease VALUES ('ap', 'anderswo.example:1:x', ?)", expires)
        if free:
            with store.lease("ap", 60):
                pass
        else:
            assert "anderswo.example:1" in leased(store)


CONTEND = """
import sys, time
from pathlib import Path
from wifimgr.errors import Refused
from wifimgr.store import Store
store = Store(Path(sys.argv[1]))
sys.stdin.readline()
won = 0
for _ in range(30):
    try:
        with store.lease("ap", 60):
            marker = Path(sys.argv[1]) / "inside"
            marker.touch(exist_ok=False)
            time.sleep(0.002)
            marker.unlink()
            won += 1
    except Refused:
        pass
print(won, flush=True)
"""


def test_two_processes_are_never_inside_at_the_same_time(tmp_path: Path) -> None:
    with python(CONTEND, tmp_path) as first, python(CONTEND, tmp_path) as second:
        outputs = go(first, second)
    assert all(output.strip().isdigit() for output in outputs), outputs
    assert sum(map(int, outputs)) >= 30


# --- the journal ---


def test_journal_holds_begin_and_end_newest_first(store: Store) -> None:
    before = datetime.now(UTC)
    first = store.begin("ap", what="playbook x: /etc/x", why="weil's „so“ ist", transaction="t1")
    second = store.begin("gw", what="y", why="", transaction="t2")
    store.end(first, result="done", detail="")
    newest, oldest = store.entries()
    assert (newest.id, newest.router, newest.result, newest.ended, newest.detail) == (
        second,
        "gw",
        "unfinished",
        None,
        "",
    )
    assert (oldest.id, oldest.result, oldest.why) == (first, "done", "weil's „so“ ist")
    assert (oldest.what, oldest.transaction) == ("playbook x: /etc/x", "t1")
    assert oldest.ended
    assert before <= oldest.began <= oldest.ended <= datetime.now(UTC)
    assert [entry.id for entry in store.entries(1)] == [second]


def test_journal_survives_closing(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.begin("ap", what="x", why="", transaction="t1")
    store.close()
    again = Store(tmp_path)
    assert [entry.router for entry in again.entries()] == ["ap"]
    again.close()


WRITE = """
import sys
from pathlib import Path
from wifimgr.store import Store
store = Store(Path(sys.argv[1]))
sys.stdin.readline()
for number in range(40):
    store.end(store.begin(sys.argv[2], what=str(number), why="", transaction="t"), result="done", detail="")
"""


def test_two_processes_write_at_the_same_time_and_lose_nothing(tmp_path: Path) -> None:
    with python(WRITE, tmp_path, "a") as first, python(WRITE, tmp_path, "b") as second:
        assert go(first, second) == ["", ""]
    store = Store(tmp_path)
    entries = store.entries(1000)
    store.close()
    for name in "ab":
        mine = [entry for entry in entries if entry.router == name]
        assert [entry.what for entry in mine] == [str(number) for number in reversed(range(40))]
        assert {entry.result for entry in mine} == {"done"}
    assert sql(tmp_path, "PRAGMA journal_mode") == [("wal",)]


def test_reader_sees_the_last_state_while_somebody_writes(store: Store, tmp_path: Path) -> None:
    number = store.begin("ap", what="x", why="", transaction="t")
    with closing(sqlite3.connect(tmp_path / "state.db")) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT result FROM journal").fetchall() == [(None,)]
        store.end(number, result="done", detail="")
        assert reader.execute("SELECT result FROM journal").fetchall() == [(None,)]
    assert store.entries()[0].result == "done"


# --- migrations ---


def test_revision_is_the_newest_step() -> None:
    steps = {
        re.findall(r'(?m)^revision = "(\w+)"', text)[0]: re.findall(r'(?m)^down_revision = (?:"(\w+)"|None)', text)[0]
        for text in (path.read_text() for path in sorted(VERSIONS.glob("[!_]*.py")))
    }
    assert max(steps) == REVISION
    names = sorted(steps)
    assert [steps[name] for name in names] == ["", *names[:-1]], "each step follows the one before"
    assert all(re.fullmatch(r"\d{4}", name) for name in names), "they are compared as text"


def test_migrated_store_has_the_tables_that_the_program_means(store: Store, tmp_path: Path) -> None:
    engine = create_engine(f"sqlite:///{tmp_path}/state.db")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
    assert sql(tmp_path, "SELECT version_num FROM alembic_version") == [(REVISION,)]


def test_store_that_is_new_enough_is_opened_without_alembic(store: Store, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from wifimgr.store import Store; Store(Path(sys.argv[1])).entries(); "
    )
    program += "print([name for name in sys.modules if name.split('.')[0] == 'alembic'])"
    with python(program, tmp_path) as process:
        assert process.communicate(timeout=60)[0] == "[]\n"


# --- when it fails ---


def read(store: Store) -> object:
    return store.entries()


def failure(folder: Path, act: Callable[[Store], object] = read) -> str:
    """The one line that a broken store gives."""
    with pytest.raises(StoreError) as caught, closing(Store(folder)) as store:
        act(store)
    [line] = caught.value.lines()
    assert line.endswith("[store-failed]")
    return line


def test_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "state.db").write_text("not a database at all, but long enough to be looked at\n" * 20)
    line = failure(tmp_path)
    assert line == (
        f"{tmp_path}/state.db: the store cannot be used: file is not a database; "
        "check free space and permissions of this folder [store-failed]"
    )


def test_database_that_was_cut(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for number in range(50):
        store.begin("ap", what="x" * 500, why="", transaction=str(number))
    store.close()
    path = tmp_path / "state.db"
    path.write_bytes(path.read_bytes()[:8192])
    assert "malformed" in failure(tmp_path)


def test_folder_that_is_missing(tmp_path: Path) -> None:
    assert "unable to open database file" in failure(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("prepare", "says"),
    [
        (["CREATE TABLE lease (x)"], "table lease already exists"),
        (
            ["CREATE TABLE alembic_version (version_num)", "INSERT INTO alembic_version VALUES ('9999')"],
            "made by a newer wifimgr (revision 9999); use a newer wifimgr, or name another folder with --network",
        ),
        (
            ["CREATE TABLE alembic_version (version_num)", "INSERT INTO alembic_version VALUES ('0000')"],
            "the store is of another program: Can't locate revision identified by '0000'; move this file away",
        ),
    ],
    ids=["foreign", "newer", "foreign-alembic"],
)
def test_database_of_somebody_else_is_left_alone(prepare: list[str], says: str, tmp_path: Path) -> None:
    for statement in prepare:
        sql(tmp_path, statement)
    before = sql(tmp_path, "SELECT name FROM sqlite_master ORDER BY name")
    assert says in failure(tmp_path)
    assert sql(tmp_path, "SELECT name FROM sqlite_master ORDER BY name") == before


def test_table_that_somebody_dropped(tmp_path: Path) -> None:
    Store(tmp_path).close()
    sql(tmp_path, "DROP TABLE journal")
    assert "no such table: journal" in failure(tmp_path)


def test_disk_that_is_full(tmp_path: Path) -> None:
    store = Store(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        with pytest.raises(StoreError) as caught:
            store.begin("ap", what="x" * 100_000, why="", transaction="t")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.line().startswith(f"{tmp_path}/state.db: the store cannot be used: ")
    assert store.entries() == [], "nothing half-done"
    store.close()


def test_folder_that_must_not_be_written() -> None:
    folder = Path(mkdtemp(prefix="wifimgr-"))
    try:
        Store(folder).close()
        (folder / "state.db").chmod(0o444)
        folder.chmod(0o555)
        with as_nobody():
            line = failure(folder, lambda store: store.begin("ap", what="x", why="", transaction="t"))
        assert "readonly" in line or "unable to open" in line
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Root may write everywhere."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(me)


def test_database_that_stays_locked(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wifimgr.store.BUSY_SECONDS", 0.2)
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert "database is locked" in failure(tmp_path)
        assert 0.15 < time.monotonic() - began < 5
