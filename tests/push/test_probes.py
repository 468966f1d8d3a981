"""What a router tries before a change is confirmed: probes.sh in each shell, with what meshes and services say."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.push.box import LAB, Box
from tests.push.scenarios import applied
from wifimgr.push import script

SHELLS = ["sh", "busybox"]
LIMIT = 8


@pytest.fixture(params=SHELLS)
def box(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Box]:
    """A router with a change that a login may confirm."""
    if request.param == "busybox" and not shutil.which("busybox"):
        pytest.skip("needs busybox")
    box = Box(tmp_path, shell=request.param)
    box.put_tool("ping", (LAB / "standins/ping").read_text())  # busybox has one of its own
    applied(box, within=600)
    box.settle()
    box.look()
    yield box
    box.kill_all()


def tried(box: Box, *probes: script.Probe) -> dict[script.Probe, str]:
    """What becomes of probes."""
    return dict(box.look(probes=probes, limit=LIMIT).probes)


def one(box: Box, kind: str, argument: str) -> str | None:
    """What becomes of one probe."""
    return tried(box, (kind, argument)).get((kind, argument))


ALL = [("ping", "192.0.2.1"), ("ping", "fe80::1%br-lan"), ("service", "snmpd"), ("neighbours", "2")]


def test_everything_is_tried_at_once_and_told_in_one_look(box: Box) -> None:
    box.write("lab/silent", "192.0.2.1\n")
    box.write("lab/services", "dropbear\nsnmpd\n")
    assert tried(box, *ALL, ALL[0]) == dict(zip(ALL, ["no", "yes", "yes", "none"], strict=True))


# --- services ---


def init_script(box: Box, name: str, text: str) -> None:
    box.write(f"etc/init.d/{name}", f"#!/bin/sh\n{text}\n")
    (box.root / f"etc/init.d/{name}").chmod(0o755)


def test_service_that_procd_does_not_run_is_asked_itself(box: Box) -> None:
    init_script(box, "down", "exit 1")
    init_script(box, "up", '[ "$1" = running ]')
    init_script(box, "old", 'echo "Syntax: $0 [command]"')
    assert [one(box, "service", name) for name in ("down", "up", "old", "gone")] == ["no", "yes", "no", "missing"]


def test_service_whose_instances_have_all_ended_does_not_run(box: Box) -> None:
    init_script(box, "x", "exit 1")
    box.put_tool(
        "ubus", """#!/bin/sh\nprintf '{"x": {"instances": {"i": {\\n"running": false,\\n"command": ["running"]}}}}'\n"""
    )
    assert one(box, "service", "x") == "no"


def test_only_the_answer_leaves_the_router(box: Box) -> None:
    box.put_tool("ubus", """#!/bin/sh\nprintf '"running": true,\\n"command": ["daemon", "--password=geheim"]'\n""")
    box.write("lab/batman", BATMAN)
    seen = bytearray()
    run = box.run

    def noted(*arguments: object, **keys: object) -> bytes:
        output = run(*arguments, **keys)  # type: ignore[arg-type]
        seen.extend(output)
        return output

    box.run = noted  # type: ignore[method-assign]
    assert tried(box, ("service", "x"), ("neighbours", "1")) == {("service", "x"): "yes", ("neighbours", "1"): "2"}
    told = bytes(seen).replace(b"hostapd", b"").decode()
    probes = [line for line in told.splitlines() if " probe " in line]
    assert sorted(line.split(" probe ")[1] for line in probes) == ["neighbours 1 2", "service x yes"]
    assert "02:00:5e" not in told


# --- neighbours ---

# Heard now, on another radio, and long ago.
BATMAN = """\
       mesh0\t  02:00:5e:10:00:01    0.380s
       mesh1\t  02:00:5e:10:00:02    4.110s
       mesh0\t  02:00:5e:10:00:03  157.240s
"""
BATMAN_V = """\
02:00:5e:10:00:01    0.380s (       12.0) [     mesh0]
02:00:5e:10:00:02   30.000s (        1.0) [     mesh0]
"""
BABEL = """\
{
\t"IPv4": [

\t],
\t"IPv6": [
\t\t{
\t\t\t"address": "fe80::1",
\t\t\t"hello_reach": 65535,
\t\t\t"rxcost": 96,
\t\t\t"txcost": 96
\t\t},
\t\t{
\t\t\t"address": "fe80::2",
\t\t\t"hello_reach": 0,
\t\t\t"rxcost": 65535,
\t\t\t"txcost": 96
\t\t}
\t]
}
"""
OLSR = '{"neighbors":[{"ipAddress":"10.0.0.2","symmetric": true},{"ipAddress":"10.0.0.3","symmetric":false}]}\n'


