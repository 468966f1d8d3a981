"""Playbooks: YAML files of wishes with no logic, read strictly and made ready for one router."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator

from wifimgr.errors import ConfigError, Problem, did_you_mean
from wifimgr.inventory import Selector
from wifimgr.model import Router
from wifimgr.platforms.edits import Edit
from wifimgr.push.checks import CHECKS
from wifimgr.push.tasks import TASKS
from wifimgr.push.tasks.files import FileWish
from wifimgr.push.tasks.uci import UciWishes
from wifimgr.push.variables import Filled, Variables
from wifimgr.settings import SecretRef
from wifimgr.settings.values import Duration, Text, Vars
from wifimgr.yamlfile import Document, KeyPath, Strict, fault, read, validate

FOLDER = "playbooks"
LONGEST_NAME = 255


def _check(check: dict[str, Any]) -> dict[str, Any]:
    if len(check) != 1:
        raise fault("a check is one key and its value", "write '- ssid: NAME'")
    [(name, wanted)] = check.items()
    if name not in CHECKS:
        raise fault(f"'{name}' is no check", did_you_mean(name, CHECKS), "unknown-name")
    if wanted is not True if name == "default-route" else not isinstance(wanted, str):
        raise fault(f"the check '{name}' has no such value", "write a name, or true for default-route")
    return check


class PlaybookFile(Strict):
    """``playbooks/<name>.yaml``."""

    name: Text
    about: Text
    where: Text
    vars: Vars = {}
    uci: UciWishes = {}
    files: list[FileWish] = []
    checks: list[Annotated[dict[str, Any], AfterValidator(_check)]] = []
    interrupts: dict[str, Duration] = {}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a playbook wishes for one router, with its variables put in."""

    edits: tuple[Edit, ...]
    checks: tuple[tuple[str, str], ...]
    """Name of the check, and what it wants."""


@dataclass(frozen=True, slots=True)
class Playbook:
    """One playbook. ``slug`` is the name of its file."""

    slug: str
    file: PlaybookFile
    document: Document = field(repr=False)
    folder: Path = field(default=Path(), repr=False)

    @property
    def where(self) -> Selector:
        """Which routers it is for."""
        return Selector.parse(self.file.where)

    def wishes(self, router: Router) -> Wishes:
        """Everything it wishes for one router.

        Raises ConfigError: ``missing-variable``, ``missing-secret``, ``bad-wish``.
        """
        variables = Variables(router.name, {**self._own_vars(), **router.vars})
        edits = tuple(
            edit
            for task, make in TASKS.items()
            for edit in make(getattr(self.file, task), variables.fill, partial(self._line_below, task))
        )
        checks = tuple(
            (name, _plain(variables.fill(wanted, line), line))
            for index, check in enumerate(self.file.checks)
            for line in [self._line(("checks", index))]
            for name, wanted in check.items()
        )
        return Wishes(edits, checks)

    def _own_vars(self) -> dict[str, Any]:
        """Its own defaults; a secret's path is meant from the network folder."""
        return {
            name: SecretRef(value.kind, value.name, self.folder, self._line(("vars", name)))
            if isinstance(value, SecretRef)
            else value
            for name, value in self.file.vars.items()
        }

    def _line_below(self, task: str, key: KeyPath) -> str:
        return self._line((task, *key))

    def _line(self, key: KeyPath) -> str:
        return str(self.document.origin(key))


def _plain(value: Filled, where: str) -> str:
    if not isinstance(value, str):
        hint = "no lists, no secrets"
        raise ConfigError("bad-wish", "a check takes plain text only", where=where, hint=hint)
    return value


def load(folder: Path, name: str) -> Playbook:
    """One playbook by its name (``guest-wifi``) or by a path to its file. Raises ConfigError."""
    by_path = name.endswith((".yaml", ".yml")) or "/" in name
    path = Path(name) if by_path else folder / FOLDER / f"{name}.yaml"
    if len(path.name) > LONGEST_NAME or not path.is_file():
        known = sorted(each.stem for each in (folder / FOLDER).glob("*.yaml"))
        hint = did_you_mean(name, known) if known else f"put it into {folder / FOLDER}"
        raise ConfigError("unknown-name", f"there is no playbook '{name}'", hint=hint)
    return _load(path, name if by_path else f"{FOLDER}/{path.name}", folder)


def load_all(folder: Path) -> list[Playbook]:
    """All playbooks of a network folder. Raises ConfigError with every problem of every file."""
    playbooks, problems = [], list[Problem]()
    for path in sorted((folder / FOLDER).glob("[!.]*.yaml")):
        try:
            playbooks.append(_load(path, f"{FOLDER}/{path.name}", folder))
        except ConfigError as error:
            problems += error.problems
    if problems:
        raise ConfigError.of(problems)
    return playbooks


def _load(path: Path, shown: str, folder: Path) -> Playbook:
    document = read(path, shown)
    playbook = Playbook(path.stem, validate(document, PlaybookFile), document, folder)
    problems = list(_problems(playbook))
    if problems:
        raise ConfigError.of(problems)
    return playbook


def _problems(playbook: Playbook) -> Iterable[Problem]:
    document = playbook.document
    try:
        playbook.where  # noqa: B018 (parsed for its errors)
    except ConfigError as error:
        yield document.problem(error.id, ("where",), error.problems[0].what, error.problems[0].hint)
    if not any(getattr(playbook.file, task) for task in TASKS):
        yield document.problem("bad-wish", (), "this playbook wishes nothing", f"add one of {', '.join(TASKS)}")
