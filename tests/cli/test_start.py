"""The command ``init``: a new network that is right, whatever people answer, or nothing at all."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from tests.cli.terminal import talk
from wifimgr.cli import run, start
from wifimgr.cli.schema import FOLDER, File, schemas
from wifimgr.errors import INVISIBLE, ConfigError
from wifimgr.inventory import load
from wifimgr.inventory.schema import RouterEntry
from wifimgr.inventory.starter import ROUTER, Answers, first_files
from wifimgr.model import Lifecycle, Manage
from wifimgr.settings import looks_secret
from wifimgr.yamlfile import read

Out = pytest.CaptureFixture[str]
TOP = Path(__file__).parent.parent.parent


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, and what it holds."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


# --- what is made ---


def test_a_new_network_is_right_at_once(here: Path, capsys: Out) -> None:
    assert run(["init", "net"]) == 0
    assert capsys.readouterr() == (
        "",
        "next: cd net\n"
        "then: wifimgr router adopt ADDRESS for a router that runs, wifimgr import FORMAT FILE for a list you have\n"
        "and after every change: wifimgr check\n",
    )
    assert run(["--network", "net", "check"]) == 0
    assert capsys.readouterr() == ("1 site, 1 router, 3 playbooks: no errors\n", "")


def test_it_holds_all_that_is_needed_and_nothing_else(here: Path) -> None:
    run(["init", "net"])
    names = [f"playbooks/{name}.yaml" for name in ("guest-wifi", "identity", "snmp-monitoring")]
    playbooks = {name: (TOP / name).read_bytes() for name in names}
    found = tree(here / "net")
    assert set(found) == {
        ".gitignore",
        ".wifimgr/.gitignore",
        "inventory/network.yaml",
        "inventory/sites/first-place.yaml",
        *(f"{FOLDER}/{name}.json" for name in File),
        *playbooks,
    }
    assert playbooks.items() <= found.items()
    assert {name: found[f"{FOLDER}/{name}.json"].decode() for name in File} == schemas()
    assert b".wifimgr/" in found[".gitignore"].splitlines()
    assert [path.name for path in here.iterdir()] == ["net"]


def test_the_first_router_is_planned_ours_and_not_public(here: Path) -> None:
    run(["init", "net"])
    inventory = load(here / "net")
    [router], [site] = inventory.routers.values(), inventory.sites.values()
    assert (router.name, router.lifecycle, router.manage) == ("first-place-ap", Lifecycle.PLANNED, Manage.PUSH)
    assert (router.addresses, site.public) == ((), False)
    assert inventory.network.operators["community"].manage == "watch"


def test_it_stays_right_when_the_router_hangs(here: Path, capsys: Out) -> None:
    """Also the playbooks then find every variable they use."""
    run(["init", "net"])
    site = here / "net/inventory/sites/first-place.yaml"
    text = site.read_text(encoding="utf-8")
    assert text.count("lifecycle: planned") == 1
    site.write_text(text.replace("lifecycle: planned", "addresses: [192.168.1.1]"), encoding="utf-8")
    capsys.readouterr()
    assert run(["--network", "net", "check"]) == 0
    assert capsys.readouterr().err == ""


COMMENTED = {
    key: (path.name, found.start(), found.end())
    for path in sorted(TOP.glob("wifimgr/inventory/starter/*.yaml"))
    for found in re.finditer(r"(?m)^ *# ([a-z_]+): ?.*\n(?: *#   .*\n)*", path.read_text(encoding="utf-8"))
    for key in [found[1]]
}
"""Keys of the templates that stand behind a #: in which file, from where to where."""


def test_keys_behind_a_comment_were_found() -> None:
    assert {"contact", "internet", "district", "address", "position", "opening_hours"} == COMMENTED.keys()


def test_router_in_a_comment_is_right() -> None:
    text = (TOP / "wifimgr/inventory/starter/site.yaml").read_text(encoding="utf-8")
    [entry] = re.findall(r"(?m)^#   (\S+: \{.*\})$", text)
    [router] = read(Path("x"), "x", entry).data.values()
    assert RouterEntry.model_validate(router).room == "Obergeschoss, Werkraum"


@pytest.mark.parametrize("key", COMMENTED)
def test_a_key_behind_a_comment_can_be_taken_in(here: Path, key: str) -> None:
    name, start, end = COMMENTED[key]
    text = (TOP / "wifimgr/inventory/starter" / name).read_text(encoding="utf-8")
    taken = text[:start] + re.sub("(?m)^( *)# ", r"\1", text[start:end]) + text[end:]
    assert key in read(here / name, name, taken).data
    run(["init", "net"])
    shown = "inventory/network.yaml" if name == "network.yaml" else "inventory/sites/first-place.yaml"
    load(here / "net", {shown: taken})


