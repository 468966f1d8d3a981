"""What a push waits for before it confirms, against simulated routers: checks, radar, and guests that are off."""

from __future__ import annotations

import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.push.net import Net, network
from wifimgr.errors import ConfigError
from wifimgr.inventory import load
from wifimgr.model import Change, Outcome, Result
from wifimgr.push import apply, checks, playbook, ready
from wifimgr.ssh import target_of

TOP = Path(__file__).parents[2]
WIRELESS = "etc/config/wireless"
BACK = "the old files are back, byte for byte"
PATIENT = {"confirm_within": "20s", "settle": {"connectivity": "2s", "other": "1s"}, "login_gap": "1s"}
LONGER = {**PATIENT, "confirm_within": "12s"}
CHECKED = """\
name: Checked
about: The router's own name, and what must hold.
where: platform=openwrt
uci:
  system:
    - {section: {type: system}, set: {hostname: "{{ router_name }}"}}
checks:
"""


def write(net: Net, wanted: str, name: str = "checked") -> str:
    """A playbook with these checks; returns its name."""
    (net.folder / f"playbooks/{name}.yaml").write_text(CHECKED + wanted, encoding="utf-8")
    return name


def ask_the_internet(net: Net) -> None:
    """From now on the network says what may be asked for."""
    path = net.folder / "inventory/network.yaml"
    internet = '\ninternet: {dns: www.example.org, http: "http://www.example.org/"}\n'
    path.write_text(path.read_text(encoding="utf-8") + internet, encoding="utf-8")
    net.inventory = load(net.folder)


def set_up(net: Net, name: str, **files: str) -> None:
    """Writes what the stand-ins of a router are told."""
    for file, text in files.items():
        (net.router(name).root / "lab" / file).write_text(text, encoding="utf-8")


