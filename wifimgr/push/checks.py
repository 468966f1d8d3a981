"""What must hold on a router before a change is confirmed: judged on what its own daemons say, and on what it tries.

A check says why it does not hold, or an empty text. The sources are ``ubus call network.wireless status`` and
``ubus call network.interface dump`` of OpenWrt's netifd, ``ubus call hostapd.NAME get_status`` of hostapd, what
``probes.sh`` tried, and the look at the internet of :mod:`wifimgr.sources.ubus`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from wifimgr.model import Internet
from wifimgr.push.script import Probe
from wifimgr.settings.values import Shape
from wifimgr.sources.told import Told
from wifimgr.sources.ubus import GUESTS, Guests, guests_in

Said = Mapping[str, Any]
"""Name of a ubus object to what it said; None where it said nothing."""

PROBE_SECONDS = 8.0
"""What a router may take to try everything that it is asked to try, all at the same time."""
INTERNET_SECONDS = 10.0
"""What the look at the internet may take besides."""
MOST_REASONS = 3
"""Checks that do not hold are named, where there are many."""
LONGEST_LISTENING = 3600
"""Seconds. hostapd counts down with a number that is huge when it is late."""

_SETTING_UP = ("COUNTRY_UPDATE", "ACS", "HT_SCAN")
_ON_AIR = ("ENABLED", "")
"""What hostapd calls its states (``hostapd_state_text``); empty: it did not say."""


@dataclass(frozen=True, slots=True)
class Heard:
    """All that a router tells in one login."""

    said: Said
    probes: Mapping[Probe, str] = field(default_factory=dict)
    """What became of each probe that ended in time."""
    guests: str = GUESTS
    """The network of guests."""
    internet: Callable[[Guests | None], Internet | None] = lambda guests: None
    """Looks whether the internet is reached from these guests, or from the router itself; None: nobody can tell."""


def quiet(said: Said) -> str:
    """Whether nothing is still on its way to take effect: netifd is there, and no radio is being set up or silent."""
    if said.get("network.interface") is None:
        return "its netifd does not answer (ubus call network.interface dump)"
    busy = [name for name, radio in _radios(said).items() if radio.get("pending") or _states(said, radio, _SETTING_UP)]
    if busy:
        return f"{', '.join(sorted(busy))} is still being set up"
    silent = [f"{name} listens for radar for {seconds} s more" for name, seconds in sorted(_listening(said).items())]
    return ", ".join(silent)


def listening(said: Said) -> float:
    """Seconds until the last radio has listened for radar; 0: none listens, or none says for how long."""
    return float(max(_listening(said).values(), default=0))


def ssid(heard: Heard, wanted: str) -> str:
    """Whether the network name is on the air."""
    names = [
        name
        for radio in _radios(heard.said).values()
        if radio.get("up")
        for interface in _mappings(radio.get("interfaces"))
        if _state(heard.said, interface) in _ON_AIR
        for name in _listed(_mapping(interface.get("config")).get("ssid"))
    ]
    return "" if wanted in names else f"the network name {wanted!r} is not on the air"


def interface(heard: Heard, wanted: str) -> str:
    """Whether an interface of this name is up."""
    found = _interface(heard.said, wanted)
    if found is None:
        return f"there is no interface {wanted!r}"
    return "" if found.get("up") else f"the interface {wanted!r} is down"


def default_route(heard: Heard, wanted: str) -> str:
    """Whether there is a way to the internet's addresses."""
    routes = [route for each in _interfaces(heard.said) if each.get("up") for route in _mappings(each.get("route"))]
    found = any(route.get("target") in ("0.0.0.0", "::") and route.get("mask") == 0 for route in routes)  # noqa: S104
    return "" if found else "there is no default route"


def service(heard: Heard, wanted: str) -> str:
    """Whether a service of this name is running."""
    reasons = {
        "yes": "",
        "no": f"the service {wanted!r} is not running",
        "missing": f"there is no service {wanted!r}",
    }
    return reasons.get(heard.probes.get(("service", wanted), ""), _late(f"whether the service {wanted!r} is running"))


