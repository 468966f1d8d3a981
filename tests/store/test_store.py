"""The store: leases and the journal, also between processes; migrations; and one clear line where it fails."""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
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


def test_threads_that_write_at_the_same_time_take_turns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wifimgr.store.database.BUSY_SECONDS", 0.0)  # whoever finds it busy would fail at once
    store = Store(tmp_path)

    def work(number: int) -> None:
        for turn in range(5):
            with store.lease(f"router-{number}", 60):
                entry = store.begin(f"router-{number}", what="x", why="", transaction=f"{number}-{turn}")
                store.end(entry, result="done", detail="")

    with ThreadPoolExecutor(20) as pool:
        list(pool.map(work, range(20)))
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
while won < 15:
    try:
        with store.lease("ap", 60):
            marker = Path(sys.argv[1]) / "inside"
            marker.touch(exist_ok=False)
            time.sleep(0.002)
            marker.unlink()
            won += 1
    except Refused:
        time.sleep(0.001)
print(won, flush=True)
"""


def test_two_processes_are_never_inside_at_the_same_time(tmp_path: Path) -> None:
    with python(CONTEND, tmp_path) as first, python(CONTEND, tmp_path) as second:
        outputs = go(first, second)
    assert [output.strip() for output in outputs] == ["15", "15"]


def test_duty_is_held_by_one_and_goes_over_when_it_ends(store: Store, tmp_path: Path) -> None:
    other = Store(tmp_path)
    with store.hold("watch", 60) as held:
        with pytest.raises(Refused) as caught, other.hold("watch", 60):
            pass
        assert caught.value.line().startswith("watch: another wifimgr does this (")
        assert f":{os.getpid()}); " in caught.value.line()
        held.renew()
        with other.lease("watch", 60):
            """A router may have this name."""
    with other.hold("watch", 60):
        pass
    other.close()


def test_duty_that_is_renewed_lasts_longer(store: Store, tmp_path: Path) -> None:
    with store.hold("watch", 60) as held:
        sql(tmp_path, "UPDATE lease SET expires = '2001-01-01 00:00:00.000000'")
        held.renew()
        with pytest.raises(Refused), store.hold("watch", 60):
            pass


def test_duty_that_ran_out_and_was_taken_is_not_renewed(store: Store) -> None:
    with store.hold("watch", -1) as first, store.hold("watch", 60) as second:
        with pytest.raises(Refused):
            first.renew()
        second.renew()


def test_leased_tells_the_routers_that_somebody_works_on_now(store: Store, tmp_path: Path) -> None:
    assert store.leased() == frozenset()
    with store.lease("ap", 60), store.lease("old", -1), store.hold("watch", 60):
        assert store.leased() == {"ap"}
    with python(HOLD, tmp_path) as process:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        assert store.leased() == {"ap"}
        process.kill()
        process.wait()
        assert store.leased() == frozenset(), "nobody works on it any more, though the lease would run on"


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


def test_readers_do_not_wait_for_who_writes(store: Store, tmp_path: Path) -> None:
    store.begin("ap", what="x", why="", transaction="t")
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("DELETE FROM journal")
        assert [entry.router for entry in store.entries()] == ["ap"]
        with closing(Store(tmp_path)) as another:
            assert another.leased() == frozenset()


@pytest.mark.parametrize("before", [None, 0o644], ids=["new", "of an older version"])
def test_only_we_may_read_it(tmp_path: Path, before: int | None) -> None:
    path = tmp_path / "state.db"
    if before:
        path.touch()
        path.chmod(before)
    with closing(Store(tmp_path)) as store:
        store.begin("ap", what="x", why="", transaction="t")
        files = list(tmp_path.glob("state.db*"))
        assert len(files) > 1, "the write-ahead log is there, too"
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


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


FIRST_STORE = """
CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY);
INSERT INTO alembic_version VALUES ('0001');
CREATE TABLE lease (
    router VARCHAR(63) NOT NULL PRIMARY KEY, owner VARCHAR(255) NOT NULL, expires DATETIME NOT NULL
);
INSERT INTO lease VALUES ('gw', 'anderswo.example:1:x', '2999-01-01 00:00:00.000000');
CREATE TABLE journal (
    id INTEGER NOT NULL PRIMARY KEY, began DATETIME NOT NULL, ended DATETIME, router VARCHAR(63) NOT NULL,
    what TEXT NOT NULL, why TEXT NOT NULL, "transaction" VARCHAR(64) NOT NULL, result VARCHAR(32),
    detail TEXT DEFAULT '' NOT NULL
);
CREATE INDEX ix_journal_began ON journal (began);
CREATE INDEX ix_journal_router ON journal (router);
INSERT INTO journal VALUES (1, '2026-01-01 00:00:00.000000', NULL, 'ap', 'x', 'y', 't', NULL, '');
"""
"""A store as revision 0001 left it behind."""


def test_store_of_the_first_revision_is_brought_up_with_what_is_in_it(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        connection.executescript(FIRST_STORE)
    with closing(Store(tmp_path)) as store:
        assert [(entry.router, entry.result) for entry in store.entries()] == [("ap", "unfinished")]
        assert store.leased() == {"gw"}
        assert (store.known(), store.last_flips(), store.last_beat()) == ({}, {}, None)
    engine = create_engine(f"sqlite:///{tmp_path}/state.db")
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


OPEN = """
import sys
from pathlib import Path
from wifimgr.store import Store
sys.stdin.readline()
Store(Path(sys.argv[1])).close()
"""


def test_two_processes_bring_the_same_store_up(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "state.db")) as connection:
        connection.executescript(FIRST_STORE)
    with python(OPEN, tmp_path) as first, python(OPEN, tmp_path) as second:
        assert go(first, second) == ["", ""]
    assert sql(tmp_path, "SELECT version_num FROM alembic_version") == [(REVISION,)]


def test_a_new_store_waits_for_somebody_who_writes_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        monkeypatch.setattr(time, "sleep", lambda seconds: other.rollback())
        Store(tmp_path).close()
        assert not other.in_transaction


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


def write(store: Store) -> object:
    return store.begin("ap", what="x", why="", transaction="t")


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
            line = failure(folder, write)
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
    monkeypatch.setattr("wifimgr.store.database.BUSY_SECONDS", 0.2)
    with closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        began = time.monotonic()
        assert "database is locked" in failure(tmp_path, write)
        assert time.monotonic() - began > 0.15
