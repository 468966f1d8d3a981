"""``schema``: what may stand in each kind of file, as JSON Schema, for editors."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from wifimgr.cli import common
from wifimgr.errors import ConfigError

FOLDER = "inventory/schema"
"""Where the files of a network expect the schemas; each is called like its kind of file."""


class File(StrEnum):
    """The kinds of files of a network."""

    NETWORK = "network"
    SITE = "site"
    PLAYBOOK = "playbook"
    LOCAL = "local"
    SCHOOL_HOLIDAYS = "school-holidays"


Name = Annotated[File | None, typer.Argument(metavar="NAME", help=f"Which kind of file: {', '.join(File)}.")]
Write = Annotated[bool, typer.Option("--write", help=f"Write all of them into {FOLDER}/ of the network folder.")]


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    common.command(app, "schema")(schema)


def schema(run: common.Run, name: Name = None, write: Write = False) -> None:
    """Print the JSON Schema of one kind of file: editors check and complete what people write by it."""
    if bool(name) == write:
        raise typer.BadParameter("name one kind of file, or say --write", param_hint="NAME")
    if name:
        print(schemas()[name], end="")
    else:
        folder = run.folder()
        written = write_schemas(folder)
        run.say(f"written: {', '.join(written)}" if written else f"{FOLDER}: already right")


def schemas() -> dict[File, str]:
    """Kind of file to its JSON Schema, as text."""
    from wifimgr.inventory.jsonschema import json_schema
    from wifimgr.inventory.schema import SiteFile
    from wifimgr.push.playbook import PlaybookFile
    from wifimgr.settings.files import LocalFile, NetworkFile, SchoolFile
    from wifimgr.yamlfile import Strict

    models: dict[File, type[Strict]] = {
        File.NETWORK: NetworkFile,
        File.SITE: SiteFile,
        File.PLAYBOOK: PlaybookFile,
        File.LOCAL: LocalFile,
        File.SCHOOL_HOLIDAYS: SchoolFile,
    }
    return {
        name: json.dumps(json_schema(model, f"wifimgr: {name}"), indent=2, ensure_ascii=False) + "\n"
        for name, model in models.items()
    }


def write_schemas(folder: Path) -> list[str]:
    """Write all schemas into a network folder, and tell the files that were not right before.

    Raises ConfigError ``unreadable-file``.
    """
    written = []
    for name, text in schemas().items():
        shown = f"{FOLDER}/{name}.json"
        path = folder / shown
        try:
            if path.is_file() and path.read_bytes() == text.encode():
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            reason = (error.strerror or "unknown reason").lower()
            raise ConfigError("unreadable-file", f"cannot be written: {reason}", where=shown) from None
        written.append(shown)
    return written
