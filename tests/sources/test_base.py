"""What holds for every source: whatever comes back becomes one reading of a bounded size."""

from __future__ import annotations

import asyncio
from pathlib import Path

from tests.watching import Fake, network
from wifimgr.model import Interface, Measured, Radio, Reading, Router
from wifimgr.sources import read
from wifimgr.sources.base import MOST_INTERFACES, MOST_NAMES, MOST_RADIOS


def answer(folder: Path, told: Measured) -> Reading:
    """The reading of a source that tells this."""

    async def tell(router: Router) -> Measured:
        return told

    source = Fake()
    source.answer = tell
    return asyncio.run(read("snmp", source, network(folder, 1).routers["ap-0"], 60.0, lambda line: None))


def test_one_router_tells_only_so_much(tmp_path: Path) -> None:
    names = tuple(f"name-{number}" for number in range(MOST_NAMES + 1))
    radios = tuple(Radio(name=f"radio{number}", ssids=names) for number in range(MOST_RADIOS + 1))
    interfaces = tuple(Interface(name=f"eth{number}") for number in range(MOST_INTERFACES + 1))
    told = answer(tmp_path, Measured(clients=3, radios=radios, interfaces=interfaces)).measured
    assert told is not None
    assert told.clients == 3
    assert told.interfaces == interfaces[:-1]
    assert [radio.name for radio in told.radios] == [radio.name for radio in radios[:-1]]
    assert {radio.ssids for radio in told.radios} == {names[:-1]}
