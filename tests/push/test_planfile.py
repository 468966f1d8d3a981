"""Plan files: they hold no secret and nothing it could be guessed from, and only what we wrote is carried out."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.networks import write as write_network
from wifimgr.errors import ConfigError, Refused, RouterError
from wifimgr.inventory import load
from wifimgr.model import Change, PathChange, Step, Touched
from wifimgr.platforms import openwrt
from wifimgr.platforms.edits import Edit, FileEdit, UciEdit
from wifimgr.push import planfile, playbook
from wifimgr.push.plan import Plan, PlaybookJob
from wifimgr.settings import Secret, make_state_dir
from wifimgr.ssh import KnownHosts

PLAYBOOK = """\
name: Radio
about: A country.
where: platform=openwrt
uci:
  wireless:
    - {section: {type: wifi-device, each: true}, set: {country: DE}}
"""
TOUCHED = (
    Touched("wireless.radio0.country", None, "DE"),
    Touched("wireless.radio0.channels", ("1", "6"), ("1", "6", "11")),
    Touched("/etc/banner", "alt\n", None),
)
STEPS = (Step(what="install the package snmpd", script="packages snmpd"),)
PATHS = tuple(PathChange(path=path, before=b"x", after=b"y", diff=("-x", "+y")) for path in ("etc/config/a", "etc/b"))
CHANGE = Change(router="eins-ap", paths=PATHS, touched=TOUCHED, steps=STEPS, after=("service restart snmpd",))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A network folder with a playbook, and no routers that run."""
    return network(tmp_path / "network")


@pytest.fixture
def raw(folder: Path) -> bytes:
    """The bytes of a plan file of that folder."""
    return written(folder).read_bytes()


def network(folder: Path) -> Path:
    write_network(folder)
    (folder / "playbooks").mkdir(exist_ok=True)
    (folder / "playbooks/radio.yaml").write_text(PLAYBOOK, encoding="utf-8")
    return folder


def written(folder: Path, *changes: Change) -> Path:
    """The file of a plan that makes these changes."""
    path = folder / "plan.json"
    job = PlaybookJob(playbook.load(folder, "radio"))
    planfile.write(path, Plan(job, changes or (CHANGE,), ()), folder, ["site=eins"])
    return path


def refusal(path: Path, folder: Path) -> str:
    """Why a file is not carried out."""
    with pytest.raises((ConfigError, Refused)) as caught:
        planfile.read(path, folder)
    return caught.value.line()


@contextmanager
def clock(moved: timedelta) -> Iterator[None]:
    """The clock goes wrong, or on."""
    with mock.patch.object(planfile, "datetime", wraps=datetime) as stand_in:
        stand_in.now.side_effect = lambda zone: datetime.now(zone) + moved
        yield


# ---------------------------------------------------------------- the file


def test_file_says_what_it_is_and_is_for_us_alone(folder: Path) -> None:
    path = written(folder)
    document = json.loads(path.read_text(encoding="ascii"))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert document["wifimgr_plan"] == planfile.FORMAT
    assert document["playbook"]["name"] == "radio"
    assert document["selectors"] == ["site=eins"]
    entry = document["routers"]["eins-ap"]
    assert entry["result"] == "to change"
    assert entry["paths"] == ["/etc/config/a", "/etc/b"]
    assert entry["diff"] == ["-x", "+y", "-x", "+y"]
    assert [each["what"] for each in entry["no_undo"]] == ["install the package snmpd"]
    assert [each["what"] for each in entry["touched"]] == [each.what for each in TOUCHED]
    assert [each.name for each in folder.iterdir() if each.name.startswith(".plan")] == []


def test_what_was_written_is_read_again(folder: Path) -> None:
    file = planfile.read(written(folder), folder)
    assert abs(datetime.now(UTC) - file.made) < timedelta(minutes=1)
    assert file.playbook(folder).slug == "radio"
    file.check(CHANGE)


