"""Inventories of Ansible: what we read of them is what Ansible itself makes of them."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.networks import write
from wifimgr.errors import ConfigError, Problem, collecting
from wifimgr.inventory import load
from wifimgr.inventory.exporters.ansible import export
from wifimgr.inventory.importers.ansible import read
from wifimgr.inventory.importers.ansible_files import MOST_HOSTS
from wifimgr.inventory.importers.base import Found, Note, Options, Source

DATA = Path(__file__).parents[2] / "data" / "import"
PATIENCE = 60.0
"""Seconds that Ansible may take on a busy machine."""

Files = Mapping[str, str | bytes]


def entries(files: Files) -> list[Found | Note]:
    """What an import tells about these files."""
    raw = {name: text.encode() if isinstance(text, str) else text for name, text in files.items()}
    return list(read(Source("net", raw), Options()))


def hosts(files: Files) -> dict[str, Found]:
    return {found.name: found for found in entries(files) if isinstance(found, Found)}


def notes(files: Files) -> list[tuple[str, str, str]]:
    return [(note.where, note.kind, note.what) for note in entries(files) if isinstance(note, Note)]


def folder(path: Path) -> dict[str, bytes]:
    return {each.relative_to(path).as_posix(): each.read_bytes() for each in path.rglob("*") if each.is_file()}


def refused(files: Files) -> str:
    with pytest.raises(ConfigError) as caught:
        entries(files)
    assert caught.value.id == "bad-import"
    return caught.value.line()


# --- Ansible as the judge ---

JUDGE = """
import json, sys
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.vars.manager import VariableManager
for line in sys.stdin:
    loader = DataLoader()
    inventory = InventoryManager(loader=loader, sources=[json.loads(line)])
    variables = VariableManager(loader=loader, inventory=inventory)
    print(json.dumps({
        host.name: {
            "groups": [group.name for group in host.get_groups()],
            "vars": variables.get_vars(host=host, include_hostvars=False, stage="all"),
        }
        for host in inventory.get_hosts()
    }, default=lambda value: value.isoformat() if hasattr(value, "isoformat") else "?"), flush=True)
"""
"""Ansible for many inventories: to start it takes a hundred times as long as to ask it."""


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return kept | {"HOME": str(home), "ANSIBLE_LOCALHOST_WARNING": "0", "LC_ALL": "C.UTF-8"}


class Judge:
    """A running Ansible."""

    def __init__(self, home: Path) -> None:
        line = [sys.executable, "-W", "ignore", "-c", JUDGE]
        self._complaints = (home / "complaints").open("w+")
        self._process = subprocess.Popen(
            line,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            text=True,
            env=environment(home),
        )

    def hosts(self, path: Path) -> dict[str, dict[str, Any]]:
        """Name to groups and variables."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(str(path)) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        self._complaints.seek(0)
        complaints = self._complaints.read()
        assert answer, complaints
        assert "Failed to parse" not in complaints, complaints
        found = json.loads(answer)
        assert isinstance(found, dict)
        return found

    def close(self) -> None:
        self._process.communicate(timeout=PATIENCE)
        self._complaints.close()


@pytest.fixture(scope="module")
def judge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judge]:
    judge = Judge(tmp_path_factory.mktemp("home"))
    yield judge
    judge.close()


def ours(path: Path) -> dict[str, Found]:
    return hosts(folder(path) if path.is_dir() else {path.name: path.read_bytes()})


def agree(judge: Judge, path: Path) -> None:
    """Hosts, groups, addresses and every variable that we took are as Ansible has them."""
    theirs = judge.hosts(path)
    found = ours(path)
    assert set(found) == theirs.keys() - {"localhost"}
    for name, router in found.items():
        values = theirs[name]["vars"]
        told = values.get("ansible_host", values.get("ansible_ssh_host", name))
        assert router.addresses == (() if "{{" in told else (told,))
        assert router.vars == {key: values[key] for key in router.vars}
        assert not [key for key in PLAIN if key not in router.vars and values.get(key) is not None]
        assert set(router.tags) == {
            group for group in theirs[name]["groups"] if group not in NO_TAGS and not group.startswith(SAYING)
        }


PLAIN = ("a", "b", "channel", "one", "two")
"""Variables of the inventories below that always fit."""
NO_TAGS = ("all", "ungrouped", "süd-ost")
SAYING = ("site_", "role_")


