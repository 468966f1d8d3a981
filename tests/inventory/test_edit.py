"""Edits of the inventory: exactly the wanted change, all files or none, and nothing said that is secret."""

from __future__ import annotations

import difflib
import os
import shutil
import stat
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.layouts import PLAIN, WORDS, Layout, kept, layouts, paths, same, with_value, without
from tests.networks import NETWORK, SITE, write
from wifimgr.errors import ConfigError, Refused
from wifimgr.inventory import Inventory, edit, load
from wifimgr.inventory.edit import Edited, Edits, read_key, read_values, set_values, site_file
from wifimgr.inventory.schema import FIRST_LINE, RouterEntry
from wifimgr.settings import LOCAL_FILE
from wifimgr.yamlfile import KeyPath, read

ROOT = Path(__file__).parent.parent.parent

PLATZ = """\
# The square.
name: Platz
kind: square
jump: eins-gw
vars: {ssid: platz, country: DE}

routers:
  platz-1:   # the lamp post
    addresses: [192.0.2.9]
    behind: eins-gw
    # tags: [outdoor]

  # only a pole
  platz-2:
    addresses: [192.0.2.10]
    behind: platz-1
    jump: platz-1
    vars: {ssid: mast}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write(tmp_path, eins=SITE, platz=PLATZ)


def text_of(folder: Path, shown: str) -> str:
    return (folder / shown).read_bytes().decode()


def texts_of(folder: Path) -> dict[str, bytes]:
    """Every file below the folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def told(changes: list[Edited]) -> list[str]:
    return [f"{each.router}: {each.key}: {each.before} -> {each.after} ({each.where})" for each in changes]


# ---------------------------------------------------------------- every key, every router

VALUE_OF: dict[str, Any] = {
    "operator": "somebody",
    "platform": "other",
    "role": "switch",
    "ssh": "other",
    "jump": "some-router",
    "snmp": "other",
    "sources": ["ping", "snmp"],
    "interval": "17s",
    "tags": ["one", "two"],
    "lifecycle": "maintenance",
    "vars": {"ssid": "a, b", "key": {"env": "NAME"}},
    "addresses": ["10.0.0.1", "2001:db8::1"],
    "model": 'Modell "X"',
    "room": "Büro: 1. OG",
    "behind": "some-router",
    "node_id": "02caffee",
    "ports": {"ssh": 2222, "http": 8080},
    "private": {"note": "Schlüssel beim Nachbarn"},
    "legacy_ssh": True,
}
"""Another value for every key that a router has."""


def test_there_is_a_value_for_every_key() -> None:
    assert VALUE_OF.keys() == RouterEntry.model_fields.keys()


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Inventory:
    """The example network, without what this machine says."""
    folder = tmp_path_factory.mktemp("network")
    shutil.copytree(ROOT / "inventory", folder / "inventory")
    return load(folder)


@pytest.mark.parametrize("key", VALUE_OF)
def test_each_key_of_each_router_is_set_and_unset_and_nothing_else_changes(example: Inventory, key: str) -> None:
    edits = Edits(example.network.folder)
    for router in example.routers.values():
        text = edits.file(site_file(router.site))
        was, before = text.text, text.data
        here: KeyPath = ("routers", router.name, key)
        lines_of_the_key = 1 if key in before["routers"][router.name] else 0
        [change, *_] = set_values(edits, [router], {(key,): VALUE_OF[key]})
        assert same(text.data, with_value(before, here, VALUE_OF[key]))
        assert change.where == str(text.origin(here))
        assert len(gone(was, text.text)) == lines_of_the_key
        [back, *_] = set_values(edits, [router], {}, [(key,)])
        assert same(text.data, without(before, here))
        assert (back.before, back.after) == (change.after, None)
        assert len(gone(was, text.text)) == lines_of_the_key
        assert len(gone(text.text, was)) == 0


def gone(before: str, after: str) -> list[str]:
    """The lines that are not there any more, in their order."""
    matcher = difflib.SequenceMatcher(None, before.splitlines(), after.splitlines(), autojunk=False)
    steps = (step for step in matcher.get_opcodes() if step[0] != "equal")
    return [line for _, first, last, *_ in steps for line in before.splitlines()[first:last]]


# ---------------------------------------------------------------- sites in any layout

TEXTS = WORDS.filter(str.strip)
NAMES = st.sampled_from(["gw", "ap-1", "ap.2", "12"])
TAGS = st.lists(st.sampled_from(["indoor", "mesh", "no", "12"]), max_size=3)