def test_answers_stand_where_they_belong(here: Path) -> None:
    answers = ["--name", "Netz", "--region", "AT-9", "--owner", "Stadt", "--site", "Bücherei Süd", "--key", "keys/id"]
    assert run(["init", "net", *answers]) == 0
    inventory = load(here / "net")
    network = inventory.network
    assert (network.name, network.file.country, network.calendar.region) == ("Netz", "AT", "9")
    assert network.operators["us"].name == "Stadt"
    assert network.ssh_profiles["default"].key == "keys/id"
    [router] = inventory.routers.values()
    assert (router.site, router.name, inventory.sites["buecherei-sued"].name) == (
        "buecherei-sued",
        "buecherei-sued-ap",
        "Bücherei Süd",
    )
    assert (router.vars["wifi_country"], router.vars["help_line"]) == ("AT", "Stadt")


HARD = [
    'it\'s "quoted": #1 {a} [b] & *c !d | > % @ `e`',
    "- x",
    "yes",
    "12",
    "null",
    "~",
    "{{ name }}",
    "Größe 🎈 Ελλάδα",
    "$(id) <script>",
    "a" * 300,
    " padded ",
    "\\n",
]
VALIDATORS = [Draft202012Validator(json.loads(schemas()[kind])) for kind in (File.NETWORK, File.SITE)]
LINES = st.text(min_size=1, max_size=30).filter(lambda text: text.strip() and not INVISIBLE.search(text))


@given(LINES, LINES, LINES, LINES)
@example(*HARD[:4])
@example(*HARD[4:8])
@example(*HARD[8:12])
@example("a", "b", "c" * 300, "d")
@example("a", "b", f"{'c' * 59} {'d' * 59}", "e")
def test_no_answer_harms_the_files(name: str, owner: str, site: str, key: str) -> None:
    files = first_files(Answers(name=name, region="DE-NW", owner=owner, site=site, key=key))
    inventory = load(Path("no-such-folder"), files)
    [place] = inventory.sites.values()
    [router] = inventory.routers.values()
    profile = inventory.network.ssh_profiles["default"]
    assert (inventory.network.name, place.name, profile.key) == (name, site, key)
    assert (inventory.network.operators["us"].name, router.vars["help_line"]) == (owner, owner)
    for (shown, text), validator in zip(files.items(), VALIDATORS, strict=False):
        assert [error.message for error in validator.iter_errors(read(Path(shown), shown, text).data)] == []


def test_the_templates_keep_their_comments() -> None:
    answers = Answers(name="A", region="DE-NW", owner="B", site="C", key="D")
    for text in list(first_files(answers).values())[:2]:
        assert text.count("#") > 6
        assert "$schema=" in text.splitlines()[0]
    assert ROUTER not in "".join(first_files(answers).values())


def test_the_templates_hold_no_secret() -> None:
    data = read(
        Path("n"), "n", next(iter(first_files(Answers(name="A", region="DE", owner="B", site="C", key="D")).values()))
    ).data
    for name, value in data["defaults"]["vars"].items():
        assert isinstance(value, dict) == looks_secret(name)


# --- questions ---


def test_five_questions_on_a_terminal(here: Path) -> None:
    code, shown = talk(
        ["init", "net"],
        ("called?", "Freies Netz: #1"),
        ("holidays", "DE-NW"),
        ("owns", ""),
        ("first place", 'Jugend\'s "Café"'),
        ("SSH key", ""),
    )
    assert code == 0
    assert shown.count("?") == 5
    inventory = load(here / "net")
    assert inventory.network.name == "Freies Netz: #1"
    assert inventory.network.operators["us"].name == "Our community"
    assert inventory.sites["jugend-s-cafe"].name == 'Jugend\'s "Café"'


def test_a_wrong_answer_is_asked_for_again(here: Path) -> None:
    code, shown = talk(
        ["init", "net", "--name", "a", "--owner", "b", "--site", "c", "--key", "d"],
        ("holidays", "NW"),
        ("write a country, or one with its region, like DE-NW", "DE-NRW"),
        ("known here: DE, DE-Augsburg", "DE-NW"),
    )
    assert code == 0
    assert shown.count("Whose public holidays") == 3
    assert load(here / "net").network.calendar.region == "NW"


def test_who_says_no_input_is_asked_nothing(here: Path) -> None:
    code, shown = talk(["init", "net", "--no-input"])
    assert code == 0
    assert "?" not in shown


