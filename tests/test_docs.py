"""The docs tell all there is, and nothing that is not: commands, options, errors, keys, refusals, links, examples.

What docs/inventory.md has to tell is in test_inventory_docs.py.
"""

from __future__ import annotations

import ast
import re
import shlex
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from tests import networks
from wifimgr.cli import app, main
from wifimgr.cli.output import Form
from wifimgr.errors import ERRORS
from wifimgr.inventory import load as load_inventory
from wifimgr.model import Result
from wifimgr.push import playbook
from wifimgr.push.apply import _REFUSALS
from wifimgr.push.checks import CHECKS
from wifimgr.push.opening import NOTICED
from wifimgr.push.playbook import PlaybookFile
from wifimgr.push.script import ROUTER_SH
from wifimgr.push.tasks import TASKS
from wifimgr.push.tasks.files import FOLDERS, NEEDED, OWN, FileWish
from wifimgr.push.tasks.packages import STAYS
from wifimgr.push.tasks.routeros import NOT_CONFIGURATION, MenuWish
from wifimgr.push.tasks.uci import REFUSED_PACKAGES, UciWish, Which
from wifimgr.settings import PushTimes, Rollout
from wifimgr.settings.files import PushEntry, Settle

TOP = Path(__file__).parent.parent
DOCS = TOP / "docs"
DECISIONS = sorted((DOCS / "decisions").glob("*.md"))
PAGES = [*sorted(TOP.glob("*.md")), *sorted(DOCS.glob("*.md")), *DECISIONS]
SOURCES = sorted((TOP / "wifimgr").rglob("*.py"))


def text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def shown(path: Path) -> str:
    """How a page is called in the name of a test."""
    return path.relative_to(TOP).as_posix()