def some(**values: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries({}, optional=values)


ROUTERS = some(
    room=TEXTS,
    model=TEXTS,
    tags=TAGS,
    lifecycle=st.sampled_from(["active", "retired"]),
    ports=some(ssh=st.integers(1, 65535), snmp=st.integers(1, 65535)),
    vars=some(ssid=TEXTS, old=st.booleans(), limit=st.floats(0, 10)),
    private=some(note=TEXTS, more=some(deep=TEXTS)),
)


@st.composite
def site_data(draw: st.DrawFn) -> dict[str, Any]:
    """What a site's file may hold."""
    routers = draw(st.dictionaries(NAMES, ROUTERS, min_size=1, max_size=3))
    for number, entry in enumerate(routers.values()):
        entry["addresses"] = [f"192.0.2.{number}"]
    data = {"name": draw(TEXTS), "kind": "other", "vars": draw(some(ssid=TEXTS)), "routers": routers}
    order = draw(st.permutations(list(data)))
    return {key: data[key] for key in order}


SITES = layouts(site_data())
WORDED: dict[str, st.SearchStrategy[tuple[str, Any]]] = {
    "room": TEXTS.map(lambda text: (text, text)),
    "lifecycle": st.sampled_from([("planned", "planned"), ("retired", "retired")]),
    "tags": TAGS.map(lambda tags: (",".join(tags), tags)),
    "ports.ssh": st.integers(1, 65535).map(lambda port: (str(port), port)),
    "vars.ssid": TEXTS.filter(PLAIN.fullmatch).map(lambda text: (text, text)),
    "vars.limit": st.floats(0, 10).map(lambda number: (repr(number), number)),
    "vars.key": st.just(("{env: NAME}", {"env": "NAME"})),
    "private.more.deep": st.booleans().map(lambda value: (str(value).lower(), value)),
}
"""Keys, and values as people write them beside what is meant."""


@settings(max_examples=60)  # each of them reads the whole folder several times
@given(SITES, st.data())
def test_an_edit_by_command_changes_what_it_says_and_no_other_byte(layout: Layout, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(list(layout.data["routers"])))
    key = data.draw(st.sampled_from(list(WORDED)))
    word, value = data.draw(WORDED[key])
    here: KeyPath = ("routers", name, *key.split("."))
    values = read_values([f"{key}={word}"])
    with tempfile.TemporaryDirectory() as place:
        folder = write(Path(place), eins="name: X\nkind: other\nrouters: {}\n")
        path = folder / site_file("eins")
        path.write_bytes(layout.text.encode())
        edits = Edits(folder)
        router = edits.check().routers[name]
        set_values(edits, [router], values)
        edits.write()
        after = path.read_bytes().decode()
        wanted = with_nested(layout.data, here, value)
        assert same(read(path, "x").data, wanted)
        new = after != layout.text
        assert new is not same(wanted, layout.data)
        if here in layout.spans:
            start, end = layout.spans[here]
            assert kept(layout.text, after) >= len(layout.text) - (end - start)
        edits = Edits(folder)
        set_values(edits, [edits.check().routers[name]], {}, [read_key(key)])
        edits.write()
        if here not in set(paths(layout.data)) and not has_empty(layout.data["routers"][name]):
            assert path.read_bytes().decode() == layout.text
        assert not list(folder.glob("**/.*"))


def with_nested(data: Any, path: KeyPath, value: Any) -> Any:
    if len(path) == 1:
        return {**data, path[0]: value}
    return {**data, path[0]: with_nested(data.get(path[0], {}), path[1:], value)}


def has_empty(entry: dict[str, Any]) -> bool:
    """Whether a mapping in it is empty: that one goes with the last key that is unset in it."""
    return {} in entry.values() or {} in entry.get("private", {}).values()


# ---------------------------------------------------------------- all files or none


def two_files(folder: Path) -> Edits:
    """Edits of two files, and a new one."""
    edits = Edits(folder)
    edits.file(site_file("eins")).set(("name",), "Haus 1")
    edits.file(site_file("platz")).set(("name",), "Platz 1")
    edits.create(site_file("neu"), "name: Neu\nkind: other\nrouters: {}\n")
    return edits


def test_edits_are_written_together_and_keep_modes_links_marks_and_line_ends(folder: Path) -> None:
    eins, platz = folder / site_file("eins"), folder / site_file("platz")
    eins.write_bytes(b"\xef\xbb\xbf" + SITE.replace("\n", "\r\n").encode())
    eins.chmod(0o640)
    (folder / "real").mkdir()
    real = platz.rename(folder / "real/platz.yaml")
    platz.symlink_to(real)
    umask = os.umask(0o027)
    try:
        two_files(folder).write()
    finally:
        os.umask(umask)
    assert eins.read_bytes() == b"\xef\xbb\xbf" + SITE.replace("Haus Eins", "Haus 1").replace("\n", "\r\n").encode()
    assert stat.S_IMODE(eins.stat().st_mode) == 0o640
    assert platz.is_symlink()
    assert real.read_text(encoding="utf-8") == PLATZ.replace("name: Platz", "name: Platz 1")
    assert stat.S_IMODE((folder / site_file("neu")).stat().st_mode) == 0o640
    assert load(folder).sites.keys() == {"eins", "platz", "neu"}
    assert [path.name for path in folder.rglob("*") if path.name.startswith(".")] == []


def test_edits_that_were_written_can_go_on(folder: Path) -> None:
    edits = two_files(folder)
    edits.write()
    assert edits.texts == {}
    edits.file(site_file("neu")).set(("name",), "Neuer")
    edits.write()
    assert load(folder).sites["neu"].name == "Neuer"


def test_nothing_is_written_when_the_inventory_would_be_wrong(folder: Path) -> None:
    before = texts_of(folder)
    edits = two_files(folder)
    edits.file(site_file("eins")).set(("routers", "eins-ap", "behind"), "nobody")
    edits.file(site_file("platz")).set(("kind",), "castle")
    with pytest.raises(ConfigError) as caught:
        edits.write()
    assert {problem.where.split(":")[0] for problem in caught.value.problems} >= {site_file("platz")}
    assert texts_of(folder) == before


@pytest.mark.parametrize("failing", [0, 1, 2])
@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=["full", "ctrl-c"])
def test_when_one_file_cannot_be_written_none_is(
    folder: Path, failing: int, step: str, error: BaseException, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = texts_of(folder)
    edits = two_files(folder)
    edits.check()
    calls = iter(range(100))
    real = os.fsync if step == "fsync" else Path.replace

    def sometimes(*args: Any) -> Any:
        if next(calls) == failing:
            if step == "replace" and isinstance(error, KeyboardInterrupt):
                real(*args)  # it comes right after the file was put there
            raise error
        return real(*args)

    monkeypatch.setattr(*((os, "fsync") if step == "fsync" else (Path, "replace")), sometimes)
    with pytest.raises(ConfigError if isinstance(error, OSError) else KeyboardInterrupt) as caught:
        edits.write()
    assert texts_of(folder) == before
    if isinstance(caught.value, ConfigError):
        assert caught.value.line().endswith(
            ".yaml: cannot be written: no space left on device; nothing was changed [unreadable-file]"
        )


def test_when_nothing_can_be_put_back_it_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    edits = two_files(folder)
    edits.check()
    real, calls = Path.replace, iter([True, False, False, False])

    def once(path: Path, to: Path) -> Path:
        if next(calls):
            return real(path, to)
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "replace", once)
    with pytest.raises(ConfigError, match=r"read-only file system; some files were changed: look at git diff"):
        edits.write()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_one_line(folder: Path) -> None:
    before = texts_of(folder)
    (folder / "inventory/sites").chmod(0o555)
    with pytest.raises(ConfigError, match=r"inventory/sites/eins.yaml: cannot be written: permission denied"):
        two_files(folder).write()
    assert texts_of(folder) == before


