"""Good inventories, spoiled in many ways: whatever people do to a file, ``check`` tells it with file and line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wifimgr.cli import run
from wifimgr.errors import ERRORS, INVISIBLE

ROOT = Path(__file__).parents[2]
Files = dict[str, bytes]

EXAMPLE = {
    path.relative_to(ROOT).as_posix(): path.read_bytes()
    for pattern in ("inventory/**/*.yaml", "playbooks/*.yaml")
    for path in sorted(ROOT.glob(pattern))
}
SMALL = {
    "inventory/network.yaml": b"""\
name: Testnetz
timezone: Europe/Berlin
holidays: {region: DE-NW, school: school.yaml}
area: {center: [51.43, 6.76], radius: 15km}
prefixes: [192.0.2.0/24, "2001:db8::/32"]
contact:
  public: {name: WLAN-Telefon, phone: "+49 221 4710 115", hours: "Mo-Fr 08:00-16:00; PH off"}
operators:
  city: {name: Stadt, manage: push}
  community: {name: Freifunk, manage: watch}
uplinks:
  line: {kind: provider, name: Anbieter}
  tunnel: {kind: gateway, name: Gateway}
profiles:
  ssh:
    default: {user: root, key: {file: ~/.ssh/id}}
    high: {port: 2222, password: {command: "pass show router"}, timeout: 3s}
  snmp:
    old: {version: v2c, community: {file: secrets/community}}
    new: {version: v3, user: monitor, auth: {sha256: {env: AUTH}}, priv: {aes128: {env: PRIV}}}
