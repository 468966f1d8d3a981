"""The tasks ``packages``, ``services`` and ``command``: what may be wished, and what comes of it on a router."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.push.tasks.case import HEAD, changes, router
from wifimgr.errors import ConfigError, Refused, WifimgrError
from wifimgr.model import PathChange, Touched
from wifimgr.platforms import check_carried
from wifimgr.platforms.edits import Questions, Service, Told
from wifimgr.platforms.programs import Work, may_cut, questions, take_up, work
from wifimgr.push import playbook

QUOTED = (
    "has a variable in quotes or beside <<: it is put in as one word that is quoted already; "
    "write {{ name }} without quotes around it, and no here-document [bad-wish]"
)
BAD: dict[str, tuple[str, Any, str]] = {
    "a package that a router needs": (
        "packages",
        {"absent": ["kmod-ath9k"]},
        "6: packages.absent[0]: may not be removed: a router can be lost without it; take it out of absent [bad-wish]",
    ),
    "no package": (
        "packages",
        {"present": ["a; reboot"]},
        "6: packages.present[0]: is not a name of a package; write it as opkg or apk lists it, like snmpd [wrong-type]",
    ),
    "an option in place of a package": (
        "packages",
        {"present": ["--force-depends"]},
        "6: packages.present[0]: is not a name of a package; write it as opkg or apk lists it, like snmpd [wrong-type]",
    ),
    "packages without a wish": ("packages", {}, "4: packages: wishes nothing; add present or absent [bad-wish]"),
    "a package both ways": (
        "packages",
        {"present": ["a"], "absent": ["a"]},
        "4: packages: wishes a both present and absent; keep one of both [bad-wish]",
    ),
    "a service that a router needs": (
        "services",
        {"disabled": ["network"]},
        "6: services.disabled[0]: may not be disabled: a router can be lost without it; take it out of disabled "
        "[bad-wish]",
    ),
    "the guard": (
        "services",
        {"restart_when_changed": ["wifimgr"]},
        "6: services.restart_when_changed[0]: is wifimgr's own guard; take it out [bad-wish]",
    ),
    "no service": (
        "services",
        {"enabled": ["../x"]},
        "6: services.enabled[0]: is not a name of a service; write the name of a file in /etc/init.d [wrong-type]",
    ),
    "services without a wish": (
        "services",
        {},
        "4: services: wishes nothing; add one of enabled, disabled, restart_when_changed [bad-wish]",
    ),
    "a service both ways": (
        "services",
        {"restart_when_changed": ["a"], "disabled": ["a"]},
        "4: services: wishes a both on and disabled; keep one of both [bad-wish]",
    ),
    "a command without a test": (
        "command",
        [{"about": "x", "run": "x"}],
        "5: command[0].unless: this key is missing; add it [missing-key]",
    ),
    "a command that is empty": (
        "command",
        [{"about": "x", "unless": "x", "run": " \n"}],
        "7: command[0].run: is no command; write what the router's shell shall do [bad-wish]",
    ),
    "a command that takes for ever": (
        "command",
        [{"about": "x", "unless": "x", "run": "x", "within": "11m"}],
        "8: command[0].within: is no time that a command may take; write 1s to 10m [bad-wish]",
    ),
    "a command made of a list": (
        "command",
        [{"about": "x", "unless": "test {{ many }}", "run": "x"}],
        "6: command[0].unless: {{ many }} is a list, and a command takes words; use text [bad-wish]",
    ),
    "a variable in quotes": (
        "command",
        [{"about": "x", "unless": "x", "run": 'uci set a.b.c="{{ many }}"'}],
        f"7: command[0].run: {QUOTED}",
    ),
    "a variable in single quotes": (
        "command",
        [{"about": "x", "unless": "test 'a {{ many }}' = b", "run": "x"}],
        f"6: command[0].unless: {QUOTED}",
    ),
    "a variable behind a backslash": (
        "command",
        [{"about": "x", "unless": "x", "run": '\\{{ many }} "b c"'}],
        f"7: command[0].run: {QUOTED}",
    ),
    "a variable in quotes inside of quotes": (
        "command",
        [{"about": "x", "unless": "x", "run": 'echo "$(f "{{ many }}")"'}],
        f"7: command[0].run: {QUOTED}",
    ),
    "a variable in a here-document": (
        "command",
        [{"about": "x", "unless": "x", "run": "cat >/etc/x <<EOF\n{{ many }}\nEOF\n"}],
        f"7: command[0].run: {QUOTED}",
    ),
}


@pytest.mark.parametrize(("task", "wish", "line"), BAD.values(), ids=BAD)
def test_what_may_not_be_wished_is_told_in_one_line(task: str, wish: Any, line: str, tmp_path: Path) -> None:
    with pytest.raises(WifimgrError) as caught:
        changes(tmp_path, task, wish, {}, {"many": ["a", "b"]})
    assert caught.value.line().split("fall.yaml:")[1] == line


NEEDED = ["dropbear", "openssh-server", "netifd", "wpad-basic-mbedtls", "hostapd-utils", "firewall4", "base-files"]
NEEDED += ["busybox", "ubus", "rpcd", "uci", "procd", "procd-ujail", "kernel", "kmod-usb-core", "wpad", "firewall"]
NEEDED += ["libubox20240329", "libubus20250102", "ubox", "fstools", "ucode", "ucode-mod-fs", "libgcc1", "libc", "ubusd"]
NEEDED += ["ppp", "ppp-mod-pppoe", "block-mount", "opkg", "apk-mbedtls", "nftables-json", "ath10k-firmware-qca988x"]
NEEDED += ["logd", "jshn", "urngd", "wireless-regdb", "grub2-efi", "mtd", "odhcp6c", "rpcd-mod-file"]


@pytest.mark.parametrize("name", NEEDED)
def test_package_that_a_router_is_lost_without_is_never_removed(name: str, tmp_path: Path) -> None:
    with pytest.raises(WifimgrError, match="may not be removed"):
        changes(tmp_path, "packages", {"absent": [name]}, {}, {})
    changes(tmp_path, "packages", {"present": [name]}, {}, {})


@pytest.mark.parametrize("name", ["snmpd", "luci", "tcpdump", "dnsmasq", "uhttpd", "odhcpd-ipv6only", "mtr", "iperf3"])
def test_package_that_a_router_does_well_without_may_go(name: str, tmp_path: Path) -> None:
    changes(tmp_path, "packages", {"absent": [name]}, {}, {})


@pytest.mark.parametrize("name", ["dropbear", "network", "firewall", "wpad", "boot", "system"])
def test_service_that_a_router_is_lost_without_is_never_disabled(name: str, tmp_path: Path) -> None:
    with pytest.raises(WifimgrError, match="may not be disabled"):
        changes(tmp_path, "services", {"disabled": [name]}, {}, {})
    changes(tmp_path, "services", {"enabled": [name]}, {}, {})


@pytest.mark.parametrize("task", ["packages", "services", "command"])
@pytest.mark.parametrize("platform", ["gluon", "routeros"])
def test_platform_that_cannot_carry_it_refuses_with_the_place(platform: str, task: str, tmp_path: Path) -> None:
    wishes: dict[str, Any] = {
        "packages": {"present": ["a"]},
        "services": {"enabled": ["a"]},
        "command": [{"about": "x", "unless": "x", "run": "x"}],
    }
    path = tmp_path / "fall.yaml"
    path.write_text(HEAD + yaml.safe_dump({task: wishes[task]}), encoding="utf-8")
    edits = playbook.load(tmp_path, str(path)).wishes(router({})).edits
    check_carried(router({}), edits)
    with pytest.raises(Refused, match=f"{platform} cannot carry what is wished at .*fall.yaml:[0-9]+") as caught:
        check_carried(replace(router({}), platform=platform), edits)
    assert caught.value.id == "wrong-platform"


def done(folder: Path, told: Told, changed: bool = False, **wishes: Any) -> Work:
    """What comes of wishes on a router that answers this."""
    path = folder / "fall.yaml"
    path.write_text(HEAD + yaml.safe_dump(wishes, sort_keys=False), encoding="utf-8")
    edits = playbook.load(folder, str(path)).wishes(router({})).edits
    return work(edits, told, [PathChange(path="etc/x", before=None, after=b"")] if changed else [])


def test_router_is_asked_once_for_everything(tmp_path: Path) -> None:
    wishes = {
        "services": {"enabled": ["a", "b"], "restart_when_changed": ["a"]},
        "packages": {"present": ["p", "p"], "absent": ["q"]},
        "command": [{"about": "x", "unless": "test 1", "run": "x"}],
    }
    path = tmp_path / "fall.yaml"
    path.write_text(HEAD + yaml.safe_dump(wishes), encoding="utf-8")
    edits = playbook.load(tmp_path, str(path)).wishes(router({})).edits
    assert questions(edits) == Questions(packages=("p", "q"), services=("a", "b"), unless=("test 1",))
    assert not questions([])


# --- packages ---

PACKAGES = {"present": ["new", "newer", "there"], "absent": ["gone", "old"]}
THERE = {"new": False, "newer": False, "there": True, "gone": False, "old": True}
SCRIPTS = {
    "opkg": ["opkg update; opkg install new", "opkg install newer", "opkg remove old"],
    "apk": ["apk -U add new", "apk add newer", "apk del old"],
}


@pytest.mark.parametrize("manager", SCRIPTS)
def test_only_packages_that_differ_come_and_go_and_those_that_come_are_first(manager: str, tmp_path: Path) -> None:
    found = done(tmp_path, Told(manager=manager, packages=THERE), packages=PACKAGES)
    assert [step.script for step in found.steps] == SCRIPTS[manager]
    assert [step.what for step in found.steps] == [
        "install the package new",
        "install the package newer",
        "remove the package old",
    ]
    assert found.touched[2:] == (
        Touched("package there", "installed", "installed"),
        Touched("package gone", None, None),
        Touched("package old", "installed", None),
    )


def test_router_without_packages_cannot_have_any(tmp_path: Path) -> None:
    with pytest.raises(WifimgrError, match="neither opkg nor apk"):
        done(tmp_path, Told(packages={"a": False}), packages={"present": ["a"]})


# --- services ---

ENABLE, DISABLE = {"services": {"enabled": ["s"]}}, {"services": {"disabled": ["s"]}}
S, K = "etc/rc.d/S50s", "etc/rc.d/K10s"
RIGHT = "../init.d/s"

LINKS: dict[str, tuple[Any, Service, Mapping[str, tuple[bytes | None, bytes | None]], tuple[str, ...]]] = {
    "nothing there": (
        ENABLE,
        Service("50", "10", False, {S: None, K: None}),
        {K: (None, b"../init.d/s"), S: (None, b"../init.d/s")},
        ("service start s",),
    ),
    "right already": (ENABLE, Service("50", "10", False, {S: RIGHT, K: "/etc/init.d/s"}), {}, ()),
    "not started and not enabled by any number": (ENABLE, Service("50", "", False, {S: RIGHT}), {}, ()),
    "another number": (
        ENABLE,
        Service("50", "", False, {S: None, "etc/rc.d/S20s": RIGHT}),
        {"etc/rc.d/S20s": (b"../init.d/s", None), S: (None, b"../init.d/s")},
        ("service start s",),
    ),
    "a link to nowhere": (
        ENABLE,
        Service("50", "", False, {S: "../init.d/t"}),
        {S: (b"../init.d/t", b"../init.d/s")},
        ("service start s",),
    ),
    "a stop link alone is missing": (
        ENABLE,
        Service("50", "10", True, {S: RIGHT, K: None}),
        {K: (None, b"../init.d/s")},
        (),
    ),
    "enabled and running": (
        DISABLE,
        Service("50", "10", True, {S: RIGHT, K: RIGHT}),
        {K: (b"../init.d/s", None), S: (b"../init.d/s", None)},
        ("service stop s",),
    ),
    "enabled and not running": (
        DISABLE,
        Service("50", "", False, {S: RIGHT}),
        {S: (b"../init.d/s", None)},
        (),
    ),
    "running and not enabled": (DISABLE, Service("50", "", True, {S: None}), {}, ("service stop s",)),
    "off already": (DISABLE, Service("50", "10", False, {S: None, K: None}), {}, ()),
}


@pytest.mark.parametrize(("wish", "service", "links", "after"), LINKS.values(), ids=LINKS)
def test_links_and_running_state_become_as_wished(
    wish: Any, service: Service, links: Mapping[str, Any], after: tuple[str, ...], tmp_path: Path
) -> None:
    found = done(tmp_path, Told(services={"s": service}), **wish)
    assert {change.path: (change.before, change.after) for change in found.links} == links
    assert all(change.link and change.diff for change in found.links)
    assert found.after == after
    [touched] = found.touched
    assert (touched.before == touched.after) == (not links and not after)


def test_service_without_a_start_cannot_be_enabled(tmp_path: Path) -> None:
    with pytest.raises(WifimgrError, match=r"the service 's' cannot be enabled; its init script needs a line START="):
        done(tmp_path, Told(services={"s": Service()}), **ENABLE)


@pytest.mark.parametrize(("start", "early"), [("00", True), ("9", False), ("09", True), ("10", False), ("99", False)])
def test_service_that_would_start_before_the_guard_is_not_enabled(start: str, early: bool, tmp_path: Path) -> None:
    link = f"etc/rc.d/S{start}s"
    missing, there = (Told(services={"s": Service(start, "", True, {link: leads})}) for leads in (None, RIGHT))
    assert not done(tmp_path, there, **ENABLE).links, "as it is"
    assert bool(done(tmp_path, there, **DISABLE).links)
    if early:
        with pytest.raises(WifimgrError, match="the service 's' would start before the guard"):
            done(tmp_path, missing, **ENABLE)
    else:
        assert [change.path for change in done(tmp_path, missing, **ENABLE).links] == [link]


def test_service_that_comes_with_a_package_is_waited_for(tmp_path: Path) -> None:
    told = Told(manager="opkg", packages={"s": False}, services={"s": None})
    found = done(tmp_path, told, packages={"present": ["s"]}, **ENABLE)
    assert (found.links, found.after) == ((), ())
    assert found.touched[1] == Touched("service s", "disabled", "enabled")
    with pytest.raises(WifimgrError, match="there is no service 's' on the router"):
        done(tmp_path, Told(manager="opkg", packages={"s": True}, services={"s": None}), **ENABLE)


def test_restart_comes_with_a_change_and_takes_the_place_of_a_start(tmp_path: Path) -> None:
    wish = {"services": {"enabled": ["s"], "restart_when_changed": ["s", "t"]}}
    told = Told(services={"s": Service("50", "", False, {S: None}), "t": Service("60")})
    assert done(tmp_path, told, True, **wish).after == ("service restart s", "service restart t")
    assert done(tmp_path, told, False, **wish).after == ("service start s",)


def test_links_that_come_back_start_and_stop_what_they_stand_for() -> None:
    made = [
        PathChange(path="etc/rc.d/S50a", before=None, after=b"../init.d/a", link=True),
        PathChange(path="etc/rc.d/K10a", before=None, after=b"../init.d/a", link=True),
        PathChange(path="etc/rc.d/S20b-c", before=b"../init.d/b-c", after=None, link=True),
        PathChange(path="etc/rc.d/S30d", before=b"", after=b"x"),
    ]
    assert take_up(made) == ("service start a", "service stop b-c")


@pytest.mark.parametrize(
    ("line", "cuts"),
    [
        ("service restart snmpd", False),
        ("service restart network", True),
        ("service start tinc", True),
        ("service stop tinc", True),
        ("gluon reload", False),
    ],
)
def test_what_a_service_does_may_cut_our_way(line: str, cuts: bool) -> None:
    assert may_cut(["service restart cron", line]) is cuts


# --- commands ---


def test_command_is_left_out_where_its_test_says_that_all_is_right(tmp_path: Path) -> None:
    commands = [
        {"about": "first", "unless": "a", "run": "one", "within": "90s"},
        {"about": "second", "unless": "b", "run": "two"},
    ]
    found = done(tmp_path, Told(unless=("yes", "no")), command=commands)
    assert [(step.what, step.script, step.takes) for step in found.steps] == [("second", "two", 60.0)]
    assert found.touched == (Touched("command first", "done", "done"), Touched("command second", None, "done"))
    found = done(tmp_path, Told(unless=("no", "yes")), command=commands)
    assert [(step.what, step.script, step.takes) for step in found.steps] == [("first", "one", 90.0)]


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("late", "took too long"),
        ("missing", "calls a program that is not on the router"),
        ("broken", "cannot be read by the router's shell"),
    ],
)
def test_command_whose_test_says_nothing_is_not_done(tmp_path: Path, said: str, why: str) -> None:
    commands = {"command": [{"about": "make it", "unless": "tset x", "run": "y"}]}
    with pytest.raises(ConfigError, match=rf"the test \('unless'\) of 'make it' {why}") as caught:
        done(tmp_path, Told(unless=(said,)), **commands)
    assert (caught.value.id, caught.value.where.rpartition(":")[2].isdecimal()) == ("bad-wish", True)


def test_program_of_a_test_may_come_with_a_package(tmp_path: Path) -> None:
    wishes = {"packages": {"present": ["p"]}, "command": [{"about": "make it", "unless": "p --check", "run": "y"}]}
    told = Told(manager="opkg", packages={"p": False}, unless=("missing",))
    assert [step.what for step in done(tmp_path, told, **wishes).steps] == ["install the package p", "make it"]
    with pytest.raises(ConfigError, match="calls a program"):
        done(tmp_path, Told(manager="opkg", packages={"p": True}, unless=("missing",)), **wishes)


def test_link_of_a_service_with_a_longer_name_is_left_alone(tmp_path: Path) -> None:
    links = {"etc/rc.d/S56s": "../init.d/6s", "etc/rc.d/S50s": "../init.d/s"}
    told = Told(services={"s": Service("50", "", False, links)})
    assert [change.path for change in done(tmp_path, told, **DISABLE).links] == ["etc/rc.d/S50s"]
