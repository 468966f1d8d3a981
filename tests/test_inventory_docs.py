"""docs/inventory.md describes every key that the files of a network may hold, and its examples are right."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from tests.networks import NETWORK, write
from wifimgr.cli.schema import FOLDER, File
from wifimgr.hours import Calendar, Hours
from wifimgr.inventory import load, schema
from wifimgr.inventory.schema import Kind, RouterEntry
from wifimgr.inventory.select import KEYS, Selector
from wifimgr.settings import files, load_network
from wifimgr.settings.values import LifecycleName, Platform, Role, Source
from wifimgr.yamlfile import Strict

TEXT = (Path(__file__).parent.parent / "docs" / "inventory.md").read_text(encoding="utf-8")
MODELS: list[type[Strict]] = [
    value
    for module in (files, schema)
    for value in vars(module).values()
    if isinstance(value, type) and issubclass(value, Strict) and value is not Strict
]
"""Everything that a file of the inventory may hold."""
ROWS: dict[type[Strict], tuple[str, str]] = {
    files.Contact: ("A site", "contact"),
    files.Contacts: ("network.yaml", "contact"),
    files.Holidays: ("network.yaml", "holidays"),
    files.Operator: ("network.yaml", "operators"),
    files.Uplink: ("network.yaml", "uplinks"),
    files.DnsProfile: ("network.yaml", "dns_profiles"),
    files.Profiles: ("network.yaml", "profiles"),
    files.PushEntry: ("network.yaml", "push"),
    files.Settle: ("network.yaml", "push"),
    files.InternetEntry: ("network.yaml", "internet"),
    files.OurKey: ("network.yaml", "ssh"),
    files.SshEntry: ("network.yaml", "ssh"),
    files.SnmpEntry: ("network.yaml", "snmp"),
    files.LocalSsh: ("This machine only", "ssh"),
    files.WatchEntry: ("This machine only", "watch"),
    schema.SiteUplink: ("A site", "uplink"),
    schema.Wifi: ("A site", "wifi"),
    schema.Page: ("A site", "page"),
    schema.Ports: ("A router", "ports"),
}
"""What stands inside of a key, and where that key is described: section and row."""
TABLES: dict[type[Strict], str] = {
    files.NetworkFile: "network.yaml",
    files.LocalFile: "This machine only",
    files.Level: "Three levels",
    schema.SiteFile: "A site",
    schema.RouterEntry: "A router",
}
"""What has a table of its own."""


def sections() -> dict[str, str]:
    """The text below each heading."""
    parts = re.split(r"^## (.+)$", TEXT, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def keys_of_tables(text: str) -> set[str]:
    """What stands in the first column."""
    cells = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
    return {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}


def is_described(word: str, text: str = TEXT) -> bool:
    """Whether a word stands in a text as code, also as a part of some (``priv: {…}``)."""
    return any(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", code) for code in re.findall(r"`[^`\n]+`", text))


def row(section: str, key: str) -> str:
    """What stands in the row of a key, after its first cell."""
    [found] = re.findall(rf"^\| `{key}` \| (.+) \|$", sections()[section], re.MULTILINE)
    return str(found)


def test_every_model_has_its_place() -> None:
    assert set(MODELS) == {*ROWS, *TABLES, files.SchoolFile}


@pytest.mark.parametrize("model", ROWS, ids=lambda model: model.__name__)
def test_every_key_is_described_in_its_row(model: type[Strict]) -> None:
    assert [key for key in model.model_fields if not is_described(key, row(*ROWS[model]))] == []


def test_keys_of_school_holidays_are_described() -> None:
    [example] = re.findall(r"(?s)# inventory/school-holidays.yaml\n(.*?)```", TEXT)
    assert yaml.safe_load(example).keys() == files.SchoolFile.model_fields.keys()
    assert is_described("until", sections()["Hours"])


@pytest.mark.parametrize(
    "words",
    [Kind, Platform, Role, Source, LifecycleName, files.Auth, files.Priv],
    ids=["kind", "platform", "role", "source", "lifecycle", "auth", "priv"],
)
def test_every_known_word_is_described(words: object) -> None:
    assert get_args(words)
    assert [word for word in get_args(words) if not is_described(word)] == []


@pytest.mark.parametrize("model", TABLES, ids=lambda model: model.__name__)
def test_tables_hold_the_keys_of_their_file_and_no_other(model: type[Strict]) -> None:
    shared = files.Level.model_fields.keys() if issubclass(model, files.Level) and model is not files.Level else set()
    profiles = files.Profiles.model_fields.keys() if model is files.NetworkFile else set()
    assert keys_of_tables(sections()[TABLES[model]]) == model.model_fields.keys() - shared | profiles


def test_first_lines_for_editors_are_right() -> None:
    """From where a file lies, its first line leads to the schema that it needs."""
    lines = re.findall(r"^\| `(\S+)` \| `# yaml-language-server: \$schema=(\S+)` \|", TEXT, re.MULTILINE)
    found = {file: posixpath.normpath(posixpath.join(posixpath.dirname(file), target)) for file, target in lines}
    kinds = ("network", "site", "school-holidays", "playbook", "local")
    assert list(found.values()) == [f"{FOLDER}/{kind}.json" for kind in kinds]
    assert set(kinds) == set(File)


def test_smallest_site_is_right(tmp_path: Path) -> None:
    [example] = re.findall(r"```yaml\n(name: .*?)```", TEXT, re.DOTALL)
    [router] = load(write(tmp_path, meiderich=example)).routers.values()
    assert (router.name, router.site, router.platform) == ("jz-meiderich-gw", "meiderich", "openwrt")


def test_every_key_of_a_selector_is_described() -> None:
    text = sections()["Selectors"]
    assert [key for key in KEYS if f"`{key}`" not in text] == []


def test_selectors_in_the_text_can_be_read() -> None:
    terms = re.findall(r"^\| `([^`]+)` \|", sections()["Selectors"], re.MULTILINE)
    used = re.findall(r"-s (?:'([^']+)'|(\S+))", "\n".join(re.findall(r"^wifimgr .+$", TEXT, re.MULTILINE)))
    assert len(terms) >= 5
    assert len(used) >= 3
    for text in [*terms, *(quoted or plain for quoted, plain in used)]:
        Selector.parse(text)


def test_router_example_is_right() -> None:
    [example] = re.findall(r"```yaml\n(routers:.*?)```", sections()["A router"], re.DOTALL)
    entries = yaml.safe_load(example)["routers"]
    assert [RouterEntry.model_validate(entry).model for entry in entries.values()] == [
        "GL.iNet GL-MT1300",
        "TP-Link EAP225 v3",
    ]


def test_every_way_to_check_before_a_commit_is_yaml_and_runs_the_command() -> None:
    text = sections()["Before every commit"]
    blocks = re.findall(r"```yaml\n# (\S+)\n(.*?)```", text, re.DOTALL)
    assert [name for name, _ in blocks] == [".pre-commit-config.yaml", ".gitlab-ci.yml", ".github/workflows/check.yml"]
    for _, block in blocks:
        assert "wifimgr check" in block
        assert yaml.safe_load(block)


def test_secrets_example_is_right() -> None:
    [example] = re.findall(r"```yaml\n(vars:.*?)```", sections()["Secrets"], re.DOTALL)
    read = files.Level.model_validate(yaml.safe_load(example))
    assert {name: ref.kind for name, ref in read.vars.items()} == {
        "snmp_community": "file",
        "wifi_password": "env",
        "api_token": "command",
    }


def test_hours_in_the_text_can_be_read() -> None:
    texts = re.findall(r"^\| `\"(.+)\"` \|", sections()["Hours"], re.MULTILINE)
    assert len(texts) == 5
    for text in [*texts, "always", "24/7", "Sa unknown", 'Sa "by appointment"']:
        assert Hours.parse(text, Calendar("DE", "NW", school=()))


def test_school_holidays_example_is_right(tmp_path: Path) -> None:
    network, school = re.findall(r"```yaml\n(.*?)```", sections()["Hours"], re.DOTALL)
    folder = write(tmp_path, NETWORK + network)
    (folder / "inventory" / "school-holidays.yaml").write_text(school, encoding="utf-8")
    calendar = load_network(folder).calendar
    assert (calendar.country, calendar.region, len(calendar.school or ())) == ("DE", "NW", 4)