push: {confirm_within: 60s, settle: {connectivity: 20s}}
internet: {dns: www.example.org, http: http://www.example.org/}
defaults:
  operator: city
  platform: openwrt
  role: access-point
  sources: [snmp, ping]
  vars: {ssid: frei, dns: [192.0.2.53, 192.0.2.54], on: true, psk: {env: PSK}}
""",
    "inventory/school.yaml": b"""\
until: 2099-07-18
holidays:
  Herbst 2026: 2026-10-17..2026-10-31
  Pfingsten 2027: 2027-05-18
""",
    "inventory/sites/eins.yaml": """\
name: Bücherei
kind: library
public: true
position: [51.46, 6.77]
prefixes:
  - 192.0.2.0/26
  - "2001:db8:1::/48"
opening_hours: "Mo-Fr 10:00-18:00; SH,PH off"
wifi: {schedule: opening-hours}
uplink: {provider: line, gateway: tunnel}
contact:
  - {name: Hausleitung, phone: "+49 221 4710 115", hours: always}
private: {key_holder: Pforte, alarm: {code_secret: {env: ALARM}}}
jump: eins-gw
routers:
  eins-gw:
    addresses: [192.0.2.1, "2001:db8:1::1"]
    role: gateway
    ports: {ssh: 2200}
  eins-ap:
    addresses: [192.0.2.2, "fe80::1%eth0"]
    behind: eins-gw
    tags: [indoor]
    vars: {ssid: buecher}
""".encode(),
    "inventory/sites/zwei.yaml": b"""\
name: Platz
kind: square
power: {switched: "Mo-Su 18:00-06:00"}
routers:
  zwei-a: {addresses: [zwei.example.org], behind: eins-ap, ssh: high, snmp: new, interval: 5m}
  zwei-node: {platform: gluon, operator: community, role: mesh-node, sources: [map]}
  zwei-old: {addresses: [192.0.2.2], lifecycle: retired}
""",
    "playbooks/wifi.yaml": b"""\
name: WLAN
about: One network for all.
where: role=access-point platform=openwrt
vars: {channel: 6}
uci:
  wireless:
    - section: {type: wifi-device, each: true}
      set: {channel: "{{ channel }}", disabled: false}
    - section: {type: wifi-iface, name: guest}
      set: {ssid: "{{ ssid }}", key: "{{ psk }}", dns: "{{ dns }}"}
files:
  - {path: /etc/banner, mode: "0644", content: "{{ router_name }} in {{ site_name }}"}
checks:
  - ssid: "{{ ssid }}"
interrupts: {wifi: 40s}
""",
    ".wifimgr/local.yaml": b"""\
endpoints: {eins-gw: {ssh: "127.0.0.1:40001", snmp: "[::1]:161"}}
ssh: {high: {user: admin}}
watch: {interval: 5s}
""",
}

WORDS = re.split(
    r" \| |\n",
    r"""~ | null | true | no | 5 | -1 | 0x1f | 1e400 | .nan | 007 | 12:30 | '' | "" | [] | {} | [[]] | [{}]
{a: {b: c}} | [1, two] | {<<: {a: 1}} | !!python/name:os.system | !!binary aGk= | &a [*a] | *gone | - x | --- | ... | #
@x | %x | $(reboot) | <script> | {{ ssid }} | {{ }} | 99999999999999999999999 | 1.5 | 2026-02-30
2026-02-01..2026-01-01 | 0.0.0.0/0 | ::/0 | fe80::1%eth0 | ::ffff:192.0.2.1 | [51.4, 6.7] | [6.7, 51.4]
PH off | SH | 24/7 | Mo-Fr 25:00-99:00 | 24/7; PH off | name=*a*a*a* | role!=x | 'name=" | eins-gw | eins-ap | zwei-a
city | default | router_name | planned | retired | {env: X} | {file: /} | {command: ""} | {center: [0, 0], radius: 1m}
0s | 99999999d | .. | / | x/../../y""",
)
WORDS += ["9" * 5000, "{v: " + "[" * 50, *"\t\r\n\0\x1b\u202e\ufeff\u2028\U0001f98a:?"]
DATA: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS) | st.text(max_size=5), inner),
    max_leaves=4,
)


def in_lines(change: Callable[[list[str], int, Any], None]) -> Callable[[bytes, int, Any], bytes]:
    """A change of a text's lines, at one of them."""

    def mutate(content: bytes, place: int, odd: Any) -> bytes:
        lines = content.decode(errors="replace").splitlines(keepends=True) or [""]
        change(lines, place % len(lines), odd)
        return "".join(lines).encode(errors="replace")

    return mutate


def swap(lines: list[str], at: int, odd: Any) -> None:
    lines[at], lines[at - 1] = lines[at - 1], lines[at]


def indent(lines: list[str], at: int, odd: Any) -> None:
    lines[at] = "  " + lines[at] if len(str(odd)) % 2 else lines[at].removeprefix("  ")


def change_value(lines: list[str], at: int, odd: Any) -> None:
    lines[at] = re.sub(r"(: |- ).*", lambda match: match[1] + str(odd), lines[at], count=1)


def change_word(lines: list[str], at: int, odd: Any) -> None:
    words = re.findall(r"[\w.:/-]+", lines[at])
    if words:
        lines[at] = lines[at].replace(words[len(str(odd)) % len(words)], str(odd), 1)


def insert(content: bytes, place: int, odd: Any) -> bytes:
    at = place % (len(content) + 1)
    return content[:at] + str(odd).encode(errors="replace") + content[at:]


def cut(content: bytes, place: int, odd: Any) -> bytes:
    at = place % (len(content) + 1)
    return content[:at] + content[at + 1 + len(str(odd)) :]


def change_node(content: bytes, place: int, odd: Any) -> bytes:
    """Puts anything in the place of any node, which may be the whole file."""
    try:
        data = [yaml.safe_load(content)]
    except yaml.YAMLError:
        return content
    places: list[tuple[Any, Any]] = []
    inside: list[Any] = [data]
    while inside:
        node = inside.pop()
        keys: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node)))
        places += [(node, key) for key in keys]
        inside += [node[key] for key in keys if isinstance(node[key], dict | list)]
    node, key = places[place % len(places)]
    if isinstance(node, dict) and place % 3 == 0:
        node[str(odd)] = node.pop(key)
    else:
        node[key] = odd
    return yaml.safe_dump(data[0], allow_unicode=place % 2 == 0, sort_keys=False).encode(errors="replace")


