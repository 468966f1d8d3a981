"""The task ``files``: whole files of a router, outside of ``/etc/config``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Annotated, Self

from pydantic import AfterValidator, WithJsonSchema, model_validator

from wifimgr.errors import ConfigError
from wifimgr.platforms.edits import FileEdit
from wifimgr.platforms.programs import LIFELINES
from wifimgr.push.script import safe_path
from wifimgr.push.variables import Fill
from wifimgr.settings.values import Shape
from wifimgr.yamlfile import KeyPath, Strict, fault

OWN = ("/etc/wifimgr", "/etc/init.d/wifimgr", "/etc/rc.d/S09wifimgr", "/lib/upgrade/keep.d/wifimgr")
"""Where wifimgr keeps its own state on a router."""
FOLDERS = ("/etc/", "/root/", "/usr/lib/lua/", "/usr/local/bin/", "/usr/share/", "/www/")
"""Where files may be pushed. Everything else is on no flash, or is what a router starts with and goes back with: a new
name there can do harm, too. What stands in /usr/sbin is found before the program of that name in /bin, and a library in
/usr/local/lib before the one in /usr/lib."""
NEEDED = (
    *(f"/etc/{name}" for name in ("inittab", "preinit", "rc.common", "diag.sh", "rc.d/*", "modules-boot.d/*")),
    *(f"/etc/hotplug.d/{name}/*" for name in ("atm", "block", "button", "firmware", "ieee1394", "input", "net")),
    *(f"/etc/hotplug.d/{name}/*" for name in ("platform", "tty", "usb", "usbmisc", "zaptel")),
    *("/etc/hotplug*.json", "/etc/ld-*", "/etc/ld.*", "/etc/.extroot*", "/etc/selinux/*", "/usr/share/libubox/*"),
    *("/etc/openwrt_*", "/etc/passwd", "/etc/group", "/etc/shadow", "/etc/shells", "/etc/dropbear/*_host_key"),
    *(f"/etc/init.d/{name}" for name in (*LIFELINES, "done", "rcS", "sysfixtime", "umount", "urngd")),
)
"""In those folders, what runs before the guard that takes an unconfirmed change back at boot, what the guard and procd
run on, what says which firmware it is, and the way in. ``*`` stands for anything."""
_OWN_SCRIPTS = "put a script of your own into /usr/local/bin and call it by its whole path"


def _path(value: str) -> str:
    if not value.startswith("/") or not safe_path(value[1:]):
        raise fault("is not a path that can be pushed", "write a whole path of plain characters, like /etc/banner")
    if value.startswith("/etc/config/"):
        raise fault("is a UCI file", "wish its options under uci", "bad-wish")
    if value.startswith(OWN):
        raise fault("may not be pushed: it is wifimgr's own state", "take it out", "bad-wish")
    if not value.startswith(FOLDERS):
        folders = ", ".join(folder.rstrip("/") for folder in FOLDERS)
        raise fault(f"may not be pushed: files go below {folders}", _OWN_SCRIPTS, "bad-wish")
    if any(fnmatchcase(value, each) for each in NEEDED):
        what = "may not be pushed: a router starts, goes back or lets us in with it"
        links = "say under services what starts with the router"
        raise fault(what, links if value.startswith("/etc/rc.d/") else "change it by hand, at the router", "bad-wish")
    return value


Mode = Annotated[str, Shape("0?[0-7]{3}", "is not a file mode", 'write it in quotes, like "0644"')]
_SCHEMA = {"type": "string", "pattern": f"^({'|'.join(FOLDERS)})."}
FilePath = Annotated[str, AfterValidator(_path), WithJsonSchema(_SCHEMA)]


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
