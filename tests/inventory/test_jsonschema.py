"""The JSON Schemas for editors: they take what the reader takes, and refuse what people mostly get wrong."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from textwrap import indent
from typing import Annotated, Any, get_args

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import ValidationError, create_model

from wifimgr.cli.schema import FOLDER, File, schemas
from wifimgr.inventory import schema as site_values
from wifimgr.inventory.jsonschema import json_schema
from wifimgr.inventory.schema import SiteFile
from wifimgr.push import playbook
from wifimgr.push.playbook import PlaybookFile
from wifimgr.push.tasks import authorized_keys as key_values
from wifimgr.push.tasks import command as command_values
from wifimgr.push.tasks import files as file_values
from wifimgr.push.tasks import packages as package_values
from wifimgr.push.tasks import routeros as menu_values
from wifimgr.push.tasks import services as service_values
from wifimgr.push.tasks import uci as uci_values
from wifimgr.settings import area, values
from wifimgr.settings.files import LocalFile, NetworkFile, SchoolFile
from wifimgr.yamlfile import Strict, read

TOP = Path(__file__).parent.parent.parent
MODELS: dict[File, type[Strict]] = {
    File.NETWORK: NetworkFile,
    File.SITE: SiteFile,
    File.PLAYBOOK: PlaybookFile,
    File.LOCAL: LocalFile,
    File.SCHOOL_HOLIDAYS: SchoolFile,
}
SCHEMAS: dict[File, dict[str, Any]] = {name: json.loads(text) for name, text in schemas().items()}
VALIDATORS = {name: Draft202012Validator(schema) for name, schema in SCHEMAS.items()}

LEVEL = """\
operator: city
platform: openwrt
role: access-point
ssh: default
jump: eins-gw
snmp: monitor
sources: [snmp, ubus, respondd, map, ping]
interval: 0.5h
tags: [indoor, "2.4"]
lifecycle: planned
vars:
  ssid: "Jugend's \\"Café\\" 🎈"
  channel: 11
  share: 0.5
  hidden: false
  dns: [192.0.2.53, 5, true]
  wifi_password: {env: WIFI_PASSWORD}
  snmp_community: {file: "~/secret file"}
  api_token: {command: "pass show 'a b'"}
  public_key: ssh-ed25519 AAAA
  some_secret: true
"""
FULL = {
    File.NETWORK: """\
name: Testnetz
community: Freifunk
country: DE
holidays: {region: DE-NW, school: school-holidays.yaml}
timezone: Europe/Berlin
languages: [de, en, de-AT]
legal: de-nw
area: {center: [51.43, 6.76], radius: 15.5km}
prefixes: [10.20.0.0/16, "2001:db8::/32"]
contact: {public: {name: Telefon, phone: "+49 221 4710 115", hours: "24/7", email: wlan@example.org, public: true}}
operators: {city: {name: Stadt, manage: push}, community: {name: Freifunk, manage: watch}}
uplinks: {a: {kind: provider, name: A}, b: {kind: gateway, name: B}}
dns_profiles: {family: {name: Jugendschutz, servers: [192.0.2.53, "2001:db8::53", "192.0.2.54#5353"]}}
profiles:
  ssh:
    default: {user: root, port: 22, key: {file: ~/.ssh/id}, passphrase: {env: K}, password: {env: P},
      timeout: 500ms}
  snmp:
    old: {version: v2c, port: 161, community: {env: C}}
    new: {version: v3, user: m, auth: {sha256: {env: A}}, priv: {aes128: {file: b}}}
push: {confirm_within: 90s, settle: {connectivity: 25s, other: 3s}, login_gap: 5s, reboot_after: 120s,
  canary: 1, at_once: 50, stop_after: 0}
internet: {dns: www.example.org, http: "http://www.example.org:80/a?b=c", network: lan}
defaults:
"""
    + indent(LEVEL, "  "),
    File.SITE: """\
