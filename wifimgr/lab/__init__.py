"""Simulated routers on loopback: the demo's network and the base of many tests. No root, only Python and /bin/sh.

Each router speaks real SSH and runs the real router-side script in a real shell on its own directory tree. The lab
knows nothing of playbooks, plans or pushes, so that it can be the judge of them.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from types import TracebackType
from typing import Any

from wifimgr.lab import echo, respondd, snmpd
from wifimgr.lab.loop import LoopThread
from wifimgr.lab.router import SimulatedRouter
from wifimgr.lab.sshd import Key, make_key
from wifimgr.model import Lifecycle, Router
from wifimgr.settings import SnmpProfile

__all__ = ["SERVICES", "Lab", "SimulatedRouter", "make_key"]

Serve = Callable[[SimulatedRouter, SnmpProfile | None], Awaitable[tuple[int, Callable[[], None]]]]
"""Starts a datagram service of one router on 127.0.0.1: returns its port, and what ends it."""

SERVICES: Mapping[str, Serve] = {"snmp": snmpd.serve, "respondd": respondd.serve, "ping": echo.serve}
"""The datagram services that a simulated router can have, by their name in the inventory."""


class Lab:
    """One simulated router per inventory entry. A context manager: everything is stopped and removed at its end.

    ``folder`` must not exist yet. ``key_file`` is the private key that every router lets in. ``services`` are keys of
    :data:`SERVICES`: what routers offer besides SSH, each one if its ``sources`` name it; ``snmp`` gives the profile
    that a router's agent answers to.
    """

    def __init__(
        self,
        folder: Path,
        routers: Iterable[Router],
        services: Collection[str] = (),
        snmp: Callable[[Router], SnmpProfile | None] = lambda router: None,
    ) -> None:
        self.folder = folder
        self._wanted = tuple(routers)
        self._services, self._snmp = tuple(services), snmp
        self._ends: list[Callable[[], None]] = []
        self._loop: LoopThread | None = None
        self.routers: dict[str, SimulatedRouter] = {}
        self.key_file = folder / "id_ed25519"

    def __enter__(self) -> Lab:
        self.folder.mkdir(parents=True)
        user_key, text = make_key()
        self.key_file.touch(mode=0o600)
        self.key_file.write_text(text, encoding="ascii")
        tools = self._lay_out_tools()
        try:
            with ThreadPoolExecutor(8) as pool:
                started = pool.map(lambda router: self._start(router, tools, user_key), self._wanted)
                self.routers = {router.name: router for router in started}
            self._connect()
            self._serve()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._loop:
            self._loop.run(_ended(self._ends))
            self._loop.stop()
        for router in self.routers.values():
            router.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, router: Router, tools: Path, user_key: Key) -> SimulatedRouter:
        root = self.folder / "routers" / router.name
        root.mkdir(parents=True)
        gluon = router.platform == "gluon"
        return SimulatedRouter(router.name, root, tools, user_key, make_key()[0], gluon, router.node_id)

    def _connect(self) -> None:
        used = [router for router in self._wanted if router.lifecycle is not Lifecycle.RETIRED]
        by_address = {address: self.routers[router.name] for router in used for address in router.addresses}
        for wanted in self._wanted:
            self.routers[wanted.name].stand_behind(self.routers.get(wanted.behind or ""))
            self.routers[wanted.name].beyond = by_address

    def _serve(self) -> None:
        """Starts the datagram services that the routers' sources name."""
        if not self._services:
            return
        self._loop = LoopThread()
        for wanted in self._wanted:
            router = self.routers[wanted.name]
            for name in [name for name in self._services if name in wanted.sources]:
                profile = self._snmp(wanted) if name == "snmp" else None
                router.ports[name], end = self._loop.run(_started(SERVICES[name], router, profile))
                self._ends.append(end)

    def _lay_out_tools(self) -> Path:
        """The stand-ins, executable, in a folder that comes first in every router's PATH."""
        tools = self.folder / "tools"
        tools.mkdir()
        for source in (files("wifimgr.lab") / "standins").iterdir():
            self._put_tool(tools / source.name, source.read_text(encoding="utf-8"))
        if not shutil.which("flock"):
            text = (files("wifimgr.lab") / "flock.py").read_text(encoding="utf-8")
            self._put_tool(tools / "flock", f"#!{sys.executable}\n{text}")
        return tools

    def _put_tool(self, path: Path, text: str) -> None:
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)

    def move_in(
        self, network: Path, profiles: Iterable[str], push: Mapping[str, Any], watch: Mapping[str, Any] | None = None
    ) -> None:
        """Makes a network folder speak to these routers: writes its local.yaml and its known_hosts.

        Those that are logged in to through another one keep their own address for SSH: only that one knows the way.
        ``profiles`` are the SSH profiles of the network, ``push`` and ``watch`` the times as local.yaml has them.
        """
        login = {"user": "root", "key": {"file": str(self.key_file)}}
        local = {
            "endpoints": {router.name: self._endpoints(router) for router in self._wanted},
            "ssh": dict.fromkeys(profiles, login),
            "push": push,
            "watch": watch or {},
        }
        text = json.dumps(local, indent=1, ensure_ascii=False)  # JSON is YAML, too
        (network / ".wifimgr/local.yaml").write_text(text, encoding="utf-8")
        keys = {name: router.host_key for name, router in self.routers.items()}
        lines = "".join(f"{name} {key.get_name()} {key.get_base64()}\n" for name, key in keys.items())
        (network / "inventory/known_hosts").write_text(lines, encoding="ascii")

    def _endpoints(self, router: Router) -> dict[str, str]:
        known = self.routers[router.name].endpoints()
        return {service: known[service] for service in known if not (service == "ssh" and router.jump)}


async def _started(
    serve: Serve, router: SimulatedRouter, profile: SnmpProfile | None
) -> tuple[int, Callable[[], None]]:
    return await serve(router, profile)


async def _ended(ends: Iterable[Callable[[], None]]) -> None:
    for end in ends:
        end()