@pytest.fixture(params=["ansible", "ansible.ini"])
def example(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """One of our examples, without what nobody can decrypt."""
    source, copy = DATA / request.param, tmp_path / request.param
    if source.is_dir():
        shutil.copytree(source, copy, ignore=shutil.ignore_patterns("vault.yml"))
    else:
        shutil.copy(source, copy)
    return copy


def test_ansible_reads_the_same_in_our_examples(judge: Judge, example: Path) -> None:
    agree(judge, example)


def test_ansible_inventory_lists_the_same_hosts_and_addresses(example: Path) -> None:
    line = [sys.executable, "-m", "ansible", "inventory", "-i", str(example), "--list"]
    done = subprocess.run(
        line, capture_output=True, text=True, env=environment(example.parent), cwd=example.parent, timeout=PATIENCE
    )
    assert done.returncode == 0, done.stderr
    listed = json.loads(done.stdout)
    grouped = {host for group in listed.values() for host in group.get("hosts", ())}
    told = {host: values.get("ansible_host", host) for host, values in listed["_meta"]["hostvars"].items()}
    found = ours(example)
    assert set(found) == grouped - {"localhost"}
    assert {name: router.addresses for name, router in found.items()} == {
        name: () if "{{" in told.get(name, "") else (told.get(name, name),) for name in found
    }


INVENTORIES: Mapping[str, Files] = {
    "the inner group wins, then the later name": {
        "hosts": """
            [a]
            x
            [b]
            x
            [top:children]
            a
            [top:vars]
            one=top
            two=top
            [a:vars]
            one=a
            two=a
            [b:vars]
            two=b
            """,
    },
    "a priority beats the order of names": {
        "hosts": "[a]\nx\n[b]\nx\n[a:vars]\nansible_group_priority=10\none=a\n[b:vars]\none=b\n",
    },
    "the longest way down decides how deep a group is": {
        "hosts.yml": """
            all:
              children:
                long: {children: {middle: {children: {deep: {hosts: {x: }, vars: {one: deep}}}}}}
                short: {children: {deep: }}
                top: {children: {zzz: {hosts: {x: }, vars: {one: zzz}}}}
            """,
    },
    "files beat the inventory, hosts beat groups": {
        "hosts": "[all:vars]\na=1\nb=1\nc=1\nd=1\ne=1\n[g]\nx c=2 d=2\n[g:vars]\nb=3\ne=3\n",
        "group_vars/all.yml": "b: 4\nc: 4\n",
        "group_vars/g.yaml": "e: 5\nd: 5\n",
        "host_vars/x": "d: 6\n",
        "group_vars/nobody.yml": "a: 7\n",
    },
    "a folder of variables is read in the order of its names, and wins over a file": {
        "hosts": "x\n",
        "host_vars/x/10-first.yml": "a: 1\nb: 1\n",
        "host_vars/x/20-second": "b: 2\n",
        "host_vars/x/.30-hidden.yml": "c: 3\n",
        "host_vars/x/40-old.yml~": "d: 4\n",
        "host_vars/x/50.txt": "b: 5\n",
        "host_vars/x.yml": "a: 6\n",
    },
    "several inventories in one folder": {
        "01-first.ini": "[g]\nx a=1\n",
        "02-second.yml": "g: {hosts: {y: {a: 2}, x: {b: 3}}}\n",
        "deeper/third": "z ansible_host=192.0.2.9\n",
        "notes.md": "no inventory\n",
        "old.bak": "gone\n",
    },
    "ranges": {
        "hosts": "a[1:3] b[01:10:4]-[a:c] c[:2]\n[g]\nd[x:Z:11]\ne[098:101].example\nf[5:5]x\n".replace(" ", "\n"),
    },
    "ports and addresses as names": {
        "hosts": "ap:2222\n192.0.2.1:22\n[2001:db8::1]:22\n2001:db8::2\nap.example.org:22 ansible_host=192.0.2.2\n",
    },
    "quotes and literals of INI": {
        "hosts": """
            x a="b c" d='"e f"' g="'0815'" h=0815 i=15 j=True k=true l="[1, 2]" m= n=a=b o="#no comment" # comment
            y "p=q r" s=1_000 t=0x1f u=1.5 v=None
            [all:vars]
            aa = b c
            bb = "d e"
            cc = # no comment
            dd=#neither
            ee = 'x' ; nor this
            """,
    },
    "YAML of the old kind": {
        "hosts.yml": """
            all:
              vars: {a: no, b: 0o17, c: 017, d: 12:30, e: 2026-10-17, f: ~, g: 1e3, h: "no", i: 1_000}
              hosts: x
            """,
    },
    "anchors and merge keys": {
        "hosts.yaml": """
            g:
              hosts:
                x: &x {a: 1, b: 2}
                y: {<<: *x, b: 3}
                z: {b: 4, <<: [{c: 5}, *x]}
              children: {h: &h {hosts: {v: }}, i: *h}
            """,
    },
    "JSON": {"hosts.json": json.dumps({"all": {"hosts": {"x": {"a": 1}}, "children": {"g": {"hosts": {"x": None}}}}})},
    "a host at the top and in a group": {
        "hosts.yml": "all: {hosts: {x: }}\ng: {hosts: {x: {a: 1}}}\nungrouped: {hosts: {x: , y: }, vars: {b: 2}}\n"
    },
    "the old name of the address": {"hosts": "x ansible_ssh_host=192.0.2.1\n"},
}


def dedented(text: str) -> str:
    lines = text.split("\n")
    depth = min((len(line) - len(line.lstrip()) for line in lines if line.strip()), default=0)
    return "\n".join(line[depth:] for line in lines)


def written(path: Path, files: Files) -> Path:
    for name, text in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedented(str(text)), encoding="utf-8")
    return path