MUTATIONS: dict[str, Callable[[bytes, int, Any], bytes]] = {
    "delete a line": in_lines(lambda lines, at, odd: lines.__delitem__(at)),
    "repeat a line": in_lines(lambda lines, at, odd: lines.insert(at, lines[at])),
    "swap lines": in_lines(swap),
    "indent a line": in_lines(indent),
    "change a value": in_lines(change_value),
    "change a word": in_lines(change_word),
    "add a line": in_lines(lambda lines, at, odd: lines.insert(at, f"{odd}: {odd}\n")),
    "insert": insert,
    "cut": cut,
    "change a node": change_node,
    "not UTF-8": lambda content, place, odd: insert(content, place, "").replace(b"e", b"\xe9", 1),
    "empty the file": lambda content, place, odd: b"",
    "an old editor": lambda content, place, odd: b"\xef\xbb\xbf" + content.replace(b"\n", b"\r\n"),
}
CHANGES = st.lists(
    st.tuples(
        st.integers(0, 99), st.sampled_from(sorted(MUTATIONS)), st.integers(0, 9999), st.sampled_from(WORDS) | DATA
    ),
    min_size=1,
    max_size=4,
)


def write(folder: Path, files: Files) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def check_spoiled(folder: Path, good: Files, changes: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    """Spoils files, runs check on them twice and as JSON, and puts them back."""
    files = dict(good)
    for file, mutation, place, odd in changes:
        name = sorted(files)[file % len(files)]
        files[name] = MUTATIONS[mutation](files[name], place, odd)
    touched = {name: content for name, content in files.items() if content != good[name]}
    write(folder, touched)
    try:
        command = ["check", "--network", str(folder)]
        code, (out, err) = run(command), capsys.readouterr()
        again, output_again = run(command), capsys.readouterr()
        as_data, (document, rest) = run([*command, "-o", "json"]), capsys.readouterr()
    finally:
        write(folder, {name: good[name] for name in touched})
    assert (again, output_again) == (code, (out, err))
    assert code == as_data == (2 if "error: " in err else 0), err
    assert (bool(out), rest) == (code == 0, "")
    for line in err.splitlines():
        said = re.fullmatch(r"(error|warning): ([^:]+):([0-9]+): \S.* \[([a-z-]+)\]", line)
        assert said, line
        assert said[2] in files, line
        assert 1 <= int(said[3]) <= (len(files[said[2]].decode(errors="replace").splitlines()) or 1), line
        assert said[4] in ERRORS, line
        assert not INVISIBLE.search(line), line
    assert len(json.loads(document)["problems"]) == len(err.splitlines())


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The good networks as folders."""
    found = {"small": tmp_path_factory.mktemp("small"), "example": tmp_path_factory.mktemp("example")}
    write(found["small"], SMALL)
    write(found["example"], EXAMPLE)
    return found


@pytest.mark.parametrize("name", ["small", "example"])
def test_unspoiled_there_is_nothing_to_tell(
    folders: dict[str, Path], name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["check", "--network", str(folders[name])]) == 0
    assert capsys.readouterr().err == ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large], max_examples=250)
@given(changes=CHANGES)
def test_whatever_is_done_to_a_file_is_told_in_lines(
    folders: dict[str, Path], capsys: pytest.CaptureFixture[str], changes: list[Any]
) -> None:
    check_spoiled(folders["small"], SMALL, changes, capsys)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.data_too_large], max_examples=60)
@given(changes=CHANGES)
def test_whatever_is_done_to_the_example_is_told_in_lines(
    folders: dict[str, Path], capsys: pytest.CaptureFixture[str], changes: list[Any]
) -> None:
    check_spoiled(folders["example"], EXAMPLE, changes, capsys)