name: Haus
kind: youth-center
public: true
district: Mitte
address: Beispielweg 1
position: [51.5, 7]
prefixes: [192.0.2.0/24]
opening_hours: "Mo-Fr 14:00-21:00; PH off"
power: {switched: "Mo-Su 06:00-24:00"}
uplink: {provider: a, gateway: b}
dns_profile: family
wifi: {schedule: opening-hours}
page: {show_guests: true}
contact: [{name: Hausleitung, phone: "+49 221 4710 115", hours: always, email: haus@example.org, public: false}]
private: {key_holder: Hausmeisterei, more: [1, {a: null}], code: {env: X}}
routers:
  eins-gw: {}
  eins.ap-1:
    addresses: [192.0.2.1, "2001:db8::1", "fe80::1%br-lan", ap.example.org]
    model: TP-Link
    room: Flur
    behind: eins-gw
    node_id: 02caffee0001
    ports: {ssh: 22, snmp: 161, respondd: 1001, http: 80, ping: 7}
    legacy_ssh: true
    private: {note: x}
"""
    + indent(LEVEL, "    ")
    + LEVEL,
    File.PLAYBOOK: """\
name: Probe
about: Everything that a playbook may hold.
where: role=access-point
vars: {ssid: frei, psk: {env: PSK}, psk2: {file: a}, psk3: {command: pass a}}
uci:
  wireless:
    - section: {type: wifi-device, each: true}
      set: {channel: 11, disabled: false, country: "{{ c }}", list: [a, 1, true]}
      unset: [log]
    - section: {type: wifi-iface, name: guest}
      absent: true
    - section: {type: zone, match: {name: wan}}
      set: {input: REJECT}
    - section: {type: wifi-iface, per: wifi-device, name: "guest_{{ section }}"}
      set: {device: "{{ section }}"}
files:
  - {path: /etc/banner, content: "", mode: "0644"}
  - {path: /etc/motd.old, absent: true}
authorized_keys:
  only:
    - "{{ admins }}"
    - restrict ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB a
services: {enabled: [snmpd], disabled: [uhttpd], restart_when_changed: [snmpd]}
packages: {present: [snmpd], absent: [luci-app-x]}
command: [{about: one, unless: test -e /etc/x, run: "touch /etc/x", within: 90s}]
routeros:
  - {menu: /ip dns, set: {servers: [192.0.2.53, 1, true], allow-remote-requests: false, cache-size: 2048, x.y: ""}}
  - {menu: ip/firewall/filter, match: {comment: guests, disabled: false, x: 1}, absent: true}
checks: [{ssid: frei}, {interface: guest}, {default-route: true}, {service: snmpd}, {ping: "fe80::1%br-lan"},
  {ping: "{{ gateway }}"}, {neighbours: 2}, {neighbours: "{{ few }}"}, {internet: guest}, {internet: true}]
interrupts: {wifi: 40s}
""",
    File.LOCAL: """\
endpoints: {eins-gw: {ssh: "127.0.0.1:40001", http: "[fe80::1%br-lan]:80", ping: "host:7"}}
ssh:
  default: {user: me, key: {file: /home/x/id}, passphrase: {command: pass ssh}}
  high: {key: {file: id}, passphrase: {env: PASSPHRASE}}
push: {confirm_within: 90s, settle: {connectivity: 25s, other: 3s}, login_gap: 5s, reboot_after: never,
  canary: 1, at_once: 50, stop_after: 0}
watch: {interval: 1m}
""",
    File.SCHOOL_HOLIDAYS: """\
until: 2027-07-18
holidays: {Herbst 2026: 2026-10-17..2026-10-31, Brückentag: 2027-05-18}
""",
}
"""A file of each kind that uses every key."""


def data(text: str) -> Any:
    return read(Path("file.yaml"), "file.yaml", text).data


def reads(model: type[Strict], document: Any) -> bool:
    """Whether the reader takes a document."""
    try:
        model.model_validate(document)
    except ValidationError:
        return False
    return True


def objects(schema: Any) -> Iterator[dict[str, Any]]:
    """Every part of a schema that says which keys an object may have."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield schema
        for item in schema.values():
            yield from objects(item)
    elif isinstance(schema, list):
        for item in schema:
            yield from objects(item)