def test_a_file_that_somebody_else_wrote_meanwhile_is_not_overwritten(folder: Path) -> None:
    edits = two_files(folder)
    with (folder / site_file("platz")).open("a", encoding="utf-8") as file:
        file.write("# theirs\n")
    before = texts_of(folder)
    with pytest.raises(ConfigError, match=r"inventory/sites/platz.yaml: was changed by somebody else .*file-changed"):
        edits.write()
    assert texts_of(folder) == before


def test_a_file_that_came_or_went_meanwhile_is_told(folder: Path) -> None:
    edits = two_files(folder)
    (folder / site_file("neu")).write_text("name: Theirs\nkind: other\nrouters: {}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="file-changed"):
        edits.write()
    (folder / site_file("neu")).unlink()
    (folder / site_file("platz")).unlink()
    with pytest.raises(ConfigError, match="file-changed"):
        edits.write()


def test_a_file_that_is_there_is_not_made_anew(folder: Path) -> None:
    edits = two_files(folder)
    for slug in ("eins", "neu"):
        with pytest.raises(ConfigError, match="already-there"):
            edits.create(site_file(slug), "")
    with pytest.raises(ConfigError, match="unreadable-file"):
        edits.file(site_file("zwei"))


# ---------------------------------------------------------------- KEY=VALUE


@pytest.mark.parametrize(
    ("word", "key", "value"),
    [
        ('room=Hof: "Tor" #2', ("room",), 'Hof: "Tor" #2'),
        ("room=12", ("room",), "12"),
        ("room=a=b", ("room",), "a=b"),
        ("model=true", ("model",), "true"),
        ("interval=5m", ("interval",), "5m"),
        ("tags=indoor, mesh", ("tags",), ["indoor", "mesh"]),
        ("tags=", ("tags",), []),
        ("tags=[indoor, 'mesh']", ("tags",), ["indoor", "mesh"]),
        ("addresses=192.0.2.1,2001:db8::1", ("addresses",), ["192.0.2.1", "2001:db8::1"]),
        ("addresses=2001:db8::", ("addresses",), ["2001:db8::"]),
        ("ports.ssh=2222", ("ports", "ssh"), 2222),
        ("ports={ssh: 22, http: 80}", ("ports",), {"ssh": 22, "http": 80}),
        ('vars.ssid=Jugend\'s "Café" & $(id)', ("vars", "ssid"), 'Jugend\'s "Café" & $(id)'),
        ('vars.ssid="Café" & Bühne', ("vars", "ssid"), '"Café" & Bühne'),
        ("vars.ssid='12'", ("vars", "ssid"), "12"),
        ("vars.ssid=a # b", ("vars", "ssid"), "a # b"),
        ("vars.ssid=x: y", ("vars", "ssid"), "x: y"),
        ("vars.ssid=@home", ("vars", "ssid"), "@home"),
        ("vars.ssid=", ("vars", "ssid"), ""),
        ("vars.ssid=line\nbreak: 1", ("vars", "ssid"), "line\nbreak: 1"),
        ("vars.limit=12", ("vars", "limit"), 12),
        ("vars.limit=12\nx: 1", ("vars", "limit"), "12\nx: 1"),
        ("vars.limit=0.5", ("vars", "limit"), 0.5),
        ("vars.limit=012", ("vars", "limit"), "012"),
        ("vars.guests=true", ("vars", "guests"), True),
        ("vars.guests=no", ("vars", "guests"), "no"),
        ("vars.channels=[1, 6, 11]", ("vars", "channels"), [1, 6, 11]),
        ("vars.password={env: NAME}", ("vars", "password"), {"env": "NAME"}),
        ("vars={ssid: x}", ("vars",), {"ssid": "x"}),
        ("private.note=x", ("private", "note"), "x"),
        ("private.a.b=1", ("private", "a", "b"), 1),
    ],
)
def test_words_are_read_with_the_types_of_the_model(word: str, key: KeyPath, value: Any) -> None:
    assert same(read_values([word]), {key: value})


@pytest.mark.parametrize(
    ("word", "line"),
    [
        (
            "room",
            "room: is not written as KEY=VALUE; put a value with spaces in quotes: room='Hof, Tor 2' [unknown-key]",
        ),
        ("rom=x", "rom: unknown key; did you mean room? [unknown-key]"),
        ("=x", "unknown key; known here: "),
        ("name=x", "name: unknown key; a router gets another name by 'wifimgr router rename' [unknown-key]"),
        ("site=x", "site: unknown key; a router gets to another site by 'wifimgr router move' [unknown-key]"),
        ("manage=push", "manage: unknown key; whether we may change a router is said at its operator, in"),
        ("room.x=y", "room.x: unknown key; write room [unknown-key]"),
        ("vars.=y", "vars.: unknown key; write vars.NAME [unknown-key]"),
        ("vars.a.b=y", "vars.a.b: unknown key; write vars.NAME [unknown-key]"),
        ("vars=x", "vars: must be a mapping; write vars.NAME=VALUE [wrong-type]"),
        ("vars.x={env", "vars.x: cannot be understood; write [one, two] or {env: NAME}, and text that"),
        ("vars.x={{ y }}", "vars.x: cannot be understood; write [one, two] or {env: NAME}, and text that"),
        ("vars.x={env: a b}", "vars.x: is not a name of an environment variable"),
        ("tags=[", "tags: cannot be understood; "),
        ("tags=a b", "tags[0]: is not a plain word; use letters, digits, and . _ - between them [wrong-type]"),
        ("ports.ssh=abc", "ports.ssh: must be a whole number, not text; write it without quotes [wrong-type]"),
        ("ports.shh=22", "ports.shh: unknown key; did you mean ssh? [unknown-key]"),
        ("ports.ssh=0", "ports.ssh: is not a port; write a number from 1 to 65535 [wrong-type]"),
        ("platform=openwt", "platform: 'openwt' is not known; did you mean openwrt? [unknown-name]"),
        ("room=", "room: is empty; write something or take the key out [wrong-type]"),
        ("room=a\nb", "room: holds a line break or an invisible character; write it on one line [wrong-type]"),
        (
            "addresses=http://x",
            "addresses[0]: is not an address; write an IPv4 or IPv6 address or a DNS name, without a",
        ),
        ("vars.Name=x", "vars.Name: is not a name for a variable; use small letters, digits and _ [wrong-type]"),
        ("vars.site_name=x", "vars.site_name: is set by wifimgr itself; choose another name [reserved-name]"),
        ("interval=60", "interval: is not a duration; write a number and its unit, like 60s, 5m or 1h [wrong-type]"),
    ],
)
def test_words_that_are_wrong_are_told_in_one_line(word: str, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_values([word])
    [told_line] = caught.value.lines()
    assert told_line.startswith(line)


def test_all_wrong_words_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        read_values(["platform=x", "tags=a b", "room=ok", "ports.ssh=y"])
    assert [problem.key for problem in caught.value.problems] == ["platform", "tags[0]", "ports.ssh"]


SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=0x2FF), min_size=8, max_size=20)


