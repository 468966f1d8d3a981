"""Radar channels: how long a 5 GHz radio has to listen before it may send (in standards: DFS and CAC)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from wifimgr.model import Value
from wifimgr.uci import Document, Section, UciError

LISTEN_SECONDS = 60.0
WEATHER_SECONDS = 600.0
_RADAR, _WEATHER = range(52, 145), range(120, 129)
_BLOCKS = (36, 100, 149)
"""Where channels of 20 MHz begin to be joined to wider ones."""
_NUMBERS = re.compile(r"(\d+)(?:-(\d+))?")


def silence(wireless: bytes | None) -> float:
    """Seconds that a router with this ``/etc/config/wireless`` stays silent to listen for radar; 0: it need not."""
    try:
        sections = Document.parse((wireless or b"").decode("utf-8", "surrogateescape")).sections
    except UciError:
        return 0.0
    on = [section for section in sections if section.options.get("disabled") != "1"]
    networks = [section for section in on if section.type == "wifi-iface"]
    used = {name for network in networks for name in _words(network.options.get("device", ""))}
    radios = [section for section in on if section.type == "wifi-device" and section.name in used]
    return max((_listens(radio) for radio in radios), default=0.0)


def _listens(radio: Section) -> float:
    options = radio.options
    channel = options.get("channel", "auto")
    width = re.search(r"[1-9]\d+", str(options.get("htmode", "")))
    if not _is_5_ghz(radio):
        return 0.0
    if isinstance(channel, str) and channel.isdigit():
        covered = _covered(int(channel), int(width[0]) if width else 20)
        return WEATHER_SECONDS if _any(covered, _WEATHER) else LISTEN_SECONDS if _any(covered, _RADAR) else 0.0
    # Which channel the router chooses is not known before. There is hardly a country without radar channels.
    chosen = list(_channels(options.get("channels", "")))
    return LISTEN_SECONDS if not chosen or _any(chosen, _RADAR) else 0.0


def _is_5_ghz(radio: Section) -> bool:
    band, mode, channel = (str(radio.options.get(key, "")) for key in ("band", "hwmode", "channel"))
    return band == "5g" or (not band and (mode == "11a" or (channel.isdigit() and int(channel) >= _BLOCKS[0])))


def _covered(channel: int, width: int) -> range:
    """The channels of 20 MHz that a wider one is made of."""
    begin = max((block for block in _BLOCKS if block <= channel), default=channel)
    joined = width // 20
    first = begin + (channel - begin) // (4 * joined) * 4 * joined
    return range(first, first + 4 * joined, 4)


def _any(channels: Iterable[int], among: range) -> bool:
    return any(channel in among for channel in channels)


def _channels(value: Value) -> Iterable[int]:
    """The numbers of ``36 40``, ``36-48`` or a list of such."""
    for first, last in _NUMBERS.findall(" ".join(_words(value))):
        yield from range(int(first), int(last or first) + 1)


def _words(value: Value) -> list[str]:
    """The words of a text or of a list of texts: UCI has both."""
    return (value if isinstance(value, str) else " ".join(value)).split()
