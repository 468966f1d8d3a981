"""SNMP against net-snmp: its agent answers our source, and its tools ask the agents of the lab."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import find_program, require_real
from tests.networks import NETWORK, write
from tests.sources import snmp_wire as wire
from tests.sources.snmp_house import AUTH, COMMUNITY, PRIV, Asker, house
from wifimgr.inventory import load
from wifimgr.lab import Lab, SimulatedRouter
from wifimgr.model import Failure, Measured
from wifimgr.platforms.edits import FileEdit
from wifimgr.push import playbook
from wifimgr.settings import Secret

require_real("snmpd", "snmpget", "snmpbulkwalk")

TOP = Path(__file__).parents[2]
SHORT = 1.0
"""Seconds for polls that are meant to end without an answer."""
LONG = 30.0
"""Seconds for polls that are meant to get one."""
PATIENCE = 30.0
CONFIGURATION = f"""\
agentaddress udp:127.0.0.1:PORT
rocommunity "{COMMUNITY}" 127.0.0.1
createUser guest
createUser monitor SHA-256 "{AUTH}" AES "{PRIV}"
createUser strong SHA-512 "{AUTH}" AES-256 "{PRIV}"
createUser old MD5 "{AUTH}" DES "{PRIV}"
rouser guest noauth
rouser monitor auth
rouser strong priv
rouser old priv
extend slow /bin/sleep 2
"""
UP_TIME = wire.dotted("1.3.6.1.2.1.1.3.0")
HOST, IF, IFX = "1.3.6.1.2.1.25.1", "1.3.6.1.2.1.2.2.1", "1.3.6.1.2.1.31.1.1.1"
MEMORY = "1.3.6.1.4.1.2021.4"
TOOLS = {**os.environ, "SNMP_PERSISTENT_DIR": os.devnull}
"""So that the tools of net-snmp leave nothing on this machine."""
V2C = ["-v2c", "-c", COMMUNITY]
V3 = ["-v3", "-l", "authPriv", "-u", "monitor", "-a", "SHA-256", "-A", AUTH, "-x", "AES", "-X", PRIV]


class Snmpd:
    """net-snmp's agent with a configuration of its own, on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
            line.bind(("127.0.0.1", 0))
            self.port: int = line.getsockname()[1]
        self.configuration = CONFIGURATION.replace("PORT", str(self.port))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it and waits until it answers."""
        path = self.folder / "snmpd.conf"
        path.write_text(self.configuration, encoding="ascii")
        program = find_program("snmpd")
        assert program
        options = ["-f", "-Lf", str(self.folder / "log"), "-p", str(self.folder / "pid")]
        places = {"SNMPCONFPATH": str(self.folder), "SNMP_PERSISTENT_DIR": str(self.folder / "persistent")}
        environment = {**os.environ, **places, "MIBS": ""}
        self.process = subprocess.Popen([program, *options], env=environment, stdin=subprocess.DEVNULL)
        end = time.monotonic() + PATIENCE
        while not self.answers():
            assert self.process.poll() is None, (self.folder / "log").read_text()
            assert time.monotonic() < end, "it never answered"

    def answers(self) -> bool:
        """Whether it answers right now."""
        try:
            return wire.ask(self.port, wire.GET, [UP_TIME], community=COMMUNITY.encode(), seconds=0.2) is not None
        except ConnectionRefusedError:
            time.sleep(0.05)
            return False

    def send(self, what: signal.Signals) -> None:
        """Sends a signal."""
        assert self.process
        self.process.send_signal(what)

    def stop(self) -> None:
        """Ends it."""
        if self.process:
            self.process.kill()
            self.process.wait()

    def forget(self) -> None:
        """As after a reboot of OpenWrt, where its memory lies in RAM: engine id and boots are gone."""
        self.stop()
        shutil.rmtree(self.folder / "persistent")


@pytest.fixture
def snmpd(tmp_path: Path) -> Iterator[Snmpd]:
    """An agent that ends with the test."""
    agent = Snmpd(tmp_path / "snmpd")
    try:
        agent.start()
        yield agent
    finally:
        agent.stop()


Ask = Callable[..., Asker]


@pytest.fixture
def ask(tmp_path: Path, snmpd: Snmpd) -> Iterator[Ask]:
    """Makes somebody who asks the agent, with a profile and other secrets than the right ones."""
    made: list[Asker] = []

    def make(profile: str, **secrets: str) -> Asker:
        house(tmp_path / "net", profile, f"127.0.0.1:{snmpd.port}", **secrets)
        made.append(Asker(tmp_path / "net"))
        return made[-1]

    yield make
    for asker in made:
        asker.close()


def good(asker: Asker, seconds: float = LONG) -> Measured:
    """What a poll measures that must not fail."""
    reading = asker.read(seconds)
    assert reading.measured is not None, reading.detail
    return reading.measured


def command(name: str, who: list[str], port: int, *rest: str) -> list[str]:
    """A tool of net-snmp that asks an agent on this machine, in numbers only."""
    program = find_program(name)
    assert program
    return [program, *who, "-m", "", "-On", "-Oq", "-Ot", "-Oe", "-OU", f"127.0.0.1:{port}", *rest]


def tool(name: str, who: list[str], port: int, *oids: str) -> dict[str, str]:
    """What a tool of net-snmp prints: OID to value."""
    patient = [*who, "-t", "10", "-r", "1"]
    done = subprocess.run(command(name, patient, port, *oids), env=TOOLS, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    pairs = (line.partition(" ") for line in done.stdout.splitlines())
    return {name.removeprefix("."): value.strip('"') for name, _, value in pairs}


def walked(snmpd: Snmpd) -> dict[str, str]:
    """What snmpbulkwalk finds of all that a profile can ask for."""
    return {k: v for root in (HOST, IF, IFX, MEMORY) for k, v in tool("snmpbulkwalk", V2C, snmpd.port, root).items()}


# --- our source asks net-snmp's agent ---


def test_the_playbook_for_v3_lets_its_user_read_some_of_it_and_nobody_else_anything(
    snmpd: Snmpd, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AUTH", AUTH)
    monkeypatch.setenv("PRIV", PRIV)
    own = "{snmp_v3_auth_secret: {env: AUTH}, snmp_v3_priv_secret: {env: PRIV}, monitoring_source: 203.0.113.250}"
    inventory = load(write(tmp_path / "wished", NETWORK.replace("vars: {ssid: frei, country: DE}", f"vars: {own}")))
    wishes = playbook.load(TOP, "snmp-v3").wishes(inventory.routers["eins-gw"])
    [file] = [edit for edit in wishes.edits if isinstance(edit, FileEdit)]
    assert isinstance(file.content, Secret)
    snmpd.stop()
    snmpd.configuration = (
        f'agentaddress udp:127.0.0.1:{snmpd.port}\nrocommunity "{COMMUNITY}" 127.0.0.1 .1.3.6.1.2.1.1\n'
    )
    (snmpd.folder / Path(file.path).name).write_text(file.content.reveal(), encoding="utf-8")
    snmpd.start()
    found = good(ask("v3"))
    assert found.boot is not None
    assert found.memory_total
    assert found.interfaces
    assert ask("auth").read(LONG).failure is Failure.AUTH, "without encryption"
    addresses = tool("snmpbulkwalk", V3, snmpd.port, "1.3.6.1.2.1.4")  # of all devices in the house
    assert all("No " in value for value in addresses.values()), addresses


@pytest.mark.parametrize("profile", ["v1", "v2c", "open", "auth", "v3", "strong", "old"])
def test_values_are_those_that_the_tools_of_net_snmp_read(snmpd: Snmpd, ask: Ask, profile: str) -> None:
    before = walked(snmpd)
    found = good(ask(profile))
    after = walked(snmpd)
    assert found.memory_total == int(before[f"{MEMORY}.5.0"]) * 1024
    assert found.memory_available
    assert found.memory_available <= found.memory_total
    assert found.load is not None
    assert found.boot is not None
    uptime = time.time() - found.boot.timestamp()
    assert int(before[f"{HOST}.1.0"]) / 100 - 2 <= uptime
    column = f"{IF}.10" if profile == "v1" else f"{IFX}.6"  # v1 knows no Counter64
    octets = {each.name: each.receive_bytes for each in found.interfaces}
    states = {each.name: each.up for each in found.interfaces}
    names = {name.rpartition(".")[2]: value for name, value in before.items() if name.startswith(f"{IFX}.1.")}
    assert sorted(octets) == sorted(set(names.values()) - {"lo"})
    for index, name in names.items():
        if name != "lo":
            low, high = (int(told[f"{column}.{index}"]) for told in (before, after))
            assert low <= (octets[name] or 0) <= high or high < low, "a counter of 32 bits began again"
            assert states[name] is {"1": True, "2": False}.get(before[f"{IF}.8.{index}"])
    assert (found.wifi, found.clients) == (None, None)


@pytest.mark.parametrize(
    ("profile", "wrong", "failure", "detail"),
    [
        ("v1", {"community": "mistaken"}, Failure.TIMEOUT, "wrong community"),
        ("v2c", {"community": "mistaken"}, Failure.TIMEOUT, "wrong community"),
        ("v3", {"auth": "mistaken"}, Failure.AUTH, "the auth passphrase is wrong"),
        ("v3", {"priv": "mistaken"}, Failure.TIMEOUT, "the priv passphrase is wrong"),
        ("stranger", {}, Failure.AUTH, "it does not know this user"),
    ],
)
def test_wrong_secret_is_told_and_never_shown(
    ask: Ask, profile: str, wrong: dict[str, str], failure: Failure, detail: str
) -> None:
    asker = ask(profile, **wrong)
    reading = asker.read(SHORT if failure is Failure.TIMEOUT else LONG)
    assert (reading.failure, reading.measured) == (failure, None)
    assert detail in reading.detail
    shown = "\n".join([reading.detail, *asker.said])
    assert not [secret for secret in (COMMUNITY, AUTH, PRIV, "mistaken") if secret in shown]


def test_user_at_a_lower_level_than_the_agent_wants_is_refused(snmpd: Snmpd, ask: Ask) -> None:
    snmpd.stop()
    snmpd.configuration = snmpd.configuration.replace("rouser monitor auth", "rouser monitor priv")
    snmpd.start()
    reading = ask("auth").read(LONG)
    assert (reading.failure, reading.detail) == (Failure.AUTH, "it does not let us read: look at its view and access")


def test_right_secret_works_at_the_next_poll(tmp_path: Path, ask: Ask) -> None:
    asker = ask("v3", auth="wrong phrase")
    assert asker.read(LONG).failure is Failure.AUTH
    (tmp_path / "net/secrets/auth").write_text(AUTH, encoding="utf-8")
    good(asker)


@pytest.mark.parametrize("profile", ["v2c", "v3"])
def test_agent_that_hangs_is_given_up_and_found_again(snmpd: Snmpd, ask: Ask, profile: str) -> None:
    asker = ask(profile)
    good(asker)
    snmpd.send(signal.SIGSTOP)
    assert asker.read(SHORT).failure is Failure.TIMEOUT
    snmpd.send(signal.SIGCONT)
    good(asker)


@pytest.mark.parametrize("profile", ["v2c", "v3"])
def test_agent_that_is_not_running_is_told_from_one_that_is_silent(snmpd: Snmpd, ask: Ask, profile: str) -> None:
    asker = ask(profile)
    good(asker)
    snmpd.stop()
    assert asker.read(LONG).failure is Failure.REFUSED


def test_agent_that_comes_back_with_another_engine_id_is_found_in_one_poll(snmpd: Snmpd, ask: Ask) -> None:
    asker = ask("v3")
    good(asker)
    snmpd.forget()
    snmpd.start()
    good(asker, seconds=6)
    good(asker)


def test_agent_that_comes_back_with_fewer_boots_is_found_in_one_poll(snmpd: Snmpd, ask: Ask) -> None:
    snmpd.stop()
    snmpd.configuration += "exactEngineID 0x80001f888000112233445566\n"
    for _ in range(3):
        snmpd.stop()
        snmpd.start()
    asker = ask("v3")
    good(asker)
    snmpd.forget()
    snmpd.start()
    good(asker, seconds=6)
    good(asker)


def test_slow_program_of_the_agent_delays_the_answer_and_no_more(snmpd: Snmpd, ask: Ask) -> None:
    """snmpd has one thread: while it runs an `extend`, nobody gets an answer."""
    asker = ask("v2c")
    good(asker)
    slow = command("snmpget", [*V2C, "-t", "20"], snmpd.port, "1.3.6.1.4.1.8072.1.3.2.3.1.1.4.115.108.111.119")
    with subprocess.Popen(slow, env=TOOLS, stdout=subprocess.PIPE) as other:
        time.sleep(0.2)
        good(asker)
        assert other.wait(PATIENCE) == 0


# --- net-snmp's tools ask the agents of the lab ---


@pytest.fixture(params=["v2c", "v3"])
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[SimulatedRouter, list[str]]]:
    """A simulated router with an agent, and how the tools ask it."""
    house(tmp_path / "net", request.param)
    inventory = load(tmp_path / "net")
    wanted = [inventory.routers["eins-ap"]]
    with Lab(tmp_path / "lab", wanted, services=("snmp",), snmp=inventory.network.snmp_profile) as started:
        yield started.routers["eins-ap"], V2C if request.param == "v2c" else V3


def test_tools_of_net_snmp_read_the_agents_of_the_lab(lab: tuple[SimulatedRouter, list[str]]) -> None:
    router, who = lab
    port = router.ports["snmp"]
    one = tool("snmpget", who, port, "1.3.6.1.2.1.1.5.0", "1.3.6.1.2.1.1.2.0")
    assert one == {"1.3.6.1.2.1.1.5.0": "eins-ap", "1.3.6.1.2.1.1.2.0": ".1.3.6.1.4.1.8072.3.2.10"}
    walked, in_bulk = (tool(name, who, port, "1.3.6.1") for name in ("snmpwalk", "snmpbulkwalk"))
    assert list(walked) == list(in_bulk) == sorted(walked, key=wire.dotted)
    assert [value for name, value in walked.items() if "1.3.6.1.2.1.31.1.1.1.1." in name] == ["lo", "br-lan", "wan"]


def test_agents_of_the_lab_let_nobody_else_in(lab: tuple[SimulatedRouter, list[str]]) -> None:
    router, who = lab
    others = ["another" if word in (COMMUNITY, AUTH) else word for word in who]
    hasty = command("snmpget", [*others, "-t", "0.3", "-r", "0"], router.ports["snmp"], "1.3.6.1.2.1.1.5.0")
    done = subprocess.run(hasty, env=TOOLS, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 1
    assert "eins-ap" not in done.stdout
