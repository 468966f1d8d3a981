"""Edits on a Gluon node: only what Gluon keeps, and what its gluon-reconfigure may make of a change."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from tests.push.tasks.case import router
from wifimgr.errors import ConfigError, Refused
from wifimgr.model import Change, PathChange
from wifimgr.platforms import gluon, openwrt, platform_of
from wifimgr.platforms.edits import SECTION, Edit, FileEdit, UciEdit
from wifimgr.settings import Secret

LAB = Path(__file__).parents[2] / "wifimgr" / "lab"
NETWORK, WIRELESS, SYSTEM, GLUON = (f"etc/config/{name}" for name in ("network", "wireless", "system", "gluon"))
DROPBEAR, CONTACT = "etc/config/dropbear", "etc/config/gluon-node-info"

FILES: dict[str, bytes | None] = {
    NETWORK: b"config interface 'wan'\n\toption proto 'dhcp'\n\nconfig interface 'ours'\n\toption gluon_preserve '1'\n",
    WIRELESS: b"config wifi-device 'radio0'\n\toption channel '1'\n\nconfig wifi-iface 'client_radio0'\n",
    SYSTEM: b"config system\n\toption hostname 'node'\n\nconfig timeserver 'ntp'\n\nconfig led 'wlan'\n",
    GLUON: (LAB / "gluon" / GLUON).read_bytes(),
    CONTACT: (LAB / "gluon" / CONTACT).read_bytes(),
    "etc/config/autoupdater": (LAB / "gluon/etc/config/autoupdater").read_bytes(),
    DROPBEAR: b"config dropbear\n\toption enable '1'\n",
    gluon.KEYS: b"ssh-ed25519 AAAA a\n",
    gluon.GLUON_MARK: b"v2025.1.3\n",
}


def wish(
    package: str, type: str, name: str = "", /, *, absent: bool = False, each: bool = False, **set: str
) -> UciEdit:
    return UciEdit(package=package, type=type, name=name, absent=absent, each=each, set=set, where="p.yaml:7")


def after(*edits: Edit, files: Mapping[str, bytes | None] = FILES) -> dict[str, str]:
    """The files that the edits change, by their path, and what they hold then."""
    changes, _ = gluon.render("node", edits, files)
    return {change.path: (change.after or b"").decode() for change in changes}


# --- what it is ---


def test_router_has_to_be_a_gluon_node() -> None:
    gluon.check_identity("node", FILES)
    with pytest.raises(Refused, match="does not run Gluon") as refused:
        gluon.check_identity("node", {gluon.GLUON_MARK: None})
    assert refused.value.id == "wrong-platform"
    with pytest.raises(Refused):
        openwrt.check_identity("node", FILES)


# --- what lasts ---


LASTING: dict[str, UciEdit] = {
    "role of a port": wish("gluon", "interface", "iface_lan", role="mesh"),
    "port of its own": wish("gluon", "interface", "iface_vlan8", name="eth0.8", role="mesh"),
    "role of a band": wish("gluon", "wireless_band", "band_2g", role="client"),
    "contact": wish("gluon-node-info", "owner", contact="Jugendamt"),
    "hostname": wish("system", "system", hostname="haus"),
    "time servers": wish("system", "timeserver", "ntp", enabled="1"),
    "address of the line": wish("network", "interface", "wan", proto="static", ipaddr="192.0.2.2"),
    "power": wish("wireless", "wifi-device", each=True, txpower="10"),
    "branch": wish("autoupdater", "autoupdater", "settings", branch="stable", enabled="0"),
    "firewall": wish("firewall", "rule", "ours", target="ACCEPT"),
}


@pytest.mark.parametrize("name", LASTING)
def test_what_gluon_keeps_is_carried_out_as_on_openwrt(name: str) -> None:
    edit = LASTING[name]
    files = {**FILES, "etc/config/firewall": None}
    found, _ = openwrt.render("node", [edit], files)
    assert found
    assert after(edit, files=files) == {change.path: (change.after or b"").decode() for change in found}


def test_section_with_a_name_of_its_own_asks_to_be_kept() -> None:
    changes, touched = gluon.render("node", [wish("wireless", "wifi-iface", "staff", ssid="Team")], FILES)
    assert "config wifi-iface 'staff'\n\toption ssid 'Team'\n\toption gluon_preserve '1'\n" in str(
        changes[0].after, "utf-8"
    )
    assert "+\toption gluon_preserve '1'" in changes[0].diff
    assert "wireless.staff.gluon_preserve" in [each.what for each in touched]


def test_section_that_asks_to_be_kept_can_be_changed_and_removed() -> None:
    assert "metric '5'" in after(wish("network", "interface", "ours", metric="5"))[NETWORK]
    assert "'ours'" not in after(wish("network", "interface", "ours", absent=True))[NETWORK]


DROPPED: dict[str, UciEdit] = {
    "network of Gluon": wish("wireless", "wifi-iface", "client_radio0", ssid="Team"),
    "removal of it": wish("wireless", "wifi-iface", "client_radio0", absent=True),
    "all networks": wish("wireless", "wifi-iface", each=True, disabled="1"),
    "section without a name": wish("network", "route", target="192.0.2.0/24"),
    "country": wish("wireless", "wifi-device", "radio0", country="DE"),
    "channel": wish("wireless", "wifi-device", "radio0", channel="11", txpower="10"),
    "servers of the line": wish("network", "interface", "wan", dns="192.0.2.1"),
    "the line itself": wish("network", "interface", "wan", absent=True),
    "led": wish("system", "led", "wlan", trigger="none"),
    "branch": wish("autoupdater", "branch", "stable", mirror="http://192.0.2.1"),
}


@pytest.mark.parametrize("name", DROPPED)
def test_what_the_next_upgrade_would_drop_is_refused_with_what_to_write_instead(name: str) -> None:
    with pytest.raises(Refused, match="the next upgrade of Gluon would drop what is wished in uci") as refused:
        after(DROPPED[name])
    assert (refused.value.id, refused.value.where) == ("gluon-drops", "p.yaml:7")
    assert "wish " in refused.value.hint


def test_one_network_a_radio_is_refused_where_gluon_makes_one_of_that_name() -> None:
    edit = UciEdit(
        package="wireless", type="wifi-iface", per="wifi-device", name=f"client_{SECTION}", set={"ssid": "x"}
    )
    with pytest.raises(Refused, match="'client_radio0' is made by Gluon"):
        after(edit)
    mine = UciEdit(package="wireless", type="wifi-iface", per="wifi-device", name=f"staff_{SECTION}", set={"ssid": "x"})
    assert re.search("'staff_radio0'\n.*ssid 'x'\n.*gluon_preserve '1'", after(mine)[WIRELESS])


def test_channel_lasts_where_channels_are_preserved() -> None:
    channel = wish("wireless", "wifi-device", "radio0", channel="11", htmode="HT20")
    keep, drop = (wish("gluon", "wireless", "wireless", preserve_channels=value) for value in "10")
    assert "channel '11'" in after(keep, channel)[WIRELESS]
    kept = {**FILES, GLUON: after(keep)[GLUON].encode()}
    assert "channel '11'" in after(channel, files=kept)[WIRELESS]
    with pytest.raises(Refused):
        after(drop, channel, files=kept)
    assert GLUON in gluon.paths([channel])


def test_nobody_says_that_a_section_is_not_to_be_kept() -> None:
    for edit in (
        wish("network", "interface", "ours", gluon_preserve="0"),
        UciEdit(package="network", type="interface", name="ours", unset=("gluon_preserve",)),
    ):
        with pytest.raises(ConfigError, match="leave it out"):
            after(edit)


def test_role_of_a_port_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match="no iface_single that could have a role"):
        after(wish("gluon", "interface", "iface_single", role="mesh"))
    assert after(wish("gluon", "interface", "iface_single", absent=True)) == {}


def test_settings_that_nobody_understands_are_told_as_such() -> None:
    with pytest.raises(Exception, match="cannot be understood"):
        after(wish("network", "interface", "ours", metric="5"), files={**FILES, NETWORK: b"config 'x"})


# --- how it is taken up ---


def changes(*paths: str) -> list[PathChange]:
    return [PathChange(path=path, before=b"", after=b"x") for path in paths]


def test_what_nothing_is_made_from_is_taken_up_without_a_word() -> None:
    for path in (CONTACT, SYSTEM, "etc/config/autoupdater", "etc/banner"):
        assert gluon.after(changes(path)) == ()
        assert gluon.kept(changes(path), FILES, {}) == ()
        assert not gluon.touches_connectivity(changes(path))
        assert gluon.around([path]) == ()


def test_anything_else_is_made_anew_and_all_settings_are_kept() -> None:
    for path in (GLUON, NETWORK, "etc/config/firewall", gluon.KEYS):
        assert gluon.after(changes(path)) == ("gluon reconfigure",)
        assert gluon.after(changes(path), back=True) == ("gluon reload",)
        assert gluon.touches_connectivity(changes(path))
        assert gluon.around([path]) == ("etc/config/", gluon.KEYS)
        kept = gluon.kept(changes(path), {**FILES, "etc/config/gone": None}, {})
        assert {each.path for each in kept} == FILES.keys() - {path, gluon.GLUON_MARK}
        assert all(each.before == each.after == FILES[each.path] for each in kept)


def test_key_file_that_is_not_there_is_kept_so() -> None:
    kept = gluon.kept(changes(GLUON), {**FILES, gluon.KEYS: None}, {})
    assert [(each.before, each.after) for each in kept if each.path == gluon.KEYS] == [(None, None)]


def test_radar_counts_for_the_radios_that_a_restart_of_the_network_silences() -> None:
    radio = b"config wifi-device 'radio1'\n\toption band '5g'\n\toption channel '100'\n"
    files = {WIRELESS: radio + b"config wifi-iface 'client_radio1'\n\toption device 'radio1'\n\toption mode 'ap'\n"}
    assert gluon.radar_seconds((*changes(GLUON), *gluon.kept(changes(GLUON), files, {}))) >= 60


# --- what Gluon made of it ---


def pushed(*edits: Edit) -> tuple[Change, dict[str, bytes | None]]:
    """A change as it was pushed, and the files as it left them."""
    paths, touched = gluon.render("node", edits, FILES)
    change = Change(router="node", paths=paths, touched=touched, kept=gluon.kept(paths, FILES, {}))
    return change, {**FILES, **{path.path: path.after for path in paths}}


ROLE = wish("gluon", "interface", "iface_lan", role="mesh")
OURS = wish("network", "interface", "ours", metric="5")


def test_what_is_as_it_was_left_may_stay_whatever_its_form() -> None:
    change, files = pushed(ROLE, OURS)
    files[NETWORK] = b"# made anew\n" + (files[NETWORK] or b"").replace(b"'dhcp'", b'"dhcp"').replace(b"\t", b"  ")
    assert gluon.rewritten(change, files, {}, set()) == ("", ())


def test_what_was_made_anew_besides_is_told_with_its_diff() -> None:
    change, files = pushed(ROLE)
    files[NETWORK] = (files[NETWORK] or b"") + b"\nconfig interface 'mesh_other'\n"
    files["etc/config/neu"] = b"config neu\n"
    del files[WIRELESS]
    why, made = gluon.rewritten(change, files, {}, set())
    assert why == ""
    assert [each.path for each in made] == [NETWORK, "etc/config/neu", WIRELESS]
    assert "+config interface 'mesh_other'" in made[0].diff


@pytest.mark.parametrize("path", [NETWORK, GLUON])
def test_wish_that_is_not_there_any_more_goes_back(path: str) -> None:
    change, files = pushed(ROLE, OURS)
    files[path] = FILES[path]
    why, _ = gluon.rewritten(change, files, {}, set())
    what = {NETWORK: "network.ours.metric", GLUON: "gluon.iface_lan.role"}[path]
    assert why.startswith(f"Gluon does not keep what was wished: {what}")


def test_section_that_comes_back_goes_back() -> None:
    change, files = pushed(wish("network", "interface", "ours", absent=True))
    files[NETWORK] = FILES[NETWORK]
    assert "network.ours" in gluon.rewritten(change, files, {}, set())[0]


@pytest.mark.scenario(47)
@pytest.mark.parametrize("path", [DROPBEAR, gluon.KEYS])
@pytest.mark.parametrize("now", [b"config dropbear\n\toption enable '0'\n", None])
def test_our_way_in_is_never_rewritten(path: str, now: bytes | None) -> None:
    change, files = pushed(ROLE)
    files[path] = now
    why, made = gluon.rewritten(change, files, {}, set())
    assert why == f"Gluon has rewritten /{path}, which is our way in"
    assert [each.path for each in made] == [path]


def test_key_file_that_gluon_makes_is_our_way_in_too() -> None:
    bare = {path: raw for path, raw in FILES.items() if path != gluon.KEYS}
    paths, touched = gluon.render("node", [ROLE], bare)
    change = Change(router="node", paths=paths, touched=touched, kept=gluon.kept(paths, bare, {}))
    files = {**bare, **{path.path: path.after for path in paths}, gluon.KEYS: b"ssh-ed25519 BBBB site\n"}
    assert "our way in" in gluon.rewritten(change, files, {}, set())[0]


def test_file_of_a_rollback_that_gluon_makes_anew_goes_back() -> None:
    change, files = pushed(ROLE)
    back = Change(
        router="node",
        paths=tuple(PathChange(path=each.path, before=each.after, after=each.before) for each in change.paths),
        touched=tuple(openwrt.Touched(f"/{each.path}", "", "") for each in change.paths),
        kept=change.kept,
    )
    assert "does not keep what was wished: /etc/config/gluon" in gluon.rewritten(back, files, {}, set())[0]
    assert gluon.rewritten(back, FILES, {}, set()) == ("", ())


def test_what_is_told_of_it_shows_no_secret() -> None:
    change, files = pushed(ROLE)
    files[WIRELESS] = (
        b"config wifi-iface 'wan_radio0'\n\toption key 'geheim-geheim'\n\toption ssid 'x; geheim zwei'\n"
        b"\toption b '\x1b[31m'\n"
    )
    _, [made] = gluon.rewritten(change, files, {}, {"geheim zwei"})
    shown = "\n".join(made.diff)
    assert "geheim" not in shown
    assert "\x1b" not in shown


def test_link_to_the_keys_is_kept_as_a_link() -> None:
    kept = gluon.kept(changes(GLUON), {gluon.KEYS: b"/etc/other"}, {gluon.KEYS: "link"})
    assert [(each.path, each.link) for each in kept] == [(gluon.KEYS, True)]


def test_secret_wish_is_carried_as_on_openwrt() -> None:
    edit = UciEdit(package="gluon", type="wireless", name="wireless", set={"private_key": Secret("geheim-geheim")})
    [change], _ = gluon.render("node", [edit, FileEdit(path="/etc/banner", content="x")], {**FILES, "etc/banner": b"x"})
    assert "geheim" not in "\n".join(change.diff)


ASKED = ("paths", "around", "check_identity", "touches_connectivity", "radar_seconds", "after", "kept", "render")
BESIDES = ("restore", "rewritten", "IDENTITY", "SAFE_MODE", "CARRIES", "CAUTION", "TAKES", "SETTLES")


def test_every_question_about_a_platform_has_an_answer() -> None:
    for name in (*ASKED, *BESIDES, *openwrt.__all__):
        assert hasattr(platform_of(replace(router({}), platform="gluon")), name), name
        assert hasattr(openwrt, name), name
