"""The inventory of a program that runs on while people edit files: always the last one that was right."""

from __future__ import annotations

import logging
import stat
from contextlib import suppress
from pathlib import Path

from wifimgr.errors import WifimgrError, visible
from wifimgr.inventory.load import Inventory, load
from wifimgr.settings import LOCAL_FILE

log = logging.getLogger(__name__)

FILES = (LOCAL_FILE, "inventory/[!.]*", "inventory/[!.]*/[!.]*")
"""Where everything stands that an inventory is made of, as patterns."""
SECONDS_BETWEEN_LOOKS = 2.0
"""How often whoever runs on should call :meth:`LiveInventory.refresh`."""


class LiveInventory:
    """The inventory of a network folder, read again when its files change.

    Making one raises ConfigError like :func:`~wifimgr.inventory.load`. After that files may be as wrong as they like:
    ``current`` stays the last good inventory, and ``error`` says what is wrong.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = _stamps(folder)
        self.current: Inventory = load(folder)
        self.error = ""
        """One line for each problem of the files as they are now; empty: ``current`` is what they say."""

    def refresh(self) -> bool:
        """Looks whether a file changed, came or went; if so, reads all of them. Whether ``current`` is another now."""
        stamps = _stamps(self._folder)
        if stamps == self._seen:
            return False
        self._seen = stamps  # taken before reading: what changes meanwhile is seen the next time
        try:
            self.current = load(self._folder)
        except WifimgrError as error:
            self.error = "\n".join(error.lines())
            return False
        except Exception as error:  # whoever runs on must not end because of a file
            log.exception("the inventory cannot be read")
            self.error = visible(f"this is a bug in wifimgr: {type(error).__name__}: {error} [bug]")
            return False
        self.error = ""
        return True


def _stamps(folder: Path) -> dict[Path, tuple[int, int, int]]:
    """What changes when a file does, or who may read it: path to the time of its content and of all else, and size."""
    stamps = {}
    for path in (file for pattern in FILES for file in folder.glob(pattern)):
        with suppress(OSError):  # gone in the meantime
            found = path.stat()
            if stat.S_ISREG(found.st_mode):
                stamps[path] = (found.st_mtime_ns, found.st_ctime_ns, found.st_size)
    return stamps
