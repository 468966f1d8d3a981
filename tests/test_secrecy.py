"""No secret, no contact and nothing private reaches what is shown, listed, exported, logged or said to be wrong.

A network is made with a mark in each such place, commands are run as the program runs them, and no mark may be found in
what they print and write. A new command joins ``COMMANDS`` or ``CHANGES`` (or ``OTHERS``, with the reason), a new place
``PLACES``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from random import Random
from unittest import mock

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from typer.main import get_command

from tests.test_docs import commands
from wifimgr.cli import app, run
from wifimgr.cli.output import Form
from wifimgr.inventory import exporters
from wifimgr.inventory.exporters import EXPORTERS

Out = pytest.CaptureFixture[str]
Marks = Mapping[str, str]
"""Place to the word that stands there and nowhere else."""

LISTS = ["check", "site list", "router list", "router show haus-ap", "status", "journal list", "export flows"]
"""Commands that print rows, in each form."""


@pytest.fixture(autouse=True)
def allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine lets secrets be asked for with ``cat``."""
    monkeypatch.setenv("WIFIMGR_SECRET_COMMANDS", "cat")


COMMANDS = [
    *(f"{command} -o {form}" for command in LISTS for form in Form),
    *(f"export {format}" for format in EXPORTERS),
    "export geojson --all",
    "check --secrets",
    "router list -v -s private=*",
    "router show nobody",
    "site explain haus",
]
"""What is run in a network where all is right. Some of it is refused."""
CHANGES = [
    "site add neu --name Neu --kind library",
    "router add haus-neu --site haus addresses=192.0.2.9",
    "router set haus-ap room=Keller",
    "router set haus-ap --unset snmp",
    "router set -s site=haus tags=indoor -y",
    "router move haus-ap platz",
    "router rename haus-ap haus-eg",
    "router retire haus-ap",
    "import csv FOLDER/routers.csv -y",
    "import csv FOLDER/routers.csv -y --keep-contacts -o json",
]
"""What changes the files of such a network; FOLDER is where it is."""
OTHERS = {
    "demo": "shows a network of its own",
    "schema": "prints what files may hold, not what they hold",
    "init": "writes the first files",
    "plan": "asks routers; tests/push/test_plan.py, with --out tests/push/test_planfile.py",
    "apply": "asks routers; tests/push/test_apply.py, of a plan file tests/cli/test_planfile.py",
    "rollback": "asks routers; tests/push/test_rollback.py",
    "forget": "asks routers, and prints nothing of theirs",
    "poll": "asks routers; below",
    "serve": "runs on; tests/views",
    "router trust": "asks routers, and prints their public keys",
    "router adopt": "asks routers, and prints what they say",
}
"""Every other command, and why it is not run here."""

PLACES = {
    "network contact": "name phone email hours",
    "public contact": "name phone email hours",
    "site contact": "name phone email hours",
    "private": "site router list",
    "secret": "env file command var auth",
    "reference": "env file",
    "imported": "contact",
}
"""Where marks stand. A reference is no secret: an error may name it, what is shown or exported may not."""
NAMES = [f"{kind} {what}" for kind, whats in PLACES.items() for what in whats.split()]

NETWORK = """\
name: Testnetz
contact: {public: <network contact>}
operators: {city: {name: Stadt, manage: push}}
profiles:
  ssh:
    default: {user: root, password: {env: "E_<reference env>"}}
  snmp:
    v2: {version: v2c, community: {file: "secrets/<reference file>"}}
    v3: {version: v3, user: monitor, auth: {sha256: {file: secrets/auth}}}
defaults:
  operator: city
  platform: openwrt
  role: access-point
  sources: [snmp, ubus, respondd, ping]
  vars:
    by_env: {env: "E_<reference env>"}
    by_file: {file: "secrets/<reference file>"}
    by_command: {command: "cat secrets/asked"}
    psk: {file: secrets/psk}
    plain: shown
"""

