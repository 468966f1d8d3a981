"""docs/inventory.md describes every key that the files of a network may hold, and its examples are right."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest
import yaml

from tests.networks import NETWORK, write
from wifimgr.hours import Calendar, Hours
from wifimgr.inventory.schema import Kind, Page, Ports, RouterEntry, SiteFile, SiteUplink, Wifi
from wifimgr.inventory.select import KEYS, Selector
from wifimgr.settings import files, load_network
from wifimgr.settings.values import LifecycleName, Platform, Role, Source
from wifimgr.yamlfile import Strict

TEXT = (Path(__file__).parent.parent / "docs" / "inventory.md").read_text(encoding="utf-8")
MODELS: list[type[Strict]] = [
    files.NetworkFile,
    files.Level,
    files.Contact,
    files.Holidays,
    files.SchoolFile,
    files.Operator,
    files.Uplink,
    files.SshEntry,
    files.SnmpEntry,
    files.PushEntry,
    files.Settle,
    files.LocalFile,
    files.LocalSsh,
    SiteFile,
    SiteUplink,
    Wifi,
    Page,
    RouterEntry,
    Ports,
]


def sections() -> dict[str, str]:
    """The text below each heading."""
    parts = re.split(r"^## (.+)$", TEXT, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def keys_of_tables(text: str) -> set[str]:
    """What stands in the first column."""
    cells = re.findall(r"^\| (`[^|]*) \|", text, re.MULTILINE)
    return {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}


def is_described(word: str) -> bool:
    """Whether a word stands in the text as code, also as a part of some (``priv: {…}``)."""
    return any(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", code) for code in re.findall(r"`[^`\n]+`", TEXT))


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_every_key_is_described(model: type[Strict]) -> None:
    assert [key for key in model.model_fields if not is_described(key)] == []


@pytest.mark.parametrize(
    "words",
    [Kind, Platform, Role, Source, LifecycleName, files.Auth, files.Priv],
    ids=["kind", "platform", "role", "source", "lifecycle", "auth", "priv"],
)
def test_every_known_word_is_described(words: object) -> None:
    assert get_args(words)
    assert [word for word in get_args(words) if not is_described(word)] == []


@pytest.mark.parametrize(
    ("heading", "model"),
    [("A site", SiteFile), ("A router", RouterEntry), ("Three levels", files.Level)],
)
def test_tables_hold_the_keys_of_their_file_and_no_other(heading: str, model: type[Strict]) -> None:
    shared = set() if model is files.Level else files.Level.model_fields.keys()
    assert keys_of_tables(sections()[heading]) == model.model_fields.keys() - shared


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


def test_secrets_example_is_right() -> None:
    [example] = re.findall(r"```yaml\n(vars:.*?)```", sections()["Secrets"], re.DOTALL)
    read = files.Level.model_validate(yaml.safe_load(example))
    assert {name: ref.kind for name, ref in read.vars.items()} == {
        "snmp_community": "file",
        "wifi_password": "env",
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
