"""Where an import reads from: a file, a folder, an address on the web, or standard input."""

from __future__ import annotations

import base64
import http.client
import io
import re
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Protocol

from wifimgr import __version__
from wifimgr.errors import ConfigError
from wifimgr.inventory.importers.base import Source

LARGEST = 64 * 1024 * 1024
"""Bytes in all: the map of a network of tens of thousands of nodes has less."""
TIMEOUT = 30.0
"""Seconds that the other side may be silent."""
STDIN = "-"
_WEB = re.compile(r"https?://", re.IGNORECASE)


def source(name: str) -> Source:
    """What stands there. Raises ConfigError ``unreadable-file``, ``cannot-fetch``, ``bad-import`` (too large)."""
    if _WEB.match(name):
        shown = without_credentials(name)
        return Source(shown, {shown: _fetched(name, shown)})
    try:
        if name == STDIN:
            stream = sys.stdin.buffer if sys.stdin else io.BytesIO()
            return Source("standard input", {STDIN: _all_of(stream, "standard input", LARGEST)})
        return Source(name, dict(_files(Path(name), name)))
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise ConfigError("unreadable-file", f"cannot be read: {reason}", where=name) from None


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


def _all_of(stream: _Readable, shown: str, room: int) -> bytes:
    raw = stream.read(room + 1)
    if len(raw) > room:
        what = f"is larger than {LARGEST // 1024 // 1024} MiB"
        raise ConfigError("bad-import", what, where=shown, hint="take a part of it")
    return raw


def _files(path: Path, shown: str) -> Iterator[tuple[str, bytes]]:
    """A file; of a folder all files below it, but no hidden ones and no links, in the order of their names."""
    names = [path.name]
    if path.is_dir():
        below = [
            each.relative_to(path) for each in sorted(path.rglob("*")) if each.is_file() and not _leads_out(each, path)
        ]
        names = [each.as_posix() for each in below if not any(part.startswith(".") for part in each.parts)]
    room = LARGEST
    for name in names:
        with (path / name if path.is_dir() else path).open("rb") as stream:
            raw = _all_of(stream, shown, room)
        room -= len(raw)
        yield name, raw


def _leads_out(file: Path, folder: Path) -> bool:
    """Whether a file of a folder is in truth another one, somewhere on this machine."""
    return not file.resolve().is_relative_to(folder.resolve())


# ---------------------------------------------------------------- the web


def without_credentials(url: str) -> str:
    """An address as it may be shown: who asks, and what is asked for in it, may be a secret."""
    rest = re.split("[?#]", url, maxsplit=1)[0]
    scheme, _, rest = rest.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}://{host.rpartition('@')[2]}{slash}{path}"


def _fetched(url: str, shown: str) -> bytes:
    try:
        with closing(_opener().open(_request(url), timeout=TIMEOUT)) as answer:
            return _all_of(answer, shown, LARGEST)
    except urllib.error.HTTPError as error:
        error.close()
        raise _not_fetched(shown, f"the server answers {error.code}") from None
    except urllib.error.URLError as error:
        raise _not_fetched(shown, _why(error.reason)) from None
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise _not_fetched(shown, _why(error)) from None


def _request(url: str) -> urllib.request.Request:
    """User and password go into a header of their own, and not to where the server may send us on."""
    parts = urllib.parse.urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    headers = {"User-Agent": f"wifimgr/{__version__}"}
    request = urllib.request.Request(parts._replace(netloc=host, fragment="").geturl(), headers=headers)  # noqa: S310
    if parts.username is not None:
        user = f"{urllib.parse.unquote(parts.username)}:{urllib.parse.unquote(parts.password or '')}"
        request.add_unredirected_header("Authorization", f"Basic {base64.b64encode(user.encode()).decode()}")
    return request


def _opener() -> urllib.request.OpenerDirector:
    """Knows the web and nothing else: no ``file:``, no ``ftp:``, wherever a redirect may point."""
    proxies = {scheme: url for scheme, url in urllib.request.getproxies().items() if scheme in ("http", "https")}
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(proxies),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


def _why(reason: object) -> str:
    """What went wrong, in words that hold nothing of the address."""
    if isinstance(reason, TimeoutError):
        return f"the server was silent for {TIMEOUT:g} s"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror.lower()
    if isinstance(reason, str) and reason.startswith("unknown url type"):
        return "the server sends us to what is not the web"
    return (
        "the answer is not that of a web server"
        if isinstance(reason, http.client.HTTPException)
        else "this is no web address"
    )


def _not_fetched(shown: str, why: str) -> ConfigError:
    hint = "look at it with a browser, or save the file and name that"
    return ConfigError("cannot-fetch", f"cannot be fetched: {why}", where=shown, hint=hint)