def sections(path: Path, level: int = 2) -> dict[str, str]:
    """Heading to the text below it, with all smaller headings."""
    parts = re.split(rf"^#{{{level}}} (.+)$", text_of(path), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def fenced(path: Path, *kinds: str) -> list[str]:
    """What stands in the fenced blocks of these kinds."""
    return [body for kind, body in re.findall(r"^```(\w*)\n(.*?)^```$", text_of(path), re.M | re.S) if kind in kinds]


def codes(text: str) -> str:
    """Everything in a text that is set as code, one piece a line."""
    return "\n".join(re.findall(r"`([^`\n]+)`", text))


def holds(text: str, word: str) -> bool:
    """Whether a text holds a word as a whole: ``set`` is not told by ``unset`` or ``settle``."""
    return bool(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", text))


def first_cells(text: str) -> set[str]:
    """The words that are set as code in the first column of the tables of a text."""
    return {word for cell in re.findall(r"^\| (`[^|]*) \|", text, re.M) for word in re.findall(r"`([^`]+)`", cell)}


# ---------------------------------------------------------------- commands


def commands(group: Any, words: tuple[str, ...] = ()) -> Iterator[tuple[str, Any]]:
    """Every command that does something, with its whole name."""
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            yield from commands(command, (*words, name))
        else:
            yield " ".join((*words, name)), command


ROOT = get_command(app)
COMMANDS = dict(commands(ROOT))
EVERYWHERE = sections(DOCS / "commands.md")["For every command"]
SHARED = {"--network", "--quiet", "--verbose", "--help"}
COMMAND_SECTIONS = {
    re.sub(r" *\[?[A-Z].*", "", heading): text
    for heading, text in sections(DOCS / "commands.md").items()
    if heading[0].islower()
}


def options(command: Any) -> list[list[str]]:
    """The options of a command: every spelling of each."""
    return [[*option.opts, *option.secondary_opts] for option in command.params if option.param_type_name == "option"]


def test_every_command_has_a_section_and_every_section_a_command() -> None:
    assert COMMAND_SECTIONS.keys() == COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_is_told(name: str) -> None:
    own = [spellings for spellings in options(COMMANDS[name]) if not SHARED & set(spellings)]
    told = codes(COMMAND_SECTIONS[name])
    common = {word for word in ("--select", "--output", "--yes") if holds(EVERYWHERE, word)}
    for spellings in own:
        assert any(holds(told, spelling) for spelling in spellings), spellings
        missing = [spelling for spelling in spellings if not holds(told, spelling)]
        assert not missing or common & set(spellings), missing


def test_options_of_the_program_are_told() -> None:
    spellings = {spelling for option in options(ROOT) for spelling in option} | SHARED
    assert {spelling for spelling in spellings if not holds(codes(EVERYWHERE), spelling)} == set()


@pytest.mark.parametrize("name", COMMANDS)
def test_no_option_is_told_that_is_not_there(name: str) -> None:
    known = {spelling for option in options(COMMANDS[name]) for spelling in option}
    told = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", codes(COMMAND_SECTIONS[name])))
    program_words = {"-y", "-f"} if "dropbearkey" in COMMAND_SECTIONS[name] else set()
    assert told - known - program_words == set()


def test_forms_and_results_are_told() -> None:
    told = codes(text_of(DOCS / "commands.md"))
    assert [word for word in [*Form, *Result] if not holds(told, word)] == []


def console_lines(path: Path) -> list[str]:
    """Command lines in the console blocks of a page that call this program."""
    lines = "\n".join(fenced(path, "console")).splitlines()
    return re.findall(r"(?m)^(?:\$ )?(?:\.venv/bin/)?wifimgr (.+)$", "\n".join(lines))


def inline_lines(path: Path) -> list[str]:
    """Command lines that are set as code in running text."""
    text = re.sub(r"^```.*?^```$", "", text_of(path), flags=re.M | re.S)
    return [line for line in re.findall(r"`wifimgr ([^`]+)`", text) if not line[0].isupper()]


def parse(line: str) -> None:
    """Reads a command line as the program does, without running it; fails when it is none."""
    words = [word for word in shlex.split(line) if not re.fullmatch(r"\[?[A-Z-]+\]?(\.\.\.)?", word) or word == "-"]
    group, name = ROOT, []
    while words and hasattr(group, "commands"):
        if words[0] == "--network":
            words = words[2:]
        elif words[0].startswith("-"):
            assert words[0] in {spelling for option in options(group) for spelling in option} | SHARED, line
            words = words[1:]
        else:
            assert words[0] in group.commands, line
            group, name = group.commands[words[0]], [*name, words[0]]
            words = words[1:]
    known = {spelling for option in options(group) for spelling in option} | SHARED
    assert {word for word in words if word.startswith("-")} <= known, line


LINES = [
    pytest.param(line, id=f"{shown(page)}: {line}")
    for page in PAGES
    for line in dict.fromkeys([*console_lines(page), *inline_lines(page)])
]


@pytest.mark.parametrize("line", LINES)
def test_commands_in_the_docs_exist(line: str) -> None:
    parse(line)


def test_enough_commands_were_found_in_the_docs() -> None:
    assert len(LINES) > 20
    assert len(console_lines(TOP / "README.md")) >= 8


def test_make_targets_in_the_docs_exist() -> None:
    targets = set(re.findall(r"(?m)^([a-z]+):", text_of(TOP / "Makefile")))
    for page in PAGES:
        used = re.findall(r"(?m)(?:^|`)make ([a-z]+)", text_of(page))
        assert set(used) <= targets, page.name
    assert {"demo", "test"} <= set(re.findall(r"(?m)^make ([a-z]+)", text_of(TOP / "README.md")))


def test_playbooks_in_commands_exist() -> None:
    names = re.compile(r"wifimgr (?:plan|apply) ([a-z][a-z-]+)(?![a-z-]|\.json)")
    used = {words for page in PAGES for words in names.findall(text_of(page))}
    assert used >= {"identity", "guest-wifi"}
    assert {name for name in used - {"x"} if not (TOP / f"playbooks/{name}.yaml").is_file()} == set()


# ---------------------------------------------------------------- errors


PLACES = {
    "ConfigError": 0,
    "Refused": 0,
    "RouterError": 0,
    "StoreError": 0,
    "LabError": 0,
    "WifimgrError": 0,
    "Problem": 0,
    "fault": 2,
    "_at": 1,
    "Outcome": 4,
}
"""Where an id stands among the arguments of a call. Two classes have a ``problem``: (id, key) and (node, key, id)."""


def ids_in(source: str) -> set[str]:
    """Every id of an error that is written out in a source."""
    found: set[str] = set()
    for call in (node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)):
        name = getattr(call.func, "id", None) or getattr(call.func, "attr", "")
        texts = [arg.value if isinstance(arg, ast.Constant) else None for arg in call.args]
        texts += [key.value.value for key in call.keywords if key.arg == "id" and isinstance(key.value, ast.Constant)]
        if name == "problem":
            place = 0 if texts and texts[0] is not None else 2
        elif name in PLACES:
            place = PLACES[name]
        else:
            continue
        if place < len(texts) and isinstance(texts[place], str):
            found.add(str(texts[place]))
    return found


IDS = {found for path in SOURCES for found in ids_in(text_of(path))}


def test_ids_are_found_in_the_ways_they_are_written() -> None:
    source = """
ConfigError("one", "x"); fault("x", "y", "two"); fault("x"); document.problem("three", key)
builder.problem(node, key, "four"); _at(located, "five", "x"); Outcome(router, Result.FAILED, "w", "h", "six")
RouterError(error.id, "x"); fault("x", id="seven")
"""
    assert ids_in(source) == {"one", "two", "three", "four", "five", "six"}


def test_every_id_in_the_code_is_in_the_table() -> None:
    assert IDS - ERRORS.keys() == set()


def test_every_id_in_the_table_is_used() -> None:
    constants = {
        node.value
        for path in SOURCES
        if path.name != "errors.py"
        for node in ast.walk(ast.parse(text_of(path)))
        if isinstance(node, ast.Constant)
    }
    assert ERRORS.keys() - constants == set()


def test_every_error_is_described_and_no_other() -> None:
    assert list(sections(DOCS / "errors.md", 3)) == list(dict.fromkeys(sections(DOCS / "errors.md", 3)))
    assert sections(DOCS / "errors.md", 3).keys() == ERRORS.keys()


def test_every_description_says_what_to_do() -> None:
    assert [
        id for id, text in sections(DOCS / "errors.md", 3).items() if len(text.split("\n\n## ")[0].split()) < 14
    ] == []


# ---------------------------------------------------------------- playbooks


PLAYBOOKS = DOCS / "playbooks.md"


@pytest.mark.parametrize(
    ("heading", "models"),
    [("Keys", [PlaybookFile]), ("uci", [UciWish, Which]), ("files", [FileWish]), ("routeros", [MenuWish])],
)
def test_tables_hold_every_key_of_a_playbook_and_no_other(heading: str, models: list[Any]) -> None:
    assert first_cells(sections(PLAYBOOKS)[heading]) == {key for model in models for key in model.model_fields}


def test_tasks_are_told() -> None:
    assert set(TASKS) <= sections(PLAYBOOKS).keys()


def test_checks_are_told() -> None:
    assert {cell.split(":")[0] for cell in first_cells(sections(PLAYBOOKS)["checks"])} == CHECKS.keys()


def test_what_people_notice_is_told() -> None:
    assert {*re.findall(r"^[a-z]+$", codes(sections(PLAYBOOKS)["interrupts"]), re.M)} >= {*NOTICED}


def test_what_may_not_be_pushed_is_told() -> None:
    told = codes(text_of(PLAYBOOKS))
    assert [word for word in REFUSED_PACKAGES if not holds(told, word)] == []
    words = {*told.splitlines(), *(f"/etc/init.d/{word}" for word in told.splitlines())}
    assert [path for path in (*FOLDERS, *NEEDED) if path not in words] == []
    assert [package for package in STAYS if package not in words] == []
    assert [menu for menu in NOT_CONFIGURATION if f"/{menu.replace('/', ' ')}" not in told.splitlines()] == []


HEAD = "name: Example\nabout: From the docs.\nwhere: platform=openwrt\n"
EXAMPLES = fenced(PLAYBOOKS, "yaml")
VARIABLES = "{ssid: frei, country: DE, help_line: nobody}"


@pytest.mark.parametrize("example", EXAMPLES, ids=[str(number) for number in range(1, len(EXAMPLES) + 1)])
def test_examples_of_playbooks_are_right(tmp_path: Path, example: str) -> None:
    """Read by the real loader, and with variables put in."""
    folder = networks.write(tmp_path, networks.NETWORK.replace("{ssid: frei, country: DE}", VARIABLES))
    secret = folder / ".wifimgr/secrets/staff_password"
    secret.parent.mkdir(parents=True)
    secret.write_text("made-up\n", encoding="utf-8")
    (folder / playbook.FOLDER).mkdir()
    text = example if example.startswith("name:") else HEAD + example
    (folder / playbook.FOLDER / "example.yaml").write_text(text, encoding="utf-8")
    router = load_inventory(folder).routers["eins-ap"]
    assert playbook.load(folder, "example").wishes(router).edits


def test_every_key_of_a_playbook_has_an_example() -> None:
    text = "\n".join(EXAMPLES)
    keys = {key for model in (PlaybookFile, UciWish, Which, FileWish, MenuWish) for key in model.model_fields}
    assert [key for key in [*keys, *CHECKS] if not re.search(rf"(?<![\w-]){key}:", text)] == []


def test_ready_playbooks_are_named() -> None:
    told = codes(text_of(PLAYBOOKS))
    assert [path.stem for path in TOP.glob("playbooks/*.yaml") if not holds(told, path.stem)] == []


# ---------------------------------------------------------------- pushing


PUSH = DOCS / "push.md"
CODE_ON_ROUTER = re.sub(r"(?m)(^|\s)#.*$", "", ROUTER_SH)
IN_THE_WAY = re.search(r"(?s)\nunfit_flash\(\).*?\nin_the_way\(\).*?\n}\n", CODE_ON_ROUTER)[0]  # type: ignore[index]
REASONS = {
    *re.findall(r"\brefused? (?!\")([a-z]+)", CODE_ON_ROUTER),
    *re.findall(r"(?:\becho |print \")([a-z]+)", IN_THE_WAY),
}


def test_settings_of_a_push_are_told_with_their_defaults() -> None:
    rows = re.findall(r"^\| (`.+?`) \| `(\d+)s` \|", sections(PUSH)["Settings"], re.M)
    told = {re.sub(r"[` ]", "", key).replace("→", "_"): float(seconds) for key, seconds in rows}
    times = PushTimes()
    assert told == {name: getattr(times, name) for name in PushTimes.__slots__}
    care = dict(re.findall(r"^\| `(\w+)` \| `(\d+)` \|", sections(PUSH)["Settings"], re.M))
    built_in = {name: str(getattr(Rollout(), name)) for name in ("canary", "at_once", "stop_after")}
    assert care == built_in
    assert set(PushEntry.model_fields) == {"confirm_within", "settle", "login_gap", "reboot_after", *care}
    assert {f"settle_{key}" for key in Settle.model_fields} <= told.keys()


def test_settings_example_holds_the_defaults() -> None:
    [example] = fenced(PUSH, "yaml")
    assert networks.NETWORK.count("push:") == 0
    given = re.findall(r"(\w+): (\d+)s", example)
    assert [float(seconds) for _, seconds in given] == [getattr(PushTimes(), name) for name in PushTimes.__slots__]
    care = re.findall(r"^  (\w+): (\d+)$", example, re.M)
    assert Rollout(**{name: int(number) for name, number in care}) == Rollout()
    assert [name for name, _ in care] == ["canary", "at_once", "stop_after"]


def test_every_refusal_of_the_router_is_told_and_no_other() -> None:
    assert {"busy", "ram", "upgrade"} < REASONS, "the test finds them all"
    assert first_cells(sections(PUSH)["What a refusal means"]) == REASONS


def test_every_refusal_of_the_router_has_a_sentence() -> None:
    assert _REFUSALS.keys() == REASONS


def test_what_stays_on_the_router_is_told_and_removed() -> None:
    text = sections(PUSH)["What stays on the router"]
    [remove] = re.findall(r"^rm -rf (.+)$", text, re.M)
    for path in (*OWN, "/tmp/wifimgr", "/tmp/wifimgr.lock"):
        assert path in remove.split()
        assert path in codes(text).replace("wifimgr/\n", "wifimgr\n")


def test_the_format_on_the_router_is_written_down() -> None:
    text = text_of(DOCS / "decisions/0002-format-on-the-router.md")
    [number] = re.findall(r"(?m)^FORMAT=(\d+)$", ROUTER_SH)
    assert f"the number of this format: `{number}`" in text
    states = set(re.findall(r"\b([a-z]+)\.\$TX\"", ROUTER_SH))
    assert states >= {"pending", "undo", "confirmed", "rolledback", "reload", "reloaded", "login"}
    assert [state for state in states if f"{state}.TX" not in text] == []
    inside = set(re.findall(r"\"\$T/(\w+)", ROUTER_SH))
    assert inside >= {"old", "new", "manifest", "sums", "meta"}
    assert [name for name in inside if f"tx.TX/{name}" not in text] == []
    reading = ROUTER_SH.partition("\nrestore() {")[2].partition("\n}\n")[0]
    kinds = set(re.findall(r"(?m)^\t\t(\w+)\)", reading))
    assert kinds == {"file", "absent", "only", "dir"}
    assert [path for path in OWN if path not in text] == []


# ---------------------------------------------------------------- pages and links


def anchors(path: Path) -> set[str]:
    """The anchors that a page has, as GitHub makes them from its headings."""
    headings = re.findall(r"(?m)^#+ (.+)$", re.sub(r"(?ms)^```.*?^```$", "", text_of(path)))
    return {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=shown)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", re.sub(r"(?ms)^```.*?^```$", "", text_of(page))):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.exists(), target
        if anchor:
            assert anchor in anchors(path), target


def test_every_page_is_linked_from_the_readme() -> None:
    text = text_of(TOP / "README.md")
    assert [page.name for page in DOCS.glob("*.md") if f"(docs/{page.name})" not in text] == []


@pytest.mark.parametrize("page", DECISIONS, ids=shown)
def test_decisions_have_their_number_and_three_parts(page: Path) -> None:
    assert re.match(rf"# {page.name[:4]} \S", text_of(page))
    assert list(sections(page)) == ["Context", "Choice", "Consequence"]


def test_decisions_are_numbered_without_a_gap() -> None:
    assert [page.name[:4] for page in DECISIONS] == [f"{number:04}" for number in range(1, len(DECISIONS) + 1)]


def test_every_dependency_is_explained() -> None:
    declared = re.search(r"(?ms)^dependencies = \[(.*?)^\]", text_of(TOP / "pyproject.toml"))
    assert declared
    names = {name.lower() for name in re.findall(r'"([\w-]+)>', declared[1])}
    table = re.findall(r"(?m)^\| ([\w-]+) \|", sections(DOCS / "decisions/0005-dependencies.md")["Choice"])
    assert {name.lower() for name in table} - {"library"} == names


# ---------------------------------------------------------------- README


def readme_line(start: str) -> list[str]:
    """The one command of README.md that begins like this, as words."""
    [line] = [line for line in console_lines(TOP / "README.md") if line.startswith(start)]
    return shlex.split(line)


def test_first_folder_of_the_readme_is_ready_for_the_first_push(tmp_path: Path) -> None:
    """What ``init`` makes without an answer, with an address: enough for the playbook that the README pushes."""
    _, name = readme_line("init ")
    folder = tmp_path / name
    run("init", str(folder))
    inventory = load_inventory(folder)
    wanted = playbook.load(folder, "identity")
    [router] = inventory.routers.values()
    assert wanted.where.matches(inventory, router)
    assert wanted.wishes(router).edits


def test_router_of_the_readme_fits_into_the_example(tmp_path: Path) -> None:
    for name in ("inventory", "playbooks"):
        shutil.copytree(TOP / name, tmp_path / name, ignore=shutil.ignore_patterns(".wifimgr"))
    run("--network", str(tmp_path), *readme_line("router add"))
    inventory = load_inventory(tmp_path)
    counts = f"{len(inventory.sites)} sites, {len(inventory.routers)} routers, "
    assert inventory.routers["jz-meiderich-ap-hof"].behind == "jz-meiderich-ap-eg"
    assert f"{counts}{len(list(TOP.glob('playbooks/*.yaml')))} playbooks: no errors" in text_of(TOP / "README.md")


def run(*words: str) -> None:
    """Run a command of the program; it has to end well."""
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == 0
