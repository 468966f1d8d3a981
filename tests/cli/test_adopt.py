"""The command router adopt against simulated routers: what it finds, asks and writes, and when it writes nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.terminal import talk
from tests.networks import NETWORK, write
from wifimgr.cli import run
from wifimgr.inventory import load
from wifimgr.lab import Lab, SimulatedRouter, make_key
from wifimgr.model import Router
from wifimgr.settings import make_state_dir
from wifimgr.settings.values import DEFAULT_PORTS

Out = pytest.CaptureFixture[str]
LOCAL = "127.0.0.1"
COMMUNITY = "sesam öffne dich"

THERE = """\
name: Dort
kind: library
sources: [ubus, snmp, respondd, ping]
routers:
  new-ap: {addresses: [192.168.8.9], sources: [ubus, ping]}
  node: {addresses: [192.168.8.10], platform: gluon, node_id: 02005e0000c1}
  hof-gw: {addresses: [203.0.113.7]}
"""
YARD = """\
name: "Hof: \\"hinten\\""
kind: square
routers:
  # the way in
  hof-gw: {addresses: [203.0.113.7], role: gateway}
"""
RANGE = "name: Haus\nkind: library\nprefixes: [127.0.0.0/8]\nrouters: {}\n"


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Devices that no inventory of a test knows, and one that is the way to them."""
    folder = write(tmp_path_factory.mktemp("there"), NETWORK, dort=THERE)
    (folder / "secrets").mkdir()
    (folder / "secrets/community").write_text(COMMUNITY, encoding="utf-8")
    inventory = load(folder)

    def profile(router: Router):  # type: ignore[no-untyped-def]
        return inventory.network.snmp_profile(router)

    with Lab(make_state_dir(folder) / "lab", inventory.routers.values(), ["snmp", "respondd", "ping"], profile) as lab:
        yield lab


@pytest.fixture
def lab(running: Lab) -> Iterator[Lab]:
    yield running
    for router in running.routers.values():
        router.silent.clear()
        router.link.powered, router.forwards = True, True


class Here:
    """The network folder that shall take a device in."""

    def __init__(self, folder: Path, lab: Lab) -> None:
        self.folder, self.lab = folder, lab

    @property
    def files(self) -> dict[str, str]:
        """All that is in the inventory's files."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_text(encoding="utf-8")
            for path in sorted((self.folder / "inventory").rglob("*"))
            if path.is_file()
        }

    def router(self, name: str) -> Router:
        return load(self.folder).routers[name]

    def port(self, name: str) -> str:
        return str(self.lab.routers[name].port)


@pytest.fixture
def here(lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Here:
    """Services other than SSH are looked for where those of ``node`` are."""
    node = lab.routers["node"]
    network = NETWORK.replace("keys/id", str(lab.key_file)).replace("1161", str(node.ports["snmp"]))
    local = f"endpoints: {{hof-gw: {{ssh: '127.0.0.1:{lab.routers['hof-gw'].port}'}}}}\n"
    write(tmp_path, network, local, hof=YARD, haus=RANGE)
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets/community").write_text(COMMUNITY, encoding="utf-8")
    gate = lab.routers["hof-gw"].host_key
    (tmp_path / "inventory/known_hosts").write_text(f"# ours\nhof-gw {gate.get_name()} {gate.get_base64()}\n")
    monkeypatch.setattr("wifimgr.adopt.LOOK_SECONDS", 4.0)
    for service in ("respondd", "ping"):
        monkeypatch.setitem(DEFAULT_PORTS, service, node.ports[service])  # type: ignore[arg-type]
    monkeypatch.chdir(tmp_path)
    return Here(tmp_path, lab)


@pytest.fixture
def logins(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The devices that let somebody in, in that order."""
    names: list[str] = []
    for name, router in lab.routers.items():
        monkeypatch.setattr(router.link, "logged_in", lambda name=name: names.append(name))
    return names


def silence(*routers: SimulatedRouter) -> None:
    for router in routers:
        router.silent |= {"snmp", "respondd", "ping"}


def key_line(name: str, router: SimulatedRouter) -> str:
    return f"{name} {router.host_key.get_name()} {router.host_key.get_base64()}\n"


# --- what is taken in ---