@given(
    SECRETS, st.sampled_from(["vars.wifi_password", "vars.psk", "private.password", "private.api.token", "vars.key"])
)
def test_a_secret_is_never_told(secret: str, key: str) -> None:
    for word in (f"{key}={secret}", f"{key}={{env: NAME, x: {secret}}}", f"{key}=[{secret}]"):
        try:
            [(path, value)] = read_values([word]).items()
            lines = [str(edit.showable(path, value))]
        except ConfigError as error:
            lines = error.lines()
        assert [line for line in lines if secret in line] == []


# ---------------------------------------------------------------- what commands do


def test_a_new_site_says_what_is_known_and_offers_the_rest(folder: Path) -> None:
    edits = Edits(folder)
    edit.add_site(edits, "jz-neu", {"name": 'Jugend: "Café"', "kind": "youth-center", "position": [51.4, 6.7]})
    edits.write()
    text = text_of(folder, site_file("jz-neu"))
    assert text.startswith(f"{FIRST_LINE}\n# The name of this file, jz-neu, is what commands call the place.\n\n")
    assert "\nname: 'Jugend: \"Café\"'\nkind: youth-center                          # youth-center, library" in text
    assert '\n# opening_hours: "Mo-Fr 14:00-21:00; PH off"\n' in text
    assert text.endswith("\n\nrouters: {}\n")
    site = load(folder).sites["jz-neu"]
    assert (site.name, site.position, site.public) == ('Jugend: "Café"', (51.4, 6.7), False)


