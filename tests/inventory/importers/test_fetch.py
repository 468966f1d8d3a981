"""Where an import reads from."""

from __future__ import annotations

import base64
import io
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from wifimgr.errors import ConfigError
from wifimgr.inventory.importers import fetch
from wifimgr.inventory.importers.fetch import source, without_credentials


class _Stdin:
    def __init__(self, content: bytes) -> None:
        self.buffer = io.BytesIO(content)


def refused(name: str) -> str:
    with pytest.raises(ConfigError) as caught:
        source(name)
    return caught.value.line()


# ---------------------------------------------------------------- files, folders, standard input


def test_a_folder_holds_no_files_from_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x", encoding="utf-8")
    folder = tmp_path / "folder"
    (folder / "host_vars").mkdir(parents=True)
    (folder / "hosts").write_text("a", encoding="utf-8")
    (folder / "again").symlink_to("hosts")
    (folder / "host_vars" / "a.yml").symlink_to(tmp_path / "secret")
    assert source(str(folder)).files == {"again": b"a", "hosts": b"a"}


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "map.json"
    path.write_bytes(b"\xff\x00")
    assert (source(str(path)).name, source(str(path)).files) == (str(path), {"map.json": b"\xff\x00"})


def test_of_a_folder_all_files_are_read_but_hidden_ones(tmp_path: Path) -> None:
    for name in ("b.yml", "a/hosts", "a/.b/c.yml", ".git/config", ".a.swp"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    os.mkfifo(tmp_path / "pipe")
    assert list(source(str(tmp_path)).files.items()) == [("a/hosts", b"a/hosts"), ("b.yml", b"b.yml")]


def test_a_hidden_folder_that_is_named_is_read(tmp_path: Path) -> None:
    (tmp_path / ".maps").mkdir()
    (tmp_path / ".maps/a.json").write_bytes(b"{}")
    assert source(str(tmp_path / ".maps")).files == {"a.json": b"{}"}


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", _Stdin(b"{}"))
    assert (source("-").name, source("-").name) == ("standard input", "standard input")
    monkeypatch.setattr("sys.stdin", _Stdin(b"{}"))
    assert list(source("-").files.values()) == [b"{}"]


def test_closed_standard_input_is_empty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", None)
    assert list(source("-").files.values()) == [b""]


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    path = str(tmp_path / "map.json")
    assert refused(path) == f"{path}: cannot be read: no such file or directory [unreadable-file]"


@pytest.mark.parametrize("name", ["map.json", "."])
def test_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr(fetch, "LARGEST", 10)
    (tmp_path / "map.json").write_bytes(b"x" * 6)
    assert source(str(tmp_path / name)).files == {"map.json": b"x" * 6}
    (tmp_path / "map.json").write_bytes(b"x" * 11)
    assert refused(str(tmp_path / name)).endswith("is larger than 0 MiB; take a part of it [bad-import]")
    (tmp_path / "map.json").write_bytes(b"x" * 6)
    (tmp_path / "other.json").write_bytes(b"x" * 6)
    if name == ".":
        assert "is larger than" in refused(str(tmp_path))


def test_what_never_ends_is_not_read_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    class Endless:
        def read(self, size: int) -> bytes:
            return b"x" * size

    stdin = _Stdin(b"")
    stdin.buffer = Endless()  # type: ignore[assignment]
    monkeypatch.setattr(fetch, "LARGEST", 10)
    monkeypatch.setattr("sys.stdin", stdin)
    assert refused("-") == "standard input: is larger than 0 MiB; take a part of it [bad-import]"


# ---------------------------------------------------------------- the web


class _Web(BaseHTTPRequestHandler):
    asked: list[tuple[str, str | None]]
    elsewhere = ""

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["Authorization"]))
        where = {"/away": self.elsewhere, "/file": "file:///etc/passwd", "/ftp": "ftp://127.0.0.1/x", "/loop": "/loop"}
        path = self.path.partition("?")[0]
        if path in where:
            self.send_response(302)
            self.send_header("Location", where[path])
            self.end_headers()
            return
        found = path.startswith("/map.json")
        self.send_response(200 if found else 404, "None\x1b[31m of this")
        self.end_headers()
        self.wfile.write(b'{"nodes": []}' if found else b"secret")

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def web(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a web server."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    _Web.asked = []
    with ThreadingHTTPServer(("127.0.0.1", 0), _Web) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_an_address_is_fetched(web: str) -> None:
    got = source(f"HTTP://{web}/map.json?token=secret#there")
    assert (got.name, got.files) == (f"HTTP://{web}/map.json", {f"HTTP://{web}/map.json": b'{"nodes": []}'})
    assert _Web.asked == [("/map.json?token=secret", None)]


def test_credentials_are_sent_where_they_are_meant_for_and_never_shown(web: str) -> None:
    _Web.elsewhere = f"http://{web}/map.json"
    got = source(f"http://me:p%40ss@{web}/away")
    assert got.name == f"http://{web}/away"
    assert "p%40ss" not in repr(got)
    basic = base64.b64encode(b"me:p@ss").decode()
    assert _Web.asked == [("/away", f"Basic {basic}"), ("/map.json", None)]


@pytest.mark.parametrize(
    ("path", "why"),
    [
        ("/nothing", "the server answers 404"),
        ("/file", "the server answers 302"),
        ("/ftp", "the server sends us to what is not the web"),
        ("/loop", "the server answers 302"),
    ],
)
def test_what_cannot_be_fetched_is_one_line_without_what_the_server_says(web: str, path: str, why: str) -> None:
    line = refused(f"http://me:password@{web}{path}?token=x")
    hint = "look at it with a browser, or save the file and name that"
    assert line == f"http://{web}{path}: cannot be fetched: {why}; {hint} [cannot-fetch]"


def test_too_much_from_the_web_is_refused(web: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "LARGEST", 5)
    assert "is larger than 0 MiB" in refused(f"http://{web}/map.json")


def test_a_silent_server_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "TIMEOUT", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert "the server was silent for 0.1 s" in refused(f"http://127.0.0.1:{silent.getsockname()[1]}/")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:1/", "connection refused"),
        ("http://", "this is no web address"),
        ("http://[::1/", "this is no web address"),
        ("http://127.0.0.1:port/", "the answer is not that of a web server"),
        ("http://127.0.0.1/\x01", "the answer is not that of a web server"),
    ],
)
def test_addresses_that_lead_nowhere_are_told(url: str, why: str) -> None:
    assert f"cannot be fetched: {why};" in refused(url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://example.org/a.json", "https://example.org/a.json"),
        ("https://me:pass@example.org:8443/a@b.json?k=v#f", "https://example.org:8443/a@b.json"),
        ("https://me:pa@ss@example.org", "https://example.org"),
        ("https://token@example.org?x=/@y", "https://example.org"),
    ],
)
def test_addresses_are_shown_without_what_may_be_secret(url: str, shown: str) -> None:
    assert without_credentials(url) == shown