def test_a_device_with_everything_is_taken_in_and_can_be_asked(here: Here, capsys: Out) -> None:
    before = here.files
    assert run(["router", "adopt", LOCAL, "--port", here.port("node"), "--site", "hof", "--yes"]) == 0
    out, err = capsys.readouterr()
    assert [line.split("\t")[0::2] for line in out.splitlines()] == [
        ["what", "from"],
        ["host key", "ssh"],
        ["server", "ssh"],
        *([what, "ubus"] for what in ("host name", "model", "board", "firmware")),
        *([what, "respondd"] for what in ("host name", "model", "firmware", "node_id")),
        *([what, "snmp"] for what in ("host name", "system", "profile")),
        ["round trip", "ping"],
    ]
    assert "node: written into inventory/sites/hof.yaml, its host key into inventory/known_hosts" in err
    assert here.files == before | {
        "inventory/sites/hof.yaml": YARD
        + "  node:\n    platform: gluon\n    model: Simulated router\n    addresses: [127.0.0.1]\n"
        + f"    ports: {{ssh: {here.port('node')}}}\n    sources: [ubus, respondd, snmp, ping]\n"
        + "    node_id: 02005e0000c1\n",
        "inventory/known_hosts": before["inventory/known_hosts"] + key_line("node", here.lab.routers["node"]),
    }
    assert here.router("node").operator == "city", "somebody can log in"
    assert run(["poll", "-s", "node", "-o", "json"]) == 0
    [row] = json.loads(capsys.readouterr().out)["routers"]
    assert row["sources"] == dict.fromkeys(("ubus", "respondd", "snmp", "ping"), "ok")


def test_no_secret_and_no_contact_is_told(here: Here, capsys: Out) -> None:
    assert run(["-v", "router", "adopt", LOCAL, "--port", here.port("node"), "--site", "hof", "--yes"]) == 0
    shown = "".join(capsys.readouterr()) + "".join(here.files.values())
    assert [word for word in (COMMUNITY, "somebody@", "PRIVATE KEY", "2001:db8::1") if word in shown] == []


def test_somebody_is_asked_about_the_key_before_anything_of_ours_is_sent(here: Here, logins: list[str]) -> None:
    before = here.files
    port = here.port("new-ap")
    code, shown = talk(["router", "adopt", LOCAL, "--port", port, "--site", "hof"], ("own host key? [y/N]: ", "n"))
    assert code == 1
    key = here.lab.routers["new-ap"].host_key
    assert f"ssh-ed25519 {key.fingerprint}" in shown.split("Is that")[0]
    assert "ubus" not in shown
    assert "snmp" not in shown
    assert shown.endswith("nothing was written\n")
    assert (here.files, logins) == (before, [])


def test_somebody_at_a_terminal_says_where_it_stands_and_what_it_is_called(here: Here) -> None:
    code, shown = talk(
        ["router", "adopt", "localhost", "--port", here.port("new-ap")],
        ("At which site does it stand?", "hoff"),
        ("there is no site 'hoff'; did you mean hof?; a new one: 'wifimgr site add hoff …'", "hof"),
        ("own host key?", "y"),
        ("What is it called?", "hof-gw"),
        ("'hof-gw' is there already", "Hof AP"),
        ("'Hof AP' is not a router name", "hof-ap"),
        ("hof.yaml? [Y/n]", ""),
    )
    assert code == 0
    assert 'hof: Hof: "hinten"' in shown
    assert here.router("hof-ap").addresses == ("localhost",)
    assert here.files["inventory/known_hosts"].endswith(key_line("hof-ap", here.lab.routers["new-ap"]))


def test_no_to_the_entry_writes_nothing(here: Here) -> None:
    before = here.files
    arguments = ["router", "adopt", LOCAL, "--port", here.port("new-ap"), "--name", "x", "--site", "haus"]
    assert talk(arguments, ("own host key?", "y"), ("haus.yaml? [Y/n]", "n"))[0] == 1
    assert here.files == before


def test_the_site_follows_from_the_address(here: Here) -> None:
    assert run(["router", "adopt", LOCAL, "--port", here.port("new-ap"), "--name", "haus-ap", "--yes"]) == 0
    assert here.router("haus-ap").site == "haus"


def test_names_that_devices_come_with_get_the_name_of_their_site(here: Here, lab: Lab) -> None:
    """The host name is OpenWrt."""
    silence(lab.routers["node"])
    assert run(["router", "adopt", LOCAL, "--port", here.port("new-ap"), "--site", "hof", "--yes"]) == 0
    assert here.router("hof-openwrt").sources == ("ubus",)


# --- less than everything ---


def test_a_device_that_refuses_our_login_is_watched_when_nobody_knows_what_it_is(
    here: Here, lab: Lab, capsys: Out
) -> None:
    lab.routers["node"].silent |= {"respondd"}
    Path("id").write_text(make_key()[1])
    network = here.folder / "inventory/network.yaml"
    network.write_text(network.read_text().replace(str(lab.key_file), "id"))
    assert run(["router", "adopt", LOCAL, "--port", here.port("new-ap"), "--site", "hof", "--yes"]) == 0
    out, err = capsys.readouterr()
    assert "no answer\tlogin as 'root' was refused (" in out
    assert "it is only watched, as a router of 'community': nobody could log in, and its platform is other" in err
    router = here.router("node")
    assert (router.operator, router.platform, router.sources) == ("community", "other", ("snmp", "ping"))
    assert "node ssh-ed25519 " in here.files["inventory/known_hosts"], "its key is known all the same"