@pytest.fixture
def whys(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Why the looks at a router did not end with a confirm."""
    found: list[str] = []
    failing = checks.failing

    def noted(*arguments: object) -> str:
        why = failing(*arguments)  # type: ignore[arg-type]
        found.extend([why] if why else [])
        return why

    monkeypatch.setattr(checks, "failing", noted)
    return found


# --- what is tried ---

ENDS: dict[str, tuple[str, dict[str, str], str]] = {
    "all": (
        "  - ping: 192.0.2.9\n  - neighbours: 1\n  - service: tunneldigger\n  - default-route: true\n",
        {"services": "tunneldigger\n", "batman": "mesh0 02:00:5e:10:00:01 0.380s\n"},
        "",
    ),
    "ping": ("  - ping: 192.0.2.9\n", {"silent": "192.0.2.9\n"}, "192.0.2.9 does not answer when the router pings it"),
    "mesh": ("  - neighbours: 2\n", {"batman": "x 0.3s\n"}, "it has 1 mesh neighbours, and 2 are wished"),
    "service": ("  - service: tunneldigger\n", {}, "there is no service 'tunneldigger'"),
    "quoted": ('  - ssid: "it\'s $(reboot)"\n', {}, 'the network name "it\'s $(reboot)" is not on the air'),
}


def test_change_stays_only_where_everything_holds_that_was_tried(tmp_path: Path) -> None:
    with network(tmp_path, {name: {} for name in ENDS}) as net, ThreadPoolExecutor() as pool:

        def push(name: str) -> Outcome:
            wanted, files, _ = ENDS[name]
            set_up(net, name, **files)
            of = write(net, wanted, f"of-{name}")
            return net.pusher(of).push(net.change(name, of=of))

        found = list(pool.map(push, ENDS))
    assert [(each.router, each.result, each.why) for each in found] == [
        (name, Result.ROLLED_BACK if why else Result.DONE, why) for name, (_, _, why) in ENDS.items()
    ]


def test_probe_that_does_not_hold_may_start_to_hold(tmp_path: Path, whys: list[str]) -> None:
    with network(tmp_path, {"ap": {}}, PATIENT) as net:
        set_up(net, "ap", silent="192.0.2.9\n")
        of = write(net, "  - ping: 192.0.2.9\n  - service: tunneldigger\n")

        def mend(name: str, text: str) -> None:
            if "applied" in text:
                threading.Thread(target=wait_and_mend).start()

        def wait_and_mend() -> None:
            while not whys:
                time.sleep(0.02)
            set_up(net, "ap", silent="", services="tunneldigger\n")

        assert net.pusher(of, say=mend).push(net.change("ap", of=of)) == Outcome("ap", Result.DONE)
    assert whys[0].startswith("there is no service 'tunneldigger'; 192.0.2.9 does not answer")


# --- the internet ---


def test_guests_have_to_reach_the_internet_where_that_is_wished(tmp_path: Path) -> None:
    with network(tmp_path, {name: {} for name in ("fine", "off", "none", "router")}, LONGER) as net:
        ask_the_internet(net)
        for name in ("fine", "off", "router"):
            path = net.router(name).root / "etc/config/network"
            text = path.read_text(encoding="utf-8")
            path.write_text(f"{text}{GUESTS}", encoding="utf-8")
            net.router(name).run(["reload_config", "boot"])
        net.router("off").set_internet(False)
        wanted = {"router": "router", "none": "guest", "fine": "guest", "off": "true"}

        def push(name: str) -> Outcome:
            of = write(net, f"  - internet: {wanted[name]}\n", f"of-{name}")
            return net.pusher(of).push(net.change(name, of=of))

        with ThreadPoolExecutor() as pool:
            found = {each.router: each.why for each in pool.map(push, wanted)}
    assert found == {
        "fine": "",
        "router": "",
        "off": "the internet is not reached: DNS: no answer for www.example.org at 172.31.64.1",
        "none": "it has no network 'guest' with an IPv4 address where guests could be",
    }


GUESTS = """
config interface 'guest'
	option device 'eth0.3'
	option proto 'static'
	option ipaddr '172.31.64.1'
	option netmask '255.255.252.0'
"""


def test_nobody_asks_the_internet_where_the_network_names_nothing_to_ask_for(tmp_path: Path) -> None:
    with network(tmp_path, {"ap": {}}) as net:
        of = write(net, "  - default-route: true\n  - internet: guest\n")
        problem = (
            "playbooks/checked.yaml:9: checks[1]: nothing in the internet may be asked for; "
            "add 'internet: {dns: …, http: …}' to network.yaml [bad-wish]"
        )
        with pytest.raises(ConfigError) as caught:
            net.plan(of=of)
        assert caught.value.lines() == [problem]
        book = playbook.load(net.folder, of)
        assert [each.line() for each in ready.problems(net.inventory, [book], net.inventory.routers.values())] == [
            problem
        ]
        ask_the_internet(net)
        assert ready.problems(net.inventory, [book], net.inventory.routers.values()) == []
        assert net.change("ap", of=of).checks == (("default-route", "1"), ("internet", "guest"))


# --- radar ---


@pytest.mark.scenario(33)
def test_radio_that_hostapd_still_lets_listen_for_radar_is_waited_for(tmp_path: Path, whys: list[str]) -> None:
    with network(tmp_path, {"ap": {}}, PATIENT) as net:
        wireless = net.router("ap").root / WIRELESS
        text = wireless.read_text(encoding="utf-8").replace("disabled '1'", "disabled '0'")
        wireless.write_text(text, encoding="utf-8")
        net.router("ap").run(["reload_config", "boot"])
        set_up(net, "ap", radar="9")
        change = net.change("ap")
        assert change.radar == 0, "nothing in its files tells of radar channels"
        assert net.push([change])["ap"] == Outcome("ap", Result.DONE)
    assert whys
    assert all(why.startswith("radio1 listens for radar for ") for why in whys)
    assert len(whys) < 5, "nobody logs in again and again meanwhile"


@pytest.mark.scenario(33)
def test_radio_that_listens_for_longer_than_the_window_is_named(tmp_path: Path) -> None:
    with network(tmp_path, {"ap": {}}) as net:
        wireless = net.router("ap").root / WIRELESS
        text = wireless.read_text(encoding="utf-8").replace("disabled '1'", "disabled '0'")
        wireless.write_text(text, encoding="utf-8")
        net.router("ap").run(["reload_config", "boot"])
        set_up(net, "ap", radar="60")
        outcome = net.push([net.change("ap")])["ap"]
    assert (outcome.result, outcome.hint) == (Result.ROLLED_BACK, BACK)
    assert outcome.why.startswith("radio1 listens for radar for ")


# --- guests that are off ---


def pause(net: Net, name: str) -> None:
    """Guests are sent away: what a pause of the place or its schedule does."""
    path = net.router(name).root / WIRELESS
    text = path.read_text(encoding="utf-8")
    for radio in ("radio0", "radio1"):
        section = f"config wifi-iface 'guest_{radio}'\n"
        assert section in text
        text = text.replace(section, f"{section}\toption disabled '1'\n")
    path.unlink()
    path.write_text(text, encoding="utf-8")
    net.router(name).run(["reload_config", "boot"])


@pytest.mark.scenario(45)
@pytest.mark.parametrize("when", ["before the plan", "after the plan"])
def test_push_during_a_pause_leaves_guests_off_and_asks_for_none(when: str, tmp_path: Path) -> None:
    with network(tmp_path, {"ap": {"vars": {"wifi_country": "DE"}}}, PATIENT) as net:
        ask_the_internet(net)
        book = net.folder / "playbooks/guest-wifi.yaml"
        shutil.copy(TOP / "playbooks/guest-wifi.yaml", book)
        book.write_text(
            book.read_text().replace("  - interface: guest\n", "  - interface: guest\n  - internet: guest\n")
        )
        assert net.push([net.change("ap", of="guest-wifi")], of="guest-wifi")["ap"] == Outcome("ap", Result.DONE)

        book.write_text(
            book.read_text().replace("leasetime: 1h", "leasetime: 2h").replace("isolate: true", "isolate: false")
        )
        net.router("ap").set_internet(False)  # whoever asks as a guest now is told no
        if when == "before the plan":
            pause(net, "ap")
        change = net.change("ap", of="guest-wifi")
        if when == "after the plan":
            pause(net, "ap")
        else:
            assert change.checks == (("interface", "guest"),)
        assert "disabled" not in "".join(line for path in change.paths for line in path.diff if line[:1] in "+-")
        assert net.push([change], of="guest-wifi")["ap"] == Outcome("ap", Result.DONE)

        after = net.router("ap").read(WIRELESS).decode()
        for radio in ("radio0", "radio1"):
            _, _, section = after.partition(f"config wifi-iface 'guest_{radio}'\n")
            assert "\toption disabled '1'\n" in section.partition("\nconfig")[0]
        assert after.count("option isolate '0'") == 2
        assert net.plan(of="guest-wifi").already_right == ("ap",)


# --- how long a look may take ---


def test_look_with_something_to_try_takes_longer_but_never_beyond_the_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with network(tmp_path, {"ap": {}}, {"confirm_within": "90s"}) as net:
        target = target_of(net.inventory, net.known_hosts, net.inventory.routers["ap"])
        now = 1000.0
        monkeypatch.setattr(apply.time, "monotonic", lambda: now)

        def window(*wanted: tuple[str, str]) -> apply._Window:
            change = Change(router="ap", paths=(), touched=(), checks=wanted)
            return apply._Window(net.pusher("name"), "ap", target, target.endpoint, change, "t1")

        plain, trying = window(("ssid", "frei")), window(("ping", "192.0.2.1"))
        asking = window(("ping", "192.0.2.1"), ("internet", "guest"))
        assert [each._seconds() for each in (plain, trying, asking)] == [5, 13, 23]
        now += 80
        assert [each._seconds() for each in (plain, trying, asking)] == [5, 10, 10]
        now += 30
        assert [each._seconds() for each in (plain, trying, asking)] == [5, 5, 5]
        assert {way.timeout for way in trying._ways} == {5}, "a login takes no longer for it"


def test_router_gets_only_as_much_time_to_try_as_leaves_some_for_the_confirm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits: list[float] = []
    look = apply.script.look

    def noted(*arguments: object, **keys: Any) -> apply.script.Call:
        limits.append(keys["limit"])
        return look(*arguments, **keys)  # type: ignore[arg-type]

    monkeypatch.setattr(apply.script, "look", noted)
    with network(tmp_path, {"ap": {}}) as net:
        of = write(net, "  - ping: 192.0.2.9\n")
        assert net.pusher(of).push(net.change("ap", of=of)) == Outcome("ap", Result.DONE)
    assert limits
    assert all(1 <= limit <= 4 for limit in limits), "the window is 6 s, and a login may take 2 s of it"