def test_what_a_new_site_offers_is_right() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = write(Path(place), NETWORK + "holidays: {region: DE-NW}\n")
        edits = Edits(folder)
        edit.add_site(edits, "neu", {"name": "Neu", "kind": "other"})
        text = edits.file(site_file("neu")).text
        lines = [line.removeprefix("# ") for line in text.splitlines()[3:]]
        (folder / site_file("neu")).write_text("\n".join(lines), encoding="utf-8")
        site = load(folder).sites["neu"]
    assert (site.district, site.position, site.opening_hours != "") == ("Meiderich", (51.4652, 6.7741), True)


def test_a_new_site_can_say_more(folder: Path) -> None:
    edits = Edits(folder)
    values = {"name": "Neu", "kind": "other", "tags": ["x"], "private": {"note": "a", "b": "c"}}
    assert same(edit.add_site(edits, "neu", values).data, {**values, "routers": {}})


def test_a_new_site_that_is_wrong_is_not_made(folder: Path) -> None:
    edits = Edits(folder)
    wrong = {
        "Neu": {"name": "x", "kind": "other"},
        "../neu": {"name": "x", "kind": "other"},
        "eins": {"name": "x", "kind": "other"},
        "neu": {"kind": "castle", "position": [1]},
    }
    lines = []
    for slug, values in wrong.items():
        with pytest.raises(ConfigError) as caught:
            edit.add_site(edits, slug, values)
        lines += caught.value.lines()
    assert [line.split(";")[0] for line in lines] == [
        "Neu: is no name for a site",
        "../neu: is no name for a site",
        "inventory/sites/eins.yaml: is there already",
        "name: this key is missing",
        "kind: 'castle' is not known",
        "position: is not a position",
    ]
    assert edits.texts == {}


