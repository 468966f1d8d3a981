"""What a guarded change of 100 routers costs, and a check that finds nothing to do. Peers: ansible-core and OpenSSH.

The routers are real dropbears with busybox in trees of their own, and share this machine with whoever changes them. A
change is seven UCI files of 7 KB in all. The peers write the same files, let uci read them and ask for a reload, once
through one login with ``ssh … sh -s`` and once with ansible's ``template`` lookup and ``raw`` (forks 50); they keep no
snapshot, guard nothing, confirm nothing, and log in once where we log in three times. For a check they read the files.

Seconds of a change are without the declared settle time, which is waited for on purpose. Round trips are how much
longer a router takes per second that it is farther away, and one for each connection (see tests/real/delay.py).

    python benchmarks/push.py [--routers 100] [--rounds 3]

Prints a table and one JSON line a figure. Needs root, dropbear, busybox, OpenSSH and ansible-core (``make bench`` has
installed it: it is part of the extra ``dev``).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from unittest import mock

from tests.conftest import missing_parts
from tests.real.conftest import PARTS, Network, write_network
from tests.real.delay import delayed
from tests.real.routers import House, Router
from wifimgr.model import Result
from wifimgr.push import apply, fleet, plan, playbook
from wifimgr.settings import Endpoint, PushTimes, Rollout
from wifimgr.ssh import Connection
from wifimgr.store import Store

FOLDER = Path(__file__).parents[1] / "tests" / "data" / "etc-config"
# Without a radar channel: listening for radar takes a minute by law, and would be part of the settle time.
FILES = {
    path.name: path.read_text(encoding="utf-8").replace("channel '100'", "channel '36'")
    for path in sorted(FOLDER.iterdir())
}
TIMES = PushTimes(confirm_within=90, settle_connectivity=15, settle_other=15, login_gap=5)
QUICK = PushTimes(confirm_within=60, settle_connectivity=1, settle_other=1, login_gap=1)
"""Where only what happens in the logins is measured."""
FORKS = 50
STARTS_AT_ONCE = 8
ROUND_TRIPS = (0.0, 0.05, 0.1, 0.2)
"""Seconds."""
ALONE = 20
"""How often one router alone is asked, each round."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What something cost: seconds in all, and CPU milliseconds of this side a router."""

    seconds: float
    cpu: float


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the result."""

    name: str
    unit: str
    goal: float
    value: float
    peers: dict[str, float]


def measured(routers: int, do: Callable[[], object]) -> Cost:
    """Does it; the CPU is that of this process and of the programs it waited for."""
    before, began = _cpu(), time.monotonic()
    do()
    return Cost(time.monotonic() - began, 1000 * (_cpu() - before) / routers)


def _cpu() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)


def median(costs: list[Cost]) -> Cost:
    """Of each number on its own."""
    return Cost(statistics.median(each.seconds for each in costs), statistics.median(each.cpu for each in costs))


# ---------------------------------------------------------------- ours


@contextmanager
def running(house: House, number: int) -> Iterator[list[Router]]:
    """So many routers with the files of a router, running."""

    def start(_: int) -> Router:
        router = stack.enter_context(house.router(flash_kb=4096))
        for name, text in FILES.items():
            (router.tree / "etc/config" / name).write_text(text, encoding="utf-8")
        router.run("reload_config boot")
        return router

    with ExitStack() as stack, ThreadPoolExecutor(STARTS_AT_ONCE) as pool:
        first = start(0)  # alone: it lays out what all of them share
        yield [first, *pool.map(start, range(1, number))]


def write_wish(net: Network, number: int) -> None:
    """The playbook of a round: one option in each file."""
    section = {"type": "round", "name": "round"}
    net.write_playbook("change", uci={name: [{"section": section, "set": {"is": str(number)}}] for name in FILES})


def planned(net: Network, *names: str) -> plan.Plan:
    """A plan for these routers; for all when none is named."""
    inventory = net.inventory
    routers = [inventory.routers[name] for name in names] or list(inventory.routers.values())
    made = plan.make_plan(inventory, net.known_hosts, playbook.load(net.folder, "change"), routers)
    if made.outcomes:
        sys.exit(f"a router cannot be read: {made.outcomes[0]}")
    return made


def pushed(net: Network, made: plan.Plan) -> None:
    """Carries a plan out, all routers at the same time."""
    store = Store(net.folder / ".wifimgr")
    pusher = apply.Pusher(net.inventory, net.known_hosts, store, made.job, "", threading.Event())
    rollout = Rollout(canary=0, at_once=len(made.changes))
    try:
        outcomes = fleet.push_all(pusher, made.to_do, lambda outcome: None, rollout)
    finally:
        store.close()
    bad = [outcome for outcome in outcomes if outcome.result is not Result.DONE]
    if bad or not outcomes:
        sys.exit(f"not all were changed: {bad[:3]}")


# ---------------------------------------------------------------- peers


class Peers:
    """The same with programs of others."""

    def __init__(self, folder: Path, house: House, routers: list[Router]) -> None:
        self._folder, self._routers = folder, routers
        hosts = "".join(
            f"[{each.endpoint.address}]:{each.endpoint.port} {each.host_key.type} {each.host_key.base64}\n"
            for each in routers
        )
        (folder / "known_hosts").write_text(hosts, encoding="ascii")
        self._options = [
            *("-F", "none", "-i", str(house.key_file), "-o", f"UserKnownHostsFile={folder / 'known_hosts'}"),
            *("-o", "BatchMode=yes", "-o", "LogLevel=ERROR"),
        ]
        self._write_inventory()

    def _write_inventory(self) -> None:
        hosts = {
            each.name: {
                "ansible_host": each.endpoint.address,
                "ansible_port": each.endpoint.port,
                "ansible_user": "root",
            }
            for each in self._routers
        }
        shared = {"ansible_ssh_common_args": shlex.join(self._options)}
        (self._folder / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts, "vars": shared}}))
        (self._folder / "templates").mkdir()
        for name, text in FILES.items():
            text += "\nconfig round 'round'\n\toption is '{{ round }}'\n"
            (self._folder / "templates" / name).write_text(text, encoding="utf-8")
        write = "mkdir -p /tmp/new && printf '%s\\n' {{ lookup('template', 'NAME') | quote }} >/tmp/new/NAME"
        tasks = [{"raw": write.replace("NAME", name)} for name in FILES]
        tasks += [{"raw": CHECK_AND_PUT}, {"raw": "reload_config"}]
        for name, wanted in (("change", tasks), ("check", [{"raw": "cat /etc/config/*"}])):
            play = [{"hosts": "all", "gather_facts": False, "tasks": wanted}]
            (self._folder / f"{name}.json").write_text(json.dumps(play))

    def ansible(self, book: str, number: int = 0) -> None:
        """One run of a playbook for all routers."""
        program = Path(sys.executable).with_name("ansible-playbook")
        options = ["-i", "hosts.json", "--forks", str(FORKS), "-e", f"round={number}", f"{book}.json"]
        env = {**os.environ, "ANSIBLE_SSH_USETTY": "no", "ANSIBLE_HOME": str(self._folder / "ansible")}
        done = subprocess.run([program, *options], cwd=self._folder, env=env, capture_output=True, text=True)
        if done.returncode:
            sys.exit(f"ansible-playbook failed: {(done.stdout + done.stderr)[:2000]}")

    def ssh_all(self, text: str) -> None:
        """The same script on all routers, as many at the same time as ansible has forks."""
        with ThreadPoolExecutor(FORKS) as pool:
            list(pool.map(lambda router: self.ssh(router.endpoint, text), self._routers))

    def ssh(self, endpoint: Endpoint, text: str, *options: str) -> None:
        """One login, one script."""
        command = ["ssh", *self._options, *options, "-p", str(endpoint.port), f"root@{endpoint.address}", "sh -s"]
        done = subprocess.run(command, input=text.encode(), capture_output=True)
        if done.returncode:
            sys.exit(f"ssh failed: {done.stderr.decode()[-500:]}")


CHECK_AND_PUT = "uci -c /tmp/new show >/dev/null && mv /tmp/new/* /etc/config/ && sync && sha256sum /etc/config/*"
READ = "cat /etc/config/*\n"


def ssh_change(number: int) -> str:
    """The script of a change without any guard."""
    lines = ["mkdir -p /tmp/new"]
    for name, text in FILES.items():
        text += f"\nconfig round 'round'\n\toption is '{number}'"
        lines.append(f"printf '%s\\n' {shlex.quote(text)} >/tmp/new/{name}")
    return "\n".join([*lines, CHECK_AND_PUT, "reload_config", ""])


# ---------------------------------------------------------------- the figures


def together(net: Network, peers: Peers, routers: int, rounds: int) -> Iterator[Figure]:
    """All routers at the same time."""
    costs: dict[str, list[Cost]] = {}
    for number in range(rounds):
        write_wish(net, number)
        made = planned(net)
        runs: dict[str, Callable[[], object]] = {
            "change": lambda made=made: pushed(net, made),  # type: ignore[misc]
            "check": lambda: planned(net),
            "change ssh": lambda number=number: peers.ssh_all(ssh_change(number)),  # type: ignore[misc]
            "check ssh": lambda: peers.ssh_all(READ),
            "change ansible": lambda number=number: peers.ansible("change", number),  # type: ignore[misc]
            "check ansible": lambda: peers.ansible("check"),
        }
        for name, run in runs.items():
            costs.setdefault(name, []).append(measured(routers, run))
            print(f"round {number + 1} of {rounds}: {name}: {costs[name][-1].seconds:.2f} s", file=sys.stderr)
    cost = {name: median(each) for name, each in costs.items()}
    for what, seconds, cpu in (("change", 5.0, 12.0), ("check", 1.5, 4.0)):
        ours, ssh, ansible = cost[what], cost[f"{what} ssh"], cost[f"{what} ansible"]
        waits = TIMES.settle_connectivity if what == "change" else 0
        title = {"change": f"guarded change of {routers} routers", "check": f"check of {routers} routers"}[what]
        by_name = {"OpenSSH": ssh, "ansible": ansible}
        took = {name: each.seconds for name, each in by_name.items()}
        yield Figure(title, "s", seconds, ours.seconds - waits, took)
        used = {name: each.cpu for name, each in by_name.items()}
        yield Figure(f"{title}, controller CPU a router", "ms", cpu, ours.cpu, used)


def alone(net: Network, peers: Peers, router: Router, rounds: int) -> Iterator[Figure]:
    """One router, nothing else going on; its round trips too."""
    write_wish(net, rounds - 1)  # what the last round of all together has made true
    inventory, known, wanted = net.inventory, net.known_hosts, playbook.load(net.folder, "change")
    here = [inventory.routers[router.name]]
    times = range(ALONE * rounds)
    ours = [measured(1, lambda: plan.make_plan(inventory, known, wanted, here)).seconds for _ in times]
    ssh = [measured(1, lambda: peers.ssh(router.endpoint, READ)).seconds for _ in times]
    took = {"OpenSSH": 1000 * statistics.median(ssh)}
    yield Figure("nothing to do on one router", "ms", 25.0, 1000 * statistics.median(ours), took)

    costs: dict[str, list[float]] = {}
    for number, round_trip in enumerate(ROUND_TRIPS * rounds):
        with delayed(router.endpoint, round_trip) as far:
            local = net.folder / ".wifimgr/local.yaml"
            local.write_text(f"endpoints: {{{router.name}: {{ssh: '{far}'}}}}\n", encoding="utf-8")
            write_wish(net, 1000 + number)
            made = planned(net, router.name)
            costs.setdefault("change", []).append(seconds_in_logins(lambda made=made: pushed(net, made)))  # type: ignore[misc]
            costs.setdefault("check", []).append(seconds_in_logins(lambda: planned(net, router.name)))
            alias = ("-o", f"HostKeyAlias=[{router.endpoint.address}]:{router.endpoint.port}")
            for name, text in (("change ssh", ssh_change(number)), ("check ssh", READ)):
                run = measured(1, lambda text=text, far=far, alias=alias: peers.ssh(far, text, *alias))  # type: ignore[misc]
                costs.setdefault(name, []).append(run.seconds)
            local.unlink()
    trips = {
        name: statistics.linear_regression(ROUND_TRIPS * rounds, each).slope + (3 if name == "change" else 1)
        for name, each in costs.items()
    }
    yield Figure("round trips of a check", "", 7.6, trips["check"], {"OpenSSH": trips["check ssh"]})
    yield Figure("round trips of a change", "", 23.0, trips["change"], {"OpenSSH": trips["change ssh"]})


def seconds_in_logins(do: Callable[[], object]) -> float:
    """How long all logins took together that happen meanwhile: without the waiting in between."""
    spent: list[float] = []

    @contextmanager
    def timed(*arguments: object) -> Iterator[Connection]:
        began = time.monotonic()
        with connect(*arguments) as connection:  # type: ignore[arg-type]
            yield connection
        spent.append(time.monotonic() - began)

    connect = plan.connect
    with mock.patch.object(plan, "connect", timed), mock.patch.object(apply, "connect", timed):
        do()
    return sum(spent)


def show(figures: list[Figure], versions: dict[str, str]) -> None:
    """A table, then one JSON line a figure."""
    print(f"\n{'':58}{'wifimgr':>10}{'goal':>8}{'OpenSSH':>10}{'ansible':>10}")
    for each in figures:
        peers = "".join(f"{each.peers[name]:10.2f}" if name in each.peers else f"{'':10}" for name in versions)
        title = f"{each.name} ({each.unit})" if each.unit else each.name
        print(f"{title:58}{each.value:10.2f}{each.goal:8.1f}{peers}")
    print(f"\npeers: {', '.join(versions.values())}\n")
    for each in figures:
        result = {
            "name": each.name,
            "value": round(each.value, 2),
            "unit": each.unit,
            "peer": "; ".join(f"{versions[name]}: {value:.2f}" for name, value in each.peers.items()),
            "ratio": {name: round(each.value / value, 2) for name, value in each.peers.items()},
            "goal": each.goal,
            "met": each.value <= each.goal,
        }
        print(json.dumps(result))


def peer_versions() -> dict[str, str]:
    """The programs to compare with; ends with a word when one is missing."""
    try:
        ansible = version("ansible-core")
    except PackageNotFoundError:
        sys.exit("ansible-core is missing, and it is a peer: pip install 'ansible-core>=2.19', or use make bench")
    missing = missing_parts("ssh", *PARTS)
    if missing:
        sys.exit(f"needs {', '.join(missing)}: run it as root on Debian, after sh tests/setup.sh")
    ssh = subprocess.run(["ssh", "-V"], capture_output=True, text=True).stderr.split(",")[0]
    return {"OpenSSH": ssh.split()[0].replace("_", " "), "ansible": f"ansible-core {ansible}"}


def main() -> None:
    """Measures everything, one after the other, and prints the result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--routers", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    versions = peer_versions()
    house = House()
    try:
        with tempfile.TemporaryDirectory() as name, running(house, options.routers) as routers:
            folder = Path(name)
            net = write_network(folder / "net", house, tuple(routers), TIMES, {})
            (folder / "peers").mkdir()
            peers = Peers(folder / "peers", house, routers)
            figures = list(together(net, peers, options.routers, options.rounds))
            one = write_network(folder / "one", house, (routers[0],), QUICK, {})
            figures += alone(one, peers, routers[0], options.rounds)
    finally:
        house.close()
    show(figures, versions)


if __name__ == "__main__":
    main()