# --- the schemas themselves ---


@pytest.mark.parametrize("name", File)
def test_is_a_json_schema(name: File) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMAS[name]["title"] == f"wifimgr: {name}"


@pytest.mark.parametrize("name", File)
def test_committed_schema_is_the_one_that_is_made(name: File) -> None:
    assert (TOP / FOLDER / f"{name}.json").read_text(encoding="utf-8") == schemas()[name], "run: wifimgr schema --write"


def test_nothing_else_is_committed() -> None:
    assert {path.name for path in (TOP / FOLDER).iterdir()} == {f"{name}.json" for name in File}


@pytest.mark.parametrize("name", File)
def test_every_key_tells_what_it_means(name: File) -> None:
    definitions = SCHEMAS[name].get("$defs", {})
    silent = [
        key
        for part in objects(SCHEMAS[name])
        for key, value in part["properties"].items()
        if isinstance(value, dict) and not (value.get("description") or value.get("const"))
        if "$ref" not in value or not definitions[value["$ref"].rpartition("/")[2]].get("description")
        if "if" not in part or key != "version"  # the condition of SNMP profiles
    ]
    assert silent == []


@pytest.mark.parametrize("name", File)
def test_no_object_takes_unknown_keys(name: File) -> None:
    loose = [part for part in objects(SCHEMAS[name]) if part.get("additionalProperties") is not False]
    conditions = [part for part in loose if set(part["properties"]) <= {"version", "community", "user"}]
    assert len(loose) == len(conditions)


@pytest.mark.parametrize("name", File)
def test_patterns_mean_the_same_in_editors(name: File) -> None:
    """Editors know the regular expressions of JavaScript."""
    patterns = re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', schemas()[name])
    assert patterns
    for pattern in map(json.loads, patterns):
        assert re.findall(r"\(\?P|\\[wWdDbBAZ]|\(\?[aimsux]|\\u[dD][89a-f]", pattern) == []


# --- what is right ---


EXAMPLES = [
    *((path, File.NETWORK) for path in TOP.glob("inventory/network.yaml")),
    *((path, File.SITE) for path in sorted(TOP.glob("inventory/sites/*.yaml"))),
    *((path, File.PLAYBOOK) for path in sorted(TOP.glob("playbooks/*.yaml"))),
]


@pytest.mark.parametrize(("path", "name"), EXAMPLES, ids=lambda value: getattr(value, "stem", str(value)))
def test_example_file_is_right_and_says_where_its_schema_is(path: Path, name: File) -> None:
    text = path.read_text(encoding="utf-8")
    assert [error.message for error in VALIDATORS[name].iter_errors(data(text))] == []
    line = re.fullmatch(r"# yaml-language-server: \$schema=(\S+)", text.splitlines()[0])
    assert line
    assert (path.parent / line[1]).resolve() == TOP / FOLDER / f"{name}.json"


def test_every_example_file_was_looked_at() -> None:
    assert len(EXAMPLES) == len([*TOP.glob("inventory/**/*.yaml"), *TOP.glob("playbooks/*.yaml")]) > 15


@pytest.mark.parametrize("name", File)
def test_file_with_every_key_is_right(name: File) -> None:
    document = data(FULL[name])
    assert reads(MODELS[name], document)
    assert [error.message for error in VALIDATORS[name].iter_errors(document)] == []


@pytest.mark.parametrize("name", File)
def test_file_with_every_key_has_every_key(name: File) -> None:
    keys = {key for part in objects(SCHEMAS[name]) for key in part["properties"]}
    used = {key for _, key in keys_of(data(FULL[name]))}
    assert keys - used == set()