def test_a_new_router_is_the_last_one_of_its_site(folder: Path) -> None:
    edits = Edits(folder)
    words = ["addresses=192.0.2.20", "role=gateway", "vars.ssid=x", "vars.key={env: X}", "ports.ssh=22"]
    edit.add_router(edits, "platz", "platz-3", read_values(words))
    edits.write()
    assert text_of(folder, site_file("platz")) == PLATZ + (
        "\n  platz-3:\n    addresses: [192.0.2.20]\n    role: gateway\n"
        "    vars: {ssid: x, key: {env: X}}\n    ports: {ssh: 22}\n"
    )


@pytest.mark.parametrize(
    ("site", "name", "id"),
    [
        ("platzz", "neu", "unknown-name"),
        ("platz", "eins-gw", "already-there"),
        ("platz", "Neu", "wrong-type"),
        ("platz", "", "wrong-type"),
        ("platz", "$(id)", "wrong-type"),
    ],
)
def test_a_new_router_that_is_wrong_is_not_made(folder: Path, site: str, name: str, id: str) -> None:
    edits = Edits(folder)
    with pytest.raises(ConfigError) as caught:
        edit.add_router(edits, site, name, {("addresses",): ["192.0.2.20"]})
    assert caught.value.id == id
    assert edits.texts == {}


def test_set_tells_each_change_once_and_hides_what_is_secret(folder: Path) -> None:
    edits = Edits(folder)
    routers = list(edits.check().routers.values())[2:]
    words = ["vars.ssid=mast", "vars.wifi_password={env: A}", "private.note=Geheim", "tags=a,b"]
    changes = set_values(edits, routers, read_values(words), [read_key("behind"), read_key("room")])
    assert told(changes) == [
        "platz-1: vars.ssid: None -> mast (inventory/sites/platz.yaml:10)",
        "platz-1: vars.wifi_password: None -> *** (inventory/sites/platz.yaml:10)",
        "platz-1: private.note: None -> *** (inventory/sites/platz.yaml:11)",
        "platz-1: tags: None -> ['a', 'b'] (inventory/sites/platz.yaml:12)",
        "platz-1: behind: eins-gw -> None (inventory/sites/platz.yaml:8)",
        "platz-2: vars.wifi_password: None -> *** (inventory/sites/platz.yaml:19)",
        "platz-2: private.note: None -> *** (inventory/sites/platz.yaml:20)",
        "platz-2: tags: None -> ['a', 'b'] (inventory/sites/platz.yaml:21)",
        "platz-2: behind: platz-1 -> None (inventory/sites/platz.yaml:16)",
    ]
    assert set_values(edits, routers, read_values(words), [read_key("behind")]) == []
    edits.write()
    after = load(folder).routers["platz-2"]
    assert (after.tags, after.behind, after.vars["ssid"]) == (("a", "b"), None, "mast")


def test_set_says_when_a_router_becomes_ours(folder: Path) -> None:
    edits = Edits(folder)
    router = edits.check().routers["eins-gw"]
    theirs = set_values(edits, [router], read_values(["operator=community"]))
    assert [(change.key, change.before, change.after) for change in theirs][1:] == [("manage", "push", "watch")]
    ours = set_values(edits, [edits.check().routers["eins-gw"]], {}, [read_key("operator")])
    assert [(change.key, change.before, change.after) for change in ours][1:] == [("manage", "watch", "push")]


