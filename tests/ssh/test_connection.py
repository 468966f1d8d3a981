"""Connections: refused and broken logins, ways through others, scripts, against good servers and bad ones."""

from __future__ import annotations

import itertools
import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import paramiko
import pytest

from tests.push.net import Net, network
from wifimgr.errors import ConfigError, Refused, RouterError, WifimgrError
from wifimgr.inventory import load
from wifimgr.lab import make_key, sshd
from wifimgr.settings import Endpoint, Secret
from wifimgr.ssh import Deadline, Target, connect, scan, target_of
from wifimgr.ssh.connection import LOGINS_AT_ONCE, authenticate
from wifimgr.ssh.trouble import unreachable

# --- logging in ---


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    routers: dict[str, dict[str, object]] = {
        "ap": {},
        "other": {},
        "silent": {},
        "off": {},
        "far": {"addresses": ["192.168.8.2"], "jump": "ap"},
        "farther": {"addresses": ["fe80::9%br-lan"], "jump": "far"},
    }
    with network(tmp_path_factory.mktemp("net"), routers) as net:
        net.router("silent").link.silent = True
        net.router("off").link.powered = False
        yield net


def target(net: Net, name: str = "ap", **other: Any) -> Target:
    return replace(target_of(net.inventory, net.known_hosts, net.inventory.routers[name]), **other)


def error(target: Target, seconds: float = 5.0) -> WifimgrError:
    """What is raised when a login is tried; and that it does not last longer than it may."""
    began = time.monotonic()
    with pytest.raises(WifimgrError) as caught, connect(target, Deadline(seconds)):
        pass
    assert time.monotonic() - began < seconds + 20
    return caught.value


def test_scripts_run_one_after_the_other_on_one_connection(net: Net) -> None:
    deadline = Deadline(10)
    with connect(target(net), deadline) as connection:
        assert connection.run("echo $((1 + 1)); cat", deadline) == b"2\n"
        assert connection.run("printf 'a\\377'; exit 3", deadline) == b"a\xff"
        assert connection.run("head -c 300000 /dev/zero", deadline) == b"\0" * 300_000


def test_a_shell_that_is_kept_knows_what_the_last_script_has_defined(net: Net) -> None:
    with connect(target(net), Deadline(10)) as connection:
        assert connection.run("{ a=1; echo so; }\n", Deadline(10), keep=b"so\n") == b"so\n"
        assert connection.is_kept
        assert connection.run("{ echo $a; a=2; echo so; }\n", Deadline(10), keep=b"so\n") == b"1\nso\n"
        assert connection.run("echo $a; cat", Deadline(10)) == b"2\n"
        assert not connection.is_kept
        assert connection.run("echo $a.", Deadline(10)) == b".\n"


def test_a_shell_that_ends_is_not_kept(net: Net) -> None:
    with connect(target(net), Deadline(10)) as connection:
        assert connection.run("{ echo no; exit; }\n", Deadline(10), keep=b"so\n") == b"no\n"
        assert not connection.is_kept
        assert connection.run("echo new", Deadline(10)) == b"new\n"


def test_a_kept_shell_that_says_nothing_more_is_left_at_the_deadline(net: Net, no_thread_left: None) -> None:
    with connect(target(net), Deadline(10)) as connection:
        connection.run("{ echo so; }\n", Deadline(10), keep=b"so\n")
        with pytest.raises(RouterError, match=re.escape("cannot be reached (no answer in time)")):
            connection.run("sleep 20", Deadline(1.0))
        assert not connection.is_kept
    net.router("ap")._shell.kill_all()


def test_large_script_with_undecodable_bytes_arrives_whole(net: Net) -> None:
    content = "ä\udcff'x" * 40_000
    deadline = Deadline(10)
    with connect(target(net), deadline) as connection:
        raw = connection.run(f"cat <<'ENDE'\n{content}\nENDE\n", deadline)
    assert raw == content.encode("utf-8", "surrogateescape") + b"\n"


