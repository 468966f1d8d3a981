"""Playbooks: YAML files of wishes with no logic, read strictly and made ready for one router."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

from wifimgr.errors import ConfigError, Problem, collecting, did_you_mean
from wifimgr.inventory import Selector
from wifimgr.model import Router
from wifimgr.platforms.edits import Edit
from wifimgr.push.checks import CHECKS
from wifimgr.push.opening import NOTICED
from wifimgr.push.tasks import TASKS
from wifimgr.push.tasks.authorized_keys import KeysWish
from wifimgr.push.tasks.command import CommandWish
from wifimgr.push.tasks.files import FileWish
from wifimgr.push.tasks.packages import PackagesWish
from wifimgr.push.tasks.routeros import MenuWish
from wifimgr.push.tasks.services import ServicesWish
from wifimgr.push.tasks.uci import UciWishes
from wifimgr.push.variables import Fill, Filled, Variables, known_secrets, names
from wifimgr.settings import Secret, SecretRef
from wifimgr.settings.values import Duration, Shape, Text, Vars
from wifimgr.yamlfile import Document, KeyPath, Strict, dotted, fault, read, validate

FOLDER = "playbooks"
LONGEST_NAME = 255


def _check(check: dict[str, Any]) -> dict[str, Any]:
    if len(check) != 1:
        raise fault("a check is one key and its value", "write '- ssid: NAME'")
    [(name, wanted)] = check.items()
    if name not in CHECKS:
        raise fault(f"'{name}' is no check", did_you_mean(name, CHECKS), "unknown-name")
    takes = CHECKS[name].value
    if not takes.takes(wanted):
        raise fault(f"the check '{name}' {takes.shape.what}", takes.shape.hint)
    return check


_CHECK = {
    "type": "object",
    "properties": {
        name: {"description": check.why_not.__doc__, **check.value.schema} for name, check in CHECKS.items()
    },
    "additionalProperties": False,
    "minProperties": 1,
    "maxProperties": 1,
}
Noticed = Annotated[
    str, Shape("|".join(NOTICED), "is nothing that people notice", f"what they notice is {', '.join(NOTICED)}")
]
Check = Annotated[dict[str, Any], AfterValidator(_check), WithJsonSchema(_CHECK)]


class PlaybookFile(Strict):
    """``playbooks/<name>.yaml``."""

    name: Text
    """Its name for people."""
    about: Text
    """One line: what is true afterwards."""
    where: Text
    """Which routers it is for, as a selector, like "role=access-point platform=openwrt"."""
    vars: Vars = {}
    """Variables that count where neither the network nor the site nor the router sets them."""
    uci: UciWishes = {}
    """Wishes for UCI options: package to a list of wishes."""
    files: list[FileWish] = []
    """Wishes for whole files."""
    authorized_keys: KeysWish | None = None
    """Who may log in over SSH."""
    services: ServicesWish | None = None
    """What starts with the router, and what is restarted when something changes."""
    packages: PackagesWish | None = None
    """What is installed, by opkg or apk. No undo."""
    command: list[CommandWish] = []
    """Shell commands, where nothing else helps. No undo."""
    routeros: list[MenuWish] = []
    """Wishes for menus of RouterOS (experimental)."""
    checks: list[Check] = []
    """What must hold before the change is made permanent."""
    interrupts: dict[Noticed, Duration] = {}
    """What people notice, and for how long, like {wifi: 40s}."""


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
    allowed: frozenset[str] = frozenset()
    """The programs that this machine lets a reference to a secret start."""
    _known: dict[str, tuple[Router, Wishes, set[str]]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )
    """What was wished for a router before, by its name, and the secrets in that."""

    @property
    def where(self) -> Selector:
        """Which routers it is for."""
        return Selector.parse(self.file.where)

    def wishes(self, router: Router) -> Wishes:
        """Everything it wishes for one router.

        Asked again, it says the same and fetches no secret twice. Raises ConfigError: ``missing-variable``,
        ``missing-secret``, ``bad-wish``.
        """
        known = self._known.get(router.name)
        if known and known[0] == router:
            return known[1]
        used = set[str]()

        def fetch(ref: SecretRef) -> Secret:
            secret = ref.resolve()
            used.add(secret.reveal())
            return secret

        wishes = self._wishes(Variables(router.name, self._variables(router), fetch).fill)
        self._known[router.name] = router, wishes, used
        return wishes

    def secrets(self, router: Router) -> set[str]:
        """Those that it has put in for a router, and others of its variables that nobody has to be asked for."""
        known = self._known.get(router.name)
        others = {name: value for name, value in self._variables(router).items() if not _asks_somebody(value)}
        return known_secrets(others) | (known[2] if known else set())

    def problems(self, router: Router) -> list[Problem]:
        """Everything that keeps it from being made ready for a router, apart from secrets: none is fetched."""
        problems: list[Problem] = []
        variables = Variables(router.name, self._variables(router), lambda ref: Secret("?"))

        def fill(value: Any, where: str) -> Filled:
            with collecting(problems):
                return variables.fill(value, where)
            return "1"  # fits wherever a value is looked at: one problem is enough

        with collecting(problems):
            self._wishes(fill)
        return list(dict.fromkeys(problems))

    def uses(self) -> frozenset[str]:
        """The names of all variables that stand in it."""
        return frozenset(names(self.document.data))

    def _wishes(self, fill: Fill) -> Wishes:
        keys: dict[str, KeyPath] = {}

        def where(task: str, key: KeyPath) -> str:
            line = self._line((task, *key))
            keys[line] = (task, *key)
            return line

        try:
            edits = tuple(
                edit
                for task, make in TASKS.items()
                for edit in make(getattr(self.file, task), fill, partial(where, task))
            )
            checks = tuple(
                (name, _value(name, fill(wanted, line), line))
                for index, check in enumerate(self.file.checks)
                for line in [where("checks", (index,))]
                for name, wanted in check.items()
            )
        except ConfigError as error:
            named = (replace(each, key=each.key or dotted(keys.get(each.where, ()))) for each in error.problems)
            raise ConfigError.of(named) from None
        return Wishes(edits, checks)

    def _variables(self, router: Router) -> dict[str, Any]:
        """Those of a router over its own defaults, in which a secret's path is meant from the network folder."""
        own = {
            name: replace(value, folder=self.folder, where=self._line(("vars", name)), allowed=self.allowed)
            if isinstance(value, SecretRef)
            else value
            for name, value in self.file.vars.items()
        }
        return {**own, **router.vars}

    def _line(self, key: KeyPath) -> str:
        return str(self.document.origin(key))


