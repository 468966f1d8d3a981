"""The stand-in for `uci` on simulated routers: against the real one's answers and against wifimgr.uci."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wifimgr.uci import Document, UciError

ROOT = Path(__file__).parents[2]
UCI = ROOT / "wifimgr" / "lab" / "standins" / "uci"
DATA = ROOT / "tests" / "data"
CASES: dict[str, dict[str, str | None]] = json.loads((DATA / "uci_cases.json").read_text(encoding="utf-8"))
SHELLS = ["sh", "busybox"]


class Runner:
    """The stand-in in one shell: the system's with its awk, or busybox with only its applets on the PATH."""

    def __init__(self, shell: str, folder: Path) -> None:
        self.command = ["/bin/sh", str(UCI)]
        self.environment = {"PATH": os.environ["PATH"]}
        if shell == "busybox":
            busybox = shutil.which("busybox")
            if busybox is None:
                pytest.skip("needs busybox")
            for applet in ("ash", "awk", "cat"):
                (folder / applet).symlink_to(busybox)
            self.command = [str(folder / "ash"), str(UCI)]
            self.environment = {"PATH": str(folder)}

    def __call__(self, *arguments: str | Path, root: Path | str = "/nowhere") -> tuple[int, str, str]:
        """Exit code, output and messages."""
        done = subprocess.run(
            [*self.command, *map(str, arguments)],
            capture_output=True,
            env={**self.environment, "WIFIMGR_ROOT": str(root)},
            timeout=30,
        )
        return done.returncode, decoded(done.stdout), decoded(done.stderr)


def decoded(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_bytes(text.encode("utf-8", "surrogateescape"))
    return folder


@pytest.fixture(params=SHELLS, scope="module")
def uci(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Runner:
    return Runner(request.param, tmp_path_factory.mktemp("applets"))


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_export_answers_as_uci(uci: Runner, case: dict[str, str | None], tmp_path: Path) -> None:
    code, out, err = uci("-c", write(tmp_path, t=case["in"] or ""), "export", "t")
    if case["export"] is None:
        assert (code, out) == (1, "")
        assert err.startswith("uci: Parse error (")
    else:
        assert (code, out, err) == (0, case["export"], "")


def test_all_files_of_a_router_at_once(uci: Runner) -> None:
    folder = DATA / "etc-config"
    documents = {path.name: Document.parse(decoded(path.read_bytes())) for path in sorted(folder.iterdir())}
    assert uci("-c", folder, "export") == (
        0,
        "".join(each.export(name) for name, each in documents.items()),
        "",
    )
    assert uci("-c", folder, "show") == (
        0,
        "".join(shown(each, name) for name, each in documents.items()),
        "",
    )


def shown(document: Document, package: str) -> str:
    """What `uci show` prints."""
    lines = []
    for section in document.sections:
        lines.append(f"{package}.{section.ref}={section.type}\n")
        for option, value in section.options.items():
            items = (value,) if isinstance(value, str) else value
            quoted = " ".join("'" + item.replace("'", "'\\''") + "'" for item in items)
            lines.append(f"{package}.{section.ref}.{option}={quoted}\n")
    return "".join(lines)


STATEMENTS = [
    *(
        "config a 'x'",
        "config a",
        "config b y",
        'config "b" "z" # c',
        "config a ''",
        "config a.b/c",
        "config a b-c",
    ),
    *(
        "option k 'v'",
        "option k w",
        'option m "a\\"b"',
        "option m it\\'s",
        "option n 'l1\nl2'",
        "option k ''",
    ),
    *(
        "option k v;option l w",
        "option k 'v'; option l 'w'",
        "option k v '' list l w",
        "option n",
        "option k-1 v",
    ),
    *(
        "list l 'a b'",
        "list l c",
        "list k ''",
        "list l 'Süd ☃'",
        "list l a\\\nb",
        "option m 'v' \\\n\tlist l d",
    ),
    *(
        "o k\tv#c",
        "l l \"a\"'b'c",
        "p other",
        "package other x",
        "# comment 'x",
        "",
        "\r",
        " \t",
        "foo",
        "'",
        ";",
    ),
    *("option k '\udcff'", "option n 'a\\\nb'", 'option n "a\\\nb\\nc"', "config a cfg01b606"),
]
words = st.sampled_from(STATEMENTS)
texts = st.builds(
    lambda parts, start, end: start + "".join(parts) + end,
    st.lists(
        st.builds("{}{}{}".format, st.sampled_from(["", "\t"]), words, st.sampled_from(["\n", "\n", "\n", "\r\n"]))
    ),
    st.sampled_from(["config a 'x'\n", "config a\n", ""]),
    st.sampled_from(["", "option m v", "option k 'v';", "option k v\\"]),
)


@settings(max_examples=40)
@given(st.lists(texts, min_size=10, max_size=10))
def test_two_readings_of_the_grammar_agree(uci: Runner, files: list[str]) -> None:
    exported, listed, refused = "", "", 0
    for number, text in enumerate(files):
        try:
            document = Document.parse(text)
        except UciError:
            refused += 1
            continue
        exported += document.export(f"f{number}")
        listed += shown(document, f"f{number}")
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), **{f"f{number}": text for number, text in enumerate(files)})
        for command, expected in (("export", exported), ("show", listed)):
            code, out, err = uci("-c", folder, command)
            assert (code, out) == (0, expected)
            assert err.count("uci: Parse error (") == err.count("\n") == refused


