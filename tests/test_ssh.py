"""SSH: pinned host keys, refused and broken logins, deadlines, against the lab's server and against bad ones."""

from __future__ import annotations

import re
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from tests.push.net import Net, network
from wifimgr.errors import ConfigError, Refused, RouterError, WifimgrError
from wifimgr.lab import make_key
from wifimgr.settings import Endpoint, Secret
from wifimgr.ssh import Deadline, HostKey, KnownHosts, Target, connect, scan_host_key, target_of

ED25519 = "AAAAC3NzaC1lZDI1NTE5AAAAIKjg2jdu8ySh1HYZzlWQD1JQ0hSzSCSvM8sHaxf6JVVS"

# --- known hosts ---


def known_hosts(folder: Path, text: str) -> KnownHosts:
    path = folder / "known_hosts"
    path.write_text(text, encoding="utf-8")
    return KnownHosts(path)


def test_known_hosts_hold_several_keys_of_a_router_and_comments(tmp_path: Path) -> None:
    text = f"# ours\n\neins-ap ssh-ed25519 {ED25519} # Keller\nzwei ssh-rsa AAAA\neins-ap ssh-rsa AAAA\n"
    hosts = known_hosts(tmp_path, text)
    assert hosts.of("eins-ap") == (HostKey("ssh-ed25519", ED25519), HostKey("ssh-rsa", "AAAA"))
    assert hosts.of("drei") == ()


def test_known_hosts_that_do_not_exist_trust_nobody(tmp_path: Path) -> None:
    assert KnownHosts(tmp_path / "nie").of("eins-ap") == ()


@pytest.mark.parametrize(
    "line",
    ["eins-ap", "eins-ap ssh-ed25519", f"eins-ap ssh-dss {ED25519}", "eins-ap ssh-ed25519 not*base64",
     f"eins-ap ssh-ed25519 {ED25519} extra", f"ssh-ed25519 {ED25519}"],
)  # fmt: skip
def test_line_that_is_no_host_key_is_named(line: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        known_hosts(tmp_path, f"# first\n{line}\n")
    assert caught.value.line() == (
        f"{tmp_path}/known_hosts:2: is no host key; write '<router name> <key type> <base64>', "
        "or remove the line and run 'wifimgr router trust' [wrong-type]"
    )


def test_known_hosts_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "known_hosts").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "known_hosts", tmp_path):
        with pytest.raises(ConfigError) as caught:
            KnownHosts(path)
        assert caught.value.id == "unreadable-file"


def test_trust_replaces_the_keys_of_one_router_and_keeps_every_other_line(tmp_path: Path) -> None:
    hosts = known_hosts(tmp_path, "# ours\neins-ap ssh-rsa AAAA\nzwei ssh-rsa AAAA # Keller\n\neins-ap ssh-rsa AAAB\n")
    key = HostKey("ssh-ed25519", ED25519)
    hosts.trust("eins-ap", key)
    wanted = f"# ours\nzwei ssh-rsa AAAA # Keller\n\neins-ap ssh-ed25519 {ED25519}\n"
    assert (tmp_path / "known_hosts").read_text() == wanted
    assert hosts.of("eins-ap") == KnownHosts(tmp_path / "known_hosts").of("eins-ap") == (key,)
    assert [path.name for path in tmp_path.iterdir()] == ["known_hosts"]


def test_trust_makes_the_file_and_says_where_it_cannot(tmp_path: Path) -> None:
    KnownHosts(tmp_path / "known_hosts").trust("eins-ap", HostKey("ssh-ed25519", ED25519))
    assert KnownHosts(tmp_path / "known_hosts").of("eins-ap")
    with pytest.raises(ConfigError) as caught:
        KnownHosts(tmp_path / "nie/known_hosts").trust("eins-ap", HostKey("ssh-ed25519", ED25519))
    assert caught.value.line().startswith(f"{tmp_path}/nie/known_hosts: cannot be written: ")


def test_fingerprint_is_what_ssh_keygen_prints() -> None:
    assert HostKey("ssh-ed25519", ED25519).fingerprint == "SHA256:MZS7S+GWawbLgSQGwU8DqZqunr7Xv2asATxjQQlAEew"


# --- logging in ---


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Net]:
    with network(tmp_path_factory.mktemp("net"), {"ap": {}, "other": {}, "silent": {}, "off": {}}) as net:
        net.router("silent").link.silent = True
        net.router("off").link.powered = False
        yield net


def target(net: Net, name: str = "ap", **other: Any) -> Target:
    made = target_of(net.inventory.network, net.known_hosts, net.inventory.routers[name])
    values = {field: getattr(made, field) for field in made.__dataclass_fields__}
    return Target(**values | other)


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
    key = scan_host_key(target(net, keys=(), key_file=Path("/nowhere")), Deadline(5))
    assert (key,) == net.known_hosts.of("ap")
    with pytest.raises(RouterError):
        scan_host_key(target(net, "off"), Deadline(2))


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
    assert "; name a private key without a passphrase that can be read in profiles.ssh." in found.line()
    assert found.id == "unreadable-file"


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
            rf"ap \({re.escape(str(endpoint))}\): cannot be reached \([^()]+\); check power, cable and address "
            r"\[unreachable\]",
            line,
        ), line
        with pytest.raises(RouterError):
            scan_host_key(target(net, endpoint=endpoint), Deadline(0.5))
    assert "Traceback" not in capfd.readouterr().err


def test_closed_port_and_silent_router(net: Net) -> None:
    with server(lambda client: None) as endpoint:
        pass
    assert "cannot be reached (Connection refused)" in error(target(net, endpoint=endpoint), 1.0).line()
    assert error(target(net, "silent"), 1.0).id == "unreachable"
    assert error(target(net, "off"), 1.0).id == "unreachable"


def test_a_router_that_hangs_up_is_told_in_plain_words(net: Net) -> None:
    with server(lambda client: client.close()) as endpoint:
        line = error(target(net, endpoint=endpoint)).line()
    assert "banner" not in line
    assert "it hung up before it said anything" in line or "Connection reset" in line


@pytest.mark.parametrize("address", ["nowhere.invalid", "a" * 64 + ".invalid", ""])
def test_address_that_leads_nowhere_is_unreachable(address: str, net: Net) -> None:
    assert error(target(net, endpoint=Endpoint(address, 1)), 5.0).id == "unreachable"


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


def test_script_goes_to_standard_input_and_never_into_the_command(net: Net) -> None:
    deadline = Deadline(5)
    with connect(target(net), deadline) as connection:
        listed = connection.run("tr '\\0' ' ' </proc/$$/cmdline # sehr-geheim", deadline)
    assert listed == b"/bin/sh -s "


def test_deadline_counts_down_and_is_always_a_usable_timeout() -> None:
    deadline = Deadline(0.05)
    assert not deadline.passed()
    assert 0 < deadline.left() <= 0.05
    time.sleep(0.06)
    assert deadline.passed()
    assert deadline.left() == 0.01


def test_password_shows_in_nothing_that_is_printed() -> None:
    made = Target(name="ap", endpoint=Endpoint("192.0.2.1", 22), user="root", keys=(), password=Secret("sehr-geheim"))
    assert "sehr-geheim" not in repr(made) + str(made) + made.describe()
