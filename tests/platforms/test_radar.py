"""How long a router listens for radar, from its wireless configuration."""

from __future__ import annotations

import pytest

from wifimgr.platforms.radar import silence


def wireless(options: str, *, band: str = "5g", iface: str = "") -> bytes:
    """A router with one radio; ``options`` are ``name=value`` words, a value in commas is a list."""
    lines = [f"\toption band '{band}'"] if band else []
    for option in options.split():
        name, _, value = option.partition("=")
        several = value.split(",")
        lines += [f"\t{'list' if len(several) > 1 else 'option'} {name} '{each}'" for each in several]
    radio = "\n".join(["config wifi-device 'radio0'", *lines])
    return f"{radio}\nconfig wifi-iface 'x'\n\toption device 'radio0'\n{iface}".encode()


@pytest.mark.parametrize(
    ("options", "seconds"),
    [
        ("channel=36 htmode=HE80", 0),
        ("channel=48 htmode=HE160", 60),
        ("channel=52", 60),
        ("channel=64 htmode=VHT80", 60),
        ("channel=100 htmode=HE80", 60),
        ("channel=116 htmode=HE20", 60),
        ("channel=116 htmode=HT40+", 600),
        ("channel=112 htmode=HT40", 60),
        ("channel=100 htmode=HE160", 600),
        ("channel=120", 600),
        ("channel=128 htmode=NOHT", 600),
        ("channel=132 htmode=VHT80", 60),
        ("channel=144", 60),
        ("channel=149 htmode=HE80", 0),
        ("channel=165", 0),
        ("channel=auto", 60),
        ("htmode=HE80", 60),
        ("channel=auto channels=36-48", 0),
        ("channel=auto channels=36,40", 0),
        ("channel=auto channels=36-64", 60),
        ("channel=auto channels=36,100", 60),
        ("channel=100 disabled=1", 0),
        ("channel=x", 60),
    ],
)
def test_seconds_of_a_radio(options: str, seconds: float) -> None:
    assert silence(wireless(options)) == seconds


@pytest.mark.parametrize(
    ("options", "band", "seconds"),
    [
        ("channel=100", "6g", 0),
        ("channel=auto", "2g", 0),
        ("channel=11", "", 0),
        ("channel=100", "", 60),
        ("channel=auto hwmode=11a", "", 60),
        ("channel=auto hwmode=11g", "", 0),
        ("channel=auto", "", 0),
    ],
)
def test_only_5_ghz_has_radar(options: str, band: str, seconds: float) -> None:
    assert silence(wireless(options, band=band)) == seconds


def test_radio_that_sends_nothing_listens_for_nothing() -> None:
    assert silence(wireless("channel=100", iface="\toption disabled '1'\n")) == 0


def test_network_on_several_radios_sends_on_each() -> None:
    both = wireless("channel=36") + b"config wifi-device 'radio1'\n\toption band '5g'\n\toption channel '52'\n"
    assert silence(both.replace(b"option device 'radio0'", b"list device 'radio0'\n\tlist device 'radio1'")) == 60


def test_longest_of_all_radios_counts() -> None:
    both = wireless("channel=52") + wireless("channel=124").replace(b"radio0", b"radio1").replace(b"'x'", b"'y'")
    assert silence(both) == 600


@pytest.mark.parametrize("raw", [None, b"", b"config wifi-device 'x\n"])
def test_file_that_says_nothing_is_quiet(raw: bytes | None) -> None:
    assert silence(raw) == 0
