"""Where a router is reached after a change."""

from __future__ import annotations

import pytest

from wifimgr.model import PathChange
from wifimgr.platforms.reach import endpoint_after
from wifimgr.settings import Endpoint


def network(*sections: str) -> str:
    """Interfaces as ``lan 10.0.0.1 10.0.0.2``; more than one address is a list."""
    lines = []
    for section in sections:
        name, *addresses = section.split()
        lines.append(f"config interface '{name}'")
        for address in addresses:
            option = "ip6addr" if ":" in address else "ipaddr"
            lines.append(f"\t{'list' if len(addresses) > 1 else 'option'} {option} '{address}'")
    return "\n".join(lines) + "\n"


def dropbear(*ports: str) -> str:
    """Instances with a port each; ``-``: the option is missing, ``off 22``: not enabled."""
    lines = []
    for port in ports:
        lines.append("config dropbear")
        lines += ["\toption enable '0'"] if port.startswith("off") else []
        lines += [f"\toption Port '{port.split()[-1]}'"] if port != "-" else []
    return "\n".join(lines) + "\n"


def after(endpoint: str, **files: tuple[str | None, str | None]) -> str:
    address, _, port = endpoint.rpartition(":")
    changes = [
        PathChange(path=f"etc/config/{name}", before=before and before.encode(), after=new and new.encode())  # type: ignore[arg-type]
        for name, (before, new) in files.items()
    ]
    return str(endpoint_after(changes, Endpoint(address, int(port))))


@pytest.mark.parametrize(
    ("before", "now", "found"),
    [
        (["22"], ["2222"], 2222),
        (["-"], ["2222"], 2222),
        (["22", "2200"], ["2222", "2200"], 2222),
        (["2200", "22"], ["2200", "2222"], 2222),
        (["22"], ["22"], 22),
        (["22"], ["2200", "22"], 22),
        (["2222"], ["-"], 22),
        (["22"], ["off 2222"], 22),
        (["22"], ["x"], 22),
        (["22"], ["70000"], 22),
        (["22"], [], 22),
    ],
    ids=str,
)
def test_port_that_goes_is_followed_to_the_one_that_takes_its_place(
    before: list[str], now: list[str], found: int
) -> None:
    old = 2222 if before == ["2222"] else 22
    assert after(f"10.0.0.1:{old}", dropbear=(dropbear(*before), dropbear(*now))) == f"10.0.0.1:{found}"


@pytest.mark.parametrize(
    ("old", "before", "now", "found"),
    [
        ("10.0.0.1", ["lan 10.0.0.1"], ["lan 10.0.0.9"], "10.0.0.9"),
        ("10.0.0.1", ["lan 10.0.0.1/24"], ["lan 10.0.0.9/16"], "10.0.0.9"),
        ("10.0.0.1", ["lan 10.0.0.1/24"], ["lan 10.0.0.1/16"], "10.0.0.1"),
        ("10.0.0.1", ["lan 10.0.0.7 10.0.0.1"], ["lan 10.0.0.7 10.0.0.9"], "10.0.0.9"),
        ("10.0.0.1", ["lan 10.0.0.7 10.0.0.1"], ["lan 10.0.0.7"], "10.0.0.7"),
        ("10.0.0.1", ["lan 10.0.0.1", "guest 10.1.0.1"], ["lan 10.0.0.9", "guest 10.1.0.2"], "10.0.0.9"),
        ("10.0.0.1", ["lan 10.0.0.1"], ["lan", "other 10.0.0.1"], "10.0.0.1"),
        ("10.0.0.1", ["lan 10.0.0.1"], ["lan"], "10.0.0.1"),
        ("10.0.0.1", ["lan 10.0.0.1"], ["lan fd00::9"], "10.0.0.1"),
        ("10.0.0.5", ["lan 10.0.0.1"], ["lan 10.0.0.9"], "10.0.0.5"),
        ("ap.example.org", ["lan 10.0.0.1"], ["lan 10.0.0.9"], "ap.example.org"),
        ("fd00::1", ["lan 10.0.0.1 fd00:0::1/64"], ["lan 10.0.0.1 fd00::9/64"], "[fd00::9]"),
    ],
)
def test_address_that_goes_is_followed_to_the_one_that_takes_its_place(
    old: str, before: list[str], now: list[str], found: str
) -> None:
    assert after(f"{old}:22", network=(network(*before), network(*now))) == f"{found}:22"


def test_address_and_port_can_go_at_once() -> None:
    files = {
        "network": (network("lan 10.0.0.1"), network("lan 10.0.0.9")),
        "dropbear": (dropbear("22"), dropbear("24")),
    }
    assert after("10.0.0.1:22", **files) == "10.0.0.9:24"


def test_port_that_is_forwarded_stays() -> None:
    assert after("10.0.0.1:4022", dropbear=(dropbear("22"), dropbear("2222"))) == "10.0.0.1:4022"


def test_nothing_is_guessed_from_other_files_or_broken_ones() -> None:
    assert after("10.0.0.1:22", wireless=("x", "y")) == "10.0.0.1:22"
    assert after("10.0.0.1:22", network=(network("lan 10.0.0.1"), "config interface 'x")) == "10.0.0.1:22"
    assert after("10.0.0.1:22", network=(None, network("lan 10.0.0.9"))) == "10.0.0.1:22"
    assert after("10.0.0.1:22", network=(network("lan 10.0.0.1"), None)) == "10.0.0.1:22"
