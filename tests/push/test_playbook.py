"""Playbooks: strict reading with whole messages, and what they wish for one router."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.push.tasks import case
from wifimgr.errors import ConfigError
from wifimgr.model import Router
from wifimgr.platforms.edits import FileEdit, UciEdit
from wifimgr.push import playbook
from wifimgr.push.tasks import TASKS
from wifimgr.settings import Secret, SecretRef

HEAD = "name: Probe\nabout: Nur ein Test.\nwhere: platform=openwrt\n"
FIRST = 4
"""The line behind the head."""


def router(**values: Any) -> Router:
    return case.router(values)


def load(folder: Path, body: str, head: str = HEAD) -> playbook.Playbook:
    path = folder / "playbooks" / "probe.yaml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(head + dedent(body), encoding="utf-8")
    return playbook.load(folder, "probe")


def problems(folder: Path, body: str, head: str = HEAD) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load(folder, body, head)
    return caught.value.lines()


UCI = "uci:\n  system:\n    - section: "

WRONG = {
    "unknown key": (
        "ucl: {}\n",
        "playbooks/probe.yaml:4: ucl: unknown key; did you mean uci? [unknown-key]",
    ),
    "unknown key in a wish": (
        UCI + "{type: system}\n      sett: {a: 1}\n",
        "playbooks/probe.yaml:7: uci.system[0].sett: unknown key; did you mean set? [unknown-key]",
    ),
    "no type": (
        UCI + "{name: x}\n      set: {a: 1}\n",
        "playbooks/probe.yaml:6: uci.system[0].section.type: this key is missing; add it [missing-key]",
    ),
    "bad type": (
        UCI + '{type: "a b"}\n      set: {a: 1}\n',
        "playbooks/probe.yaml:6: uci.system[0].section.type: is not a type of a section; "
        "write it as in the UCI file, like wifi-iface [wrong-type]",
    ),
    "bad name": (
        UCI + "{type: system, name: a-b}\n      set: {a: 1}\n",
        "playbooks/probe.yaml:6: uci.system[0].section.name: is not a name that UCI can hold; "
        "use letters, digits and _ [wrong-type]",
    ),
    "two ways": (
        UCI + "{type: system, name: a, each: true}\n      set: {a: 1}\n",
        "playbooks/probe.yaml:6: uci.system[0].section: says more than one way to find a section; "
        "keep one of name, each and match [bad-wish]",
    ),
    "absent and set": (
        UCI + "{type: system}\n      absent: true\n      set: {a: 1}\n",
        "playbooks/probe.yaml:6: uci.system[0]: says absent and wishes options too; keep one of both [bad-wish]",
    ),
    "nothing": (
        UCI + "{type: system}\n",
        "playbooks/probe.yaml:6: uci.system[0]: wishes nothing; add set, unset or absent [bad-wish]",
    ),
    "set and unset": (
        UCI + "{type: system}\n      set: {a: 1}\n      unset: [a]\n",
        "playbooks/probe.yaml:6: uci.system[0]: sets and unsets the same option; keep one of both [bad-wish]",
    ),
    "empty value": (
        UCI + "{type: system}\n      set: {a: ''}\n",
        "playbooks/probe.yaml:7: uci.system[0].set.a: has no value; "
        "write a value, or name the option under unset [bad-wish]",
    ),
    "empty list": (
        UCI + "{type: system}\n      set: {a: []}\n",
        "playbooks/probe.yaml:7: uci.system[0].set.a: has no value; "
        "write a value, or name the option under unset [bad-wish]",
    ),
    "mapping as a value": (
        UCI + "{type: system}\n      set: {a: {b: 1}}\n",
        "playbooks/probe.yaml:7: uci.system[0].set.a: is not a value UCI can hold; "
        "write text, a number, true, false or a list of those [bad-wish]",
    ),
    "fstab": (
        "uci:\n  fstab:\n    - {section: {type: mount}, set: {a: 1}}\n",
        "playbooks/probe.yaml:5: uci.fstab: may not be pushed: a wrong mount is not undone by putting the file back; "
        "change it by hand [bad-wish]",
    ),
    "bad package": (
        "uci:\n  ../passwd:\n    - {section: {type: mount}, set: {a: 1}}\n",
        "playbooks/probe.yaml:5: uci.../passwd: is not a name of a UCI package; "
        "write the name of a file in /etc/config [wrong-type]",
    ),
    "unknown check": (
        UCI + "{type: system}\n      set: {a: 1}\nchecks:\n  - sid: frei\n",
        "playbooks/probe.yaml:9: checks[0]: 'sid' is no check; did you mean ssid? [unknown-name]",
    ),
    "check with two keys": (
        UCI + "{type: system}\n      set: {a: 1}\nchecks:\n  - {ssid: frei, interface: lan}\n",
        "playbooks/probe.yaml:9: checks[0]: a check is one key and its value; write '- ssid: NAME' [wrong-type]",
    ),
    "check with a wrong value": (
        UCI + "{type: system}\n      set: {a: 1}\nchecks:\n  - default-route: wan\n",
        "playbooks/probe.yaml:9: checks[0]: the check 'default-route' takes nothing but true; write true [wrong-type]",
    ),
    "ping of a command": (
        UCI + "{type: system}\n      set: {a: 1}\nchecks:\n  - ping: $(reboot)\n",
        "playbooks/probe.yaml:9: checks[0]: the check 'ping' takes an IP address or a DNS name; "
        "write it like 192.0.2.1, fe80::1%br-lan or www.example.org [wrong-type]",
    ),
    "no wish at all": (
        "checks:\n  - ssid: frei\n",
        f"playbooks/probe.yaml:1: this playbook wishes nothing; add one of {', '.join(TASKS)} [bad-wish]",
    ),
    "plain secret": (
        "vars: {wifi_password: abc}\nuci: {}\n",
        "playbooks/probe.yaml:4: vars.wifi_password: a secret may not stand here in plain text; write where it is "
        "found, {env: NAME}, {file: PATH} or {command: LINE}, "
        "and change the secret: this file is shared [plain-secret]",
    ),
    "path without a slash": (
        "files:\n  - {path: etc/banner, content: x}\n",
        "playbooks/probe.yaml:5: files[0].path: is not a path that can be pushed; "
        "write a whole path of plain characters, like /etc/banner [wrong-type]",
    ),
    "neither content nor absent": (
        "files:\n  - {path: /etc/banner}\n",
        "playbooks/probe.yaml:5: files[0]: needs either content or absent; keep one of both [bad-wish]",
    ),
    "content and absent": (
        "files:\n  - {path: /etc/banner, content: x, absent: true}\n",
        "playbooks/probe.yaml:5: files[0]: needs either content or absent; keep one of both [bad-wish]",
    ),
    "mode as a number": (
        "files:\n  - {path: /etc/banner, content: x, mode: 644}\n",
        "playbooks/probe.yaml:5: files[0].mode: must be text, not a number; put it in quotes [wrong-type]",
    ),
    "what nobody notices": (
        UCI + "{type: system}\n      set: {a: 1}\ninterrupts: {wfii: 40s}\n",
        "playbooks/probe.yaml:8: interrupts.wfii: is nothing that people notice; "
        "what they notice is wifi, internet, network [wrong-type]",
    ),
    "checks as one mapping": (
        UCI + "{type: system}\n      set: {a: 1}\nchecks: {ssid: frei}\n",
        "playbooks/probe.yaml:8: checks: must be a list, not a mapping; "
        "begin each item with a dash, like '- key: …' [wrong-type]",
    ),
    "wishes of a package as one mapping": (
        "uci:\n  system: {section: {type: system}}\n",
        "playbooks/probe.yaml:5: uci.system: must be a list, not a mapping; "
        "begin each item with a dash, like '- section: …' [wrong-type]",
    ),
    "mode with setuid": (
        'files:\n  - {path: /etc/banner, content: x, mode: "4755"}\n',
        'playbooks/probe.yaml:5: files[0].mode: is not a file mode; write it in quotes, like "0644" [wrong-type]',
    ),
}


@pytest.mark.parametrize(("body", "line"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_in_one_line(body: str, line: str, tmp_path: Path) -> None:
    assert problems(tmp_path, body) == [line]


def test_all_problems_of_a_file_are_told_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, "ucl: {}\nvars: {a_key: x}\nfiles: [{path: /etc/config/x, content: y}]\n")
    assert [line.split(":")[1] for line in found] == ["4", "5", "6"]


@pytest.mark.parametrize(
    "path",
    ["/etc/config/wireless", "/etc/wifimgr/format", "/etc/init.d/wifimgr", "/etc/rc.d/S09wifimgr", "/tmp/x", "/var/x",
     "/lib/upgrade/keep.d/wifimgr", "/dev/mtd0", "/proc/self", "/sys/x", "/etc/../x", "/etc//x", "/etc/x/", "/", "/x",
     "/etc/a b", "/etc/$(id)", "/etc/ä", "/etc/./x", "/etc/x\n"],
)  # fmt: skip
def test_path_that_may_not_be_pushed_is_refused(path: str, tmp_path: Path) -> None:
    [line] = problems(tmp_path, f"files:\n  - {{path: {path!r}, content: x}}\n".replace("\\n", "\n\n"))
    assert line.startswith("playbooks/probe.yaml:5: files[0].path: ")


NEEDED_TO_START = [
    "/bin/busybox", "/bin/sh", "/lib/ld-musl-mips-sf.so.1", "/lib/libc.so", "/lib/functions.sh", "/lib/preinit/x",
    "/lib/upgrade/keep.d/own", "/sbin/procd", "/sbin/uci", "/usr/bin/awk", "/usr/sbin/mv", "/usr/lib/libjson-c.so.5",
    "/usr/local/lib/libubox.so", "/usr/share/libubox/jshn.sh", "/boot/grub/grub.cfg", "/rom/bin/sh",
    "/overlay/upper/bin/sh", "/mnt/x", "/opt/x", "/etc/inittab", "/etc/preinit", "/etc/rc.common", "/etc/diag.sh",
    "/etc/hotplug.d/net/00-own", "/etc/hotplug.d/firmware/own",
    "/etc/rc.d/S00own", "/etc/hotplug.json", "/etc/hotplug-preinit.json", "/etc/modules-boot.d/x", "/etc/ld.so.preload",
    "/etc/ld-musl-mips-sf.path", "/etc/.extroot-uuid", "/etc/openwrt_release", "/etc/selinux/config", "/etc/passwd",
    "/etc/group", "/etc/shadow", "/etc/shells", "/etc/dropbear/dropbear_ed25519_host_key", "/etc/init.d/boot",
    "/etc/init.d/dropbear", "/etc/init.d/network", "/etc/init.d/sysfixtime", "/etc/init.d/done",
]  # fmt: skip
OWN_FILES = [
    "/etc/banner", "/etc/sysupgrade.conf", "/etc/crontabs/root", "/etc/dropbear/authorized_keys", "/etc/rc.local",
    "/etc/uci-defaults/99-own", "/etc/hotplug.d/iface/99-own", "/etc/init.d/own", "/etc/init.d/bootstrap",
    "/etc/snmp/snmpd.local.conf", "/etc/profile.d/own.sh", "/etc/nftables.d/own.nft", "/etc/ldap.conf", "/etc/hosts",
    "/etc/modules.d/own", "/root/own.sh", "/www/index.html", "/www/cgi-bin/own", "/usr/local/bin/own",
    "/usr/share/nftables.d/own.nft", "/usr/lib/lua/own.lua",
]  # fmt: skip


@pytest.mark.parametrize("path", NEEDED_TO_START)
@pytest.mark.parametrize("wish", ["content: x", "absent: true"])
def test_path_that_a_router_starts_with_is_neither_written_nor_removed(path: str, wish: str, tmp_path: Path) -> None:
    [line] = problems(tmp_path, f"files:\n  - {{path: {path!r}, {wish}}}\n")
    assert line.startswith("playbooks/probe.yaml:5: files[0].path: may not be pushed: ")
    assert line.endswith("[bad-wish]")


@pytest.mark.parametrize("path", OWN_FILES)
def test_path_that_people_write_may_be_pushed(path: str, tmp_path: Path) -> None:
    assert load(tmp_path, f"files:\n  - {{path: {path!r}, content: x}}\n").wishes(router()).edits


def test_who_may_not_write_a_script_hears_where_to(tmp_path: Path) -> None:
    [line] = problems(tmp_path, "files:\n  - {path: /usr/bin/own, content: x}\n")
    assert line == (
        "playbooks/probe.yaml:5: files[0].path: may not be pushed: files go below /etc, /root, /usr/lib/lua, "
        "/usr/local/bin, /usr/share, /www; put a script of your own into /usr/local/bin and call it by its whole path "
        "[bad-wish]"
    )


def test_bad_selector_is_told_with_its_line(tmp_path: Path) -> None:
    head = HEAD.replace("platform=openwrt", "plattform=openwrt")
    [line] = problems(tmp_path, UCI + "{type: system}\n      set: {a: 1}\n", head)
    assert line == (
        "playbooks/probe.yaml:3: where: 'plattform' is no key of a selector; did you mean platform? [bad-selector]"
    )


def test_unknown_playbook_is_answered_with_the_closest_name(tmp_path: Path) -> None:
    load(tmp_path, UCI + "{type: system}\n      set: {a: 1}\n")
    with pytest.raises(ConfigError) as caught:
        playbook.load(tmp_path, "prob")
    assert caught.value.line() == "there is no playbook 'prob'; did you mean probe? [unknown-name]"


def test_playbook_can_be_named_by_a_path(tmp_path: Path) -> None:
    load(tmp_path, UCI + "{type: system}\n      set: {a: 1}\n")
    assert playbook.load(Path("/nowhere"), str(tmp_path / "playbooks/probe.yaml")).slug == "probe"


def test_load_all_tells_the_problems_of_every_file(tmp_path: Path) -> None:
    load(tmp_path, UCI + "{type: system}\n      set: {a: 1}\n")
    (tmp_path / "playbooks/a.yaml").write_text("x: 1\n" + HEAD + "uci: {}\n", encoding="utf-8")
    (tmp_path / "playbooks/b.yaml").write_text(HEAD + "y: 1\n", encoding="utf-8")
    (tmp_path / "playbooks/c.yml").write_text(HEAD + "uci: {}\n", encoding="utf-8")
    playbooks, wrong = playbook.load_all(tmp_path)
    assert [each.slug for each in playbooks] == ["probe"]
    assert [problem.line().split(": ")[0] for problem in wrong] == [
        "playbooks/a.yaml:1",
        "playbooks/b.yaml:4",
        "playbooks/c.yml",
    ]


# --- wishes for a router ---

WISHES = """\
vars: {ssid: vorgabe, house: eins, psk: {file: psk}}
uci:
  wireless:
    - section: {type: wifi-iface, match: {ssid: "{{ ssid }}"}}
      set: {key: "{{ psk }}", isolate: true, server: [a, "{{ house }}"]}
      unset: [disabled]