SITE = """\
name: Haus
kind: youth-center
district: Meiderich
position: [51.4652, 6.7741]
contact: [<site contact>]
private: {key_holder: "<private site>", notes: ["<private list>", {deep: "<private list>"}]}
routers:
  haus-gw: {addresses: [127.0.0.1], role: gateway, snmp: v2, ports: {ssh: 9, snmp: 9, respondd: 9, ping: 9}}
  haus-ap:
    addresses: [127.0.0.2]
    behind: haus-gw
    jump: haus-gw
    snmp: v3
    ports: {ssh: 9, snmp: 9, respondd: 9, ping: 9}
    private: {owner: "<private router>"}
"""

PUBLIC = """\
name: Platz
kind: square
public: true
position: [51.4652, 6.7741]
contact: [<public contact>]
routers: {}
lifecycle: planned
"""
"""A place whose contacts are for its page, and for nothing else."""

CONTACT = (
    '{{name: "<{0} name>", phone: "<{0} phone>", email: "<{0} email>", hours: \'Mo-Fr 08:00-16:00 "<{0} hours>"\'}}'
)


def marked(number: int) -> Marks:
    """Marks of letters that no word of ours is made of, so that they are found however they are quoted."""
    random = Random(number)
    return {name: "".join(random.choices("ghjkqwxz", k=16)) for name in NAMES}


def filled(text: str, marks: Marks) -> str:
    """The text of a file, with marks in place of their names."""
    for kind in ("network contact", "site contact", "public contact"):
        public = "" if kind == "site contact" else ", public: true"
        text = text.replace(f"<{kind}>", CONTACT.format(kind)[:-1] + public + "}")
    for name, mark in marks.items():
        text = text.replace(f"<{name}>", mark)
    assert "<" not in text, text
    return text


def files_of(marks: Marks) -> dict[str, str]:
    """Every file of the network: name to text."""
    return {
        ".wifimgr/local.yaml": "push: {login_gap: 5s}\n",
        "inventory/network.yaml": filled(NETWORK, marks),
        "inventory/sites/haus.yaml": filled(SITE, marks),
        "inventory/sites/platz.yaml": filled(PUBLIC, marks),
        f"secrets/{marks['reference file']}": marks["secret file"] + "\n",
        "secrets/asked": marks["secret command"] + "\n",
        "secrets/psk": marks["secret var"] + "\n",
        "secrets/auth": marks["secret auth"] + "\n",
        "routers.csv": f"name,site,addresses,contact\nhaus-og,haus,192.0.2.7,{marks['imported contact']}\n",
    }


@contextmanager
def network(folder: Path, marks: Marks, changed: Mapping[str, str] | None = None) -> Iterator[None]:
    """The network in a folder, and in the environment. ``changed``: texts in place of some of its files."""
    for path in [*folder.glob("secrets/*"), *folder.glob("inventory/sites/*")]:
        path.unlink()
    for name, text in {**files_of(marks), **(changed or {})}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    with mock.patch.dict(os.environ, {f"E_{marks['reference env']}": marks["secret env"]}):
        yield


def written(folder: Path) -> str:
    """What stands in the state folder: logs, the store."""
    paths = [path for path in (folder / ".wifimgr").rglob("*") if path.is_file() and path.name != "local.yaml"]
    return "\n".join(path.read_bytes().decode("utf-8", "replace") for path in paths)


def found_in(marks: Marks, *texts: str) -> list[str]:
    """The places whose marks are in one of the texts."""
    return [name for name, mark in marks.items() if any(mark in text for text in texts)]


def secrets_of(marks: Marks) -> Marks:
    """The marks that may not even be in an error."""
    return {name: mark for name, mark in marks.items() if not name.startswith("reference")}


# ---------------------------------------------------------------- shown, listed, exported


@pytest.mark.parametrize("command", COMMANDS)
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(marks=st.integers(0, 1 << 30).map(marked))
def test_nothing_of_it_is_shown_or_kept(tmp_path: Path, capsys: Out, command: str, marks: Marks) -> None:
    with network(tmp_path, marks):
        code = run(["--network", str(tmp_path), *command.split()])
    out, err = capsys.readouterr()
    assert (code, bool(out)) in ((0, True), (2, False)), err
    assert found_in(marks, out, err, written(tmp_path)) == []