@pytest.mark.parametrize("where", ["above/other.yaml", "network/playbooks/other.yaml", "network/other.yaml"])
def test_playbook_named_by_its_path_is_found_from_anywhere(
    folder: Path, where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / where
    source.parent.mkdir(exist_ok=True)
    source.write_text(PLAYBOOK, encoding="utf-8")
    monkeypatch.chdir(source.parent)
    job = PlaybookJob(playbook.load(folder, "other.yaml"))
    planfile.write(folder / "p", Plan(job, (CHANGE,), ()), folder, [])
    monkeypatch.chdir("/")
    assert planfile.read(folder / "p", folder).playbook(folder).slug == "other"


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_change_of_any_byte_is_refused(folder: Path, raw: bytes, data: st.DataObject) -> None:
    path = folder / "edited.json"
    at = data.draw(st.integers(0, len(raw) - 1), "at")
    kind = data.draw(st.sampled_from(["other", "more", "less", "cut"]), "kind")
    byte = bytes([data.draw(st.integers(0, 255).filter(lambda number: number != raw[at]), "byte")])
    edited = {
        "other": raw[:at] + byte + raw[at + 1 :],
        "more": raw[:at] + byte + raw[at:],
        "less": raw[:at] + raw[at + 1 :],
        "cut": raw[:at],
    }[kind]
    path.write_bytes(edited)
    assert planfile.is_planfile(path), "what ends in .json is meant as a plan, whatever is in it"
    with pytest.raises(ConfigError) as caught:
        planfile.read(path, folder)
    assert caught.value.id == "bad-plan-file"


@pytest.mark.parametrize(
    "edit",
    [
        lambda text: text.replace('"to change"', '"already right"'),
        lambda text: text.replace("install the package snmpd", "install the package telnet"),
        lambda text: json.dumps(json.loads(text)),
        lambda text: text.replace('"selectors"', '"seal": "x",\n "selectors"', 1),
        lambda text: (
            json.dumps({key: item for key, item in json.loads(text).items() if key != "seal"}, indent=1) + "\n"
        ),
        lambda text: text.replace(json.loads(text)["seal"], "ä" * 32),
        lambda text: text + "\n",
    ],
)
def test_edited_file_says_so(folder: Path, edit: object) -> None:
    assert callable(edit)
    path = written(folder)
    text = path.read_text(encoding="ascii")
    assert edit(text) != text
    path.write_text(edit(text), encoding="utf-8")
    assert "this plan file was edited or damaged; make a new one" in refusal(path, folder)


NO_PLANS = [
    b"",
    b"{}",
    b"[]",
    b"null",
    b"7" * 9999,
    b'"wifimgr_plan"',
    b"[" * 100_000,
    b"\xff\xfe{",
    b"name: Radio\n",
    b'{"schema_version": 1, "routers": []}',
]


@pytest.mark.parametrize("raw", NO_PLANS, ids=lambda raw: repr(raw[:20]))
def test_what_is_no_plan_is_told_in_one_line(folder: Path, raw: bytes) -> None:
    path = folder / "x"
    path.write_bytes(raw)
    assert not planfile.is_planfile(path)
    assert refusal(path, folder).startswith(f"{path}: this is no plan file; ")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    document=st.dictionaries(
        st.sampled_from(["wifimgr_plan", "installation", "salt", "seal", "made", "routers", "playbook"]),
        st.one_of(st.just(1), st.none(), st.text(), st.floats(), st.lists(st.integers()), st.just({"a": 1})),
    )
)
def test_nobody_without_the_key_makes_a_plan(folder: Path, document: dict[str, object]) -> None:
    path = folder / "x.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    assert refusal(path, folder).endswith("[bad-plan-file]")


def test_other_format_is_told(folder: Path) -> None:
    path = written(folder)
    path.write_text(path.read_text().replace('"wifimgr_plan": 1', '"wifimgr_plan": 2'))
    assert "this plan file has a format that is not known here, wifimgr " in refusal(path, folder)


def test_plan_of_another_installation_is_told(folder: Path, tmp_path: Path) -> None:
    path = written(folder)
    other = network(tmp_path / "other")
    assert "was made by another installation: it works only where it was made" in refusal(path, other)