def _asks_somebody(value: Any) -> bool:
    return isinstance(value, SecretRef) and value.kind == "command"


def _value(check: str, value: Filled, where: str) -> str:
    """What a check wants, with its variables put in: what was right before need not be right any more."""
    if not isinstance(value, str):
        hint = "no lists, no secrets"
        raise ConfigError("bad-wish", "a check takes plain text only", where=where, hint=hint)
    takes = CHECKS[check].value
    if not takes.fits(value):
        raise ConfigError("bad-wish", f"the check '{check}' {takes.shape.what}", where=where, hint=takes.shape.hint)
    return value


def load(folder: Path, name: str, allowed: Collection[str] = ()) -> Playbook:
    """One playbook by its name (``guest-wifi``) or by a path to its file. Raises ConfigError.

    ``allowed`` are the programs that its secrets may start (:attr:`Network.secret_commands`).
    """
    by_path = name.endswith((".yaml", ".yml")) or "/" in name
    path = Path(name) if by_path else folder / FOLDER / f"{name}.yaml"
    if len(path.name) > LONGEST_NAME or not path.is_file():
        known = sorted(each.stem for each in (folder / FOLDER).glob("*.yaml"))
        stem = Path(name).stem
        hint = did_you_mean(stem, known, f"'ls {folder / FOLDER}'") if known else f"put it into {folder / FOLDER}"
        hint = f"its name is enough: {stem}" if stem in known else hint
        raise ConfigError("unknown-name", f"there is no playbook '{name}'", hint=hint)
    return _load(path, name if by_path else f"{FOLDER}/{path.name}", folder, allowed)


def load_all(folder: Path) -> tuple[list[Playbook], list[Problem]]:
    """All playbooks of a network folder that are right, and what is wrong in the others."""
    playbooks, problems = list[Playbook](), list[Problem]()
    for path in sorted((folder / FOLDER).glob("[!.]*.y*ml")):
        shown = f"{FOLDER}/{path.name}"
        if path.suffix != ".yaml":
            problems.append(Problem("wrong-type", shown, "", "the file name does not end in .yaml", "rename it"))
            continue
        with collecting(problems):
            playbooks.append(_load(path, shown, folder))
    return playbooks, problems


def _load(path: Path, shown: str, folder: Path, allowed: Collection[str] = ()) -> Playbook:
    document = read(path, shown)
    playbook = Playbook(path.stem, validate(document, PlaybookFile), document, folder, frozenset(allowed))
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