def keys_of(document: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Every place in a document, as the way to its container and its key there."""
    items = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for key, value in items:
        yield at, key
        yield from keys_of(value, (*at, key))


def leaves(document: Any) -> Iterator[Any]:
    yield document
    for at, key in keys_of(document):
        yield inside(document, at)[key]


def inside(document: Any, way: tuple[Any, ...]) -> Any:
    for key in way:
        document = document[key]
    return document


# --- what the reader takes, the schema takes ---


ODD = yaml.safe_load("""\
- always
- wifi
- switched
- {switched: always}
- [[51, 6], [52, 6.5], [51.5, 7]]
- [90, 180]
- [-90.0, -180.0]
- 1e3
- -90
- 65536
- ""
- "a\\nb"
- " "
- 1.5km
- 007m
- "10.0.0.0/255.0.0.0"
- "::/0"
- "::ffff:192.0.2.1"
- "192.0.2.1:22"
- "fe80::1%a b"
- 2026-W01-1
- 0001-01-01..9999-12-31
- {env: A, file: b}
- {env: "A B"}
- {command: "'"}
- {command: "''"}
- {file: "\\t"}
- {file: ""}
- [null]
- {}
- []
- {key: plain, keys: plain, wifi_key: plain, key_holder: plain}
- {router_name: x}
- {ok: [[1]]}
- {each: false, name: a, type: b}
- {fstab: []}
""")
ODD += [str(day) for day in ("2026-02-30", "2026-10-17..2026-10-01")]
POOL = [value for text in FULL.values() for value in leaves(data(text))] + ODD
PATTERNS = sorted(
    {found for text in schemas().values() for found in re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', text)}
)
ANY = st.one_of(
    st.sampled_from(POOL),
    st.sampled_from(PATTERNS).flatmap(lambda pattern: st.from_regex(json.loads(pattern))),
    st.text("aA0:./%-_ {}\n\té🎈[]", max_size=12),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab_1", max_size=3), inner, max_size=3),
        max_leaves=4,
    ),
)
KEYS = sorted({key for text in FULL.values() for _, key in keys_of(data(text)) if isinstance(key, str)})


@st.composite
def spoilt(draw: st.DrawFn, document: str) -> Any:
    """A document with some things taken out, put in, exchanged or renamed."""
    made = data(document)
    for _ in range(draw(st.integers(1, 3))):
        way, key = draw(st.sampled_from([*keys_of(made)] or [((), "name")]))
        container = inside(made, way)
        what = draw(st.sampled_from(["out", "in", "exchange", "exchange", "exchange", "rename"]))
        if what == "exchange" or isinstance(container, list):
            container[key] = deepcopy(draw(ANY))
        elif what == "in":
            container[draw(st.sampled_from(KEYS))] = deepcopy(draw(ANY))
        elif key in container:
            value = container.pop(key)
            if what == "rename":
                container[draw(st.sampled_from(KEYS) | st.text(max_size=5))] = value
    return made


@pytest.mark.parametrize("name", File)
def test_schema_takes_what_the_reader_takes(name: File) -> None:
    taken = []

    @settings(max_examples=300)
    @given(spoilt(FULL[name]))
    def check(document: Any) -> None:
        if reads(MODELS[name], document):
            taken.append(document)
            assert [error.message for error in VALIDATORS[name].iter_errors(document)] == []

    check()
    assert taken


TYPES = {
    f"{module.__name__.rpartition('.')[2]}.{name}": value
    for module in (
        values,
        area,
        site_values,
        playbook,
        uci_values,
        file_values,
        menu_values,
        key_values,
        command_values,
        package_values,
        service_values,
    )
    for name, value in vars(module).items()
    if not name.startswith("_") and hasattr(value, "__metadata__")
}


def test_types_were_found() -> None:
    assert len(TYPES) > 25
    assert all(get_args(value) and isinstance(value, type(Annotated[int, 1])) for value in TYPES.values())


@pytest.mark.parametrize("name", TYPES)
def test_schema_of_a_type_takes_what_the_reader_takes(name: str) -> None:
    model = create_model("Probe", __base__=Strict, value=(TYPES[name], ...))
    model.__doc__ = "A probe."
    schema = json_schema(model, "probe")
    validator, taken = Draft202012Validator(schema), []

    def judge(value: Any) -> None:
        if reads(model, {"value": value}):
            taken.append(value)
            assert [error.message for error in validator.iter_errors({"value": value})] == []

    for value in POOL:
        judge(value)
    assert taken
    settings(max_examples=150)(given(ANY | fitting(schema))(judge))()


def fitting(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Text of the pattern that the schema of a type has."""
    pattern = schema["properties"]["value"].get("pattern")
    return st.from_regex(pattern) if pattern else st.sampled_from(POOL)


# --- what people get wrong ---


MISTAKES = {
    "typo in a key": (File.SITE, "  eins-gw: {}", "  eins-gw: {adresses: [192.0.2.1]}"),
    "typo in a key of the file": (File.NETWORK, "country: DE", "contry: DE"),
    "unknown kind": (File.SITE, "kind: youth-center", "kind: youth-centre"),
    "unknown role": (File.SITE, "  eins-gw: {}", "  eins-gw: {role: accesspoint}"),
    "unknown word of an operator": (File.NETWORK, "manage: push", "manage: yes"),
    "unknown source": (File.SITE, "sources: [snmp,", "sources: [snpm,"),
    "unknown algorithm": (File.NETWORK, "sha256", "sha3"),
    "unknown service": (File.LOCAL, 'ssh: "127', 'shh: "127'),
    "unknown check": (File.PLAYBOOK, "{interface: guest}", "{interfaces: guest}"),
    "a name is missing": (File.SITE, "name: Haus\n", ""),
    "number for text": (File.SITE, "district: Mitte", "district: 47"),
    "text for a number": (File.SITE, "{ssh: 22,", "{ssh: '22',"),
    "text for a list": (File.SITE, "prefixes: [192.0.2.0/24]", "prefixes: 192.0.2.0/24"),
    "text for true": (File.SITE, "public: true", "public: yes"),
    "null": (File.SITE, "room: Flur", "room: null"),
    "empty text": (File.SITE, "room: Flur", "room: ''"),
    "two lines": (File.SITE, "address: Beispielweg 1", 'address: "Beispielweg 1\\n47051 Duisburg"'),
    "duration without a unit": (File.LOCAL, "{interval: 1m}", "{interval: 60}"),
    "duration in words": (File.LOCAL, "{interval: 1m}", "{interval: 5 minutes}"),
    "endpoint without a port": (File.LOCAL, '"host:7"', "host"),
    "address with a port": (File.SITE, "[192.0.2.1,", "['192.0.2.1:22',"),
    "address with a range": (File.SITE, "[192.0.2.1,", "[192.0.2.1/24,"),
    "range without a length": (File.SITE, "[192.0.2.0/24]", "[192.0.2.0]"),
    "port out of bounds": (File.SITE, "{ssh: 22,", "{ssh: 70000,"),
    "position as text": (File.SITE, "[51.5, 7]", '"51.5, 7"'),
    "position out of bounds": (File.SITE, "[51.5, 7]", "[510.5, 7]"),
    "position of three numbers": (File.SITE, "[51.5, 7]", "[51.5, 7, 9]"),
    "area of two corners": (File.NETWORK, "{center: [51.43, 6.76], radius: 15.5km}", "[[51, 6], [52, 7]]"),
    "radius without a unit": (File.NETWORK, "radius: 15.5km", "radius: 15"),
    "date of a country": (File.SCHOOL_HOLIDAYS, "until: 2027-07-18", "until: 18.07.2027"),
    "stretch of days with one dot": (File.SCHOOL_HOLIDAYS, "17..2026", "17.2026"),
    "kind of power": (File.SITE, '{switched: "Mo-Su 06:00-24:00"}', "sometimes"),
    "name of a router": (File.SITE, "  eins-gw: {}", "  Eins_GW: {}"),
    "name of a variable": (File.SITE, "  channel: 11", "  Channel: 11"),
    "variable of ours": (File.SITE, "  channel: 11", "  router_name: 11"),
    "variable that is a mapping": (File.SITE, "  channel: 11", "  channel: {a: 11}"),
    "plain secret": (File.SITE, "wifi_password: {env: WIFI_PASSWORD}", "wifi_password: hunter2"),
    "plain key": (File.SITE, "  channel: 11", "  wifi_key: abc"),
    "two places of a secret": (File.NETWORK, "{env: C}", "{env: C, file: d}"),
    "unknown place of a secret": (File.NETWORK, "{env: C}", "{vault: C}"),
    "secret in plain text": (File.NETWORK, "{env: C}", "public"),
    "name of an environment variable": (File.NETWORK, "{env: C}", "{env: $C}"),
    "community with v3": (File.NETWORK, "{version: v3, user: m,", "{version: v3, user: m, community: {env: C},"),
    "v3 without a user": (File.NETWORK, "{version: v3, user: m,", "{version: v3,"),
    "v2c without a community": (File.NETWORK, ", community: {env: C}", ""),
    "priv without auth": (File.NETWORK, " auth: {sha256: {env: A}},", ""),
    "key as text": (File.NETWORK, "key: {file: ~/.ssh/id}", "key: ~/.ssh/id"),
    "https": (File.NETWORK, "http://www", "https://www"),
    "country in words": (File.NETWORK, "country: DE", "country: Germany"),
    "package that is refused": (File.PLAYBOOK, "  wireless:", "  fstab:"),
    "name of an option": (File.PLAYBOOK, "{input: REJECT}", "{in-put: REJECT}"),
    "empty value of an option": (File.PLAYBOOK, "{input: REJECT}", "{input: ''}"),
    "mode as a number": (File.PLAYBOOK, 'mode: "0644"', "mode: 420"),
    "relative path": (File.PLAYBOOK, "path: /etc/banner", "path: etc/banner"),
    "path of the system": (File.PLAYBOOK, "path: /etc/banner", "path: /bin/sh"),
    "what nobody notices": (File.PLAYBOOK, "{wifi: 40s}", "{wfii: 40s}"),
    "two checks in one": (File.PLAYBOOK, "[{ssid: frei}, {interface: guest},", "[{ssid: frei, interface: guest},"),
    "default route to somewhere": (File.PLAYBOOK, "{default-route: true}", "{default-route: wan}"),
    "ping of a command": (File.PLAYBOOK, '{ping: "fe80::1%br-lan"}', "{ping: $(reboot)}"),
    "service with a path": (File.PLAYBOOK, "{service: snmpd}", "{service: /etc/init.d/snmpd}"),
    "no neighbours": (File.PLAYBOOK, "{neighbours: 2}", "{neighbours: 0}"),
    "internet of nobody": (File.PLAYBOOK, "{internet: guest}", "{internet: everybody}"),
    "no internet": (File.PLAYBOOK, "{internet: true}", "{internet: false}"),
}


@pytest.mark.parametrize("case", MISTAKES)
def test_both_refuse(case: str) -> None:
    name, right, wrong = MISTAKES[case]
    assert FULL[name].count(right) >= 1
    document = data(FULL[name].replace(right, wrong, 1))
    assert not reads(MODELS[name], document)
    assert not VALIDATORS[name].is_valid(document)


def test_editors_say_what_is_wrong_in_the_words_of_the_reader() -> None:
    document = data(FULL[File.LOCAL].replace("1m", "soon"))
    [interval] = VALIDATORS[File.LOCAL].iter_errors(document)
    assert interval.schema["patternErrorMessage"] == (
        "is not a duration; write a number and its unit, like 60s, 5m or 1h"
    )
