"""Tasks: one file per kind of wish. A task turns the wishes of a playbook, with variables put in, into typed edits.

To add one: a file here, a key in :class:`wifimgr.push.playbook.PlaybookFile`, a line in :data:`TASKS`, its test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from wifimgr.platforms.edits import Edit
from wifimgr.push.tasks import authorized_keys, command, files, packages, routeros, services, uci
from wifimgr.push.variables import Fill
from wifimgr.yamlfile import KeyPath

Task = Callable[[Any, Fill, Callable[[KeyPath], str]], Iterator[Edit]]
"""From the wishes under a task's key, a way to put in variables, and a way to name lines, to edits."""

TASKS: dict[str, Task] = {
    "packages": packages.edits,
    "command": command.edits,
    "uci": uci.edits,
    "files": files.edits,
    "authorized_keys": authorized_keys.edits,
    "services": services.edits,
    "routeros": routeros.edits,
}
"""The key in a playbook, and what carries it out; in this order."""