files:
  - path: /etc/banner
    content: "Hallo {{ house }}\\n"
    mode: "0644"
  - {path: /etc/alt, absent: true}
checks:
  - ssid: "{{ ssid }}"
  - default-route: true
"""


def test_wishes_are_edits_and_checks_with_variables_put_in(tmp_path: Path) -> None:
    (tmp_path / "psk").write_text("geheim")
    wishes = load(tmp_path, WISHES).wishes(router(ssid="frei"))
    key = Secret("geheim")
    assert wishes.edits == (
        UciEdit(
            package="wireless",
            type="wifi-iface",
            match={"ssid": "frei"},
            set={"key": key, "isolate": "1", "server": ("a", "eins")},
            unset=("disabled",),
            where="playbooks/probe.yaml:7",
        ),
        FileEdit(path="/etc/banner", content="Hallo eins\n", mode="0644", where="playbooks/probe.yaml:11"),
        FileEdit(path="/etc/alt", content=None, where="playbooks/probe.yaml:14"),
    )
    assert wishes.checks == (("ssid", "frei"), ("default-route", "1"))
    assert "geheim" not in repr(wishes)


WISHED_WRONG = {
    "missing variable": (
        "uci:\n  system:\n    - section: {type: system}\n      set:\n        a: 1\n        b: '{{ hous }}'\n",
        "playbooks/probe.yaml:9: eins-ap: no variable 'hous'; set it under vars: for the network, the site or the "
        "router; did you mean house? [missing-variable]",
    ),
    "missing secret of the playbook": (
        "vars:\n  psk: {file: keys/psk}\nfiles: [{path: /etc/x, content: '{{ psk }}'}]\n",
        "playbooks/probe.yaml:5: ",
    ),
    "list inside text": (
        "files: [{path: /etc/x, content: 'a {{ dns }}'}]\n",
        "playbooks/probe.yaml:4: files[0]: {{ dns }} is a list; use it as the whole value [bad-wish]",
    ),
    "list as a file": (
        "files: [{path: /etc/x, content: '{{ dns }}'}]\n",
        "playbooks/probe.yaml:4: files[0]: a file cannot hold a list; use text [bad-wish]",
    ),
    "list in match": (
        "uci:\n  system:\n    - section: {type: system, match: {a: '{{ dns }}'}}\n      set: {b: 1}\n",
        "playbooks/probe.yaml:6: uci.system[0]: match takes plain text only; no lists, no secrets [bad-wish]",
    ),
    "list in a check": (
        "files: [{path: /etc/x, content: x}]\nchecks: [{ssid: '{{ dns }}'}]\n",
        "playbooks/probe.yaml:5: checks[0]: a check takes plain text only; no lists, no secrets [bad-wish]",
    ),
    "secret in a check": (
        "files: [{path: /etc/x, content: x}]\nchecks: [{ssid: '{{ door_key }}'}]\n",
        "playbooks/probe.yaml:5: checks[0]: a check takes plain text only; no lists, no secrets [bad-wish]",
    ),
}


@pytest.mark.parametrize(("body", "line"), WISHED_WRONG.values(), ids=WISHED_WRONG)
def test_wish_that_cannot_be_filled_is_told_with_its_line(body: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "door").write_text("geheim")
    door_key = SecretRef("file", "door", tmp_path)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, body).wishes(router(house="eins", dns=("9.9.9.9",), door_key=door_key))
    [told] = caught.value.lines()
    assert told == line or (line.endswith(" ") and told.startswith(line) and told.endswith("[missing-secret]"))


@pytest.fixture(scope="module")
def through(tmp_path_factory: pytest.TempPathFactory) -> playbook.Playbook:
    """A playbook that puts one variable everywhere."""
    body = """\
    uci:
      system:
        - section: {type: system}
          set: {a: "{{ x }}", b: "<{{ x }}>"}
    files: [{path: /etc/x, content: "{{ x }}\\n"}]
    """
    return load(tmp_path_factory.mktemp("p"), body)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(st.characters(blacklist_categories=["Cs"])))
def test_hostile_variable_reaches_every_wish_unharmed(through: playbook.Playbook, text: str) -> None:
    uci, file = through.wishes(router(x=text)).edits
    assert isinstance(uci, UciEdit)
    assert isinstance(file, FileEdit)
    assert (uci.set, file.content) == ({"a": text, "b": f"<{text}>"}, f"{text}\n")


# --- checks with variables, and how often secrets are fetched ---


CHECKED = UCI + "{type: system}\n      set: {a: 1}\nchecks:\n  - ping: '{{ gateway }}'\n"


@pytest.mark.parametrize("value", ["$(reboot)", "192.0.2.1; id", "-f", "", "a b"])
def test_check_that_is_wrong_once_its_variables_are_in_is_refused_by_its_line(tmp_path: Path, value: str) -> None:
    wanted = load(tmp_path, CHECKED)
    with pytest.raises(ConfigError) as caught:
        wanted.wishes(router(gateway=value))
    assert caught.value.lines() == [
        "playbooks/probe.yaml:9: checks[0]: the check 'ping' takes an IP address or a DNS name; "
        "write it like 192.0.2.1, fe80::1%br-lan or www.example.org [bad-wish]"
    ]
    assert wanted.wishes(router(gateway="192.0.2.1")).checks == (("ping", "192.0.2.1"),)


def test_variable_of_a_check_that_is_missing_is_one_problem(tmp_path: Path) -> None:
    [problem] = load(tmp_path, CHECKED).problems(router())
    assert problem.id == "missing-variable"


def test_secret_of_a_router_is_fetched_once(tmp_path: Path) -> None:
    body = "vars: {door_key: {file: x}}\n" + UCI + "{type: system}\n      set: {a: '{{ door_key }}'}\n"
    (tmp_path / "x").write_text("geheim", encoding="utf-8")
    wanted = load(tmp_path, body)
    first = wanted.wishes(router(house="eins"))
    (tmp_path / "x").unlink()
    assert wanted.wishes(router(house="eins")) is first
    assert "geheim" not in repr(wanted)
    with pytest.raises(ConfigError) as caught:
        wanted.wishes(router(house="zwei"))  # another router now, if by the same name
    assert caught.value.id == "missing-secret"


def test_secrets_of_a_router_are_those_it_was_given_and_nobody_is_asked_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = f"sh -c 'echo geheim; date >>{tmp_path}/asked'"
    body = f'vars: {{used: {{file: x}}, rest: {{env: Y}}, none: {{command: "{asked}"}}}}\n'
    (tmp_path / "x").write_text("alt", encoding="utf-8")
    monkeypatch.setenv("Y", "still")
    load(tmp_path, body + UCI + "{type: system}\n      set: {a: '{{ used }}'}\n")
    wanted = playbook.load(tmp_path, "probe", ["sh"])
    assert wanted.secrets(router()) == {"alt", "still"}
    wanted.wishes(router())
    (tmp_path / "x").write_text("neu", encoding="utf-8")
    assert wanted.secrets(router()) == {"alt", "neu", "still"}, "what was sent, though it is another one now"
    assert not (tmp_path / "asked").exists()
