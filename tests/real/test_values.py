"""What people write arrives byte for byte, and what is secret is nowhere but in the file where it belongs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.real.calls import ask, push
from tests.real.conftest import HURRY, TOP, Connect, Network, Start, write_network
from tests.real.routers import House, Router
from wifimgr.push import script
from wifimgr.uci import Document

pytestmark = pytest.mark.real

NASTY = [
    *("it's", '"', "\\", "\\\n", "two\nlines\n\n", "\ttab ", "\r\n", "'\n\toption disabled '1", "config x 'y'"),
    *("$(touch /tmp/pwned)", "`touch /tmp/pwned`", "${HOME}", "'; touch /tmp/pwned #", "EOF", "\nEOF\n", "<<EOF"),
    *(
        "{{ ssid }}",
        "{% raw %}",
        "Büro – Gäste",
        "☕ 🛜",
        "\u0081",
        "\u2028",
        "\ufeff",
        "%s%n",
        "-n",
        "*",
        "#",
        ";",
        "~",
    ),
    *("=", ": x", "- x", "&a", "!!int 1"),
]
texts = (
    st.lists(
        st.sampled_from(NASTY)
        | st.text(
            st.characters(exclude_categories=["Cs"], exclude_characters="".join(map(chr, range(32))) + "\x7f"),
            max_size=8,
        ),
        min_size=1,
        max_size=4,
    )
    .map("".join)
    .filter(bool)
)  # an empty value is none
names = st.from_regex(r"[A-Za-z0-9_]{1,12}", fullmatch=True)
lines = texts.map(lambda text: "".join(letter for letter in text if letter.isprintable()).strip()).filter(bool)


@pytest.mark.scenario(26)
@pytest.mark.scenario(27)
@pytest.mark.timeout(300)
def test_any_name_and_any_value_arrive_byte_for_byte(start: Start, house: House, tmp_path: Path) -> None:
    router = start("dash")
    seen: list[int] = []

    @settings(max_examples=40, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
    @given(st.dictionaries(names, texts, min_size=1, max_size=12), st.lists(texts, min_size=1, max_size=4), lines)
    def arrives(options: dict[str, str], items: list[str], site: str) -> None:
        seen.append(len(options))
        variables = {f"value_{number}": value for number, value in enumerate(options.values())}
        net = write_network(tmp_path / str(len(seen)), house, (router,), HURRY, {**variables, "items": items})
        place = net.folder / "inventory/sites/haus.yaml"
        text = yaml.safe_dump({**yaml.safe_load(place.read_text()), "name": site})
        place.write_text(text, encoding="utf-8")
        holes = {name: f"{{{{ value_{number} }}}}" for number, name in enumerate(options)}
        wished = {**holes, "the_items": "{{ items }}", "the_site": "{{ site_name }}"}
        content = "\n".join(["{{ site_name }}", *holes.values()])
        name = net.write_playbook(
            "nasty",
            uci={"nasty": [{"section": {"type": "nasty", "name": "it"}, "set": wished}]},
            files=[{"path": "/etc/nasty", "content": content}],
        )
        tx, words = push(router, list(net.change(name, router).paths))
        assert words == ["applied"]
        try:
            assert router.read("etc/nasty") == "\n".join([site, *options.values()]).encode()
            section = Document.parse(router.read("etc/config/nasty").decode()).section("it")
            assert section
            assert section.options == {**options, "the_items": tuple(items), "the_site": site}
            assert not Path(f"/proc/{router.init}/root/tmp/pwned").exists()
        finally:
            while (answer := ask(router, script.take_back(tx))) == ["state", "busy"]:
                time.sleep(0.1)  # on a busy machine the push itself may still hold the lock
            assert answer == ["state", "rolledback"]

    arrives()
    assert seen


SECRET = "s3cret 'of' \"the\" $(house) ☕"


def run(net: Network, *arguments: str) -> tuple[int, str]:
    """The real program, telling as much as it can; its exit code and all that it said."""
    program = "from wifimgr.cli import main; main()"
    command = [sys.executable, "-c", program, "--network", str(net.folder), *arguments]
    env = {**os.environ, "PYTHONPATH": str(TOP)}
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=100)
    return done.returncode, done.stdout + done.stderr


def pieces(secret: str) -> list[bytes]:
    """A secret as it may stand somewhere: as it is, quoted for UCI, a shell, JSON or YAML, and its longest word."""
    quoted = [secret, secret.replace("'", "'\\''"), secret.replace('"', '\\"'), secret.replace("'", "''")]
    return [text.encode() for text in [*quoted, max(re.findall(r"\w+", secret), key=len)]]


def holding(top: Path, secret: str) -> list[str]:
    """The files below a folder that hold a secret."""
    files = [path for path in top.rglob("*") if path.is_file() and not path.is_symlink()]
    return sorted(
        str(path.relative_to(top)) for path in files if any(piece in path.read_bytes() for piece in pieces(secret))
    )


def flash_with(router: Router, secret: str) -> list[str]:
    """The files on a router's flash, wifimgr's own too, that hold a secret."""
    return holding(router.tree / "etc", secret)


@pytest.mark.scenario(25)
@pytest.mark.scenario(46)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("ends", ["done", "rolled back", "refused"])
def test_a_secret_is_in_its_file_and_nowhere_else(start: Start, network: Connect, ends: str) -> None:
    router = start("ash")
    net = network(router, times=HURRY, monitoring_source="192.0.2.7", snmp_community={"file": "community"})
    (net.folder / "community").write_text("old-one-4711", encoding="utf-8")
    assert run(net, "apply", "snmp-monitoring", "--yes")[0] == 0
    (net.folder / "community").write_text(SECRET, encoding="utf-8")
    if ends == "rolled back":
        router.misbehave("lockout")
    if ends == "refused":
        router.run("mkdir /tmp/.uci && echo \"-wireless.radio0.channel='6'\" >/tmp/.uci/wireless")
    seen: list[str] = []
    stop = threading.Event()
    watcher = threading.Thread(target=watch, args=(router, seen, stop))
    watcher.start()
    said = [run(net, *words) for words in (("plan", "snmp-monitoring"), ("apply", "snmp-monitoring", "--yes"))]
    stop.set()
    watcher.join()
    assert ends in said[1][1], said[1]
    assert any("sh -s" in line for line in seen)
    for secret in (SECRET, "old-one-4711"):
        for text in (*(text for _, text in said), "\n".join(seen), router.log()):
            assert not any(piece.decode() in text for piece in pieces(secret))
    assert holding(net.folder, SECRET) == ["community"]
    assert holding(net.folder, "old-one-4711") == []
    mine, other = (SECRET, "old-one-4711") if ends == "done" else ("old-one-4711", SECRET)
    assert flash_with(router, mine) == ["config/snmpd"]
    assert flash_with(router, other) == []


def watch(router: Router, seen: list[str], stop: threading.Event) -> None:
    """Collects command lines and environments of all processes of a router, as often as can be."""
    while not stop.is_set():
        for number, words in router.processes().items():
            seen.append(" ".join(words))
            try:
                seen.append(Path(f"/proc/{number}/environ").read_text(errors="replace"))
            except OSError:  # it has ended meanwhile
                continue
