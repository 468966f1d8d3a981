"""One simulated router: a directory tree for flash, stand-ins for OpenWrt's tools, a real shell, a real SSH server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
import time
import zlib
from collections.abc import Mapping
from importlib.resources import as_file, files
from pathlib import Path
from typing import Literal

from wifimgr.errors import LabError
from wifimgr.lab.life import Life
from wifimgr.lab.sshd import Key, Link, Shell, SshServer

Fault = Literal["", "lockout", "lockout-login", "stuck", "power-cut", "hang"]
NOT_FLASH = ("etc/wifimgr", "etc/init.d/wifimgr", "etc/rc.d/S09wifimgr", "tmp", "var", "lab", "proc", "sbin")
"""What is RAM, the lab's, or wifimgr's own: it may come and go at any time."""
BOOT_SECONDS = 0.5
WATCH_SECONDS = 0.02


class SimulatedRouter:
    """A router of the lab. ``root`` is its directory tree; its flash is everything there but ``tmp``."""

    def __init__(
        self,
        name: str,
        root: Path,
        tools: Path,
        user_key: Key,
        host_key: Key,
        gluon: bool = False,
        node_id: str = "",
    ) -> None:
        self.name, self.root, self.host_key = name, root, host_key
        self.gluon = gluon
        self.node_id = node_id or f"0200{zlib.crc32(name.encode()):08x}"
        """What the mesh calls it."""
        self._control = root / "lab"
        self.way: SimulatedRouter | None = None
        """The router that it is behind: when that one has no power or link, nobody reaches this one."""
        self.beyond: Mapping[str, SimulatedRouter] = {}
        """The routers that it opens connections to for who is logged in, by address."""
        self.forwards = True
        """Whether it does so."""
        self.silent: set[str] = set()
        """Datagram services that get no answer any more: ``snmp``, ``respondd``, ``ping``."""
        self.wireless_mib = False
        """Whether its SNMP agent tells of the Wi-Fi, which stock OpenWrt's does not."""
        self.ports: dict[str, int] = {}
        """Datagram services and their ports on 127.0.0.1."""
        self.flash_at_boot: dict[str, bytes] = {}
        """What was on flash when the network came up after the last boot."""
        self._lay_out(gluon, tools)
        self.life = Life(name, self._control)
        self.link = Link(self._control, self.is_reachable)
        self._shell = Shell(root, f"{tools}:/usr/sbin:/usr/bin:/sbin:/bin")
        self._boot_scripts()
        self._server = SshServer(self._shell, host_key, user_key, self.link, self.reach)

    @property
    def port(self) -> int:
        """The SSH port on 127.0.0.1."""
        return self._server.port

    def endpoints(self) -> dict[str, str]:
        """Service to endpoint, as local.yaml has them."""
        return {name: f"127.0.0.1:{port}" for name, port in {"ssh": self.port, **self.ports}.items()}

    def stand_behind(self, way: SimulatedRouter | None) -> None:
        """From now on it is reached over this router; its stand-ins find that one's tree at ``lab/way``."""
        self.way = way
        self._control.joinpath("way").unlink(missing_ok=True)
        if way:
            self._control.joinpath("way").symlink_to(way.root)

    def reach(self, address: str, port: int) -> socket.socket:
        """Connects to the SSH server of another router, whatever the port. Raises PermissionError, OSError."""
        if not self.forwards:
            raise PermissionError
        other = self.beyond.get(address)
        if other is None or not other.link.powered:
            raise ConnectionRefusedError
        return socket.create_connection(("127.0.0.1", other.port))

    def is_reachable(self) -> bool:
        """Whether it has power and a link, and so has every router on our way to it."""
        return self.link.is_up() and (self.way is None or self.way.is_reachable())

    def answers(self, service: str) -> bool:
        """Whether a datagram service answers right now."""
        return service not in self.silent and self.is_reachable()

    def set_internet(self, works: bool) -> None:
        """Whether the internet is reachable from here; the router itself goes on as before."""
        if works:
            self._control.joinpath("no-internet").unlink(missing_ok=True)
        else:
            self._write("no-internet", "")

    @property
    def has_internet(self) -> bool:
        """What :meth:`set_internet` said, here or at a router on our way to it."""
        return not self._control.joinpath("no-internet").exists() and (self.way is None or self.way.has_internet)

    def _lay_out(self, gluon: bool, tools: Path) -> None:
        with as_file(files("wifimgr.lab") / "rootfs") as rootfs:
            shutil.copytree(rootfs, self.root, dirs_exist_ok=True)
        for folder in ("etc/init.d", "etc/rc.d", "lib/upgrade/keep.d", "tmp/run", "lab"):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        (self.root / "var").symlink_to("tmp")
        if not gluon:
            self._write("services", "dnsmasq\n")
        (self.root / "sbin").mkdir()
        (self.root / "sbin/reboot").symlink_to(tools / "reboot")
        if gluon:
            with as_file(files("wifimgr.lab") / "gluon") as tree:
                shutil.copytree(tree, self.root, dirs_exist_ok=True)

    # ------------------------------------------------------------ power

    def power_cut(self) -> None:
        """The power goes: every process dies where it stands, RAM is empty, flash stays as it is."""
        self.link.powered = False
        self._server.drop()
        self._shell.kill_all()
        self._control.joinpath("link").unlink(missing_ok=True)
        shutil.rmtree(self.root / "tmp")
        (self.root / "tmp/run").mkdir(parents=True)

    def boot(self) -> None:
        """The power is back: runs the start scripts in order, then the network comes up."""
        self.life.boot()
        self._boot_scripts()
        self.flash_at_boot = self.flash()
        self.link.powered = True

    def _boot_scripts(self) -> None:
        scripts = sorted(self.root.joinpath("etc/rc.d").glob("S*"))
        for script in [*(str(path) for path in scripts), "reload_config"]:
            self.run([script, "boot"])

    def run(self, command: list[str]) -> None:
        """Runs a command on the router, as its init does; raises LabError when it cannot be run."""
        try:
            process = self._shell.start(command, {})
            process.communicate(timeout=30)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise LabError("lab-failed", f"{command[0]}: {error}", where=self.name) from None

    def stop(self) -> None:
        """Ends everything that belongs to this router."""
        self._server.stop()
        self._shell.kill_all()

    # ------------------------------------------------------------ misbehaviour

    def misbehave(self, fault: Fault, *, late: float = 0.0, hidden: bool = False) -> None:
        """From now on any other files than those it has now make the router misbehave, ``late`` seconds after a reload.

        ``lockout``: no new connection gets an answer. ``lockout-login``: the same, after one more login.
        ``stuck``: like ``lockout``, and only a reboot with the good files helps.
        ``power-cut``: the power goes and comes back. ``hang``: reload_config never returns. ``hidden``: nothing on the
        router shows that the reload has not taken effect yet.
        """
        listing = subprocess.run(
            ["/bin/sh", "-c", "md5sum ./*"],
            cwd=self.root / "etc/config",
            capture_output=True,
            text=True,
            check=True,
        )
        self._write("good", listing.stdout)
        self._write("delay", f"{late:g}")
        self._write("fault", fault)
        if hidden:
            self._write("hidden", "")
        if fault in ("power-cut", "stuck"):
            self.obey_reboots()

    def _write(self, name: str, text: str) -> None:
        self._control.joinpath(name).write_text(text, encoding="utf-8")

    def obey_reboots(self) -> None:
        """From now on it does reboot, once, when it is told to."""
        threading.Thread(target=self._cut_when_told, daemon=True).start()

    def _cut_when_told(self) -> None:
        sign = self._control / "cut"
        while not sign.exists():
            time.sleep(WATCH_SECONDS)
        sign.unlink()
        self.power_cut()
        time.sleep(BOOT_SECONDS)
        self.boot()

    def fill_flash(self) -> None:
        """From now on no file can grow: what a full flash looks like to a script."""
        self._shell.file_limit = 0

    def change_host_key(self, key: Key) -> None:
        """The router shows another host key from now on."""
        self._server.change_host_key(key)

    # ------------------------------------------------------------ what a test wants to see

    def read(self, path: str) -> bytes:
        """The bytes of a file of the router, by its path on the router."""
        return self.root.joinpath(path.lstrip("/")).read_bytes()

    def flash(self) -> dict[str, bytes]:
        """Every file on flash but wifimgr's own state: path on the router to bytes."""
        found = {}
        for folder, folders, names in os.walk(self.root):
            inside = Path(folder).relative_to(self.root).as_posix().removeprefix(".")
            folders[:] = [name for name in folders if not f"{inside}/{name}".lstrip("/").startswith(NOT_FLASH)]
            for path in (f"{inside}/{name}".lstrip("/") for name in names):
                if not path.startswith(NOT_FLASH) and (self.root / path).is_file():
                    found[path] = (self.root / path).read_bytes()
        return dict(sorted(found.items()))

    def inodes(self) -> dict[str, tuple[int, int, int]]:
        """Path to (inode, mtime, ctime in nanoseconds) of the whole tree, RAM included."""
        stats = ((path, path.lstat()) for path in [self.root, *self.root.rglob("*")])
        return {str(path): (stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns) for path, stat in stats}
