"""The task ``authorized_keys``: the cases in cases/authorized_keys.yaml, and what is a public key."""

from __future__ import annotations

import base64
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.push.tasks.case import cases, changes, check
from wifimgr.errors import ConfigError
from wifimgr.model import PathChange
from wifimgr.platforms import openwrt
from wifimgr.platforms.edits import FileEdit, KeysEdit
from wifimgr.platforms.keys import PATH, PublicKey, loses, wished


def made(number: int, kind: str = "ssh-ed25519") -> str:
    """A public key."""
    parts = [kind.encode(), bytes([number]) * 32]
    return f"{kind} " + base64.b64encode(b"".join(len(part).to_bytes(4, "big") + part for part in parts)).decode()


ONE, TWO, THREE = made(1), made(2), made(3)


@pytest.mark.parametrize("case", cases("authorized_keys"))
def test_case(case: dict[str, Any], tmp_path: Path) -> None:
    check(tmp_path, "authorized_keys", case)


@pytest.mark.parametrize(
    "line",
    [
        ONE,
        f"{ONE} somebody@office",
        f'command="echo \\"hi there\\"",no-pty {ONE}',
        f'restrict,from="192.0.2.0/24" {ONE}  the office',
        made(1, "sk-ssh-ed25519@openssh.com"),
        made(1, "ecdsa-sha2-nistp256"),
        made(1, "ssh-rsa"),
    ],
)
def test_line_with_a_key_is_understood(line: str) -> None:
    key = PublicKey.parse(line)
    assert key
    assert line.strip().removeprefix(key.options).split()[:2] == [key.kind, key.key]


@pytest.mark.parametrize(
    "line",
    [
        "",
        "# comment",
        "1",
        "ssh-ed25519",
        "ssh-ed25519 AAAA",
        "ssh-ed25519 kein Schlüssel",
        ONE.replace("ssh-ed25519", "ssh-rsa"),
        ONE[:-1],
        f"{ONE}\n{TWO}",
        f'command="open {ONE}',
        f"-----BEGIN OPENSSH PRIVATE KEY----- {ONE}",
    ],
)
def test_line_without_a_key_is_none(line: str) -> None:
    assert PublicKey.parse(line) is None


LINES = st.lists(
    st.sampled_from([ONE, f"{TWO} b", f"restrict {TWO}", THREE, "# note", "", "rubbish"]), unique=True, max_size=6
)


@given(LINES, st.sets(st.sampled_from([ONE, TWO, THREE]), min_size=1), st.booleans())
def test_wished_keys_are_there_others_as_wished_and_the_second_time_nothing_changes(
    lines: list[str], present: set[str], only: bool
) -> None:
    before = "".join(f"{line}\n" for line in lines)
    edit = KeysEdit(present=tuple(sorted(present)), only=only)
    after, told = wished(edit, before)
    left = [key.same for line in after.splitlines() if (key := PublicKey.parse(line))]
    keys = {*left}
    wanted = {key.same for line in present if (key := PublicKey.parse(line))}
    had = {key.same for line in lines if (key := PublicKey.parse(line))}
    assert keys == (wanted if only else wanted | had)
    assert [left.count(each) for each in wanted] == [1] * len(wanted), "one line for each"
    assert all(old is None or old in lines for _, old, _ in told)
    assert {*lines} - {*after.splitlines()} <= {old for _, old, new in told if old != new}, "what goes is told"
    assert {*after.splitlines()} - {*lines} <= {new for _, old, new in told if old != new}
    again, told_again = wished(edit, after)
    assert (again, all(old == new for _, old, new in told_again)) == (after, True)


@pytest.mark.parametrize("line", ["webauthn-sk-ecdsa-sha2-nistp256@openssh.com AAAA x", f"restrict {TWO}", "rubbish"])
def test_line_that_came_since_the_plan_and_would_go_is_seen(line: str) -> None:
    edit = KeysEdit(present=(TWO,), only=True)
    then, now = (openwrt.render("ap", [edit], {PATH: f"{TWO}\n{more}".encode()})[1] for more in ("", f"{line}\n"))
    assert then != now
    assert "rubbish" not in repr(now)


SECRET = "offenes-Wort"
HIDING = [
    f'command="login {SECRET}" {ONE}',
    f'no-pty,environment="WORD={SECRET}",from="192.0.2.0/24" {ONE}',
    f'COMMAND="a \\"{SECRET}\\" b" {ONE}',
    f'command="{SECRET} {ONE}',
    f'# command="{SECRET}" {ONE}',
]