@pytest.mark.parametrize("case", INVENTORIES)
def test_ansible_reads_the_same(judge: Judge, tmp_path: Path, case: str) -> None:
    agree(judge, written(tmp_path / "net", INVENTORIES[case]))


GROUPS = ("g0", "g1", "g2", "g3", "g4")
PATTERNS = ("ap-1", "gw.example.org", "192.0.2.7", "2001:db8::7", "ap[08:11]", "s[w:y]", "n[1:9:4]x[0:1]", "all-in-one")
LITERALS = ("1", "yes", "True", "'1'", "a b", '"a b"', "[1, 'b']", "0644", "a=b", "#x", "1.5", "-0", "", "ä")
VALUES: st.SearchStrategy[Any] = (
    st.sampled_from(LITERALS) | st.integers() | st.booleans() | st.lists(st.sampled_from(LITERALS), max_size=2)
)
NAMES = ("a", "b", "channel", "ansible_host", "ansible_group_priority")


@st.composite
def sets_of_vars(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> dict[str, Any]:
    found = draw(st.dictionaries(st.sampled_from(NAMES), values, max_size=3))
    if "ansible_host" in found:
        found["ansible_host"] = draw(st.sampled_from(["192.0.2.1", "2001:db8::1", "far.example.org"]))
    if "ansible_group_priority" in found:
        found["ansible_group_priority"] = draw(st.integers(0, 3))
    return found


@st.composite
def trees(draw: st.DrawFn, values: st.SearchStrategy[Any]) -> dict[str, Any]:
    """Groups with hosts, variables, and children that stand behind them, so that there is no circle."""
    tree: dict[str, Any] = {}
    for index, name in enumerate((*GROUPS, "all", "ungrouped")):
        children = draw(st.lists(st.sampled_from(GROUPS[index + 1 :]), unique=True)) if GROUPS[index + 1 :] else []
        tree[name] = {
            "hosts": draw(st.dictionaries(st.sampled_from(PATTERNS), sets_of_vars(values), max_size=4)),
            "vars": draw(sets_of_vars(values)),
            "children": children,
        }
    tree["ungrouped"]["hosts"]["last"] = {}
    return tree


def as_yaml(tree: Mapping[str, Any]) -> str:
    groups = {name: {**group, "children": dict.fromkeys(group["children"])} for name, group in tree.items()}
    text = yaml.safe_dump({"all": groups["all"], **groups}, sort_keys=False, allow_unicode=True)
    assert isinstance(text, str)
    return text


def as_ini(tree: Mapping[str, Any]) -> str:
    lines = []
    for name, group in tree.items():
        lines.append(f"[{name}]  # hosts")
        for pattern, own in group["hosts"].items():
            lines.append(" ".join([pattern, *(shlex.quote(f"{key}={value}") for key, value in own.items())]))
        lines += [f"[{name}:children]", *(f"  {child} # too" for child in group["children"])]
        lines += [f"[{name}:vars]", *(f"{key} = {value}" for key, value in group["vars"].items()), ""]
    return "\n".join(lines)


@settings(max_examples=40)
@given(trees(VALUES))
def test_ansible_reads_the_same_in_any_yaml(
    judge: Judge, tmp_path_factory: pytest.TempPathFactory, tree: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("yaml") / "hosts.yml"
    path.write_text(as_yaml(tree), encoding="utf-8")
    agree(judge, path)


@settings(max_examples=40)
@given(trees(st.sampled_from(LITERALS)))
def test_ansible_reads_the_same_in_any_ini(
    judge: Judge, tmp_path_factory: pytest.TempPathFactory, tree: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("ini") / "hosts"
    path.write_text(as_ini(tree), encoding="utf-8")
    agree(judge, path)


@settings(max_examples=40)
@given(
    tree=trees(VALUES),
    group_vars=st.dictionaries(st.sampled_from([*GROUPS, "all"]), sets_of_vars(VALUES)),
    host_vars=st.dictionaries(st.sampled_from(["ap-1", "192.0.2.7", "ap09", "sx", "nobody"]), sets_of_vars(VALUES)),
)
def test_ansible_reads_the_same_in_any_folder(
    judge: Judge, tmp_path_factory: pytest.TempPathFactory, tree: dict[str, Any], group_vars: Any, host_vars: Any
) -> None:
    files = {"hosts.yaml": as_yaml(tree)}
    files |= {f"group_vars/{name}.yml": yaml.safe_dump(values) for name, values in group_vars.items()}
    files |= {f"host_vars/{name}": yaml.safe_dump(values) for name, values in host_vars.items()}
    path = tmp_path_factory.mktemp("folder") / "net"
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(text, encoding="utf-8")
    agree(judge, path)


# --- what Ansible does not judge ---


def test_a_folder_tells_its_routers_in_our_words() -> None:
    found = hosts(folder(DATA / "ansible"))
    assert list(found) == [
        "spare-1",
        "jz-meiderich-gw",
        "jz-meiderich-ap01",
        "jz-meiderich-ap02",
        "jz-meiderich-ap03",
        "bib-ap.freifunk.example",
    ]
    assert found["jz-meiderich-gw"] == Found(
        where="hosts.jz-meiderich-gw",
        name="jz-meiderich-gw",
        addresses=("192.0.2.1",),
        platform="routeros",
        site="jz_meiderich",
        tags=("gateways", "meiderich"),
        vars={"country": "DE", "channel": 1, "dns": ["192.0.2.53", "2001:db8::53"], "mtu": 1420},
        contact="buero@jz-meiderich.example",
    )
    assert [found["bib-ap.freifunk.example"].role, found["bib-ap.freifunk.example"].site] == [
        "access-point",
        "bib_meiderich",
    ]


def test_a_folder_tells_once_what_is_not_taken() -> None:
    assert sorted(notes(folder(DATA / "ansible"))) == [
        ("group_vars/all/vault.yml", "skipped", "is encrypted"),
        ("groups.süd-ost", "changed", "becomes no tag: it is not a plain word"),
        ("hosts.jz-meiderich-ap01", "changed", "gets no address: it is a template, which is not evaluated"),
        ("hosts.localhost", "skipped", "is the machine that Ansible runs on"),
        ("vars.ansible_user", "changed", "is not taken at 6 hosts, like spare-1: it is a setting of Ansible"),
        (
            "vars.ssid",
            "changed",
            "is not taken at 4 hosts, like jz-meiderich-gw: it is a template, which is not evaluated",
        ),
        ("vars.txPower", "changed", "is not taken at jz-meiderich-ap01: it is not a name for a variable"),
        (
            "vars.uplink",
            "changed",
            "is not taken at 6 hosts, like spare-1: it is not text, a number, true, false or a list of those",
        ),
        (
            "vars.wifi_password",
            "changed",
            "is not taken at jz-meiderich-gw: it has a tag, as what is encrypted has",
        ),
        ("vars.wireguard_key", "changed", "is not taken at jz-meiderich-gw: it looks like a secret"),
    ]


def test_a_line_that_cannot_be_understood_is_left_out_and_told() -> None:
    files = folder_of("ansible-broken.ini")
    assert list(hosts(files)) == ["ap-1"]
    assert notes(files) == [
        ("line 3", "skipped", "is no name of a section: nothing below it is read"),
        ("line 6", "skipped", "is a section of an unknown kind: nothing below it is read"),
        ("line 10", "skipped", "a range [ has no end"),
        ("line 11", "skipped", "holds a range whose ends are not equally long"),
        ("line 12", "skipped", f"stands for more than {MOST_HOSTS} hosts"),
        ("line 13", "skipped", "holds a word that is not key=value"),
        ("line 14", "skipped", "a quote or an escape has no end"),
    ]


def folder_of(name: str) -> dict[str, bytes]:
    return {name: (DATA / name).read_bytes()}


NEEDS = "needs a name that is text, and hosts, children or vars below it"
NOTES: Mapping[str, tuple[Files, list[tuple[str, str, str]]]] = {
    "hosts that are no mapping": (
        {"h.yml": "a: {hosts: [x, y]}\nb: {hosts: {z: }}\n"},
        [("groups.a.hosts", "skipped", "is not hosts, children or vars with names below it")],
    ),
    "a key that groups do not have": (
        {"h.yml": "a: {hosts: {x: }, host: {y: }}\n"},
        [("groups.a.host", "skipped", "is not hosts, children or vars with names below it")],
    ),
    "a group that is no mapping, or called by a number": (
        {"h.yml": "a: {hosts: {x: }}\nb: text\n7: {hosts: {y: }}\n"},
        [
            (f"groups.{name}", "skipped", f"is no group: it {NEEDS}") for name in ("b", "7")
        ],
    ),
    "a host called by a number, and one without variables": (
        {"h.yml": "a: {hosts: {x: , 7: , y: [1]}}\n"},
        [
            ("hosts.7", "skipped", "is not the name of a host"),
            ("hosts.y", "skipped", "its variables are no mapping"),
        ],
    ),
    "a name that is no address": (
        {"h": "x\nund_so\n\"Büro 2\" a=1\nc ansible_host=7\n"},
        [
            ("hosts.Büro 2", "changed", "gets no address: what it has is none"),
            ("hosts.c", "changed", "gets no address: what it has is none"),
        ],
    ),
    "groups that contradict each other": (
        {"h": "[role_ap]\nx\n[role_gateway]\nx\n[roles_odd]\nx\n[site_a]\nx\n[site_a:children]\nsite_b\n[site_b]\nx"},
        [("hosts.x", "changed", "gets no role: its groups say access-point and gateway")],
    ),
    "variables that are set by us, or have no value or no name": (
        {"h.yml": "a: {hosts: {x: {site_name: y, b: , 7: z, c: {env: HOME}, d: [1, {file: /etc/passwd}]}}}\n"},
        [
            ("vars.site_name", "changed", "is not taken at x: it is set by wifimgr itself"),
            ("vars.b", "changed", "is not taken at x: it has no value"),
            ("vars.7", "changed", "is not taken at x: its name is no text"),
            ("vars.c", "changed", "is not taken at x: it is not text, a number, true, false or a list of those"),
            ("vars.d", "changed", "is not taken at x: it is not text, a number, true, false or a list of those"),
        ],
    ),
    "files of a folder that are no inventory": (
        {
            "hosts": "x\n",
            "play.yml": "- hosts: all\n",
            "defaults/main.yml": "a: 1\n",
            "cut.yml": "a: {hosts: {y: }\n",
            "dynamic.yml": "plugin: netbox.netbox.nb_inventory\n",
            "list.json": '{"_meta": {"hostvars": {}}}',
            "script": "#!/bin/sh\necho {}\n",
            "group_vars/all.yml": "- 1\n",
            "host_vars/x.yml": "a: [}",
            "old/group_vars/all.yml": "a: 1\n",
        },
        [
            ("cut.yml:2", "skipped", "is not YAML: did not find expected ',' or '}'"),
            ("defaults/main.yml", "skipped", "is no inventory: no group of it has hosts, children or vars"),
            ("dynamic.yml", "skipped", "is made for a plugin or by one"),
            ("list.json", "skipped", "is made for a plugin or by one"),
            ("old/group_vars/all.yml", "skipped", "is not beside the inventory: import the folder that it is in"),
            ("play.yml", "skipped", "is no inventory: no group of it has hosts, children or vars"),
            ("script", "skipped", "is a program and is not started"),
            ("group_vars/all.yml", "skipped", "holds no variables"),
            ("host_vars/x.yml:1", "skipped", "is not YAML: did not find expected node content"),
        ],
    ),
    "the machine that Ansible runs on": (
        {"h": "localhost\nhere ansible_connection=local\nx\n"},
        [(f"hosts.{name}", "skipped", "is the machine that Ansible runs on") for name in ("localhost", "here")],
    ),
    "the start of a file in another language": (
        {"h.ini": "---\nx\nport:\n"},
        [(f"line {line}", "skipped", "is not the name of a host") for line in (1, 3)],
    ),
    "ports and users": (
        {"h": "x:2222\ny ansible_port=2222 ansible_user=root\n"},
        [
            ("vars.ansible_port", "changed", "is not taken at 2 hosts, like x: it is a setting of Ansible"),
            ("vars.ansible_user", "changed", "is not taken at y: it is a setting of Ansible"),
        ],
    ),
    "a comment as Windows writes it": (
        {"h.ini": "# Gerät\nx\n".encode("cp1252")},
        [("h.ini", "changed", "is not UTF-8: read as Windows-1252")],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", NOTES)
def test_what_does_not_fit_is_told_and_the_rest_is_taken(case: str) -> None:
    files, told = NOTES[case]
    assert notes(files) == told
    assert "x" in hosts(files) or "z" in hosts(files)


REFUSED: Mapping[str, tuple[Files, str]] = {
    "nothing": ({"h.yml": ""}, "h.yml: is no inventory: no group of it has hosts, children or vars [bad-import]"),
    "no hosts": (
        {"h": "[a]\n[b:children]\na\n"},
        "net: holds no hosts; give a file or a folder that Ansible reads [bad-import]",
    ),
    "another format": (
        {"h.json": '{"nodes": [], "links": []}'},
        "h.json: is no inventory: no group of it has hosts, children or vars [bad-import]",
    ),
    "a web page": (
        {"-": "<!DOCTYPE html>\n<p class=x>'tis nothing</p>\n"},
        "net: holds no hosts: line 1: holds a word that is not key=value; "
        "give a file or a folder that Ansible reads [bad-import]",
    ),
    "bytes": ({"h": b"x\0y"}, "h: is not text [bad-import]"),
    "an inventory for a plugin": (
        {"h.yml": "plugin: constructed\n"},
        "h.yml: is made for a plugin or by one; import what 'ansible-inventory --list --yaml' prints [bad-import]",
    ),
    "an encrypted file": ({"h": "$ANSIBLE_VAULT;1.1;AES256\n3661\n"}, "h: is encrypted [bad-import]"),
    "a circle": (
        {"h": "x\n[a:children]\nb\n[b:children]\na\n"},
        "net: its groups hold each other in a circle: a, b, a [bad-import]",
    ),
    "groups as deep as a well": (
        {"h": "x\n" + "".join(f"[g{index}:children]\ng{index + 1}\n" for index in range(50))},
        "net: its groups are nested deeper than 40 levels [bad-import]",
    ),
    "more hosts than memory holds": (
        {"h": "a[1:40000]\nb[1:40000]\n"},
        f"net: names more than {MOST_HOSTS} hosts [bad-import]",
    ),
    "ranges in ranges": (
        {"h": "x[a:z][a:z][a:z][a:z][a:z][a:z]"},
        f"net: holds no hosts: line 1: stands for more than {MOST_HOSTS} hosts; "
        "give a file or a folder that Ansible reads [bad-import]",
    ),
    "a bomb of aliases": (
        {"h.yml": "a0: &a0 [x]\n" + "".join(f"a{n + 1}: &a{n + 1} [*a{n}, *a{n}, *a{n}]\n" for n in range(20))},
        "h.yml: holds more than 500000 values [bad-import]",
    ),
    "brackets": ({"h.yml": "a: " + "[" * 100_000}, "h.yml:1: is nested deeper than 40 levels [bad-import]"),
    "a folder without an inventory": (
        {"a.yml": "- 1\n", "b.md": "text"},
        "net: holds no hosts: a.yml: is no inventory: no group of it has hosts, children or vars; "
        "give a file or a folder that Ansible reads [bad-import]",
    ),
    "an empty folder": ({}, "net: holds no hosts; give a file or a folder that Ansible reads [bad-import]"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_inventory_is_refused(case: str) -> None:
    files, line = REFUSED[case]
    assert refused(files) == line


def test_brackets_in_a_value_of_ini_are_text() -> None:
    deep = "[" * 4000
    assert hosts({"h": f"x a='{deep}' b=-{'-' * 90_000}1\n"})["x"].vars["a"] == deep


@given(
    name=st.sampled_from(["wifi_password", "snmp_community", "psk", "vault_x", "deploy_token"]), where=st.integers(0, 5)
)
def test_a_secret_goes_nowhere(name: str, where: int) -> None:
    secret = "V3ry-S3cr3t"
    places: list[Files] = [
        {"h": f"x {name}={secret}\n"},
        {"h": f"x\n[all:vars]\n{name} = {secret}\n"},
        {"h.yml": f"a: {{hosts: {{x: {{{name}: [{secret}]}}}}}}\n"},
        {"h.yml": f"a: {{hosts: {{x: {{{name}: {{deep: {secret}}}}}}}}}\n"},
        {"h": "x\n", "group_vars/all.yml": f"{name}: {secret}\nother: !vault |\n  {secret}\n"},
        {"h": f"x {name} {secret}\ny\nz a='{secret}\n[{secret}\n"},
    ]
    assert secret not in repr(entries(places[where]))
    assert secret not in "".join(str(found.contact) + str(dict(found.vars)) for found in hosts(places[where]).values())


def test_contacts_go_nowhere_but_to_contact() -> None:
    told = entries(
        {"h.yml": "a: {hosts: {x: {contact_name: Büro 7, owner: {mail: b@example.org}, e_mail: [c@example.org]}}}\n"}
    )
    assert [found.contact for found in told if isinstance(found, Found)] == ["Büro 7, b@example.org, c@example.org"]
    assert "Büro 7" not in repr(told)
    assert "example.org" not in repr(told)


def test_our_own_export_comes_back(tmp_path: Path) -> None:
    folder = write(tmp_path)
    text = export(load(folder), list(load(folder).routers.values()))
    found = hosts({"h.yml": text})
    assert {name: (router.addresses, router.site, router.role, router.platform) for name, router in found.items()} == {
        "eins-gw": (("192.0.2.1",), "eins", "gateway", "openwrt"),
        "eins-ap": (("192.0.2.2",), "eins", "access-point", "openwrt"),
    }
    assert found["eins-ap"].vars == {"ssid": "frei", "country": "DE"}


# --- whatever somebody calls an inventory ---

SPACES = ["\n", "\n  ", "\n    ", "\n      ", " ", ": "]
PARTS = ["all:", "children:", "hosts:", "vars:", "[g]", "[g:vars]", "[g:children]", "x", "y:", "{}", "[", "]", "a=1"]
PARTS += ["ansible_host=192.0.2.1", "<<:", "*a", "&a", "!vault", "|", "-", "'{{", "z", "}}'", '"', "#", ";", "[1:3]"]
ANYTHING = st.text() | st.lists(st.sampled_from(SPACES) | st.sampled_from(PARTS)).map("".join)
KEYS = st.sampled_from(["all", "hosts", "children", "vars", "x", "ap[1:2]", "ansible_host"])
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=25,
)


def told_or_refused(files: Files) -> None:
    """Nothing but entries, or one error that people can read; and no host is told of twice."""
    problems: list[Problem] = []
    told: list[Found | Note] = []
    with collecting(problems):
        told = entries(files)
    assert all(problem.id == "bad-import" and "\n" not in problem.line() for problem in problems)
    assert bool(problems) != any(isinstance(found, Found) or "hosts." in found.where for found in told)
    names = [found.name for found in told if isinstance(found, Found)]
    assert len(names) == len(set(names))
    assert all(note.where and note.what for note in told if isinstance(note, Note))


@given(st.sampled_from(["h", "h.yml", "h.ini", "-"]), st.binary() | ANYTHING)
def test_any_file_is_told_or_refused(name: str, content: bytes | str) -> None:
    told_or_refused({name: content})


@given(TREES)
def test_any_yaml_is_told_or_refused(tree: Any) -> None:
    told_or_refused({"h.yml": yaml.safe_dump({"all": tree, "g": tree})})


@given(st.dictionaries(st.sampled_from(["h", "a.yml", "group_vars/all", "host_vars/x.yml", "g/host_vars/x"]), ANYTHING))
def test_any_folder_is_told_or_refused(files: dict[str, str]) -> None:
    told_or_refused({"hosts": "x\n", **files})