def ping(heard: Heard, wanted: str) -> str:
    """Whether this address or name answers when the router pings it."""
    answer = heard.probes.get(("ping", wanted))
    return "" if answer == "yes" else f"{wanted} does not answer when the router pings it"


def neighbours(heard: Heard, wanted: str) -> str:
    """Whether the router hears at least so many neighbours in its mesh."""
    found = heard.probes.get(("neighbours", wanted), "")
    if found == "none":
        return "it has no mesh whose neighbours can be counted (batman-adv, Babel, OLSR)"
    if not (found.isascii() and found.isdigit()):
        return _late("how many neighbours it has")
    return "" if int(found[:9]) >= int(wanted) else f"it has {int(found[:9])} mesh neighbours, and {wanted} are wished"


def internet(heard: Heard, wanted: str) -> str:
    """Whether the internet is reached: by guests, by the router itself, or with true by guests where it has any."""
    guests = None if wanted == ROUTER else guests_in(Told(_interface(heard.said, heard.guests)))
    if guests is None and wanted == GUEST:
        return f"it has no network {heard.guests!r} with an IPv4 address where guests could be"
    found = heard.internet(guests)
    if found is None:
        return _late("whether the internet is reached")
    if not found.works:
        return f"the internet is not reached: {found.why}"
    if wanted == GUEST and found.asked_from != GUEST:
        return "guests go another way out than the router itself, so nothing shows that they reach the internet"
    return ""


def _late(what: str) -> str:
    return f"it could not tell in time {what}"


# ---------------------------------------------------------------- all checks, and what they take

GUEST, ROUTER, TRUE = "guest", "router", "1"


@dataclass(frozen=True, slots=True)
class Takes:
    """What a check takes as its value: of these types, and like this as a text. ``true`` is ``1`` as a text."""

    types: tuple[type, ...]
    shape: Shape

    def takes(self, value: Any) -> bool:
        """Whether a value of a playbook will do, as far as can be told before its variables are put in."""
        if type(value) not in self.types:
            return False
        return self.fits(TRUE if value is True else str(value)) or (isinstance(value, str) and "{{" in value)

    def fits(self, text: str) -> bool:
        """Whether a text will do that has its variables put in."""
        return self.shape.fits(text)

    @property
    def schema(self) -> dict[str, Any]:
        """The values of a playbook as JSON Schema."""
        kinds: dict[type, dict[str, Any]] = {
            bool: {"const": True},
            int: {"type": "integer", "minimum": 1, "maximum": 9999},
            str: self.shape.schema | {"pattern": rf"^({self.shape.pattern}|.*\{{\{{.*)$"},
        }
        found = [kinds[each] for each in self.types]
        return found[0] if len(found) == 1 else {"anyOf": found}


NAME = Takes((str,), Shape(".+", "takes a name", "write it as it is on the router"))
ALWAYS = Takes((bool,), Shape(TRUE, "takes nothing but true", "write true"))
NUMBER = Takes((int, str), Shape("[1-9][0-9]{0,3}", "takes a number", "write 1 or more"))
SERVICE = Takes(
    (str,), Shape("[A-Za-z0-9_][A-Za-z0-9_.-]*", "takes the name of a service", "write it as in /etc/init.d")
)
ADDRESS = Takes(
    (str,),
    Shape(
        "[A-Za-z0-9:][A-Za-z0-9.:_-]{0,252}(%[A-Za-z0-9._-]{1,15})?",
        "takes an IP address or a DNS name",
        "write it like 192.0.2.1, fe80::1%br-lan or www.example.org",
    ),
)
ASKER = Takes((bool, str), Shape(f"{GUEST}|{ROUTER}|{TRUE}", "takes guest, router or true", "write who shall reach it"))