def test_no_new_router_is_called_as_one_whose_key_is_trusted(folder: Path) -> None:
    (folder / edit.KNOWN_HOSTS).write_text("gone ssh-ed25519 AAAA\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="a key of another gone is trusted already"):
        edit.add_router(Edits(folder), "eins", "gone", {("addresses",): ["192.0.2.20"]})


def test_a_move_writes_the_new_place_first(folder: Path) -> None:
    """Whoever is killed in the middle finds a router twice, which check tells, and never lost."""
    edits = Edits(folder)
    edit.move(edits, "eins-gw", "platz")
    assert list(edits.texts) == ["inventory/sites/platz.yaml", "inventory/sites/eins.yaml"]


def test_two_edits_at_once_never_overwrite_each_other(folder: Path) -> None:
    edits = [Edits(folder) for _ in range(8)]
    for number, each in enumerate(edits):
        each.file("inventory/sites/eins.yaml").set(("routers", "eins-gw", "room"), f"Raum {number}")

    def write(each: Edits) -> bool:
        try:
            each.write()
        except ConfigError as error:
            return error.id != "file-changed"
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(write, edits)) == 1


def test_a_value_and_keys_below_it_are_not_both(folder: Path) -> None:
    with pytest.raises(ConfigError, match="given as a value and with keys"):
        read_values(["private.a=1", "private.a.b=2"])


def test_unset_leaves_no_empty_mapping_behind(folder: Path) -> None:
    edits = Edits(folder)
    text = edits.file(site_file("platz"))
    routers = [edits.check().routers["platz-2"]]
    set_values(edits, routers, read_values(["private.a.b=1", "ports.ssh=22"]))
    unset = [read_key(key) for key in ("private.a.b", "ports.ssh", "vars.ssid")]
    set_values(edits, routers, {}, unset)
    assert text.data["routers"]["platz-2"].keys() == {"addresses", "behind", "jump"}


def test_move_takes_the_entry_as_it_is_written_and_tells_what_differs_there(folder: Path) -> None:
    edits = Edits(folder)
    changes = edit.move(edits, "platz-1", "eins")
    edits.write()
    assert text_of(folder, site_file("eins")) == SITE + (
        "  platz-1:   # the lamp post\n    addresses: [192.0.2.9]\n    behind: eins-gw\n    # tags: [outdoor]\n"
    )
    assert (
        text_of(folder, site_file("platz")) == PLATZ[: PLATZ.index("  platz-1:")] + PLATZ[PLATZ.index("\n  # only a") :]
    )
    assert told(changes) == [
        "platz-1: jump: eins-gw -> None (built in)",
        "platz-1: vars.ssid: platz -> frei (inventory/network.yaml:19)",
    ]
    assert load(folder).routers["platz-1"].site == "eins"


def test_a_router_keeps_its_operator_when_it_moves(tmp_path: Path) -> None:
    theirs = "name: Platz\nkind: square\noperator: community\nrouters:\n  node: {sources: [map], role: switch}\n"
    folder = write(tmp_path, eins=SITE, platz=theirs)
    edits = Edits(folder)
    changes = edit.move(edits, "node", "eins")
    edits.write()
    assert told(changes) == ["node: operator: None -> community (inventory/sites/eins.yaml:11)"]
    wanted = SITE + "  node: {sources: [map], role: switch, operator: community}\n"
    assert text_of(folder, site_file("eins")) == wanted
    assert load(folder).routers["node"].manage == "watch"


def test_move_and_back_restores_every_byte(tmp_path: Path) -> None:
    third = "\n  # of wood\n  platz-3: {addresses: [192.0.2.11]}\n"
    folder = write(tmp_path, eins=SITE, platz=PLATZ + third)
    edits = Edits(folder)
    edit.move(edits, "platz-3", "eins")
    assert edits.texts == {
        site_file("eins"): SITE + third.removeprefix("\n"),
        site_file("platz"): PLATZ,
    }
    edit.move(edits, "platz-3", "platz")
    assert edits.texts == {}


def test_move_to_a_site_that_is_not_there_or_is_its_own(folder: Path) -> None:
    edits = Edits(folder)
    for name, site, id in [
        ("platz-9", "eins", "unknown-name"),
        ("platz-1", "einz", "unknown-name"),
        ("platz-1", "platz", "already-there"),
    ]:
        with pytest.raises(ConfigError) as caught:
            edit.move(edits, name, site)
        assert caught.value.id == id
    assert edits.texts == {}