def test_a_node_that_only_respondd_knows_is_watched(here: Here, capsys: Out) -> None:
    assert run(["router", "adopt", LOCAL, "--port", "1", "--site", "hof", "--yes"]) == 0
    err = capsys.readouterr().err
    assert "it is only watched, as a router of 'community': there is no SSH to log in, and its platform is gluon" in err
    router = here.router("node")
    assert (router.operator, router.platform, router.node_id) == ("community", "gluon", "02005e0000c1")
    assert "node" not in here.files["inventory/known_hosts"]


def test_an_operator_is_made_where_nobody_is_only_watched(here: Here, capsys: Out) -> None:
    network = here.folder / "inventory/network.yaml"
    network.write_text(network.read_text().replace("manage: watch", "manage: push"))
    assert run(["router", "adopt", LOCAL, "--port", "1", "--site", "hof", "--yes"]) == 0
    assert "'others' is new in inventory/network.yaml" in capsys.readouterr().err
    assert (here.router("node").operator, here.router("node").manage) == ("others", "watch")


@pytest.mark.parametrize("answer", [True, False])
def test_without_a_host_key_somebody_is_asked_before_snmp_gets_our_credentials(
    answer: bool, here: Here, lab: Lab, monkeypatch: pytest.MonkeyPatch, capsys: Out
) -> None:
    lab.routers["node"].silent |= {"respondd"}
    asked: list[str] = []

    def confirm(question: str, **_: object) -> bool:
        asked.append(question)
        return answer if len(asked) == 1 else True

    monkeypatch.setattr("typer.confirm", confirm)
    monkeypatch.setattr("wifimgr.cli.common.need_somebody", lambda *_: None)
    assert run(["router", "adopt", LOCAL, "--port", "1", "--site", "hof", "--name", "neu"]) == 0
    assert asked == [
        "It shows no host key, so nobody knows whose it is. Ask it over SNMP with our credentials?",
        "Write this into inventory/sites/hof.yaml?",
    ]
    assert "round trip" in capsys.readouterr().err
    assert here.router("neu").sources == (("snmp", "ping") if answer else ("ping",))


def test_nothing_answers(here: Here, lab: Lab, capsys: Out) -> None:
    before = here.files
    silence(lab.routers["node"])
    assert run(["router", "adopt", LOCAL, "--port", "1", "--site", "hof", "--yes"]) == 3
    err = capsys.readouterr().err
    assert "error: 127.0.0.1: nothing answers there (ssh: cannot be reached (Connection refused); respondd: " in err
    assert err.endswith("'wifimgr router add' [unreachable]\n")
    assert here.files == before


# --- through another router ---


def test_a_device_behind_another_router_is_asked_through_it_and_in_no_other_way(
    here: Here, lab: Lab, logins: list[str], capsys: Out
) -> None:
    """Its address may be that of somebody else where we are."""
    assert run(["router", "adopt", "192.168.8.9", "--jump", "hof-gw", "--name", "hof-ap", "--yes"]) == 0
    router = here.router("hof-ap")
    assert (router.site, router.jump, router.sources, router.node_id) == ("hof", "hof-gw", ("ubus",), "")
    assert logins == ["hof-gw", "hof-gw", "new-ap"]
    assert "respondd" not in capsys.readouterr().out
    assert run(["poll", "-s", "hof-ap"]) == 0


def test_a_way_that_is_not_trusted_is_refused(here: Here, capsys: Out) -> None:
    (here.folder / "inventory/known_hosts").write_text("")
    before = here.files
    assert run(["router", "adopt", "192.168.8.9", "--jump", "hof-gw", "--yes"]) == 4
    assert "the way through hof-gw (" in capsys.readouterr().err
    assert here.files == before


# --- who is there already ---


def test_a_router_that_is_in_the_inventory_is_told_by_address_key_and_node_id(here: Here, capsys: Out) -> None:
    port = here.port("node")
    assert run(["router", "adopt", LOCAL, "--port", port, "--site", "hof", "--name", "there", "--yes"]) == 0
    before = here.files
    capsys.readouterr()
    again = ["--port", port, "--site", "hof", "--yes"]
    assert run(["router", "adopt", LOCAL, *again]) == 2
    assert capsys.readouterr().err == (
        "error: inventory/sites/hof.yaml:6: there: is in the inventory already: it has the address 127.0.0.1; "
        "'wifimgr router show there' shows it [already-there]\n"
    )
    assert run(["router", "adopt", "localhost", *again]) == 2
    assert "it has this host key; if this is another device, give it a host key of its own first" in (
        capsys.readouterr().err
    )
    assert run(["router", "adopt", "localhost", "--port", "1", "--site", "hof", "--yes"]) == 2
    assert "it has the node_id 02005e0000c1; " in capsys.readouterr().err
    assert here.files == before


