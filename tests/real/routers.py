"""Routers with nothing simulated between us and the shell: dropbear and busybox, each in a chroot of its own.

Each router has its own mount and process namespace. Its flash is the upper layer of an overlay, its RAM a tmpfs on
``/tmp``; a power cut is SIGKILL for its first process, which takes all others along. Only OpenWrt's daemons are played,
by the stand-ins of :mod:`wifimgr.lab`. Needs root and Linux.

All routers stand in a :class:`House`, itself a pair of namespaces whose first process ends when its standard input
does. So nothing is left behind, neither mount nor process nor file, however the tests end.
"""

from __future__ import annotations

import ipaddress
import itertools
import os
import shutil
import signal
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal, TypeVar

import wifimgr.lab
from tests.conftest import find_program
from wifimgr.lab.sshd import make_key
from wifimgr.settings import Endpoint
from wifimgr.ssh import HostKey, Target

Fault = Literal["", "lockout", "lockout-login", "stuck", "power-cut", "hang"]
Shell = Literal["ash", "dash"]
Seen = TypeVar("Seen")
Listing = dict[str, tuple[bytes, int, int, int]]
"""Path without leading slash to bytes, mode, owner and group."""

LAB = Path(wifimgr.lab.__file__).parent
OWN = ("etc/wifimgr", "etc/init.d/wifimgr", "etc/rc.d/S09wifimgr")
"""What wifimgr keeps on a router's flash also when no change is open."""
PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
PATIENCE = 10.0
"""Seconds that anything here may take on a busy machine."""
BLINK = 0.02
BOOT_SECONDS = 0.3

# What OpenWrt's busybox has by default. Not there: base64 diff hostname install nohup od realpath setsid sha1sum stat
# timeout truncate usleep xxd, and more. `flock` is there too, but not in Debian's busybox.
APPLETS = """
    [ [[ ash awk basename brctl bunzip2 bzcat cat chgrp chmod chown chroot clear cmp cp crond crontab cut date dd df
    dirname dmesg du echo egrep env expr false fgrep find free fsync grep gunzip gzip halt head hexdump id ifconfig ip
    kill killall less ln lock logger login logread ls md5sum mkdir mkfifo mknod mktemp mount mv nc netmsg netstat nice
    nslookup ntpd passwd pgrep pidof ping ping6 pivot_root poweroff printf ps pwd readlink reboot reset rm rmdir route
    sed seq sh sha256sum sleep sort start-stop-daemon strings switch_root sync sysctl tail tar tee test time top touch
    tr traceroute traceroute6 true udhcpc umount uname uniq uptime vi wc which xargs yes zcat
""".split()  # noqa: SIM905 - a list of words reads better without a quote around each

FOLDERS = """
    bin sbin usr/bin usr/sbin etc/dropbear etc/init.d etc/rc.d lib/upgrade/keep.d root/.ssh proc dev tmp lab
""".split()  # noqa: SIM905

DEVICES = ("null", "zero", "random", "urandom")

HOUSE = "mount -t tmpfs -o mode=755 house /mnt && echo ready && exec cat >/dev/null"

# $1: folder of the router, $2: lower layer, $3: KB of flash
FLASH = """
set -e; cd "$1"; mkdir flash root lab
mount -t tmpfs -o "size=$3k,mode=755" flash flash; mkdir flash/upper flash/work
mount -t overlay -o "lowerdir=$2,upperdir=$1/flash/upper,workdir=$1/flash/work" router root
mount --bind lab root/lab
"""

# $1: root folder, $2: what runs inside, $3: address and port. At each login dropbear reads a list of all timers of its
# machine, to stir its random numbers: here that would be those of all other routers as well, and of who tests.
POWER = f"""
set -e; cd "$1"; mount -t proc proc proc; mount -t tmpfs -o mode=1777 ram tmp
[ ! -e proc/timer_list ] || mount --bind /dev/null proc/timer_list
for device in {" ".join(DEVICES)}; do mount --bind "/dev/$device" "dev/$device"; done
exec env -i PATH={PATH} HOME=/ chroot . /bin/sh -c "$2" init "$3"
"""

# Boot: start scripts in order, network, SSH. Then what every first process does: collect the dead.
INIT = """
cd /; umask 022; mkdir /tmp/run
for script in /etc/rc.d/S*; do [ ! -x "$script" ] || "$script" boot; done
reload_config boot
dropbear -F -E -s -p "$1" -r /etc/dropbear/dropbear_ed25519_host_key & echo $! >/tmp/run/sshd.pid
[ "$(cat /lab/link 2>/dev/null)" != down ] || kill -STOP $!
while :; do wait; sleep 1; done
"""