@pytest.mark.parametrize("line", HIDING)
@pytest.mark.parametrize("only", [True, False])
def test_what_the_options_of_a_key_hold_is_in_no_diff(line: str, only: bool) -> None:
    before = f"{line}\n{THREE}\n".encode()
    [change], _ = openwrt.render("ap", [KeysEdit(present=(f'command="neu" {ONE}',), only=only)], {PATH: before})
    assert change.diff
    assert SECRET not in repr(change)
    assert '+command="*** (new)" ' + ONE in change.diff
    back = openwrt.restore(PATH, change.after, before, ("644", "644"), set())
    assert back.diff
    assert SECRET not in repr(back)


def test_options_that_hold_no_secret_are_shown_and_a_secret_that_goes_stays_in_no_snapshot() -> None:
    before = f'from="192.0.2.0/24",permitopen="192.0.2.1:80" {ONE}\n{TWO}\n'.encode()
    [change], _ = openwrt.render("ap", [KeysEdit(present=(TWO,), only=True)], {PATH: before})
    assert f'-from="192.0.2.0/24",permitopen="192.0.2.1:80" {ONE}' in change.diff
    assert not change.secret
    [change], _ = openwrt.render("ap", [KeysEdit(present=(TWO,), only=True)], {PATH: f'command="x" {ONE}'.encode()})
    assert change.secret


def test_file_that_others_may_read_is_closed(tmp_path: Path) -> None:
    edit = KeysEdit(present=(ONE,))
    path, raw = "etc/dropbear/authorized_keys", f"{ONE}\n".encode()
    [change], touched = openwrt.render("ap", [edit], {path: raw}, {path: "644"})
    assert (change.mode, change.before, change.after) == ("600", raw, raw)
    assert change.diff == ("-mode of /etc/dropbear/authorized_keys: 644", "+mode of /etc/dropbear/authorized_keys: 600")
    assert [each.what for each in touched][1] == "/etc/dropbear/authorized_keys mode"
    assert openwrt.render("ap", [edit], {path: raw}, {path: "600"})[0] == ()


@pytest.mark.parametrize(
    ("before", "after", "lost"),
    [
        (f"{ONE}\n{TWO}\n", f"{TWO}\n", True),
        (f"{ONE}\n", None, True),
        (f"{ONE} a\n", f"restrict {ONE} b\n", False),
        (f"{TWO}\n", f"{THREE}\n", False),
        (None, f"{THREE}\n", False),
    ],
)
def test_key_that_we_use_is_lost_when_it_was_there_and_goes(before: str | None, after: str | None, lost: bool) -> None:
    raw = [None if text is None else text.encode() for text in (before, after)]
    change = PathChange(path="etc/dropbear/authorized_keys", before=raw[0], after=raw[1])
    kind, key = ONE.split()
    assert loses([change], (kind, key)) is lost
    assert not loses([change], None)
    assert not loses([replace(change, path="etc/other")], (kind, key))


def test_key_is_touched_and_keys_of_others_are_not(tmp_path: Path) -> None:
    edit = KeysEdit(present=(ONE,), absent=(THREE,))
    path = "etc/dropbear/authorized_keys"
    touched = [openwrt.render("ap", [edit], {path: f"{line}\n".encode()})[1] for line in (ONE, f"{ONE}\n{TWO}")]
    assert touched[0] == touched[1]


def test_diff_shows_who_comes_and_goes(tmp_path: Path) -> None:
    [change] = changes(
        tmp_path, "authorized_keys", {"only": [TWO]}, {"etc/dropbear/authorized_keys": f"{ONE} old\n"}, {}
    )
    assert change.diff[2:] == ("@@ -1 +1 @@", f"-{ONE} old", f"+{TWO}")
    assert change.mode == ""


def test_file_and_keys_at_the_same_place_are_refused() -> None:
    file = FileEdit(path="/etc/dropbear/authorized_keys", content=f"{TWO}\n", where="there:1")
    for edits in ([KeysEdit(present=(ONE,)), file], [file, KeysEdit(present=(ONE,))]):
        with pytest.raises(ConfigError, match="/etc/dropbear/authorized_keys is wished as a file, too"):
            openwrt.render("ap", edits, {"etc/dropbear/authorized_keys": None})