def test_move_shows_no_secret(folder: Path) -> None:
    edits = Edits(folder)
    edits.file(site_file("platz")).set(("vars", "upstream"), {"env": "WIFIMGR_SOMETHING"})
    edits.write()
    changes = edit.move(edits, "platz-1", "eins")
    assert "platz-1: vars.upstream: *** -> None (built in)" in told(changes)
    assert "WIFIMGR_SOMETHING" not in str(changes)


HOSTS = """\
# trusted
eins-gw ssh-ed25519 QUFBQQ==   # eins-gw, seen in the house
eins-gw-2 ssh-ed25519 QUFBQQ==
eins-gw ssh-rsa QkJCQg==

eins-ap ssh-ed25519 eins-gwQQ==
"""


def test_rename_reaches_every_place_that_calls_the_router_by_name(tmp_path: Path) -> None:
    network = NETWORK.replace("  snmp: monitor\n", "  snmp: monitor\n  jump: eins-gw   # the way in\n")
    local = "endpoints:\n  # a tunnel\n  eins-gw: {ssh: '127.0.0.1:4001'}\n"
    write(tmp_path, network, local, eins=SITE, platz=PLATZ)
    (tmp_path / "inventory/known_hosts").write_text(HOSTS, encoding="utf-8")
    (tmp_path / LOCAL_FILE).chmod(0o600)
    before = texts_of(tmp_path)
    edits = Edits(tmp_path)
    edit.rename(edits, "eins-gw", "haus.gw-1")
    edits.write()
    after = texts_of(tmp_path)
    for shown, raw in before.items():
        text = raw.decode()
        kept_names = text.replace("eins-gw-2", "\0").replace("# eins-gw,", "\1").replace(" eins-gwQQ", "\2")
        renamed = kept_names.replace("eins-gw", "haus.gw-1")
        wanted = renamed.replace("\0", "eins-gw-2").replace("\1", "# eins-gw,").replace("\2", " eins-gwQQ")
        assert after[shown].decode() == wanted
    assert all(after[shown] != before[shown] for shown in before)
    assert stat.S_IMODE((tmp_path / LOCAL_FILE).stat().st_mode) == 0o600
    inventory = load(tmp_path)
    assert inventory.routers["eins-ap"].behind == "haus.gw-1"
    assert inventory.routers["platz-1"].jump == "haus.gw-1"


def test_rename_to_a_name_that_is_taken_or_none(folder: Path) -> None:
    (folder / "inventory/known_hosts").write_text("old-gw ssh-ed25519 QUFBQQ==\n", encoding="utf-8")
    edits = Edits(folder)
    for old, new, id in [
        ("eins-gw", "eins-ap", "already-there"),
        ("eins-gw", "eins-gw", "already-there"),
        ("eins-gw", "Eins GW", "wrong-type"),
        ("eins", "neu", "unknown-name"),
    ]:
        with pytest.raises(ConfigError) as caught:
            edit.rename(edits, old, new)
        assert caught.value.id == id
        assert edits.texts == {}
    with pytest.raises(ConfigError, match=r"inventory/known_hosts:1: a key of another old-gw is trusted already"):
        edit.rename(edits, "eins-gw", "old-gw")


def test_retire_keeps_the_entry(folder: Path) -> None:
    edits = Edits(folder)
    inventory = edits.check()
    changes = edit.retire(edits, [inventory.routers["platz-2"]])
    assert told(changes) == ["platz-2: lifecycle: None -> retired (inventory/sites/platz.yaml:19)"]
    edits.write()
    assert text_of(folder, site_file("platz")) == PLATZ + "    lifecycle: retired\n"
    assert edit.retire(edits, [edits.check().routers["platz-2"]]) == []


def test_retire_names_who_is_reached_through_a_router(folder: Path) -> None:
    edits = Edits(folder)
    routers = edits.check().routers
    with pytest.raises(Refused, match=r"eins-gw is the way to eins-ap, platz-1; .*\[still-needed\]"):
        edit.retire(edits, [routers["eins-gw"], routers["platz-2"]])
    assert edits.texts == {}
    set_values(edits, [routers["platz-2"]], {}, [("behind",)])  # logged in to through platz-1 all the same
    with pytest.raises(Refused, match=r"platz-1 is the way to platz-2; "):
        edit.retire(edits, [edits.check().routers["platz-1"]])
    edit.retire(edits, list(routers.values()))
    assert {router.lifecycle for router in edits.check().routers.values()} == {"retired"}
