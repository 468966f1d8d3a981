"""respondd as a Gluon node speaks it: a question by name, the answer as JSON in raw deflate.

Fields and types are those of Gluon 2023.2 with batman-adv and a VPN of its own, the personal ones included: whoever
reads the answer is to be tested with them.
"""

from __future__ import annotations

import json
import re
import time
import zlib
from collections.abc import Callable
from typing import Any

from wifimgr.lab import datagram
from wifimgr.lab.router import SimulatedRouter
from wifimgr.settings import SnmpProfile

QUESTION = "GET "
FREQUENCIES = {"radio0": 2437, "radio1": 5220}
"""MHz."""


async def serve(router: SimulatedRouter, profile: SnmpProfile | None) -> tuple[int, Callable[[], None]]:
    """Answers ``GET CATEGORY …`` with an object that has a member for each category it knows."""
    return await datagram.serve(router, "respondd", lambda question: _answer(router, question))


def _answer(router: SimulatedRouter, question: bytes) -> bytes | None:
    text = question.decode("ascii", "replace")
    if not text.startswith(QUESTION):
        return None
    told = {name: CATEGORIES[name](router) for name in text.removeprefix(QUESTION).split() if name in CATEGORIES}
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(json.dumps(told).encode()) + stream.flush()


def _nodeinfo(router: SimulatedRouter) -> dict[str, Any]:
    address = ":".join(re.findall("..", router.node_id)[:6])
    return {
        "node_id": router.node_id,
        "hostname": router.name,
        "hardware": {"model": "Simulated router", "nproc": 1},
        "network": {
            "mac": address,
            "addresses": ["2001:db8::1"],
            "mesh": {"bat0": {"interfaces": {"wireless": [address], "tunnel": [address]}}},
        },
        "software": {
            "firmware": {"base": "gluon-v2023.2.4", "release": "2.4.1", "target": "ath79", "subtarget": "generic"},
            "autoupdater": {"enabled": True, "branch": "stable"},
            "batman-adv": {"version": "2023.1", "compat": 15},
        },
        "system": {"site_code": "lab", "domain_code": "lab", "role": "node"},
        "owner": {"contact": "somebody@example.org"},
    }


def _statistics(router: SimulatedRouter) -> dict[str, Any]:
    now = router.life.now()
    first, second = now.guests.values()
    received, sent = now.receive_bytes["br-lan"], now.transmit_bytes["br-lan"]
    told = {
        "node_id": router.node_id,
        "time": int(time.time()),
        "uptime": float(now.uptime),
        "idletime": now.uptime * 0.9,
        "loadavg": now.load,
        "processes": {"total": 60, "running": 1},
        "memory": {
            "total": now.memory_total >> 10,
            "free": now.memory_available >> 11,
            "available": now.memory_available >> 10,
            "buffers": 0,
            "cached": now.memory_available >> 11,
        },
        "rootfs_usage": 0.25,
        "clients": {
            "total": first + second,
            "wifi": first + second,
            "wifi24": first,
            "wifi5": second,
            "owe": 0,
            "owe24": 0,
            "owe5": 0,
        },
        "traffic": {
            "rx": {"packets": received // 900, "bytes": received},
            "tx": {"packets": sent // 900, "bytes": sent, "dropped": 0},
            "forward": {"packets": 0, "bytes": 0},
            "mgmt_rx": {"packets": 0, "bytes": 0},
            "mgmt_tx": {"packets": 0, "bytes": 0},
        },
        "wireless": [
            {
                "frequency": frequency,
                "active": now.uptime * 1000,
                "busy": now.uptime * 100,
                "rx": 0,
                "tx": 0,
                "noise": -95,
            }
            for frequency in FREQUENCIES.values()
        ],
        "mesh_vpn": {
            "groups": {
                "backbone": {
                    "peers": {"gw1": {"established": float(now.uptime)} if router.has_internet else None, "gw2": None}
                }
            }
        },
    }
    if router.has_internet:
        told |= {"gateway": "02:00:5e:00:00:01", "gateway_nexthop": "02:00:5e:00:00:02", "gateway_tq": 251}
    return told


CATEGORIES: dict[str, Callable[[SimulatedRouter], dict[str, Any]]] = {
    "nodeinfo": _nodeinfo,
    "statistics": _statistics,
}
