"""Edits on OpenWrt's files: only what is wished changes, and no diff shows a secret."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.push.tasks.case import router
from wifimgr.errors import ConfigError, Refused
from wifimgr.model import PathChange, Touched
from wifimgr.platforms import openwrt, platform_of
from wifimgr.platforms.edits import Edit, FileEdit, UciEdit
from wifimgr.settings import Secret
from wifimgr.uci import Document

ROOTFS = Path(__file__).parents[2] / "wifimgr" / "lab" / "rootfs"
WIRELESS = "etc/config/wireless"


def render(
    edits: Sequence[Edit], text: bytes | str | None, path: str = WIRELESS
) -> tuple[PathChange | None, tuple[Touched, ...]]:
    """The one change there may be, and what is wished."""
    raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else text
    changes, touched = openwrt.render("eins-ap", edits, {path: raw})
    assert len(changes) <= 1
    return (changes[0] if changes else None), touched


def changed(edits: Sequence[Edit], text: bytes | str | None, path: str = WIRELESS) -> PathChange:
    change, _ = render(edits, text, path)
    assert change is not None
    return change


def iface(name: str, **options: str | Secret) -> UciEdit:
    return UciEdit(package="wireless", type="wifi-iface", name=name, set=options)


def shown(change: PathChange) -> str:
    return "\n".join(change.diff)


# --- what changes ---


def test_comments_other_sections_and_odd_spelling_stay_byte_for_byte() -> None:
    before = (ROOTFS / WIRELESS).read_text(encoding="utf-8") + '\n# Ende\nconfig fremd "x"\n  option a b # c\n'
    change = changed([iface("default_radio0", ssid="frei")], before)
    assert change.after == before.replace("'OpenWrt'", "'frei'", 1).encode()


def test_bytes_that_are_no_text_stay_as_they_are() -> None:
    before = b"config wifi-iface 'a'\n\toption ssid 'x'\n\toption alt '\xff\xfe'\n"
    assert changed([iface("a", ssid="y")], before).after == before.replace(b"'x'", b"'y'")


WORDS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF), min_size=1, max_size=8)
NAMES = st.sampled_from(["a", "b", "c"])
EDITS = st.lists(
    st.builds(
        lambda name, options, unset, absent: UciEdit(
            package="wireless",
            type="wifi-iface",
            name=name,
            set={} if absent else options,
            unset=() if absent else tuple(unset - set(options)),
            absent=absent,
        ),
        NAMES,
        st.dictionaries(NAMES, WORDS | st.lists(WORDS, min_size=1, max_size=3).map(tuple), max_size=3),
        st.sets(NAMES),
        st.booleans(),
    ),
    max_size=4,
    unique_by=lambda edit: edit.name,
)


@given(EDITS)
def test_second_run_changes_nothing(edits: list[UciEdit]) -> None:
    before = (ROOTFS / WIRELESS).read_bytes()
    change, _ = render(edits, before)
    if change is not None:
        again, touched = render(edits, change.after)
        assert again is None
        assert all(each.before == each.after for each in touched)


@given(EDITS)
def test_sections_that_no_edit_names_are_kept(edits: list[UciEdit]) -> None:
    before = (ROOTFS / WIRELESS).read_text(encoding="utf-8")
    change, _ = render(edits, before)
    after = before if change is None else (change.after or b"").decode()
    kept = [section for section in Document.parse(after).sections if section.name not in ("a", "b", "c")]
    old = Document.parse(before).sections
    assert [(each.type, each.name, each.options) for each in kept] == [
        (each.type, each.name, each.options) for each in old
    ]


def test_touched_holds_every_wish_with_what_was_there_before() -> None:
    edits = [
        iface("a", ssid="x", mode="ap"),
        iface("neu", ssid="n"),
        UciEdit(package="wireless", type="wifi-iface", name="alt", absent=True),
        UciEdit(package="wireless", type="wifi-iface", name="nie", absent=True),
        UciEdit(package="wireless", type="wifi-iface", name="a", unset=("disabled",)),
    ]
    before = "config wifi-iface 'a'\n\toption ssid 'x'\nconfig wifi-iface 'alt'\n"
    assert render(edits, before)[1] == (
        Touched("wireless.a.ssid", "x", "x"),
        Touched("wireless.a.mode", None, "ap"),
        Touched("wireless.neu", None, "wifi-iface"),
        Touched("wireless.neu.ssid", None, "n"),
        Touched("wireless.alt", ("wifi-iface",), None),
        Touched("wireless.nie", None, None),
        Touched("wireless.a.disabled", None, None),
    )


def test_section_that_goes_is_touched_with_all_its_options_but_not_with_what_schedules_switch() -> None:
    edit = UciEdit(package="wireless", type="wifi-iface", name="a", absent=True)
    lines = "config wifi-iface 'a'\n\toption ssid '{ssid}'\n\toption disabled '{off}'\n\tlist server 'x'\n"
    [[touched], [changed], [paused]] = [
        render([edit], lines.format(ssid=ssid, off=off))[1] for ssid, off in (("x", 0), ("y", 0), ("x", 1))
    ]
    assert touched.before == ("wifi-iface", "server=('x',)", "ssid='x'")
    assert touched == paused
    assert touched != changed
    assert changed.before == ("wifi-iface", "server=('x',)", "ssid='y'")


def test_switch_of_what_is_no_wifi_counts_where_its_section_goes() -> None:
    edit = UciEdit(package="network", type="interface", name="a", absent=True)
    text = "config interface 'a'\n\toption disabled '{}'\n"
    on, off = (render([edit], text.format(value), "etc/config/network")[1] for value in (0, 1))
    assert on != off


def test_type_that_uci_could_not_write_is_refused_with_the_line_of_the_wish() -> None:
    edit = UciEdit(package="wireless", type="a;b", name="x", set={"a": "b"}, where="playbooks/p.yaml:3")
    with pytest.raises(ConfigError) as caught:
        render([edit], "")
    assert caught.value.line().startswith("playbooks/p.yaml:3: uci.wireless: ")


# --- secrets ---

OLD, NEW = "altes-Geheimnis", "neues-Geheimnis"


def assert_hidden(change: PathChange, *secrets: str) -> None:
    for secret in secrets:
        assert secret not in shown(change)
        assert secret not in repr(change)


def test_changed_secret_is_masked_and_still_seen_as_changed() -> None:
    change = changed([iface("a", key=Secret(NEW))], f"config wifi-iface 'a'\n\toption key '{OLD}'\n")
    assert change.diff[3:] == (" config wifi-iface 'a'", "-\toption key '***'", "+\toption key '*** (new)'")
    assert change.secret
    assert_hidden(change, OLD, NEW)


def test_secret_that_another_section_has_already_is_still_seen_as_changed() -> None:
    before = f"config wifi-iface 'a'\n\toption key '{OLD}'\n\nconfig wifi-iface 'b'\n\toption key '{NEW}'\n"
    change = changed([iface("a", key=Secret(NEW)), iface("b", key=Secret(NEW))], before)
    assert [line for line in change.diff[2:] if line[0] in "+-"] == ["-\toption key '***'", "+\toption key '***'"]
    assert change.secret
    assert_hidden(change, OLD, NEW)


def test_unchanged_secret_of_others_is_masked_as_it_is() -> None:
    before = f"config wifi-iface 'a'\n\toption key '{OLD}'\n\toption ssid 'x'\n"
    change = changed([iface("a", ssid="y")], before)
    assert " \toption key '***'" in change.diff
    assert not change.secret
    assert_hidden(change, OLD)


def test_section_that_goes_away_does_not_mark_the_secrets_of_its_neighbours_as_new() -> None:
    before = (
        f"config wifi-iface\n\toption ssid 'weg'\n\nconfig wifi-iface\n\toption ssid 'bleibt'\n\toption key '{OLD}'\n"
    )
    edit = UciEdit(package="wireless", type="wifi-iface", match={"ssid": "weg"}, absent=True)
    change = changed([edit], before)
    assert "new" not in shown(change)
    assert not change.secret
    assert_hidden(change, OLD)


def test_first_secret_and_secret_that_goes() -> None:
    first = changed([iface("a", key=Secret(NEW))], "config wifi-iface 'a'\n")
    assert not first.secret, "nothing in the snapshot is secret"
    assert "+\toption key '*** (new)'" in first.diff
    gone = changed([UciEdit(package="wireless", type="wifi-iface", name="a", unset=("key",))], first.after)
    assert gone.secret
    assert_hidden(gone, NEW)


@pytest.mark.parametrize(
    "option",
    ["key", "key1", "psk", "password", "passphrase", "sae_password", "auth_secret", "community", "private_key",
     "preshared_key", "token", "pincode_pin", "wpa_pass", "auth_pass"],
)  # fmt: skip
def test_option_with_the_name_of_a_secret_is_masked(option: str) -> None:
    before = f"config wifi-iface 'a'\n\toption ssid 'x'\n\toption {option} '{OLD}'\n\tlist {option}s_x 'y'\n"
    assert_hidden(changed([iface("a", ssid="y")], before), OLD)


@pytest.mark.parametrize("option", ["ssid", "public_key", "hidden", "passive", "PasswordAuth", "pinned"])
def test_option_with_another_name_is_shown(option: str) -> None:
    before = f"config wifi-iface 'a'\n\toption x 'x'\n\toption {option} 'zu sehen'\n"
    assert "zu sehen" in shown(changed([iface("a", x="y")], before))


def test_secret_list_is_masked() -> None:
    before = f"config wifi-iface 'a'\n\toption ssid 'x'\n\tlist sae_password '{OLD}'\n\tlist sae_password 'zweites'\n"
    change = changed([iface("a", ssid="y")], before)
    assert_hidden(change, OLD, "zweites")


def test_option_with_a_secret_that_was_commented_out_is_masked() -> None:
    before = f"config wifi-iface 'a'\n#\toption key '{OLD}'\n\toption ssid 'x'\n  # list password {OLD}\n"
    change = changed([iface("a", ssid="y")], before)
    assert_hidden(change, OLD)


def test_secret_of_an_option_is_masked_in_comments_too() -> None:
    before = f"config wifi-iface 'a'\n\toption key '{OLD}'\n\toption ssid 'x' # not {OLD}\n"
    change = changed([iface("a", ssid="y")], before)
    assert_hidden(change, OLD)


@given(st.text(st.characters(min_codepoint=32, max_codepoint=0x17F), min_size=4).map(lambda text: f"§{text}§"))
def test_secret_of_the_playbook_is_masked_by_its_value_wherever_it_stands(secret: str) -> None:
    document = Document.parse("config wifi-iface 'a'\n\toption ssid 'x'\n")
    for section, name in (("a", "notes"), ("a", "extra")):
        document.set(section, name, secret if name == "notes" else ["vor", f"<{secret}>"])
    change = changed([iface("a", ssid="y", label=Secret(secret))], document.render())
    quoted = secret.replace("'", "'\\''")
    assert_hidden(change, secret, quoted)


QUOTES = (
    lambda text: "'" + text.replace("'", "'\\''") + "'",
    lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"',
    lambda text: re.sub(r"([^A-Za-z0-9\n])", r"\\\1", text).replace("\n", "'\n'"),
)
"""Every way to write a value in a UCI file."""


@given(
    middle=st.lists(st.tuples(st.text("ab'\"\\ \n\t#;$`é"), st.sampled_from(QUOTES)), max_size=3),
    place=st.sampled_from(["option note {}", "list notes {}\n\tlist notes 'x'", "option note 'vor '{}' nach'"]),
    known=st.sampled_from(["playbook", "option", "list"]),
)
def test_secret_is_masked_in_other_values_however_they_are_quoted(
    middle: list[tuple[str, Callable[[str], str]]], place: str, known: str
) -> None:
    parts = [("QZQZQZ", QUOTES[0]), *middle, ("VXVXVX", QUOTES[1])]
    secret = "".join(text for text, _ in parts)
    written = "".join(quote(text) for text, quote in parts if text)
    before = f"config wifi-iface 'a'\n\toption ssid 'x'\n\t{place.format(written)}\n"
    if known != "playbook":
        before += f"\t{known} key {written}\n"
    assert Document.parse(before).sections[0].options["ssid"] == "x"
    label = {"label": Secret(secret)} if known == "playbook" else {}
    change = changed([iface("a", ssid="y", **label)], before)
    assert_hidden(change, "QZQZ", "VXVX")


@pytest.mark.parametrize("quote", QUOTES[:2])
def test_secret_is_masked_in_comments_however_it_is_quoted(quote: Callable[[str], str]) -> None:
    secret = "QZQZ'QZQZ\"VXVX\\VXVX"
    before = f"config wifi-iface 'a'\n\toption ssid 'x'\n\t# was {quote(secret)}\n"
    assert_hidden(changed([iface("a", ssid="y", label=Secret(secret))], before), "QZQZ", "VXVX")


def test_what_an_option_held_before_a_secret_is_one_too_whatever_its_name() -> None:
    before = f"config wifi-iface 'a'\n\toption label 'PSK={OLD}'\n\toption ssid 'x'\n\toption note 'for PSK={OLD}'\n"
    change = changed([iface("a", label=Secret(f"PSK={NEW}"))], before)
    assert_hidden(change, OLD, NEW)
    assert "ssid 'x'" in shown(change)
    assert change.secret, "the snapshot would keep it on flash"


def test_list_that_becomes_a_secret_is_masked() -> None:
    before = f"config wifi-iface 'a'\n\tlist label '{OLD}'\n\tlist label 'x'\n\toption ssid 'x'\n"
    change = changed([iface("a", label=Secret(NEW))], before)
    assert_hidden(change, OLD, NEW)
    assert "ssid 'x'" in shown(change), "a short item is not looked for elsewhere"


def test_secret_of_one_file_is_masked_in_all_others() -> None:
    edits = [
        iface("a", key=Secret(NEW)),
        UciEdit(package="system", type="system", set={"hostname": "y"}),
        FileEdit(path="/etc/banner", content=f"neu {NEW}\n"),
    ]
    facts: dict[str, bytes | None] = {
        WIRELESS: b"config wifi-iface 'a'\n",
        "etc/config/system": f"config system\n\toption hostname 'x'\n\toption notes 'ask for {NEW}'\n".encode(),
        "etc/banner": f"alt {NEW}\n".encode(),
    }
    changes, _ = openwrt.render("eins-ap", edits, facts, {"etc/banner": "644"})
    assert [change.path for change in changes] == ["etc/banner", "etc/config/system", WIRELESS]
    for change in changes:
        assert_hidden(change, NEW)
    assert changes[0].diff[3:] == ("-alt ***", "+neu ***")


def test_known_secret_inside_of_a_value_is_masked_when_a_file_is_given_back() -> None:
    before, after = (f"config system\n\toption notes 'ask for {each}'\n".encode() for each in (NEW, OLD))
    change = openwrt.restore("etc/config/system", before, after, ("600", "600"), {NEW, OLD})
    assert_hidden(change, OLD, NEW)
    assert change.diff[4:] == ("-\toption notes 'ask for ***'", "+\toption notes 'ask for ***'")


def test_secret_of_several_lines_is_masked_and_changes_no_other_line() -> None:
    before = "config wifi-iface 'a'\n\toption key 'erste\nzweite'\n\toption ssid 'x'\n"
    change = changed([iface("a", key=Secret("dritte\nvierte"), ssid="x")], before)
    assert_hidden(change, "erste", "zweite", "dritte", "vierte")
    assert len([line for line in change.diff[2:] if line[0] in "+-"]) == 2


def test_file_with_a_secret_in_it_shows_only_that_it_changes() -> None:
    edit = FileEdit(path="/etc/x", content=Secret(f"a\n{NEW}\n"))
    change = changed([edit], f"a\n{OLD}\n", "etc/x")
    assert change.diff[2:] == ("@@ -1 +1 @@", "-***", "+*** (new)")
    assert change.secret
    assert_hidden(change, OLD, NEW)


def test_touched_values_do_not_show_themselves() -> None:
    _, touched = render([iface("a", key=Secret(NEW))], f"config wifi-iface 'a'\n\toption key '{OLD}'\n")
    assert OLD not in repr(touched)
    assert NEW not in repr(touched)
    assert touched == (Touched("wireless.a.key", OLD, NEW),)


@pytest.mark.parametrize("line", ["-- geheim", "--- geheim", "++ geheim", "@@ geheim", "geheim"])
def test_line_that_goes_from_a_file_of_root_is_masked_whatever_it_looks_like(line: str) -> None:
    before = f"{line}\nx\n".encode()
    [change], _ = openwrt.render("r", [FileEdit(path="/etc/x", content="x\n")], {"etc/x": before}, {"etc/x": "600"})
    assert change.diff == ("--- /etc/x", "+++ /etc/x", "@@ -1,2 +1 @@", "-***", " x")
    assert change.secret


def keyed(number: int) -> str:
    sections = "".join(f"config peer\n\toption key 'geheim{each:06}'\n" for each in range(number))
    return f"{sections}config wifi-iface 'a'\n\toption ssid 'x'\n"


def test_file_is_gone_through_as_often_however_many_secrets_it_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    times: list[int] = []
    rebuild = Document._rebuild
    monkeypatch.setattr(Document, "_rebuild", lambda *args: [times.append(1), rebuild(*args)][1])
    counts = []
    for number in (3, 300):
        times.clear()
        change = changed([iface("a", ssid="y")], keyed(number))
        assert "-\toption ssid 'x'" in change.diff
        assert "geheim" not in shown(change)
        counts.append(len(times))
    assert counts[0] == counts[1]


def test_file_with_more_secrets_than_can_be_looked_for_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    text = f"# geheim{1:06}\n{keyed(50)}"
    monkeypatch.setattr(openwrt, "MOST_SEARCHED", 50 * 2 * len(text) - 1)
    change = changed([iface("a", ssid="y")], text)
    assert change.diff[2:] == ("@@ -1 +1 @@", "-***", "+*** (new)")
    assert (change.after, change.secret) == (text.replace("'x'", "'y'").encode(), False)
    monkeypatch.setattr(openwrt, "MOST_SEARCHED", 50 * 2 * len(text))
    assert "-\toption ssid 'x'" in changed([iface("a", ssid="y")], text).diff


# --- hostile routers ---

STEERING = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@given(st.binary(max_size=30))
def test_bytes_of_a_router_never_reach_the_terminal(junk: bytes) -> None:
    junk = b"\x1b]0;x\x07\xff" + junk.replace(b"\0", b"").replace(b"'", b"")
    if b"\x1b" in junk:
        change, _ = render([FileEdit(path="/etc/x", content="neu\n")], b"alt " + junk, "etc/x")
        assert change is not None
        assert not STEERING.search("".join(change.diff))
    before = b"config wifi-iface 'a'\n\toption ssid 'x'\n# " + junk.replace(b"\n", b"").replace(b"\\", b"") + b"\n"
    assert not STEERING.search("".join(changed([iface("a", ssid="y")], before).diff))


# --- who carries what ---


def test_gluon_is_recognised_and_refused() -> None:
    openwrt.check_identity("eins-ap", {openwrt.GLUON_MARK: None})
    with pytest.raises(Refused) as caught:
        openwrt.check_identity("eins-ap", {openwrt.GLUON_MARK: b"v2023.2\n"})
    assert caught.value.line() == (
        "eins-ap: it runs Gluon, whose upgrades rewrite plain OpenWrt settings; "
        "set 'platform: gluon' in its site file [wrong-platform]"
    )


@pytest.mark.parametrize("platform", ["other", "unheard-of"])
def test_platform_that_cannot_carry_changes_is_refused(platform: str) -> None:
    with pytest.raises(Refused) as caught:
        platform_of(replace(router({}), platform=platform))
    assert caught.value.id == "wrong-platform"
    assert platform in caught.value.line()


@pytest.mark.parametrize(
    ("path", "touches"),
    [
        ("etc/config/network", True),
        ("etc/config/wireless", True),
        ("etc/config/firewall", True),
        ("etc/config/dropbear", True),
        ("etc/dropbear/authorized_keys", True),
        ("etc/config/system", False),
        ("etc/banner", False),
    ],
)
def test_what_can_cut_our_way_needs_longer_to_settle(path: str, touches: bool) -> None:
    assert openwrt.touches_connectivity([PathChange(path=path, before=b"", after=b"x")]) is touches


# --- modes ---

FILE = FileEdit(path="/etc/x", content="x", mode="0755")


def rendered(edit: FileEdit, before: bytes | None, **modes: str) -> tuple[tuple[PathChange, ...], tuple[Touched, ...]]:
    return openwrt.render("eins-ap", [edit], {"etc/x": before}, {f"etc/{name}": mode for name, mode in modes.items()})


def test_mode_alone_is_a_change_and_shown() -> None:
    [change], touched = rendered(FILE, b"x", x="644")
    assert (change.before, change.after, change.mode) == (b"x", b"x", "755")
    assert change.diff == ("-mode of /etc/x: 644", "+mode of /etc/x: 755")
    assert touched == (Touched("/etc/x", "x", "x"), Touched("/etc/x mode", "644", "755"))


def test_mode_that_is_right_is_no_change() -> None:
    changes, touched = rendered(FILE, b"x", x="755")
    assert changes == ()
    assert all(each.before == each.after for each in touched)


def test_mode_that_nobody_wishes_is_left_alone() -> None:
    assert rendered(FileEdit(path="/etc/x", content="x"), b"x", x="600")[0] == ()


# --- giving a file back what it had ---

OPEN = ("644", "644")
KEYED = "config wifi-iface 'a'\n\toption ssid 'x'\n\toption key 'passwort1'\n"


def restored(
    before: str | None,
    after: str | None,
    path: str = "etc/x",
    modes: tuple[str, str] = OPEN,
    secrets: frozenset[str] = frozenset(),
) -> PathChange:
    raw = [None if text is None else text.encode() for text in (before, after)]
    return openwrt.restore(path, raw[0], raw[1], modes, set(secrets))


def test_uci_file_is_given_back_with_its_secrets_covered() -> None:
    change = restored(KEYED.replace("'x'", "'y'"), KEYED, WIRELESS)
    assert (change.after, change.mode, change.secret) == (KEYED.encode(), "", False)
    assert "-\toption ssid 'y'" in change.diff
    assert "passwort" not in shown(change)


def test_uci_file_that_loses_a_secret_says_so() -> None:
    change = restored(KEYED, KEYED.replace("passwort1", "passwort2"), WIRELESS)
    assert change.secret
    assert "passwort" not in shown(change)


def test_uci_file_that_goes_or_comes_is_shown_so() -> None:
    assert restored(KEYED, None, WIRELESS).diff[:2] == (f"--- /{WIRELESS}", "+++ removed")
    change = restored(None, KEYED, WIRELESS, ("", "600"))
    assert change.diff[:2] == ("--- not there", f"+++ /{WIRELESS}")
    assert change.mode == "600"
    assert "passwort" not in shown(restored(KEYED, None, WIRELESS)) + shown(change)


def test_uci_file_that_nobody_understands_is_given_back_unseen() -> None:
    change = restored("config x 'geheim", KEYED, WIRELESS, ("600", "600"))
    assert change.after == KEYED.encode()
    assert "geheim" not in shown(change)
    assert "passwort" not in shown(change)


def test_plain_file_is_shown_where_everybody_may_read_it() -> None:
    change = restored("neu\n", "alt\n")
    assert change.diff[2:] == ("@@ -1 +1 @@", "-neu", "+alt")
    assert (change.mode, change.secret) == ("", False)


@pytest.mark.parametrize(
    ("before", "after", "modes", "secrets"),
    [
        ("neues wort\n", "altes wort\n", ("600", "644"), ()),
        ("neues wort\n", "altes wort\n", ("644", "640"), ()),
        ("neues wort\n", "altes wort\n", OPEN, ("neues",)),
        ("neues wort\n", "altes wort\n", OPEN, ("altes",)),
        ("neues wort\n", None, ("644", ""), ()),
        (None, "altes wort\n", ("", "644"), ()),
    ],
)
def test_plain_file_that_may_hold_a_secret_is_not_shown(
    before: str | None, after: str | None, modes: tuple[str, str], secrets: tuple[str, ...]
) -> None:
    change = restored(before, after, modes=modes, secrets=frozenset(secrets))
    assert change.diff
    assert "wort" not in shown(change)
    assert change.secret == (before is not None)


def test_mode_alone_is_a_change_too() -> None:
    change = restored("x\n", "x\n", modes=("644", "755"))
    assert (change.mode, change.diff) == ("755", ("-mode of /etc/x: 644", "+mode of /etc/x: 755"))
    assert restored("x\n", "x\n").diff == ()
    assert restored("config x\n", "config x\n", WIRELESS, ("644", "600")).mode == "600"
