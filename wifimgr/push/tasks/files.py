"""The task ``files``: whole files of a router, outside of ``/etc/config``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Annotated, Self

from pydantic import AfterValidator, WithJsonSchema, model_validator

from wifimgr.errors import ConfigError
from wifimgr.platforms.edits import FileEdit
from wifimgr.push.script import safe_path
from wifimgr.push.variables import Fill
from wifimgr.settings.values import Shape
from wifimgr.yamlfile import KeyPath, Strict, fault

OWN = ("/etc/wifimgr", "/etc/init.d/wifimgr", "/etc/rc.d/S09wifimgr", "/lib/upgrade/keep.d/wifimgr")
"""Where wifimgr keeps its own state on a router."""
NOT_ON_FLASH = ("/tmp/", "/var/", "/proc/", "/sys/", "/dev/")  # noqa: S108 (on a router)


def _path(value: str) -> str:
    if not value.startswith("/") or not safe_path(value[1:]):
        raise fault("is not a path that can be pushed", "write a whole path of plain characters, like /etc/banner")
    if value.startswith("/etc/config/"):
        raise fault("is a UCI file", "wish its options under uci", "bad-wish")
    if value.startswith((*OWN, *NOT_ON_FLASH)):
        raise fault("may not be pushed", "it is wifimgr's own state, or it is not on flash", "bad-wish")
    return value


Mode = Annotated[str, Shape("0?[0-7]{3}", "is not a file mode", 'write it in quotes, like "0644"')]
FilePath = Annotated[str, AfterValidator(_path), WithJsonSchema({"type": "string", "pattern": "^/."})]


class FileWish(Strict):
    """One wish: this file holds this text, or does not exist."""

    path: FilePath
    """Where it is: a whole path, like /etc/banner."""
    content: str | None = None
    """All that is in it; end it with a line break."""
    mode: Mode | None = None
    """In quotes, like "0644"; a new file has that, one that is there keeps its own."""
    absent: bool = False
    """true, in place of content: the file shall not be there."""

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if self.absent == (self.content is not None):
            raise fault("needs either content or absent", "keep one of both", "bad-wish")
        if "\0" in (self.content or ""):
            raise fault("holds a NUL byte", "files are text", "bad-wish")
        return self


def edits(wishes: list[FileWish], fill: Fill, where: Callable[[KeyPath], str]) -> Iterator[FileEdit]:
    """The edits of all wishes, in the order of the playbook."""
    first: dict[str, str] = {}
    for index, wish in enumerate(wishes):
        here = where((index,))
        if wish.path in first:
            what = f"{wish.path} is wished twice, first at {first[wish.path]}"
            raise ConfigError("bad-wish", what, where=here, hint="keep one of both")
        first[wish.path] = here
        content = None if wish.absent else fill(wish.content, here)
        if isinstance(content, tuple):
            raise ConfigError("bad-wish", "a file cannot hold a list", where=here, hint="use text")
        yield FileEdit(path=wish.path, content=content, mode=wish.mode or "", where=here)