@dataclass(frozen=True, slots=True)
class Check:
    """One kind of check."""

    value: Takes
    why_not: Callable[[Heard, str], str]
    """Why it does not hold."""


CHECKS: dict[str, Check] = {
    "ssid": Check(NAME, ssid),
    "interface": Check(NAME, interface),
    "default-route": Check(ALWAYS, default_route),
    "service": Check(SERVICE, service),
    "ping": Check(ADDRESS, ping),
    "neighbours": Check(NUMBER, neighbours),
    "internet": Check(ASKER, internet),
}
"""The key in a playbook, and the check, in the order in which they are told."""
LAST = "internet"
"""The check that costs most."""
PROBES = ("service", "ping", "neighbours")
"""What the router itself tries (``probes.sh``)."""


def probes(checks: Iterable[Probe]) -> tuple[Probe, ...]:
    """What of the checks a router has to try."""
    return tuple(check for check in checks if check[0] in PROBES)


def patience(checks: Iterable[tuple[str, str]]) -> float:
    """Seconds that checks need besides a login."""
    names = {name for name, _ in checks}
    return PROBE_SECONDS * bool(names & set(PROBES)) + INTERNET_SECONDS * ("internet" in names)


def failing(heard: Heard, checks: Iterable[tuple[str, str]]) -> str:
    """Why the change cannot be confirmed yet, all reasons in one line; empty when everything holds.

    The internet, which takes a while, is looked for only once the rest holds.
    """
    if busy := quiet(heard.said):
        return busy
    order = list(CHECKS)
    asked = sorted(checks, key=lambda check: order.index(check[0]))
    found: list[str] = []
    for name, wanted in asked:
        if not (found and name == LAST):
            found += filter(None, [CHECKS[name].why_not(heard, wanted)])
    more = [f"{len(found) - MOST_REASONS} more checks do not hold"] if len(found) > MOST_REASONS + 1 else []
    return "; ".join([*found[:MOST_REASONS], *more] if more else found)


# ---------------------------------------------------------------- what the daemons say


def _listening(said: Said) -> dict[str, int]:
    """Radio to seconds that it goes on listening for radar (hostapd's ``dfs``); not the radios that do not."""
    found: dict[str, int] = {}
    for name, radio in _radios(said).items():
        for point in _mappings(radio.get("interfaces")):
            dfs = Told(said.get(f"hostapd.{point.get('ifname')}"))["dfs"]
            if dfs["cac_active"].flag():
                left = dfs["cac_seconds_left"].whole() or 0
                found[name] = max(found.get(name, 0), left if left <= LONGEST_LISTENING else 0)
    return found


def _states(said: Said, radio: Mapping[str, Any], states: Iterable[str]) -> bool:
    """Whether any network of a radio is in one of these states."""
    return any(_state(said, point) in states for point in _mappings(radio.get("interfaces")))


def _state(said: Said, point: Mapping[str, Any]) -> str:
    """How hostapd calls the state of a network; empty: it does not say."""
    return Told(said.get(f"hostapd.{point.get('ifname')}"))["status"].text()


def _radios(said: Said) -> Mapping[str, Any]:
    radios = said.get("network.wireless")
    return {name: _mapping(radio) for name, radio in _mapping(radios).items()}


def _interface(said: Said, name: str) -> Mapping[str, Any] | None:
    return next((each for each in _interfaces(said) if each.get("interface") == name), None)


def _interfaces(said: Said) -> list[Mapping[str, Any]]:
    return _mappings(_mapping(said.get("network.interface")).get("interface"))


def _mapping(data: Any) -> Mapping[str, Any]:
    """What should be a mapping; an empty one where a router says something else."""
    return data if isinstance(data, Mapping) else {}


def _listed(data: Any) -> list[Any]:
    """What a list holds; anything else is alone: UCI has both for one value."""
    return data if isinstance(data, list) else [data]


def _mappings(data: Any) -> list[Mapping[str, Any]]:
    return [_mapping(each) for each in data] if isinstance(data, list) else []