# ---------------------------------------------------------------- the key


def test_key_is_ours_alone_and_made_once(folder: Path) -> None:
    first = written(folder)
    key = folder / ".wifimgr" / planfile.KEY_FILE
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_bytes()
    assert len(before) == planfile.KEY_BYTES
    key.chmod(0o644)
    written(folder)
    assert (key.read_bytes(), stat.S_IMODE(key.stat().st_mode)) == (before, 0o600)
    planfile.read(first, folder)


def test_many_at_once_make_one_key(folder: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        assert len(set(pool.map(planfile._key, [folder] * 64))) == 1


def test_key_that_somebody_makes_at_the_same_time_is_the_key(folder: Path) -> None:
    path = make_state_dir(folder) / planfile.KEY_FILE
    theirs = b"t" * planfile.KEY_BYTES
    with mock.patch("fcntl.flock", side_effect=lambda file, how: path.write_bytes(theirs)):
        assert planfile._key(folder) == theirs


@pytest.mark.parametrize("damaged", [b"", b"short", b"x" * 99])
def test_damaged_key_is_made_anew_and_voids_what_was_made_with_it(folder: Path, damaged: bytes) -> None:
    path = written(folder)
    key = folder / ".wifimgr" / planfile.KEY_FILE
    key.write_bytes(damaged)
    assert "another installation" in refusal(path, folder)
    assert len(key.read_bytes()) == planfile.KEY_BYTES
    planfile.read(written(folder), folder)


def test_key_that_cannot_be_read_is_told(folder: Path) -> None:
    path = written(folder)
    key = folder / ".wifimgr" / planfile.KEY_FILE
    key.unlink()
    key.mkdir()
    assert "plan.key: cannot be read: is a directory [unreadable-file]" in refusal(path, folder)


# ---------------------------------------------------------------- age, playbook


@pytest.mark.parametrize(
    ("moved", "fits"),
    [
        (timedelta(hours=23, minutes=59), True),
        (timedelta(hours=24, seconds=2), False),
        (timedelta(days=3650), False),
        (-timedelta(seconds=30), True),
        (-timedelta(minutes=2), False),
    ],
)
def test_plan_is_good_for_a_day(folder: Path, moved: timedelta, fits: bool) -> None:
    path = written(folder)
    with clock(moved):
        if fits:
            planfile.read(path, folder)
        else:
            line = refusal(path, folder)
            assert "one is carried out within 24 hours; make a new plan [plan-too-old]" in line


def test_until_is_a_day_after_it_was_made(folder: Path) -> None:
    job = PlaybookJob(playbook.load(folder, "radio"))
    until = planfile.write(folder / "p", Plan(job, (), ()), folder, [])
    assert until - planfile.read(folder / "p", folder).made == timedelta(hours=24)


def test_playbook_that_was_changed_by_a_comment_is_refused(folder: Path) -> None:
    file = planfile.read(written(folder), folder)
    with (folder / "playbooks/radio.yaml").open("a") as opened:
        opened.write("# nothing\n")
    with pytest.raises(Refused) as caught:
        file.playbook(folder)
    assert caught.value.id == "playbook-changed"


def test_playbook_that_is_gone_is_told(folder: Path) -> None:
    file = planfile.read(written(folder), folder)
    (folder / "playbooks/radio.yaml").unlink()
    with pytest.raises(ConfigError) as caught:
        file.playbook(folder)
    assert caught.value.id == "unknown-name"


# ---------------------------------------------------------------- does it still fit


def moved(folder: Path, now: Change) -> str:
    """What a change that is not the planned one is refused for; empty: it is the planned one."""
    try:
        planfile.read(written(folder), folder).check(now)
    except RouterError as error:
        return (
            error.line()
            .removeprefix("eins-ap: changed since the plan: ")
            .removesuffix("; look at a new plan [moved-since-plan]")
        )
    return ""


def test_what_the_playbook_does_not_touch_may_change(folder: Path) -> None:
    other = tuple(replace(path, before=b"other", after=b"new", diff=("+z",), mode="600") for path in PATHS)
    assert moved(folder, replace(CHANGE, paths=other, radar=60.0, checks=(("ssid", "x"),))) == ""


@pytest.mark.parametrize("number", range(len(TOUCHED)))
@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("value", [None, "", "DEU", (), ("1",), ("1", "6, 11"), '["1", "6"]'])
def test_other_value_before_or_after_is_named(folder: Path, number: int, side: str, value: object) -> None:
    touched = list(TOUCHED)
    touched[number] = replace(TOUCHED[number], **{side: value})  # type: ignore[arg-type]
    same = touched[number] == TOUCHED[number]
    assert moved(folder, replace(CHANGE, touched=tuple(touched))) == ("" if same else TOUCHED[number].what)


def test_option_of_a_section_that_goes_is_seen_when_it_changes_and_stands_in_no_file(folder: Path) -> None:
    edit = UciEdit(package="wireless", type="wifi-iface", name="alt", absent=True)

    def now(key: str, off: int) -> Change:
        text = f"config wifi-iface 'alt'\n\toption key '{key}'\n\toption disabled '{off}'\n"
        _, touched = openwrt.render("eins-ap", [edit], {"etc/config/wireless": text.encode()})
        return replace(CHANGE, touched=touched)

    path = written(folder, now("altes-Geheimnis", 0))
    assert "Geheimnis" not in path.read_text(encoding="utf-8") + repr(now("altes-Geheimnis", 0))
    plan = planfile.read(path, folder)
    plan.check(now("altes-Geheimnis", 1))
    with pytest.raises(RouterError, match=r"changed since the plan: wireless\.alt; look") as caught:
        plan.check(now("neues-Geheimnis", 0))
    assert "Geheimnis" not in caught.value.line()


def test_wish_that_came_or_went_is_named(folder: Path) -> None:
    new = Touched("wireless.radio1.country", None, "DE")
    assert moved(folder, replace(CHANGE, touched=(*TOUCHED, new))) == "wireless.radio1.country"
    assert moved(folder, replace(CHANGE, touched=TOUCHED[1:])) == "wireless.radio0.country"


def test_nothing_is_done_that_was_not_planned(folder: Path) -> None:
    other = Step(what="install the package snmpd", script="packages telnetd")
    assert moved(folder, replace(CHANGE, steps=(*STEPS, other))) == "install the package snmpd"
    assert moved(folder, replace(CHANGE, after=(*CHANGE.after, "service stop dnsmasq"))) == "service stop dnsmasq"
    more = PathChange(path="etc/passwd", before=b"", after=b"x")
    assert moved(folder, replace(CHANGE, paths=(*PATHS, more))) == "/etc/passwd"


def test_what_is_done_already_needs_no_new_plan(folder: Path) -> None:
    assert moved(folder, replace(CHANGE, steps=(), after=(), paths=PATHS[:1])) == ""


def test_fingerprints_of_two_files_routers_and_options_tell_nothing_about_each_other(folder: Path) -> None:
    same = (Touched("a.b.key", "geheim", "geheim"), Touched("a.c.key", "geheim", "geheim"))
    found: list[str] = []
    for _ in range(2):
        changes = (replace(CHANGE, touched=same), replace(CHANGE, router="eins-gw", touched=same))
        document = json.loads(written(folder, *changes).read_text())
        found += [each["before"] for entry in document["routers"].values() for each in entry["touched"]]
    assert len(set(found)) == len(found) == 8


# ---------------------------------------------------------------- where it is written


@pytest.mark.parametrize("content", [b"notes", b"{}", b'{"schema_version": 1}', b"\0"])
def test_no_other_file_is_overwritten(folder: Path, content: bytes) -> None:
    path = folder / "plan.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        written(folder)
    assert caught.value.line().endswith("is there already and is no plan file; choose another name [already-there]")
    assert path.read_bytes() == content


def test_folder_or_pipe_is_not_overwritten(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    for path in (folder, folder / "pipe"):
        with pytest.raises(ConfigError) as caught:
            planfile.check_free(path)
        assert caught.value.id == "already-there"


def test_plan_takes_the_place_of_a_plan_and_of_an_empty_file(folder: Path) -> None:
    path = folder / "plan.json"
    path.touch(mode=0o644)
    first = written(folder).read_bytes()
    path.write_bytes(first.replace(b"to change", b"edited"))
    assert written(folder).read_bytes() != first
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    planfile.read(path, folder)


def test_plan_that_cannot_be_written_leaves_nothing(folder: Path) -> None:
    job = PlaybookJob(playbook.load(folder, "radio"))
    for path in (folder / "nowhere/plan.json", folder / ("x" * 300)):
        with pytest.raises(ConfigError) as caught:
            planfile.write(path, Plan(job, (CHANGE,), ()), folder, [])
        assert caught.value.id == "unreadable-file"
    before = written(folder).read_bytes()
    with mock.patch("os.fsync", side_effect=OSError(28, "No space left on device")), pytest.raises(ConfigError):
        written(folder)
    assert (folder / "plan.json").read_bytes() == before
    assert list(folder.glob(".plan*")) == []


# ---------------------------------------------------------------- whose routers


def plan_again(folder: Path, *selectors: str) -> dict[str, tuple[str, str]]:
    """What becomes of the routers of a plan where none of them answers: router to result and error id."""
    inventory = load(folder)
    file = planfile.read(written(folder, CHANGE, replace(CHANGE, router="eins-gw")), folder)
    made = file.plan(inventory, KnownHosts(folder / "none"), playbook.load(folder, "radio"), selectors)
    assert made.changes == ()
    assert len({each.router for each in made.outcomes}) == len(made.outcomes)
    return {each.router: (str(each.result), each.error_id) for each in made.outcomes}


ASKED = ("refused", "host-key-unknown")
"""What becomes of a router that would be read."""


def edit_site(folder: Path, old: str, new: str) -> None:
    site = folder / "inventory/sites/eins.yaml"
    assert old in site.read_text()
    site.write_text(site.read_text().replace(old, new))


def test_selectors_narrow_a_plan(folder: Path) -> None:
    assert plan_again(folder) == {"eins-ap": ASKED, "eins-gw": ASKED}
    assert plan_again(folder, "eins-gw") == {"eins-gw": ASKED}


def test_routers_that_are_right_are_not_asked_again(folder: Path) -> None:
    right = Change(router="eins-gw", paths=(), touched=TOUCHED)
    file = planfile.read(written(folder, CHANGE, right), folder)
    made = file.plan(load(folder), KnownHosts(folder / "none"), playbook.load(folder, "radio"), [])
    assert [each.router for each in made.outcomes] == ["eins-ap"]


def test_router_that_is_none_of_the_plans_any_more_is_refused(folder: Path) -> None:
    edit_site(folder, "  eins-ap:", "  eins-neu:")
    assert plan_again(folder) == {"eins-ap": ("refused", "moved-since-plan"), "eins-gw": ASKED}
    edit_site(folder, "    role: gateway", "    role: gateway\n    platform: routeros")
    assert plan_again(folder)["eins-gw"] == ("refused", "moved-since-plan")


def test_router_that_retired_since_the_plan_is_refused(folder: Path) -> None:
    edit_site(folder, "    role: gateway", "    role: gateway\n    lifecycle: retired")
    assert plan_again(folder) == {"eins-ap": ASKED, "eins-gw": ("refused", "moved-since-plan")}


def test_router_that_is_only_watched_now_is_refused(folder: Path) -> None:
    edit_site(folder, "    role: gateway", "    role: gateway\n    operator: community")
    assert plan_again(folder) == {"eins-ap": ASKED, "eins-gw": ("refused", "watch-only")}
    assert plan_again(folder, "eins-gw") == {"eins-gw": ("refused", "watch-only")}


def test_watched_router_is_refused_by_a_plan_that_does_not_know_it(folder: Path) -> None:
    edit_site(folder, "    behind: eins-gw", "    behind: eins-gw\n  eins-fremd: {operator: community}")
    assert plan_again(folder, "eins-fremd") == {"eins-fremd": ("refused", "watch-only")}


def test_router_that_is_not_in_the_plan_is_never_asked(folder: Path) -> None:
    edit_site(folder, "    behind: eins-gw", "    behind: eins-gw\n  eins-neu: {addresses: [192.0.2.9]}")
    assert "eins-neu" not in plan_again(folder, "site=eins")
    with pytest.raises(ConfigError) as caught:
        plan_again(folder, "eins-neu")
    assert caught.value.id == "nothing-selected"


# ---------------------------------------------------------------- secrets

MARKS = st.text("ghjkqwxzGHJKQWXZ", min_size=12, max_size=20)
WIRELESS = """\
# option key 'COMMENTED'
config wifi-device 'radio0'
\toption country 'AT'

config wifi-iface 'old'
\toption key 'OLD'
\toption note 'see OLD'
"""


def traces(secret: str) -> set[str]:
    """What a secret could be seen or guessed by."""
    raw = secret.encode()
    digests = [hashlib.new(name, text).digest() for name in ("md5", "sha1", "sha256") for text in (raw, raw + b"\n")]
    found = {secret, secret[::-1], raw.hex(), base64.b64encode(raw).decode()}
    for digest in digests:
        found |= {digest.hex(), digest.hex()[: planfile.FINGERPRINT], base64.b64encode(digest).decode()}
    return found


def render(var: str, old: str, commented: str) -> tuple[tuple[PathChange, ...], tuple[Touched, ...]]:
    """A change of a router that holds secrets, to others."""
    edits: list[Edit] = [
        UciEdit(package="wireless", type="wifi-iface", name="old", set={"key": Secret(var), "ssid": "frei"}),
        UciEdit(package="wireless", type="wifi-iface", name="new", set={"disabled_note": Secret(f"'{var}")}),
        FileEdit(path="/etc/psk", content=Secret(f"psk={var}\n")),
    ]
    facts = {
        "etc/config/wireless": WIRELESS.replace("OLD", old).replace("COMMENTED", commented).encode(),
        "etc/psk": f"psk={old}\n".encode(),
    }
    return openwrt.render("eins-ap", edits, facts)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(marks=st.lists(MARKS, min_size=5, max_size=5, unique=True))
def test_no_secret_and_no_hash_of_one_is_in_the_file(folder: Path, marks: list[str]) -> None:
    var, old, commented, in_playbook, in_step = marks
    source = folder / "playbooks/radio.yaml"
    source.write_text(f"{PLAYBOOK}# the password was {in_playbook}\n", encoding="utf-8")
    paths, touched = render(var, old, commented)
    steps = (Step(what="set the password", script=f"passwd {in_step}"),)
    change = Change(router="eins-ap", paths=paths, touched=touched, steps=steps)
    text = written(folder, change).read_text(encoding="ascii")
    assert {each["what"] for each in json.loads(text)["routers"]["eins-ap"]["touched"]} >= {"wireless.old.key"}
    guesses = [*marks, f"psk={var}\n", f"psk={old}\n", f"'{var}", source.read_text(encoding="utf-8")]
    assert [guess for guess in guesses for trace in traces(guess) if trace in text] == []
    assert [each for each in (folder / ".wifimgr").iterdir() if each.name not in (".gitignore", "plan.key")] == []


def test_secret_is_in_no_repr_and_no_error(folder: Path) -> None:
    secret = replace(CHANGE, touched=(Touched("a.b.key", "hgjkqwxzhgjk", "zxwqkjghzxwq"),))
    file = planfile.read(written(folder, secret), folder)
    key = (folder / ".wifimgr" / planfile.KEY_FILE).read_bytes()
    with pytest.raises(RouterError) as caught:
        file.check(replace(secret, touched=(Touched("a.b.key", "zzzzhhhhgggg", "zxwqkjghzxwq"),)))
    told = f"{file!r} {file.prints!r} {caught.value.line()}"
    assert not any(word in told for word in ("hgjkqwxzhgjk", "zxwqkjghzxwq", "zzzzhhhhgggg", repr(key), key.hex()))
