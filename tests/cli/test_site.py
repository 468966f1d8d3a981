"""The command site explain, run as the program runs it."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.networks import write
from tests.views.places import HOUSE, NETWORK
from wifimgr.cli import run
from wifimgr.inventory import load
from wifimgr.model import Internet, Measured, Reading
from wifimgr.settings import make_state_dir
from wifimgr.store import Store

Out = pytest.CaptureFixture[str]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    hidden = (
        HOUSE.replace("haus-", "lager-").replace("192.0.2.", "198.51.100.").replace("public: true", "public: false")
    )
    always = HOUSE.replace('"Mo-Fr 14:00-21:00; Sa 15:00-22:00; PH off"', '"24/7"')
    write(tmp_path, NETWORK, haus=always, lager=hidden)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def answered(folder: Path) -> None:
    """Every router has just been asked and is well."""
    measured = Measured(wifi=True, clients=7, internet=Internet(works=True, asked_from="guest"))
    names = load(folder).routers
    now = datetime.now(UTC)
    with closing(Store(make_state_dir(folder))) as store:
        store.record(Reading(router=name, source="snmp", at=now, took=0.1, measured=measured) for name in names)


def test_explain_says_what_the_page_says(folder: Path, capsys: Out) -> None:
    answered(folder)
    assert run(["site", "explain", "haus"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.startswith("Haus\nDas WLAN läuft.\n")
    assert "Gäste\nGerade sind 20 bis 49 Gäste im WLAN.\n" in out


def test_explain_speaks_the_other_languages_of_the_page(folder: Path, capsys: Out) -> None:
    answered(folder)
    assert run(["site", "explain", "haus", "--lang", "en"]) == 0
    assert capsys.readouterr().out.startswith("Haus\nThe Wi-Fi is working.\n")


@pytest.mark.usefixtures("folder")
def test_explain_does_not_know_what_nobody_asked_about(capsys: Out) -> None:
    assert run(["site", "explain", "haus"]) == 0
    assert "Ob das WLAN läuft, wissen wir gerade nicht.\nNoch nie geprüft.\n" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["hause"], "error: there is no site 'hause'; did you mean haus? [unknown-name]"),
        (["haus", "--lang", "tr"], "error: the status page has no language 'tr'; known here: de, en [unknown-name]"),
        (
            ["lager"],
            "error: inventory/sites/lager.yaml:1: the status page does not show this site: it is not public; "
            "the page shows those with public: true and lifecycle active or maintenance [unknown-name]",
        ),
    ],
)
def test_explain_says_why_there_is_nothing_to_say(words: list[str], message: str, capsys: Out) -> None:
    assert run(["site", "explain", *words]) == 2
    assert capsys.readouterr() == ("", f"{message}\n")