def test_the_address_of_a_retired_router_is_free_again(here: Here) -> None:
    assert run(["router", "adopt", LOCAL, "--port", here.port("node"), "--site", "hof", "--name", "old", "--yes"]) == 0
    assert run(["router", "retire", "old"]) == 0
    here.lab.routers["node"].silent |= {"respondd"}
    assert (
        run(["router", "adopt", LOCAL, "--port", here.port("new-ap"), "--site", "hof", "--name", "new", "--yes"]) == 0
    )
    assert here.router("new").addresses == here.router("old").addresses


# --- all or nothing ---


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--site", "hoff"], 2, "there is no site 'hoff'; did you mean hof? [unknown-name]"),
        (["--site", "hof", "--ssh", "hihg"], 2, "there is no SSH profile 'hihg'; did you mean high? [unknown-name]"),
        (["--site", "hof", "--jump", "hof"], 2, "there is no router 'hof'; did you mean hof-gw? [unknown-name]"),
        (["--site", "hof", "--name", "hof-gw"], 2, "hof-gw: is there already; take another name [already-there]"),
        (["--site", "hof", "--name", "Hof $(id)"], 2, "Hof $(id): is not a router name; "),
    ],
)
def test_what_cannot_be_written_is_told_before_anybody_is_asked(
    arguments: list[str], code: int, told: str, here: Here, capsys: Out, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = here.files
    monkeypatch.setattr("wifimgr.ssh.line.socket.create_connection", None)
    assert run(["router", "adopt", LOCAL, *arguments, "--yes"]) == code
    assert told in capsys.readouterr().err
    assert here.files == before


def test_a_way_that_does_not_exist_is_told_also_when_it_shall_say_the_site(here: Here, capsys: Out) -> None:
    assert run(["router", "adopt", LOCAL, "--jump", "hof-gv", "--yes"]) == 2
    assert capsys.readouterr().err == "error: there is no router 'hof-gv'; did you mean hof-gw? [unknown-name]\n"


def test_quiet_prints_only_data(here: Here, capsys: Out) -> None:
    assert run(["-q", "router", "adopt", LOCAL, "--port", here.port("new-ap"), "--yes"]) == 0
    out, err = capsys.readouterr()
    assert out.startswith("what\tvalue\tfrom\n")
    assert err == ""


def test_an_address_that_is_none(here: Here, capsys: Out) -> None:
    assert run(["router", "adopt", "192.0.2.1:22", "--site", "hof", "--yes"]) == 2
    assert capsys.readouterr().err == (
        "error: 192.0.2.1:22: is not an address; write an IPv4 or IPv6 address or a DNS name; the port goes to --port "
        "[wrong-type]\n"
    )


def test_without_a_terminal_everything_has_to_be_said(here: Here, capsys: Out) -> None:
    assert run(["router", "adopt", LOCAL, "--site", "hof"]) == 2
    assert "[need-terminal]" in capsys.readouterr().err
    assert run(["router", "adopt", "192.0.2.77", "--yes"]) == 2
    assert "somebody has to say at which site it stands; say --site SLUG [need-terminal]" in capsys.readouterr().err


def test_another_host_key_at_the_login_is_refused(here: Here, lab: Lab, capsys: Out) -> None:
    """Somebody sits down in between while the fingerprint is compared."""
    before = here.files
    router = lab.routers["new-ap"]
    own = router.host_key

    def change(*_: object) -> bool:
        router.change_host_key(make_key()[0])
        return True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wifimgr.cli.adopt._may_go_on", lambda wanted, device, yes: change())
        assert run(["router", "adopt", LOCAL, "--port", here.port("new-ap"), "--site", "hof", "--yes"]) == 4
    router.change_host_key(own)
    assert "HOST KEY CHANGED" in capsys.readouterr().err
    assert here.files == before


def test_a_file_that_cannot_be_edited_leaves_all_as_it_was(here: Here, capsys: Out) -> None:
    """The host key is not pinned either."""
    site = here.folder / "inventory/sites/haus.yaml"
    site.write_text("name: Haus\nkind: library\nrouters: &r {}\nprivate: {copy: *r}\n")
    before = here.files
    assert run(["router", "adopt", LOCAL, "--port", here.port("new-ap"), "--site", "haus", "--yes"]) == 2
    assert "[cannot-edit]" in capsys.readouterr().err
    assert here.files == before