@pytest.mark.parametrize("command", CHANGES)
@settings(max_examples=5, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(marks=st.integers(0, 1 << 30).map(marked))
def test_nothing_of_it_is_told_when_files_are_changed(tmp_path: Path, capsys: Out, command: str, marks: Marks) -> None:
    with network(tmp_path, marks):
        code = run(["--network", str(tmp_path), *command.replace("FOLDER", str(tmp_path)).split()])
    out, err = capsys.readouterr()
    assert code == 0, err
    assert found_in(marks, out, err, written(tmp_path)) == []


def test_the_marks_are_where_they_are_meant_to_be(tmp_path: Path, capsys: Out) -> None:
    """Else nothing above could fail: the files are right, hold every mark, and the secrets are found."""
    marks = marked(1)
    with network(tmp_path, marks):
        assert run(["--network", str(tmp_path), "check", "--secrets"]) == 0, capsys.readouterr().err
        assert found_in(marks, *files_of(marks).values(), *os.environ.values(), *files_of(marks)) == NAMES


def test_every_command_is_tried_here_or_has_a_reason_not_to() -> None:
    names = {name for name, _ in commands(get_command(app))}
    tried = {name for name in names if any(f"{each} ".startswith(f"{name} ") for each in COMMANDS + CHANGES)}
    assert names - tried == OTHERS.keys()


# ---------------------------------------------------------------- errors

HAUS, NET = "inventory/sites/haus.yaml", "inventory/network.yaml"
PRIVATE = 'private: {key_holder: "<private site>", notes: ["<private list>", {deep: "<private list>"}]}'
KEYS: Mapping[str, tuple[str, str, str]] = {
    "contact": (HAUS, "contact: [<site contact>]", "contact: {}"),
    "contact name": (HAUS, "contact: [<site contact>]", "contact: [{{name: {}}}]"),
    "contact phone": (HAUS, "contact: [<site contact>]", "contact: [{{name: Amt, phone: {}}}]"),
    "contact email": (HAUS, "contact: [<site contact>]", "contact: [{{name: Amt, email: {}}}]"),
    "contact hours": (HAUS, "contact: [<site contact>]", "contact: [{{name: Amt, hours: {}}}]"),
    "contact public": (HAUS, "contact: [<site contact>]", "contact: [{{name: Amt, public: {}}}]"),
    "contact typo": (HAUS, "contact: [<site contact>]", "contact: [{{name: Amt, phon: {}}}]"),
    "network contact": (NET, "public: <network contact>", "public: {}"),
    "network contact hours": (NET, "public: <network contact>", "public: {{name: Amt, hours: {}}}"),
    "private": (HAUS, PRIVATE, "private: {}"),
    "private in a list": (HAUS, 'notes: ["<private list>"', "notes: [{}"),
    "private secret": (HAUS, 'key_holder: "<private site>"', "pin_secret: {}"),
    "private of a router": (HAUS, '{owner: "<private router>"}', "{}"),
    "variable": (HAUS, "district: Meiderich", "vars: {{wifi_password: {}}}"),
    "variable in a list": (HAUS, "district: Meiderich", "vars: {{psk: [{}]}}"),
    "reference": (HAUS, "district: Meiderich", "vars: {{x: {{env: {}}}}}"),
    "reference typo": (HAUS, "district: Meiderich", "vars: {{x: {{evn: {}}}}}"),
    "password": (NET, 'password: {env: "E_<reference env>"}', "password: {}"),
    "community": (NET, 'community: {file: "secrets/<reference file>"}', "community: {}"),
    "auth": (NET, "auth: {sha256: {file: secrets/auth}}", "auth: {}"),
    "passphrase": (NET, "{sha256: {file: secrets/auth}}", "{{sha256: {}}}"),
}
"""Where what nobody may see stands, or was meant to stand: the file, what is there, and what is in its place."""

WAYS = """
    "{0}"  ["{0}"]  [["{0}"]]  {{name:_"{0}"}}  {{x:_["{0}"]}}  {0}  7{0}  -_{0}  *{0}  &{0}  !{0}  !{0}_x  @{0}  %{0}
    "{0}  '{0}  {0}:_{0}  "{0}\\n{0}"  "\\q{0}"  "\\x07{0}"  [{0}  {{{0}  ]{0}  }}{0}  `{0}`  |{0}  x_#{0}
    "Mo-Fr_{0}"  "{0}_off"  "Mo-Fr_08:00-16:00_{0}"  "PH_{0};_{0}"  'Mo-Fr_"{0}"_08:00'  "$({0})"  "{{{{_{0}_}}}}"
""".split()  # noqa: SIM905 - a list of words reads better without a quote around each
"""How a value may be written, right or wrong; ``_`` is a space."""


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    marks=st.integers(0, 1 << 30).map(marked),
    key=st.sampled_from(sorted(KEYS)),
    way=st.sampled_from(WAYS),
    command=st.sampled_from(["check", "check -o json", "router list", "router show haus-ap", "export csv"]),
)
def test_no_error_tells_what_a_file_holds(
    tmp_path: Path, capsys: Out, marks: Marks, key: str, way: str, command: str
) -> None:
    file, old, new = KEYS[key]
    text = {HAUS: SITE, NET: NETWORK}[file]
    assert old in text
    value = way.replace("_", " ").format(marks["secret var"])
    text = filled(text, marks).replace(filled(old, marks), new.format(value) if "{}" in new else new)
    with network(tmp_path, marks, {file: text}):
        code = run(["--network", str(tmp_path), *command.split()])
    out, err = capsys.readouterr()
    assert code in (0, 2), err
    assert found_in(secrets_of(marks), out, err, written(tmp_path)) == []