def test_who_stops_at_a_question_has_nothing_written(here: Path) -> None:
    code, _ = talk(["init", "net"], ("called?", "\x04"))
    assert code != 0
    assert [*here.iterdir()] == []


# --- nothing, where something is wrong ---


@pytest.mark.parametrize(
    ("option", "answer"),
    [("--name", "two\nlines"), ("--name", " "), ("--site", "\x1b[31mred"), ("--key", "\t"), ("--region", "NRW")],
)
def test_an_answer_that_no_file_may_hold_is_refused(here: Path, capsys: Out, option: str, answer: str) -> None:
    assert run(["init", "net", option, answer]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line.startswith(f"error: {option}: cannot be used; ")
    assert line.endswith(" [wrong-type]")
    assert [*here.iterdir()] == []


@pytest.mark.parametrize("part", ["inventory", "playbooks"])
def test_a_folder_that_holds_a_network_is_refused(here: Path, capsys: Out, part: str) -> None:
    (here / "net" / part).mkdir(parents=True)
    (here / "net" / part / "mine.yaml").write_text("mine", encoding="utf-8")
    before = tree(here)
    assert run(["init", "net"]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert line == f"error: net: holds {part}/ already; name another folder; nothing was written [already-there]"
    assert tree(here) == before


def test_a_link_to_nowhere_counts_as_something(here: Path) -> None:
    (here / "net").mkdir()
    (here / "net/inventory").symlink_to("elsewhere")
    assert run(["init", "net"]) == 2
    assert [path.name for path in (here / "net").iterdir()] == ["inventory"]


def test_init_twice_is_refused_and_changes_nothing(here: Path) -> None:
    run(["init", "net"])
    before = tree(here)
    assert run(["init", "net", "--name", "Another"]) == 2
    assert tree(here) == before


def test_an_empty_folder_and_one_of_git_are_fine_and_keep_what_is_theirs(here: Path) -> None:
    for name in (".git/config", ".gitignore", "README.md", ".wifimgr/secrets/mine"):
        (here / "net" / name).parent.mkdir(parents=True, exist_ok=True)
        (here / "net" / name).write_text(f"mine: {name}", encoding="utf-8")
    before = tree(here)
    assert run(["init", "net"]) == 0
    assert before.items() <= tree(here).items()
    (here / "empty").mkdir()
    assert run(["init", "empty"]) == 0


def test_folders_on_the_way_are_made(here: Path) -> None:
    assert run(["init", "a/b/c"]) == 0
    assert load(here / "a/b/c").sites


def test_a_file_is_no_folder(here: Path, capsys: Out) -> None:
    (here / "net").write_text("mine", encoding="utf-8")
    for name in ("net", "net/below"):
        assert run(["init", name]) == 2
        [line] = capsys.readouterr().err.splitlines()
        assert line.startswith(f"error: {name}: cannot be written: ")
        assert line.endswith("; nothing was written [unreadable-file]")
    assert tree(here) == {"net": b"mine"}


def test_a_name_that_no_folder_can_have_is_told(here: Path, capsys: Out) -> None:
    assert run(["init", "x" * 300]) == 2
    assert "x: cannot be written: file name too long; nothing was written [" in capsys.readouterr().err


@pytest.mark.parametrize("there", [True, False])
@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), ConfigError("bad-yaml", "made up"), KeyboardInterrupt()]
)
@pytest.mark.parametrize("step", ["write_schemas", "_move_in"])
def test_nothing_is_left_when_a_step_fails(
    here: Path, monkeypatch: pytest.MonkeyPatch, step: str, error: BaseException, there: bool
) -> None:
    if there:
        (here / "a/net").mkdir(parents=True)
        (here / "a/net/README.md").write_text("mine", encoding="utf-8")
    before = sorted(here.rglob("*"))

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(start, step, fail)
    assert run(["init", "a/net"]) == (130 if isinstance(error, KeyboardInterrupt) else 2)
    assert sorted(here.rglob("*")) == before


def test_what_appears_meanwhile_is_not_overwritten(here: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    def somebody_else(workshop: Path) -> list[str]:
        (here / "net/playbooks").mkdir()
        return []

    monkeypatch.setattr(start, "write_schemas", somebody_else)
    assert run(["init", "net"]) == 2
    assert capsys.readouterr().err.endswith("[already-there]\n")
    assert [path.name for path in (here / "net").iterdir()] == ["playbooks"]


def test_nothing_is_left_when_the_last_part_cannot_be_moved(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rename = Path.rename

    def fail(path: Path, target: Path) -> Path:
        if path.name == "playbooks" and path.parent.name.startswith(".wifimgr-init-"):
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail)
    assert run(["init", "net"]) == 2
    assert [*here.iterdir()] == []