def test_unknown_host_key_is_refused_before_a_connection_is_made(net: Net) -> None:
    with refusing_listener() as (endpoint, seen):
        found = error(target(net, keys=(), endpoint=endpoint))
    assert isinstance(found, Refused)
    assert found.line() == (
        f"ap ({endpoint}): its host key was never trusted, so nothing was sent; "
        "compare the fingerprint and trust it with 'wifimgr router trust ap' [host-key-unknown]"
    )
    assert seen == []


@pytest.mark.scenario(24)
def test_changed_host_key_is_refused_loudly_and_nobody_logs_in(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    logins: list[object] = []
    monkeypatch.setattr("wifimgr.lab.sshd._Session.check_auth_publickey", lambda *args: logins.append(args))
    shown, trusted = net.known_hosts.of("ap")[0], net.known_hosts.of("other")
    found = error(target(net, keys=trusted))
    assert isinstance(found, Refused)
    assert found.id == "host-key-changed"
    assert f"HOST KEY CHANGED: it shows {shown.fingerprint}, trusted is {trusted[0].fingerprint}; " in found.line()
    assert found.line().endswith("'wifimgr router trust ap --replace' [host-key-changed]")
    assert logins == []


def test_one_of_several_trusted_keys_is_enough(net: Net) -> None:
    keys = (*net.known_hosts.of("other"), *net.known_hosts.of("ap"))
    with connect(target(net, keys=keys), Deadline(5)):
        pass


def test_host_key_can_be_looked_at_without_logging_in(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wifimgr.lab.sshd._Session.check_auth_publickey", None)
    key = scan(target(net, keys=(), key_file=Path("/nowhere")), Deadline(5))
    assert (key.key,) == net.known_hosts.of("ap")
    with pytest.raises(RouterError):
        scan(target(net, "off"), Deadline(2))


def test_refused_login_names_the_user(net: Net, tmp_path: Path) -> None:
    (tmp_path / "id").write_text(make_key()[1])
    for other in (
        {"key_file": tmp_path / "id"},
        {"user": "gast"},
        {"key_file": None, "password": Secret("sehr-geheim")},
    ):
        wanted = target(net, **other)
        found = error(wanted)
        assert found.id == "login-refused"
        assert f"login as {wanted.user!r} was refused (" in found.line()
        assert "sehr-geheim" not in found.line() + repr(wanted) + repr(found)


def test_login_without_key_and_password_is_refused_by_us(net: Net) -> None:
    found = error(target(net, key_file=None))
    assert "(no key and no password is set); check user and key of its SSH profile" in found.line()


@pytest.mark.parametrize("text", [None, "", "no key", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END"])
def test_key_file_that_cannot_be_used_is_a_mistake_of_the_settings(text: str | None, net: Net, tmp_path: Path) -> None:
    path = tmp_path / "id"
    if text is not None:
        path.write_text(text)
    found = error(target(net, key_file=path))
    assert isinstance(found, ConfigError)
    assert found.line().startswith(f"{path}: this SSH key cannot be used: ")
    assert "; name a private key that can be read in profiles.ssh." in found.line()
    assert found.id == "unreadable-file"


# --- through another router ---


def far(net: Net, **jump: Any) -> Target:
    """A router that is reached through ``ap``, whose own target differs."""
    return target(net, "far", through=target(net, "ap", **jump))


@pytest.fixture
def logins(net: Net, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The routers that let somebody in, in that order."""
    names: list[str] = []
    for name, router in net.lab.routers.items():
        monkeypatch.setattr(router.link, "logged_in", lambda name=name: names.append(name))
    return names


@pytest.fixture
def no_thread_left() -> Iterator[None]:
    """Everything that a test opens is closed again, here and at the routers."""
    before = set(threading.enumerate())
    yield
    end = time.monotonic() + 20
    while left := set(threading.enumerate()) - before:
        assert time.monotonic() < end, left
        time.sleep(0.02)


@pytest.mark.parametrize(("name", "way"), [("far", ["ap", "far"]), ("farther", ["ap", "far", "farther"])])
def test_a_router_is_logged_in_to_through_others(
    name: str, way: list[str], net: Net, logins: list[str], no_thread_left: None
) -> None:
    deadline = Deadline(20)
    with connect(target(net, name), deadline) as connection:
        assert connection.run('echo "$WIFIMGR_ROOT"', deadline) == f"{net.router(name).root}\n".encode()
        assert connection.run("head -c 3000000 /dev/zero", deadline) == b"\0" * 3_000_000
        assert connection.run(f"cat <<'ENDE'\n{'x' * 300_000}\nENDE\n", deadline) == b"x" * 300_000 + b"\n"
    assert logins == way


def test_where_local_yaml_has_an_endpoint_we_log_in_straight(net: Net) -> None:
    made = target(net, "farther")
    assert made.through
    assert made.through.through == target(net, "ap")
    assert made.describe() == "farther ([fe80::9%br-lan]:22 through far)"
    inventory = load(net.folder, {".wifimgr/local.yaml": "endpoints: {farther: {ssh: '127.0.0.1:9'}}\n"})
    made = target_of(inventory, net.known_hosts, inventory.routers["farther"])
    assert (made.endpoint, made.through) == (Endpoint("127.0.0.1", 9), None)


def test_a_hop_that_was_never_trusted_gets_nothing(net: Net) -> None:
    with refusing_listener() as (endpoint, seen):
        found = error(far(net, keys=(), endpoint=endpoint))
    assert isinstance(found, Refused)
    assert found.line() == (
        f"far (192.168.8.2:22 through ap): the way through ap ({endpoint}): its host key was never trusted, so nothing "
        "was sent; compare the fingerprint and trust it with 'wifimgr router trust ap' [host-key-unknown]"
    )
    assert seen == []


def test_the_way_is_not_used_for_a_router_that_was_never_trusted(net: Net, logins: list[str]) -> None:
    found = error(replace(target(net, "far"), keys=()))
    assert found.id == "host-key-unknown"
    assert found.hint.endswith("'wifimgr router trust far'")
    assert logins == []


def test_nobody_logs_in_to_a_hop_with_another_host_key(net: Net, logins: list[str], no_thread_left: None) -> None:
    found = error(far(net, keys=net.known_hosts.of("other")))
    assert isinstance(found, Refused)
    assert found.what.startswith(f"the way through ap ({target(net).endpoint}): HOST KEY CHANGED: it shows ")
    assert found.id == "host-key-changed"
    assert found.hint.endswith("'wifimgr router trust ap --replace'")
    assert logins == []


def test_a_hop_cannot_pass_for_the_router_behind_it(net: Net, logins: list[str], no_thread_left: None) -> None:
    """The key of the far end is checked, not that of who brings us there."""
    found = error(target(net, "far", keys=net.known_hosts.of("ap")))
    assert (found.id, found.where) == ("host-key-changed", "far (192.168.8.2:22 through ap)")
    assert found.what.startswith("HOST KEY CHANGED: ")
    assert logins == ["ap"]


@pytest.mark.parametrize(
    ("jump", "id", "what"),
    [
        ({"user": "gast"}, "login-refused", "login as 'gast' was refused ("),
        ({"endpoint": Endpoint("127.0.0.1", 1)}, "unreachable", "cannot be reached (Connection refused)"),
        ({"endpoint": Endpoint("nowhere.invalid", 22)}, "unreachable", "cannot be reached ("),
    ],
)
def test_what_goes_wrong_at_a_hop_names_it(
    jump: dict[str, Any], id: str, what: str, net: Net, no_thread_left: None
) -> None:
    hop = target(net, "ap", **jump)
    found = error(far(net, **jump))
    assert isinstance(found, RouterError)
    assert (found.id, found.where) == (id, "far (192.168.8.2:22 through ap)")
    assert found.what.startswith(f"the way through {hop.describe()}: {what}")


@pytest.mark.parametrize(
    ("trouble", "hint"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "no SSH server at that port: check address and port"),
        (socket.gaierror(-2, "Name or service not known"), "write its address into the inventory"),
        (OSError(113, "No route to host"), "check power, cable and address"),
        (TimeoutError(), "check power, cable and address"),
    ],
    ids=["refused", "name", "route", "time"],
)
def test_hint_fits_why_a_router_cannot_be_reached(net: Net, trouble: Exception, hint: str) -> None:
    assert hint in unreachable(target(net), trouble).hint


def test_a_router_that_the_hop_cannot_connect_to(net: Net, no_thread_left: None) -> None:
    found = error(target(net, "far", endpoint=Endpoint("192.168.8.99", 22)))
    assert found.line() == (
        "far (192.168.8.99:22 through ap): cannot be reached (ap cannot connect to it); check power, cable and address "
        "[unreachable]"
    )


def test_a_hop_that_does_not_forward(net: Net, monkeypatch: pytest.MonkeyPatch, no_thread_left: None) -> None:
    monkeypatch.setattr(net.router("ap"), "forwards", False)
    assert error(target(net, "far")).line() == (
        "far (192.168.8.2:22 through ap): cannot be reached (ap does not forward connections); allow TCP forwarding "
        "there: the SSH server of ap, or our key on it, forbids it [unreachable]"
    )


@pytest.mark.parametrize("silent", ["ap", "far"])
def test_one_deadline_holds_for_the_whole_way(
    silent: str, net: Net, monkeypatch: pytest.MonkeyPatch, no_thread_left: None
) -> None:
    monkeypatch.setattr(net.router(silent).link, "silent", True)
    found = error(target(net, "far"), 1.0)
    net.router(silent)._server.drop()
    assert "cannot be reached (no answer in time)" in found.line()
    assert ("the way through ap" in found.line()) is (silent == "ap")


def test_a_hop_that_never_answers_whether_it_forwards(
    net: Net, monkeypatch: pytest.MonkeyPatch, no_thread_left: None
) -> None:
    free = threading.Event()

    def wait(address: str, port: int) -> None:
        free.wait(30)
        raise ConnectionRefusedError

    monkeypatch.setattr(net.router("ap")._server, "_reach", wait)
    found = error(target(net, "far"), 1.0)
    free.set()
    assert "far (192.168.8.2:22 through ap): cannot be reached (no answer in time)" in found.line()


def test_a_hop_that_breaks_in_the_middle(net: Net, no_thread_left: None) -> None:
    with connect(target(net, "far"), Deadline(10)) as connection:
        timer = threading.Timer(0.3, net.router("ap")._server.drop)
        timer.start()
        with pytest.raises(RouterError) as caught:
            connection.run("sleep 20", Deadline(10))
        timer.join()
    net.router("far")._shell.kill_all()
    assert "far (192.168.8.2:22 through ap): cannot be reached (the connection was lost)" in caught.value.line()


def test_a_script_that_does_not_end_is_left_at_the_deadline_behind_a_hop_too(net: Net, no_thread_left: None) -> None:
    with connect(target(net, "far"), Deadline(10)) as connection, pytest.raises(RouterError) as caught:
        connection.run("while :; do echo x; sleep 0.1; done", Deadline(1.0))
    net.router("far")._shell.kill_all()
    assert "(no answer in time)" in caught.value.line()


def test_a_host_key_is_looked_at_through_a_hop_and_only_the_hop_lets_us_in(
    net: Net, logins: list[str], no_thread_left: None
) -> None:
    assert scan(target(net, "far", keys=()), Deadline(10)).key in net.known_hosts.of("far")
    assert logins == ["ap"]
    with pytest.raises(Refused) as caught:
        scan(target(net, "far", through=target(net, "ap", keys=())), Deadline(10))
    assert caught.value.id == "host-key-unknown"
    assert logins == ["ap"]


def test_few_log_in_to_a_hop_at_the_same_time(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    """dropbear hangs up on the sixth stranger of one address."""
    most, now, lock = 0, 0, threading.Lock()

    def watched(target: Target, *rest: Any) -> None:
        nonlocal most, now
        with lock:
            now += target.name == "ap"
            most = max(most, now)
        time.sleep(0.05)
        authenticate(target, *rest)
        with lock:
            now -= target.name == "ap"

    monkeypatch.setattr("wifimgr.ssh.connection.authenticate", watched)

    def look(_: int) -> bytes:
        deadline = Deadline(60)
        with connect(target(net, "far"), deadline) as connection:
            return connection.run("echo here", deadline)

    with ThreadPoolExecutor(12) as pool:
        assert list(pool.map(look, range(12))) == [b"here\n"] * 12
    assert 1 < most <= LOGINS_AT_ONCE


# --- servers that do not behave ---


@contextmanager
def server(talk: Callable[[socket.socket], None]) -> Iterator[Endpoint]:
    """A server that talks like this with each client."""
    stopped = threading.Event()
    listener = socket.create_server(("127.0.0.1", 0))
    clients: list[socket.socket] = []

    def serve() -> None:
        with suppress(OSError):
            while not stopped.is_set():
                client, _ = listener.accept()
                clients.append(client)
                threading.Thread(target=quietly, args=(client,), daemon=True).start()

    def quietly(client: socket.socket) -> None:
        with suppress(OSError):
            talk(client)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield Endpoint(*listener.getsockname())
    finally:
        stopped.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        for client in clients:
            client.close()
        thread.join(5)


@contextmanager
def refusing_listener() -> Iterator[tuple[Endpoint, list[object]]]:
    """An endpoint that notes who connects."""
    seen: list[object] = []
    with server(seen.append) as endpoint:
        yield endpoint, seen


def drip(client: socket.socket) -> None:
    """A line now and then, for ever, but never the banner."""
    while True:
        client.sendall(b"please wait\r\n")
        time.sleep(0.1)


BAD_SERVERS: dict[str, Callable[[socket.socket], None]] = {
    "says-nothing": lambda client: None,
    "says-nothing-after-the-banner": lambda client: client.sendall(b"SSH-2.0-dropbear\r\n"),
    "is-no-ssh": lambda client: client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
    "hangs-up": lambda client: client.shutdown(socket.SHUT_RDWR),
    "hangs-up-after-the-banner": lambda client: (
        client.sendall(b"SSH-2.0-dropbear\r\n"),
        client.shutdown(socket.SHUT_RDWR),
    )[1],
    "sends-junk": lambda client: client.sendall(b"SSH-2.0-x\r\n" + b"\xff" * 5000),
    "never-comes-to-the-point": drip,
}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@pytest.mark.parametrize("name", BAD_SERVERS)
def test_server_that_does_not_behave_is_unreachable_within_the_deadline(
    name: str, net: Net, capfd: pytest.CaptureFixture[str]
) -> None:
    with server(BAD_SERVERS[name]) as endpoint:
        found = error(target(net, endpoint=endpoint), seconds=1.0)
        assert isinstance(found, RouterError)
        assert found.id == "unreachable"
        line = found.line()
        assert re.fullmatch(
            rf"ap \({re.escape(str(endpoint))}\): cannot be reached \([^()]+\); "
            r"(check power, cable and address|something is there, [^;]*|its SSH server may be full: [^;]*) "
            r"\[unreachable\]",
            line,
        ), line
        with pytest.raises(RouterError):
            scan(target(net, endpoint=endpoint), Deadline(0.5))
    assert "Traceback" not in capfd.readouterr().err


def test_handshake_that_stalls_ends_by_its_deadline_though_the_clock_is_set_back(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    times = itertools.chain([time.time()], itertools.repeat(0.0))
    monkeypatch.setattr(paramiko.transport, "time", SimpleNamespace(**{**vars(time), "time": lambda: next(times)}))
    with server(BAD_SERVERS["says-nothing-after-the-banner"]) as endpoint, ThreadPoolExecutor(1) as pool:
        found = pool.submit(error, target(net, endpoint=endpoint), seconds=1.0).result(timeout=20)
    assert found.id == "unreachable"


def test_closed_port_and_silent_router(net: Net) -> None:
    with server(lambda client: None) as endpoint:
        pass
    assert "cannot be reached (Connection refused)" in error(target(net, endpoint=endpoint), 1.0).line()
    assert error(target(net, "silent"), 1.0).id == "unreachable"
    assert error(target(net, "off"), 1.0).id == "unreachable"


def test_a_router_that_hangs_up_is_told_in_plain_words(net: Net) -> None:
    with server(lambda client: client.close()) as endpoint:
        line = error(target(net, endpoint=endpoint), 1.0).line()
    assert "banner" not in line
    assert "it hung up before it said anything" in line or "Connection reset" in line


def test_a_router_that_hangs_up_in_the_middle_of_a_login_refuses_nobody(
    net: Net, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As it does when its power goes just then: who is refused is told so."""
    session, router = sshd._Session, net.router("ap")
    monkeypatch.setattr(session, "check_auth_publickey", lambda *_: router._server.drop() or sshd.AUTH_FAILED)
    found = error(target(net))
    assert found.id == "unreachable"
    assert "cannot be reached (it hung up in the middle of the login)" in found.line()


# --- deadlines of what runs ---


@pytest.mark.parametrize(
    "script",
    ["sleep 20", "exec >&-; sleep 20", "while :; do echo x; sleep 0.1; done", "yes"],
    ids=["silent", "closed-output", "drip", "flood"],
)
def test_script_that_does_not_end_is_left_at_the_deadline(script: str, net: Net) -> None:
    began = time.monotonic()
    with connect(target(net), Deadline(5)) as connection, pytest.raises(RouterError) as caught:
        connection.run(script, Deadline(1.0))
    assert time.monotonic() - began < 20, "it waited for the script"
    assert caught.value.id == "unreachable"
    assert re.search(r"\((no answer in time|it sends more than 4 MiB)\)", caught.value.line())
    net.router("ap")._shell.kill_all()


def test_connection_that_breaks_in_the_middle(net: Net) -> None:
    with connect(target(net), Deadline(5)) as connection:
        timer = threading.Timer(0.3, net.router("ap")._server.drop)
        timer.start()
        with pytest.raises(RouterError) as caught:
            connection.run("sleep 20", Deadline(5))
        timer.join()
    assert "cannot be reached (the connection was lost)" in caught.value.line()
    net.router("ap")._shell.kill_all()


def test_connection_is_closed_when_its_block_ends(net: Net) -> None:
    with connect(target(net), Deadline(5)) as connection:
        pass
    with pytest.raises(RouterError):
        connection.run("true", Deadline(1))


def test_router_that_gives_us_no_shell_is_told_at_once(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wifimgr.ssh.connection.SHELL", "something else")
    began = time.monotonic()
    with connect(target(net), Deadline(30)) as connection, pytest.raises(RouterError) as caught:
        connection.run("{ echo hi; exit; }\n", Deadline(30))
    assert caught.value.id == "unreachable"
    assert time.monotonic() - began < 25, "it did not wait for the deadline"


def test_script_goes_to_standard_input_and_never_into_the_command(net: Net) -> None:
    deadline = Deadline(5)
    with connect(target(net), deadline) as connection:
        listed = connection.run("tr '\\0' ' ' </proc/$$/cmdline # sehr-geheim", deadline)
    assert listed == b"/bin/sh -s "