def test_a_broken_file_is_told_of_but_does_not_stop_the_others(uci: Runner, tmp_path: Path) -> None:
    """So does the real one: the exit code of an argument-less show says nothing."""
    write(tmp_path, a="config x\n", b="config y\n\toption k 'v\n", c="config z\n")
    message = "uci: Parse error (EOF with unterminated ') at line 2, byte 13\n"
    assert uci("-c", tmp_path, "show") == (0, "a.@x[0]=x\nc.@z[0]=z\n", message)
    assert uci("-q", "-c", tmp_path, "show") == (0, "a.@x[0]=x\nc.@z[0]=z\n", "")
    assert uci("-c", tmp_path, "show", "b") == (1, "", message)


QUESTIONS = [
    ("get t.x.k", 0, "it's\n"),
    ("get t.x.l", 0, "'a b' c 'it'\\''s so'\n"),
    ("get t.x", 0, "a\n"),
    ("get t", 0, ""),
    ("get t.@a[0].k", 0, "it's\n"),
    ("get t.@a[-1].m", 0, "2\n"),
    ("get t.@[2].m", 0, "2\n"),
    ("get t.cfg03b606.m", 0, "2\n"),
    ("show t.x.k", 0, "t.x.k='it'\\''s'\n"),
    ("show t.x.l", 0, "t.x.l='a b' 'c' 'it'\\''s so'\n"),
    ("show t.y", 0, "t.y=b\n"),
    ("show t.@a[1]", 0, "t.cfg03b606=a\nt.cfg03b606.m='2'\n"),
    ("export t.y", 0, None),
    ("get t.x.missing", 1, "Entry not found"),
    ("get t.missing.k", 1, "Entry not found"),
    ("get missing.x.k", 1, "Entry not found"),
    ("show t.@a[2]", 1, "Entry not found"),
    ("show missing", 1, "Entry not found"),
    ("get t.x-y.k", 1, "Invalid argument"),
    ("get t.@a.k", 1, "Invalid argument"),
    ("get t.x.k-1", 1, "Parse error"),
    ("get t.x.k.l", 1, "Parse error"),
    ("get .x.k", 1, "Parse error"),
]
"""Question, exit code, and the output or the message; all were asked of the real uci."""


@pytest.mark.parametrize(("question", "code", "answer"), QUESTIONS, ids=[each[0] for each in QUESTIONS])
def test_questions_about_one_thing(uci: Runner, question: str, code: int, answer: str | None, tmp_path: Path) -> None:
    text = (
        "config a 'x'\n\toption k 'it'\\''s'\n\tlist l 'a b'\n\tlist l c\n\tlist l \"it's so\"\n"
        "config b 'y'\nconfig a\n\toption m 2\n"
    )
    answer = Document.parse(text).export("t") if answer is None else answer
    write(tmp_path, t=text)
    expected = (0, answer, "") if code == 0 else (code, "", f"uci: {answer}\n")
    assert uci("-c", tmp_path, *question.split()) == expected
    assert uci("-q", "-c", tmp_path, *question.split()) == (code, expected[1], "")


@pytest.mark.parametrize("arguments", ["get", "show t u", "set t.x.k=v", "commit", "get t u", "-t /tmp show"])
def test_wrong_use_exits_255(uci: Runner, arguments: str, tmp_path: Path) -> None:
    code, out, err = uci(*arguments.split(), root=tmp_path)
    assert (code, out) == (255, "")
    assert err.startswith("Usage: uci ")


def test_the_default_folders_lie_below_the_root(uci: Runner, tmp_path: Path) -> None:
    write(tmp_path / "etc/config", t="config a x\n", **{"ignored.bak": "foo\n"})
    (tmp_path / "etc/config/folder").mkdir()
    assert uci("show", root=tmp_path) == (0, "t.x=a\n", "")
    assert uci("changes", root=tmp_path) == (0, "", "")
    write(tmp_path / "tmp/.uci", t="t.x.k='v'\n", u="")
    assert uci("changes", root=tmp_path) == (0, "t.x.k='v'\n", "")
    assert uci("changes", "t", root=tmp_path) == (0, "t.x.k='v'\n", "")
    assert uci("changes", "u", root=tmp_path) == (1, "", "uci: Entry not found\n")


def test_an_empty_or_missing_folder_is_an_error(uci: Runner, tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "missing"):
        assert uci("-c", folder, "show") == (1, "", "uci: Entry not found\n")


def test_shellcheck_has_nothing_to_say() -> None:
    shellcheck = shutil.which("shellcheck")
    if shellcheck is None:
        pytest.skip("needs shellcheck")
    done = subprocess.run([shellcheck, str(UCI)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")