@pytest.mark.parametrize(
    ("files", "count"),
    [
        ({}, "none"),
        ({"batman": ""}, "0"),
        ({"batman": BATMAN}, "2"),
        ({"batman": BATMAN_V}, "1"),
        ({"babel": BABEL}, "1"),
        ({"babel": '{\n\t"IPv4": {\n\t},\n\t"IPv6": {\n\t}\n}\n'}, "0"),
        ({"olsr": OLSR}, "1"),
        ({"olsr": '{\n  "neighbors": [\n  ]\n}\n'}, "0"),
        ({"olsr": "<html>something else listens there</html>"}, "none"),
        ({"batman": BATMAN, "babel": BABEL, "olsr": OLSR}, "4"),
    ],
    ids=["none", "batman 0", "batman", "batman V", "babel", "babel 0", "olsr", "olsr 0", "other", "all"],
)
def test_neighbours_of_every_mesh_are_counted(box: Box, files: dict[str, str], count: str) -> None:
    for name, text in files.items():
        box.write(f"lab/{name}", text)
    assert one(box, "neighbours", "3") == count


def test_router_without_batctl_may_have_another_mesh(box: Box) -> None:
    (box.tools / "batctl").unlink()
    assert one(box, "neighbours", "3") == "none"
    box.write("lab/olsr", OLSR)
    assert one(box, "neighbours", "3") == "1"


# --- what takes too long ---


# Says nothing for a long time; to another address it answers, and notes which process will tell of it.
HANGS = """#!/bin/sh
for address; do :; done
if [ "$address" = 192.0.2.1 ]; then
	: >"$WIFIMGR_ROOT/lab/pinging"
	exec /bin/sleep SECONDS
fi
read -r _ _ _ teller _ </proc/$PPID/stat
echo "$teller" >"$WIFIMGR_ROOT/lab/teller"
"""


def hang(box: Box, seconds: int = 25) -> None:
    """One probe hangs and another one does not; as soon as that has been told, the time is over."""
    box.put_tool("ping", HANGS.replace("SECONDS", str(seconds)))

    def has_told() -> bool:
        teller = (box.read("lab/teller") or b"").decode().strip()
        status = Path(f"/proc/{teller or 'none'}/status")
        return bool(teller) and (not status.exists() or "State:\tZ" in status.read_text())

    def sleepers() -> set[Path]:
        return set((box.root / "proc").glob("sleeper.*"))

    def pass_time() -> None:
        box.until(lambda: box.has("lab/pinging") and has_told())
        box.until(lambda: sleepers() - before)  # whoever ends what takes too long
        box.set_clock(box.clock + LIMIT)  # no advance: what hangs comes to no rest

    before = sleepers()
    clock = threading.Thread(target=pass_time)
    clock.start()
    found = tried(box, ("ping", "192.0.2.1"), ("ping", "192.0.2.2"))
    clock.join()
    assert found == {("ping", "192.0.2.2"): "yes"}


def test_probe_that_hangs_costs_no_other_answer_and_no_more_than_its_time(box: Box) -> None:
    hang(box)


# --- guards: without each of these, a promise above is broken ---

MUTATIONS = {
    "hangs for ever": ("\t\tkill $tries\n", "\t\t:\n", "hang"),
    "help is a success": (' && [ -z "$help" ] && echo yes', " && echo yes", "services"),
    "gone runs": ('[ -e "$R/etc/init.d/$1" ] || { echo missing && return; }', "", "services"),
    "old neighbours count": (" && $i + 0 < 20", "", "batman"),
    "endless costs count": (" && $2 + 0 < 65535", "", "babel"),
    "asymmetric links count": ('symmetric": *true/', 'symmetric": */', "olsr"),
    "any page is olsrd": ("""*'"neighbors"'*) ;; *) return 0""", "*) ;; x) return 0", "page"),
    "no mesh is a mesh": ("table=$(batctl n -H) || return 0", "table=$(batctl n -H)", "none"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_broken_script_is_noticed(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text, becomes, breaks = MUTATIONS[name]
    assert script.PROBES_SH.count(text) == 1, "the script changed: bring this mutation up to date"
    monkeypatch.setattr(script, "PROBES_SH", script.PROBES_SH.replace(text, becomes))
    box = Box(tmp_path)
    try:
        applied(box, within=600)
        box.settle()
        box.look()
        with pytest.raises(AssertionError):
            PROMISES[breaks](box)
    finally:
        box.kill_all()


PROMISES = {
    "hang": lambda box: hang(box, 3),  # it comes back at last, long after its time
    "services": test_service_that_procd_does_not_run_is_asked_itself,
    "batman": lambda box: test_neighbours_of_every_mesh_are_counted(box, {"batman": BATMAN}, "2"),
    "babel": lambda box: test_neighbours_of_every_mesh_are_counted(box, {"babel": BABEL}, "1"),
    "olsr": lambda box: test_neighbours_of_every_mesh_are_counted(box, {"olsr": OLSR}, "1"),
    "page": lambda box: test_neighbours_of_every_mesh_are_counted(box, {"olsr": "<html>"}, "none"),
    "none": lambda box: test_neighbours_of_every_mesh_are_counted(box, {}, "none"),
}
