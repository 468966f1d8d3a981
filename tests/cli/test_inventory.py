"""The commands site list, router list and router show, run as the program runs them."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.networks import SITE, write
from wifimgr.cli import run
from wifimgr.cli.inventory import ROUTER_KEYS
from wifimgr.model import Router

Out = pytest.CaptureFixture[str]

OTHER = """\
name: Platz
kind: square
public: true
contact: [{name: Frau Geheim, phone: "0203 12345"}, {name: Pforte, hours: 24/7, public: true}]
private: {key_holder: Nachbarin}
routers:
  platz-1:
    addresses: [192.0.2.9, "2001:db8::9"]
    room: Mast "A" <b>
    tags: [outdoor, mesh]
    ports: {ssh: 2200}
    vars: {psk: {file: secrets/psk}}
"""


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("WIFIMGR_NETWORK", raising=False)
    write(tmp_path, eins=SITE, platz=OTHER)
    monkeypatch.chdir(tmp_path)
    return tmp_path


# --- lists ---


@pytest.mark.usefixtures("network")
def test_site_list(capsys: Out) -> None:
    assert run(["site", "list"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "slug\tname\tkind\tdistrict\tlifecycle\tpublic\trouters",
        "eins\tHaus Eins\tlibrary\tMeiderich\tactive\tfalse\t2",
        "platz\tPlatz\tsquare\t\tactive\ttrue\t1",
    ]


@pytest.mark.usefixtures("network")
def test_site_list_of_selected_routers(capsys: Out) -> None:
    assert run(["site", "list", "-s", "tag=mesh", "-o", "json"]) == 0
    assert [site["slug"] for site in json.loads(capsys.readouterr().out)["sites"]] == ["platz"]


@pytest.mark.usefixtures("network")
def test_router_list(capsys: Out) -> None:
    assert run(["router", "list", "-s", "eins-gw", "--select", "platz"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "name\tsite\tplatform\trole\toperator\tmanage\tlifecycle\taddresses",
        "eins-gw\teins\topenwrt\tgateway\tcity\tpush\tactive\t192.0.2.1",
        "platz-1\tplatz\topenwrt\taccess-point\tcity\tpush\tactive\t192.0.2.9,2001:db8::9",
    ]


@pytest.mark.usefixtures("network")
def test_a_selector_that_matches_nothing_is_an_error(capsys: Out) -> None:
    assert run(["router", "list", "-s", "plaz"]) == 2
    meant = "did you mean platz or platz-1? 'wifimgr router list' lists all"
    assert capsys.readouterr() == ("", f"error: plaz: matches no router; {meant} [nothing-selected]\n")


# --- router show ---


def test_router_show_knows_every_key_of_a_router() -> None:
    assert set(ROUTER_KEYS) == {field.name for field in fields(Router)} - {"vars", "origins"}


@pytest.mark.usefixtures("network")
def test_router_show_tells_every_value_and_its_line(capsys: Out) -> None:
    assert run(["router", "show", "platz-1"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "key\tvalue\torigin",
        "name\tplatz-1\tinventory/sites/platz.yaml:7",
        "site\tplatz\tinventory/sites/platz.yaml:7",
        "addresses\t192.0.2.9,2001:db8::9\tinventory/sites/platz.yaml:8",
        "platform\topenwrt\tinventory/network.yaml:16",
        "role\taccess-point\tinventory/network.yaml:17",
        "operator\tcity\tinventory/network.yaml:15",
        "manage\tpush\tinventory/network.yaml:3",
        "lifecycle\tactive\tbuilt in",
        'room\tMast "A" <b>\tinventory/sites/platz.yaml:9',
        "tags\toutdoor,mesh\tinventory/sites/platz.yaml:10",
        "ssh\tdefault\tbuilt in",
        "snmp\tmonitor\tinventory/network.yaml:18",
        "interval\t60\tbuilt in",
        "ports\tssh=2200\tinventory/sites/platz.yaml:11",
        "vars.country\tDE\tinventory/network.yaml:19",
        "vars.psk\t***\tinventory/sites/platz.yaml:12",
        "vars.router_name\tplatz-1\tinventory/sites/platz.yaml:7",
        "vars.site_name\tPlatz\tinventory/sites/platz.yaml:1",
        "vars.ssid\tfrei\tinventory/network.yaml:19",
    ]


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("form", ["table", "tsv", "json", "yaml"])
@pytest.mark.parametrize("command", [["router", "show", "platz-1"], ["router", "list"], ["site", "list"], ["check"]])
def test_what_is_private_is_never_shown(capsys: Out, command: list[str], form: str) -> None:
    run([*command, "-o", form])
    out = "".join(capsys.readouterr())
    assert not [word for word in ("Nachbarin", "Geheim", "12345", "secrets/psk") if word in out]


@pytest.mark.usefixtures("network")
def test_an_unknown_router_is_told_with_the_closest_name(capsys: Out) -> None:
    assert run(["router", "show", "platz1"]) == 2
    assert capsys.readouterr().err == "error: there is no router 'platz1'; did you mean platz-1? [unknown-name]\n"


# --- the options that every command has ---


@pytest.mark.parametrize("place", ["before", "after", "environment"])
def test_the_network_may_be_named_in_three_places(
    network: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out, place: str
) -> None:
    monkeypatch.chdir("/")
    option = ["--network", str(network)]
    if place == "environment":
        monkeypatch.setenv("WIFIMGR_NETWORK", str(network))
    before, after = option if place == "before" else [], option if place == "after" else []
    assert run([*before, "check", *after]) == 0
    assert capsys.readouterr().out == "2 sites, 3 routers, 0 playbooks: no errors\n"


def test_without_a_network_there_is_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    monkeypatch.delenv("WIFIMGR_NETWORK", raising=False)
    monkeypatch.chdir(tmp_path)
    assert run(["check"]) == 2
    assert capsys.readouterr().err == (
        f"error: no inventory/network.yaml in {tmp_path} or above it; name the folder with --network DIR, "
        "make one with `wifimgr init DIR`, or try `wifimgr demo` [no-network]\n"
    )


@pytest.mark.parametrize("args", [["-v", "check"], ["check", "-v"]])
def test_verbose_tells_more_on_stderr(network: Path, capsys: Out, args: list[str]) -> None:
    run(args)
    assert capsys.readouterr().err == f"network folder: {network}\n"


@pytest.mark.usefixtures("network")
def test_quiet_keeps_the_data(capsys: Out) -> None:
    assert run(["-v", "check", "-q"]) == 0
    assert capsys.readouterr() == ("2 sites, 3 routers, 0 playbooks: no errors\n", "")


# --- secrets ---

PLACES = {
    "variable": "vars: {{wifi_password: {0}}}",
    "variable with a typo in its reference": "vars: {{x: {{evn: {0}}}}}",
    "environment variable that is none": "vars: {{x: {{env: {0}}}}}",
    "unknown key": "password: {0}",
    "private": "private: {{pin_secret: {0}}}",
    "private in a list": "private: {{psks: [{0}]}}",
    "wrong type": "public: {0}",
    "number": "position: [{0}, 1]",
    "list": "tags: {0}",
    "mapping": "uplink: {0}",
}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    place=st.sampled_from(sorted(PLACES)),
    secret=st.text("ghjkqwxz0123456789-!$%&/()?# ", min_size=12, max_size=20).filter(lambda text: text.strip() == text),
    command=st.sampled_from([["check"], ["router", "list"], ["router", "show", "eins-gw"], ["check", "-o", "json"]]),
)
def test_a_secret_in_the_wrong_place_is_never_echoed(
    network: Path, capsys: Out, place: str, secret: str, command: list[str]
) -> None:
    line = PLACES[place].format(json.dumps(secret))
    (network / "inventory/sites/eins.yaml").write_text(f"{line}\n{SITE}")
    assert run(command) == 2
    assert secret not in "".join(capsys.readouterr())


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    secret=st.text("ghjkqwxz0123456789-!$%&/()?# ", min_size=12, max_size=20).filter(str.strip),
    command=st.sampled_from(["router show platz-1", "router list", "site list"]),
    form=st.sampled_from(["table", "tsv", "json", "yaml"]),
)
def test_a_secret_in_its_file_is_never_shown(network: Path, capsys: Out, secret: str, command: str, form: str) -> None:
    (network / "secrets").mkdir(exist_ok=True)
    (network / "secrets/psk").write_text(secret)
    assert run([*command.split(), "-o", form]) == 0
    assert secret not in "".join(capsys.readouterr())
