"""The doors: where they listen, that nobody can hold them up, and that they close."""

from __future__ import annotations

import errno
import os
import socket
import threading
from contextlib import ExitStack, closing
from urllib.parse import urlsplit

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.doors import PATIENCE, ask, open_doors
from wifimgr.errors import ConfigError
from wifimgr.views import server

HUGE = "x" * (16 << 20)
"""More than the buffers of a connection hold."""


def saying(text: str, path: str = "/") -> Starlette:
    return Starlette(routes=[Route(path, lambda _: PlainTextResponse(text))])


def connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), PATIENCE)


def was_cut(client: socket.socket) -> bool:
    """Waits until the other side ends the connection."""
    try:
        while client.recv(65536):
            pass
    except ConnectionError:
        pass
    return True


# ---------------------------------------------------------------- where they listen


@pytest.mark.parametrize(
    ("text", "address"), [("127.0.0.1:0", "127.0.0.1"), ("[::1]:0", "[::1]"), ("localhost:0", None)]
)
def test_a_door_listens_at_the_address(text: str, address: str | None) -> None:
    with server.bind(text) as door:
        url = server.address_of(door)
        with connect(url):
            assert url == f"http://{address or urlsplit(url).hostname}:{door.getsockname()[1]}/"


@pytest.mark.parametrize(
    "text", ["", "8080", ":8080", "127.0.0.1", "127.0.0.1:http", "127.0.0.1:70000", "::1:8080", "[]:80", "a b:80"]
)
def test_what_is_no_address_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ConfigError, match=r"127\.0\.0\.1:8080") as caught:
        server.bind(text)
    assert caught.value.id == "wrong-type"


@pytest.mark.parametrize("text", ["192.0.2.1:8080", "no-such-name.invalid:8080", f"{'x' * 70}.example:8080"])
def test_an_address_of_another_machine_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="name an address of this machine") as caught:
        server.bind(text)
    assert caught.value.id == "cannot-listen"


def test_a_port_in_use_is_told_with_what_to_do() -> None:
    with server.bind("127.0.0.1:0") as door:
        text = f"127.0.0.1:{door.getsockname()[1]}"
        with pytest.raises(ConfigError, match=rf"^{text}: another program listens there already; stop it") as caught:
            server.bind(text)
    assert (caught.value.id, caught.value.exit_code) == ("port-in-use", 2)


def test_a_port_that_is_not_for_us_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> socket.socket:
        raise OSError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(socket, "create_server", refuse)
    with pytest.raises(ConfigError, match="choose a port from 1024 up") as caught:
        server.bind("127.0.0.1:80")
    assert caught.value.id == "cannot-listen"


# ---------------------------------------------------------------- what they answer


def test_each_door_has_its_own_answers() -> None:
    with open_doors(saying("one", "/a"), saying("two", "/b")) as (first, second):
        assert [ask(first + "/a").text, ask(second + "/b").text] == ["one", "two"]
        assert [ask(first + "/b").status, ask(second + "/a").status] == [404, 404]


def test_an_answer_does_not_tell_the_program(capfd: pytest.CaptureFixture[str]) -> None:
    with open_doors(saying("hello")) as (url,):
        answer = ask(url)
        assert ask(url, "HEAD").text == ""
    assert (answer.status, answer.text) == (200, "hello")
    assert "server" not in answer.headers
    assert "date" in answer.headers
    assert capfd.readouterr() == ("", ""), "nobody's address is logged"


def test_a_bug_in_an_application_ends_one_answer_not_the_door(caplog: pytest.LogCaptureFixture) -> None:
    def fail(request: Request) -> PlainTextResponse:
        raise RuntimeError("a bug")

    app = saying("fine")
    app.router.routes.append(Route("/bug", fail))
    with open_doors(app) as (url,):
        assert [ask(url + "/bug").status, ask(url).text] == [500, "fine"]
    assert "RuntimeError: a bug" in caplog.text


# ---------------------------------------------------------------- nobody holds them up


def test_an_answer_that_takes_long_holds_nobody_up() -> None:
    others_were_answered = threading.Event()

    def slow(request: Request) -> PlainTextResponse:
        return PlainTextResponse(str(others_were_answered.wait(PATIENCE)))

    app = saying("quick")
    app.router.routes.append(Route("/slow", slow))
    with open_doors(app, saying("other")) as (first, second), closing(connect(first)) as client:
        client.sendall(b"GET /slow HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert [ask(first).text, ask(second).text] == ["quick", "other"]
        others_were_answered.set()
        answer = b""
        while part := client.recv(65536):
            answer += part
        assert answer.endswith(b"True")


def test_clients_that_say_nothing_or_do_not_read_hold_nobody_up() -> None:
    with open_doors(saying(HUGE), saying("other")) as (first, second), ExitStack() as stack:
        clients = [stack.enter_context(closing(connect(first))) for _ in range(20)]
        for client in clients[:10]:
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        clients[10].sendall(b"GET / HT")
        assert ask(first).text == HUGE
        assert ask(second).text == "other"
    # and the doors closed all the same: open_doors waits for that


@pytest.mark.parametrize("said", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"])
def test_a_connection_has_an_end(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(server, "LONGEST_CONNECTION", 0.3)
    with open_doors(saying(HUGE)) as (url,), closing(connect(url)) as client:
        client.sendall(said)
        assert was_cut(client)


def test_a_door_has_a_most_and_others_get_in_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 3)
    with open_doors(saying("first"), saying("second")) as (first, second):
        with ExitStack() as stack:
            for _ in range(3):
                client = stack.enter_context(closing(connect(first)))
                client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
                assert client.recv(65536).startswith(b"HTTP/1.1 200")
            with closing(connect(first)) as one_more:
                assert was_cut(one_more)
            assert ask(second).text == "second"
        # the loop may see their end a moment later than we do
        while True:
            try:
                assert ask(first).text == "first"
                break
            except ConnectionError:
                continue


# ---------------------------------------------------------------- the end


def test_closed_doors_let_nobody_in_and_leave_their_ports() -> None:
    with open_doors(saying("one"), saying("two")) as urls, closing(connect(urls[0])) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert client.recv(65536)
    for url in urls:
        with pytest.raises(ConnectionRefusedError):
            connect(url)
        server.bind(urlsplit(url).netloc).close()