@pytest.mark.parametrize(
    ("reference", "said"),
    [
        ("{file: secrets/wrong}", "is not UTF-8 text"),
        ("{file: secrets}", "cannot be read"),
        ("{env: NOT_SET_ANYWHERE}", "is not set"),
        ('{command: "cat secrets/psk /nowhere"}', "it ended with 1"),
        ('{command: "cat secrets/wrong"}', "is not UTF-8 text"),
        ('{command: "tac secrets/psk"}', "does not let files start tac"),
    ],
)
def test_no_error_tells_what_a_secret_is(tmp_path: Path, capsys: Out, reference: str, said: str) -> None:
    marks = marked(1)
    text = filled(SITE, marks).replace("district: Meiderich", f"vars: {{x: {reference}}}")
    with network(tmp_path, marks, {HAUS: text}):
        (tmp_path / "secrets/wrong").write_bytes(marks["secret var"].encode() + b"\xff")
        assert run(["--network", str(tmp_path), "check", "--secrets"]) == 2
    out, err = capsys.readouterr()
    assert (out, said in err) == ("", True), err
    assert found_in(marks, err) == []


# ---------------------------------------------------------------- logs


def test_a_bug_keeps_it_out_of_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Out) -> None:
    """The worst bug there is: one that puts everything it has at hand into its message."""

    def stumble(inventory: object, routers: object) -> str:
        raise RuntimeError(f"{inventory!r} {routers!r} {inventory} {inventory.sites} {inventory.network.document}")  # type: ignore[attr-defined]

    marks = marked(1)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(exporters.EXPORTERS, "csv", stumble)  # type: ignore[arg-type]
    with network(tmp_path, marks):
        assert run(["export", "csv"]) == 1
    out, err = capsys.readouterr()
    assert "RuntimeError" in err
    assert "haus-gw" in written(tmp_path)
    assert found_in(secrets_of(marks), out, err, written(tmp_path)) == []


def test_asking_routers_keeps_it_out_of_what_is_told_and_stored(tmp_path: Path, capsys: Out) -> None:
    marks = marked(1)
    with network(tmp_path, marks):
        codes = [run(["--network", str(tmp_path), "-v", *words.split()]) for words in ("poll", "poll --explain")]
        codes += [run(["--network", str(tmp_path), "status", "-o", form]) for form in Form]
    out, err = capsys.readouterr()
    assert codes == [3, 3, 0, 0, 0, 0], err
    assert "haus-ap" in out
    assert found_in(marks, out, err, written(tmp_path)) == []