# The router's way to nobody closes behind the first login after the reload was asked for.
LAST_LOGIN = """#!/bin/sh
[ "$(cat /lab/link 2>/dev/null)" != after-login ] || { echo down >/lab/link; kill -STOP "$(cat /var/run/sshd.pid)"; }
exec /bin/sh "$@"
"""


class House:
    """Where the routers of one test process stand. ``root`` is its folder, as seen from outside of its namespaces."""

    def __init__(self) -> None:
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", HOUSE]
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )
        assert self._process.stdout
        assert self._process.stderr
        if self._process.stdout.readline() != b"ready\n":
            raise RuntimeError(self._process.stderr.read().decode())
        self.pid = only_child(self._process.pid)
        self.root = Path(f"/proc/{self.pid}/root/mnt")
        self.key, text = make_key()
        self.key_file = self.root / "id_ed25519"
        self.key_file.touch(mode=0o600)
        self.key_file.write_text(text, encoding="ascii")
        self._numbers = itertools.count(1)

    def close(self) -> None:
        """Ends it and everything in it."""
        self._process.communicate(timeout=PATIENCE)

    def inside(self, *command: str) -> list[str]:
        """A command line that runs in the namespaces of the house."""
        return ["nsenter", f"--target={self.pid}", "--mount", "--pid", "--", *command]

    @contextmanager
    def router(self, shell: Shell = "ash", *, flash_kb: int = 8192, yard: int | None = None) -> Iterator[Router]:
        """A running router. ``shell`` is what ``/bin/sh`` is: with ``dash``, a command that busybox would bring along
        and OpenWrt's does not have is missing as on a router. ``yard`` is a process in whose network it stands."""
        router = Router(self, next(self._numbers), self._base(shell), flash_kb, yard)
        try:
            router.boot()
            yield router
        finally:
            router.remove()

    def _base(self, shell: Shell) -> str:
        """The read-only part of every router's tree, by its path inside of the house."""
        base = self.root / f"base-{shell}"
        if not base.exists():
            lay_out(base, shell, f"{self.key.get_name()} {self.key.get_base64()}\n")
        return f"/mnt/{base.name}"


def lay_out(base: Path, shell: Shell, authorized_key: str) -> None:
    """Writes what a router's read-only image holds."""
    shutil.copytree(LAB / "rootfs", base)
    for folder in FOLDERS:
        (base / folder).mkdir(parents=True, exist_ok=True)
    (base / "var").symlink_to("tmp")
    install("busybox", base)
    known = subprocess.run(["busybox", "--list"], capture_output=True, text=True, check=True).stdout.split()
    for applet in set(APPLETS) & set(known):
        (base / "bin" / applet).symlink_to("busybox")
    if shell == "dash":
        (base / "bin/sh").unlink()
        install("dash", base)
        (base / "bin/sh").symlink_to("dash")
    for program in ("flock", "dropbear"):
        install(program, base)
    for device in DEVICES:
        (base / "dev" / device).touch()
    for standin in (LAB / "standins").iterdir():
        write(base / "sbin" / standin.name, standin.read_text(encoding="utf-8"), 0o755)
    write(base / "etc/passwd", "root:x:0:0:root:/root:/bin/sh\n")
    write(base / "etc/shadow", "root:*:0:0:99999:7:::\n", 0o600)
    write(base / "etc/group", "root:x:0:\n")
    write(base / "etc/shells", "/bin/sh\n/sbin/last-login\n")
    write(base / "sbin/last-login", LAST_LOGIN, 0o755)
    (base / "root/.ssh").chmod(0o700)
    write(base / "root/.ssh/authorized_keys", authorized_key, 0o600)


def install(program: str, base: Path) -> None:
    """Copies a program of this machine, with the libraries it needs."""
    source = find_program(program)
    assert source, program
    listing = subprocess.run(["ldd", source], capture_output=True, text=True).stdout.split()
    for path in [source, *(word for word in listing if word.startswith("/"))]:
        folder = "bin" if path == source else Path(path).parent.as_posix().lstrip("/")
        (base / folder).mkdir(parents=True, exist_ok=True)
        shutil.copy(os.path.realpath(path), base / folder / Path(path).name)


def write(path: Path, text: str, mode: int = 0o644) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def only_child(pid: int) -> int:
    """The child of a process that has, or will soon have, exactly one."""
    return wait_for(lambda: [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()])[0]


def wait_for(look: Callable[[], Seen], seconds: float = PATIENCE) -> Seen:
    """Looks again and again until there is something to see; raises TimeoutError with what was seen last."""
    end = time.monotonic() + seconds
    while not (seen := look()):
        if time.monotonic() > end:
            raise TimeoutError(f"still {seen!r} after {seconds:g} s")
        time.sleep(BLINK)
    return seen


