"""What a push waits for before it confirms, with real dropbear, a real shell, and busybox' own ping."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.real.conftest import PATIENT, Connect, Network, Start
from tests.real.routers import Router, write
from wifimgr.model import Outcome, Result
from wifimgr.settings import PushTimes

pytestmark = pytest.mark.real

WIRELESS = "etc/config/wireless"
SHORT = PushTimes(confirm_within=12, settle_connectivity=1, settle_other=1, login_gap=1)
"""For pushes that are not confirmed because a check does not hold: the router may be asked several times."""
INTERNET = '\ninternet: {dns: www.example.org, http: "http://www.example.org/"}\n'
UCI = {"system": [{"section": {"type": "system"}, "set": {"hostname": "{{ router_name }}"}}]}


def tell(router: Router, **files: str) -> None:
    """What the stand-ins of a router are told."""
    for name, text in files.items():
        write(Path(f"/proc/{router.init}/root/lab") / name, text)


def push(net: Network, router: Router, name: str, *checks: dict[str, object]) -> Outcome:
    """Pushes the router's name, with these checks."""
    of = net.write_playbook(name, uci=UCI, checks=list(checks))
    return net.push(of, net.change(of, router))


def test_everything_that_holds_is_tried_on_the_router_itself(router: Router, network: Connect) -> None:
    router.run("rm /sbin/ping")  # the applet is left
    write(router.tree / "etc/init.d/running", '#!/bin/sh\n[ "$1" = running ]\n', 0o755)
    tell(router, services="tunneldigger\n", batman="mesh0 02:00:5e:10:00:01 0.380s\nmesh0 02:00:5e:10:00:02 99.000s\n")
    outcome = push(
        network(router),
        router,
        "holds",
        {"ping": "127.0.0.1"},
        {"ping": "::1"},
        {"service": "tunneldigger"},
        {"service": "running"},
        {"neighbours": 1},
        {"default-route": True},
    )
    assert outcome == Outcome(router.name, Result.DONE)
    assert router.marks() == ["confirmed"]


@pytest.mark.parametrize(
    ("check", "why"),
    [
        ({"ping": "2001:db8::1"}, "2001:db8::1 does not answer when the router pings it"),
        ({"ping": "no-such-name.invalid"}, "no-such-name.invalid does not answer when the router pings it"),
        ({"neighbours": 2}, "it has 1 mesh neighbours, and 2 are wished"),
        ({"service": "gone"}, "there is no service 'gone'"),
    ],
    ids=["ping", "name", "neighbours", "service"],
)
def test_what_does_not_hold_sends_the_router_back_and_is_named(
    check: dict[str, object], why: str, start: Start, network: Connect
) -> None:
    router = start("ash")
    router.run("rm /sbin/ping")
    tell(router, batman="mesh0 02:00:5e:10:00:01 0.380s\n")
    before = router.flash()
    outcome = push(network(router, times=SHORT), router, "fails", check)
    assert (outcome.result, outcome.why) == (Result.ROLLED_BACK, why)
    assert router.flash() == before
    assert router.marks() == ["rolledback"]


def test_what_hangs_on_the_router_is_given_up_in_time(router: Router, network: Connect) -> None:
    write(router.tree / "etc/init.d/slow", "#!/bin/sh\nsleep 60\n", 0o755)
    outcome = push(network(router, times=SHORT), router, "hangs", {"service": "slow"}, {"ping": "127.0.0.1"})
    assert (outcome.result, outcome.why) == (
        Result.ROLLED_BACK,
        "it could not tell in time whether the service 'slow' is running",
    )
    assert router.marks() == ["rolledback"]


@pytest.mark.scenario(33)
def test_a_radio_that_listens_for_radar_is_waited_for(router: Router, network: Connect) -> None:
    router.run(f"sed -i \"s/disabled '1'/disabled '0'/\" /{WIRELESS} && reload_config boot")
    net = network(router)
    tell(router, radar="6")
    change = net.change("guest-wifi", router)
    assert change.radar == 0, "nothing in its files tells of radar channels"
    began = time.monotonic()
    outcome = net.push("guest-wifi", change)
    assert outcome == Outcome(router.name, Result.DONE)
    assert time.monotonic() - began > 6


@pytest.mark.scenario(45)
def test_a_push_during_a_pause_leaves_guests_off(router: Router, network: Connect) -> None:
    net = network(router)
    settings = net.folder / "inventory/network.yaml"
    settings.write_text(settings.read_text(encoding="utf-8") + INTERNET, encoding="utf-8")
    book = net.folder / "playbooks/guest-wifi.yaml"
    text = book.read_text(encoding="utf-8")
    assert net.push("guest-wifi", net.change("guest-wifi", router)).result is Result.DONE
    # The pause: somebody sends guests away, after the plan was made and without a word to whoever made it.
    text = text.replace("  - interface: guest\n", "  - interface: guest\n  - internet: guest\n")
    assert "  - internet: guest\n" in text
    book.write_text(text.replace("leasetime: 1h", "leasetime: 2h").replace(" isolate: true", " isolate: false"))
    change = net.change("guest-wifi", router)
    off = b"\toption disabled '1'\n"
    wireless = router.read(WIRELESS)
    for radio in (b"radio0", b"radio1"):
        section = b"config wifi-iface 'guest_" + radio + b"'\n"
        assert section in wireless
        wireless = wireless.replace(section, section + off)
    (router.tree / WIRELESS).write_bytes(wireless)
    router.run("reload_config boot")
    tell(router, **{"no-internet": ""})  # whoever asks as a guest now is told no
    outcome = net.push("guest-wifi", change)
    assert outcome == Outcome(router.name, Result.DONE)
    after = router.read(WIRELESS)
    assert after.count(off) == wireless.count(off) >= 2
    assert after.count(b"option isolate '0'") == 2
    assert net.plan("guest-wifi", router).already_right == (router.name,)


def test_guests_have_to_reach_the_internet(start: Start, network: Connect) -> None:
    router = start("dash")  # in ash the names are looked up by busybox' own applet, in this machine's network
    net = network(router, times=PATIENT)
    settings = net.folder / "inventory/network.yaml"
    settings.write_text(settings.read_text(encoding="utf-8") + INTERNET, encoding="utf-8")
    book = net.folder / "playbooks/guest-wifi.yaml"
    text = book.read_text(encoding="utf-8")
    book.write_text(text.replace("  - interface: guest\n", "  - interface: guest\n  - internet: guest\n"))
    change = net.change("guest-wifi", router)
    assert ("internet", "guest") in change.checks
    assert net.push("guest-wifi", change) == Outcome(router.name, Result.DONE)