class Router:
    """One router. ``tree`` is its whole tree but RAM, as seen from outside; it is there also without power."""

    def __init__(self, house: House, number: int, base: str, flash_kb: int, yard: int | None = None) -> None:
        self.name = f"router-{number}"
        self._yard = yard
        self.cuts = 0
        """How often the power was cut."""
        self._house, self._folder, self._inside = house, house.root / self.name, f"/mnt/{self.name}"
        self._folder.mkdir()
        command = ["sh", "-c", FLASH, "flash", self._inside, base, str(flash_kb)]
        subprocess.run(house.inside(*command), check=True)
        self.tree = self._folder / "root"
        # The process number in the address keeps test processes apart that run at the same time.
        address = str(ipaddress.IPv4Address("127.64.0.0") + os.getpid())
        with socket.create_server((address, 0)) as free:
            self.endpoint = Endpoint(address, free.getsockname()[1])
        self.init = 0
        """Number of its first process, as seen from outside."""
        self._watcher: threading.Thread | None = None
        self._removed = threading.Event()
        self._power: subprocess.Popen[bytes] | None = None
        self.new_host_key()

    # ------------------------------------------------------------ power

    def boot(self) -> None:
        """The power is back: start scripts in order, then the network, then SSH. Returns when SSH listens."""
        command = ["unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", POWER, "power"]
        with (self._folder / "log").open("ab") as log:
            self._power = subprocess.Popen(
                [*self._there(), *self._house.inside(*command, f"{self._inside}/root", INIT, str(self.endpoint))],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.init = only_child(only_child(self._power.pid))
        wait_for(self._listens)

    def _there(self) -> list[str]:
        """What a command line begins with that runs in the network of its yard."""
        return ["nsenter", f"--net=/proc/{self._yard}/ns/net", "--"] if self._yard else []

    def answer(self, client: socket.socket, *options: str) -> subprocess.Popen[bytes]:
        """Serves a connection that came from elsewhere, in the network of its yard: it stands with one leg in each."""
        key = "/etc/dropbear/dropbear_ed25519_host_key"
        inside = ["nsenter", f"--target={self.init}", "--mount", "--pid", "--root", "--wd", "--"]
        return subprocess.Popen(
            [*self._there(), *inside, "/bin/dropbear", "-i", "-s", "-r", key, *options],
            stdin=client,
            stdout=client,
            stderr=subprocess.DEVNULL,
            env={"PATH": PATH, "HOME": "/root"},
        )

    def _listens(self) -> bool:
        assert self._power
        if self._power.poll() is not None:
            raise RuntimeError(f"{self.name} did not boot: {self.log()}")
        if self._yard:
            return f":{self.endpoint.port:04X} 00000000:0000 0A" in Path(f"/proc/{self._yard}/net/tcp").read_text()
        with suppress(OSError), socket.create_connection((self.endpoint.address, self.endpoint.port), 1):
            return True
        return False

    def power_cut(self) -> None:
        """Every process dies where it stands, RAM is gone, flash stays as it is."""
        assert self._power
        if self.init:
            with suppress(ProcessLookupError):
                os.kill(self.init, signal.SIGKILL)
        self._power.wait(PATIENCE)
        (self._folder / "lab/link").unlink(missing_ok=True)
        self.cuts += 1

    def remove(self) -> None:
        """Ends the router for good and gives its memory back."""
        self._removed.set()
        if self._watcher:
            self._watcher.join(PATIENCE)
        if self._power:
            self.power_cut()
        layers = [f"{self._inside}/{name}" for name in ("root/lab", "root", "flash")]
        subprocess.run(self._house.inside("umount", *layers), check=True)

    # ------------------------------------------------------------ misbehaviour

    def misbehave(self, fault: Fault, *, late: float = 0.0, hidden: bool = False) -> None:
        """From now on any other files than those it has now make the router misbehave, ``late`` seconds after a reload.

        ``lockout``: no new connection gets an answer. ``lockout-login``: the same, after one more login.
        ``stuck``: like ``lockout``, and only a reboot with the good files helps.
        ``power-cut``: the power goes and comes back. ``hang``: reload_config never returns. ``hidden``: nothing on the
        router shows that the reload has not taken effect yet.
        """
        lab = self._folder / "lab"
        (lab / "good").write_text(self.run("cd /etc/config && md5sum ./*"), encoding="utf-8")
        (lab / "fault").write_text(fault, encoding="utf-8")
        self.be_late(late)
        if hidden:
            (lab / "hidden").touch()
        if fault == "lockout-login":
            self.run("sed -i 's:/bin/sh$:/sbin/last-login:' /etc/passwd")
        if fault in ("power-cut", "stuck"):
            self.obey_reboots()

    def obey_reboots(self) -> None:
        """From now on it does reboot when it is told to."""
        self._watcher = threading.Thread(target=self._cut_when_told)
        self._watcher.start()

    def be_late(self, seconds: float) -> None:
        """From now on a reload takes effect this late."""
        (self._folder / "lab/delay").write_text(f"{seconds:g}", encoding="utf-8")

    def _cut_when_told(self) -> None:
        sign = self._folder / "lab/cut"
        while not self._removed.wait(BLINK):
            if sign.exists():
                sign.unlink()
                self.power_cut()
                time.sleep(BOOT_SECONDS)
                self.boot()

    def fill_flash(self, leave_kb: int = 0) -> None:
        """Leaves so many KB free on flash; can be called again."""
        self.run("rm -f /filler; dd if=/dev/zero of=/filler bs=1024 2>/dev/null || :")
        size = (self.tree / "filler").stat().st_size // 4096 * 4
        os.truncate(self.tree / "filler", max(0, size - leave_kb) * 1024)

    def new_host_key(self) -> None:
        """Gives it a host key; it shows it from its next boot on."""
        path = self.tree / "etc/dropbear/dropbear_ed25519_host_key"
        path.unlink(missing_ok=True)
        command = ["dropbearkey", "-t", "ed25519", "-f", str(path)]
        made = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        line = next(line for line in made.splitlines() if line.startswith("ssh-"))
        self.host_key = HostKey(*line.split()[:2])

    # ------------------------------------------------------------ what a test does and wants to see

    @property
    def target(self) -> Target:
        """How to log in to it."""
        return Target(
            name=self.name,
            endpoint=self.endpoint,
            user="root",
            keys=(self.host_key,),
            key_file=self._house.key_file,
        )

    def run(self, command: str) -> str:
        """Runs a command inside, not over SSH; returns what it printed."""
        namespaces = [f"--target={self.init}", "--mount", "--pid", "--root", "--wd"]
        done = subprocess.run(
            ["nsenter", *namespaces, "--", "/bin/sh", "-c", command],
            capture_output=True,
            text=True,
            env={"PATH": PATH},
            timeout=PATIENCE,
        )
        if done.returncode:
            raise RuntimeError(f"{self.name}: {command}: {done.returncode} {done.stderr}")
        return done.stdout

    def read(self, path: str) -> bytes:
        """The bytes of a file on flash."""
        return (self.tree / path.lstrip("/")).read_bytes()

    def own(self) -> list[str]:
        """The names in wifimgr's own folder on flash."""
        return sorted(path.name for path in (self.tree / "etc/wifimgr").glob("*"))

    def marks(self) -> list[str]:
        """Where its changes stand: ``pending``, ``undo``, ``confirmed``, ``rolledback``."""
        states = ("pending", "undo", "confirmed", "rolledback")
        return sorted(name.partition(".")[0] for name in self.own() if name.startswith(states))

    def flash(self) -> Listing:
        """Every file on flash but wifimgr's own."""
        found = {}
        for path in self._walk(self.tree):
            inside = path.relative_to(self.tree).as_posix()
            if inside.startswith((*OWN, "tmp/", "lab/", "dev/", "filler")):
                continue  # not even looked at: it may go at any moment
            status = path.lstat()
            if stat.S_ISREG(status.st_mode):
                found[inside] = (path.read_bytes(), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid)
        return found

    def inodes(self) -> dict[str, tuple[int, int, int]]:
        """Path to (inode, mtime, ctime in nanoseconds) of everything: the tree, the layer on flash below it, RAM."""
        inside = Path(f"/proc/{self.init}/root")
        places = [inside, inside / "tmp", self._folder / "flash/upper"]
        skipped = (inside / "proc", inside / "dev")
        stats = ((path, path.lstat()) for place in places for path in self._walk(place, skipped))
        return {str(path): (status.st_ino, status.st_mtime_ns, status.st_ctime_ns) for path, status in stats}

    def _walk(self, top: Path, skipped: tuple[Path, ...] = ()) -> Iterator[Path]:
        yield top
        for folder, folders, names in os.walk(top):
            here = Path(folder)
            folders[:] = sorted(name for name in folders if here / name not in skipped)
            yield from (here / name for name in [*folders, *names])

    def processes(self) -> dict[int, list[str]]:
        """Command lines of the processes that run on it, by their number outside."""
        mine = Path(f"/proc/{self.init}/ns/pid").readlink()
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):  # it has ended meanwhile
                if (folder / "ns/pid").readlink() == mine:
                    found[int(folder.name)] = (folder / "cmdline").read_text(errors="replace").split("\0")[:-1]
        return found

    def log(self) -> str:
        """What dropbear and the start scripts wrote."""
        return (self._folder / "log").read_text(encoding="utf-8", errors="replace")

    def link(self) -> str:
        """What the router does with new connections: ``up``, ``down``, ``after-login``."""
        try:
            return (self._folder / "lab/link").read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return "up"
