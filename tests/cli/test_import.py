"""The command import, run as the program runs it."""

from __future__ import annotations

import io
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.cli.terminal import talk
from tests.networks import NETWORK, write
from wifimgr.cli import run
from wifimgr.inventory import load

Out = pytest.CaptureFixture[str]
DATA = Path(__file__).parent.parent / "data/import"
HEAD = "router\tsite\taction\trole\tplatform\taddresses"


@pytest.fixture
def network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A network folder with the samples beside it; the working directory."""
    write(tmp_path / "net", NETWORK)
    shutil.copytree(DATA, tmp_path / "net/from")
    monkeypatch.chdir(tmp_path / "net")
    return tmp_path / "net"


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / "inventory").rglob("*.yaml")}


def nodes(*told: Any) -> None:
    """Writes a map.json."""
    Path("map.json").write_text(json.dumps({"nodes": told}), encoding="utf-8")


# ---------------------------------------------------------------- what is shown and written


def test_what_would_be_written_is_shown_and_written(network: Path, capsys: Out) -> None:
    assert run(["import", "meshviewer", "from/meshviewer.json", "--yes"]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        HEAD,
        "jz-walsum-hof\tjz-walsum\tnew\tmesh-node\tgluon\t2001:db8:ff:0:c6e9:84ff:fe00:1",
        "jz-walsum-saal\tjz-walsum\tnew\tmesh-node\tgluon\t2001:db8:ff::2",
        "ffgw-1\tunplaced\tnew\tgateway\tother\t2001:db8:ff::a1",
        "buecherei-sued-1\tunplaced\tnew\tmesh-node\tgluon\t",
    ]
    assert err.splitlines() == [
        "changed: nodes[3]: its position was left out: it is 0/0, as of one that was never told",
        "changed: nodes[0]: the name 'JZ-Walsum-Hof' became jz-walsum-hof",
        "changed: nodes[1]: the name 'JZ-Walsum-Saal' became jz-walsum-saal",
        "changed: nodes[3]: the name 'Bücherei Süd 1' became buecherei-sued-1",
        "the contact was left out; --keep-contacts keeps it (1 router)",
        "link-local addresses without a zone were left out: they lead nowhere from here (1 router)",
        "no address is told, so nobody is asked: sources: [map] (1 router)",
        "taken 4, changed 3, skipped 0, already there 0; 2 new sites",
        "written: 4 routers and 2 new sites; the routers are only watched",
    ]
    assert len(load(network).routers) == 6
    assert run(["check"]) == 0


def test_a_second_import_writes_nothing_and_asks_nobody(network: Path, capsys: Out) -> None:
    assert run(["import", "meshviewer", "from/meshviewer.json", "--yes"]) == 0
    before = files(network)
    capsys.readouterr()
    assert run(["import", "meshviewer", "from/meshviewer.json"]) == 0
    out, err = capsys.readouterr()
    assert {line.split("\t")[2] for line in out.splitlines()[1:]} == {"already there"}
    assert err == "taken 0, changed 0, skipped 0, already there 4; 0 new sites\n"
    assert files(network) == before


def test_an_update_brings_only_what_is_new(network: Path, capsys: Out) -> None:
    assert run(["import", "nodelist", "from/nodelist.json", "--yes"]) == 0
    assert run(["import", "meshviewer", "from/meshviewer.json", "--yes"]) == 0
    assert "taken 1, changed 1, skipped 0, already there 3; 0 new sites" in capsys.readouterr().err


def test_without_a_yes_everything_is_shown_and_nothing_is_written(network: Path, capsys: Out) -> None:
    before = files(network)
    assert run(["import", "meshviewer", "from/meshviewer.json"]) == 2
    out, err = capsys.readouterr()
    assert len(out.splitlines()) == 5
    assert err.splitlines()[-2].startswith("taken 4,")
    assert err.splitlines()[-1].endswith("look at what would be written, then say --yes [need-terminal]")
    assert files(network) == before


@pytest.mark.parametrize(("answer", "code", "routers"), [("y", 0, 6), ("n", 1, 2)])
def test_somebody_at_a_terminal_is_asked(network: Path, answer: str, code: int, routers: int) -> None:
    ended, shown = talk(
        ["import", "meshviewer", "from/meshviewer.json"], ("Write 4 routers and 2 new sites? [y/N]: ", answer)
    )
    assert ended == code
    assert ("nothing was written" in shown) == (answer == "n")
    assert len(load(network).routers) == routers


@pytest.mark.usefixtures("network")
def test_rows_are_data_too(capsys: Out) -> None:
    assert run(["import", "nodelist", "from/nodelist.json", "--yes", "-q", "-o", "json"]) == 0
    out, err = capsys.readouterr()
    first = json.loads(out)["routers"][0]
    assert first == {
        "router": "jz-walsum-hof",
        "site": "jz-walsum",
        "action": "new",
        "role": "mesh-node",
        "platform": "other",
        "addresses": [],
        "model": "",
        "node_id": "c4e984000001",
    }
    assert err == ""


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("verbose", [False, True])
def test_ten_notes_of_a_kind_are_told_and_all_with_v(capsys: Out, verbose: bool) -> None:
    nodes(*({"node_id": f"{number:x}", "hostname": f"N{number}"} for number in range(16)), *[None] * 4)
    assert run(["import", "meshviewer", "map.json", "--yes", *(["-v"] if verbose else [])]) == 0
    err = capsys.readouterr().err.splitlines()
    changed = [line for line in err if line.startswith("changed: ")]
    assert [line for line in changed if "more" in line] == ([] if verbose else ["changed: … and 6 more (-v tells all)"])
    assert len(changed) == (16 if verbose else 11)
    assert len([line for line in err if line.startswith("skipped: ")]) == 4


# ---------------------------------------------------------------- options


@pytest.mark.parametrize(
    ("limit", "taken"),
    [("51.53,6.69,5km", 2), ("52,6.69,5km", 0), ("^(jz-walsum-hof|ffgw)", 2), ("from/area.geojson", 2)],
)
def test_a_limit_leaves_the_others_out_in_one_line(network: Path, capsys: Out, limit: str, taken: int) -> None:
    ring = [[6.6, 51.5], [6.8, 51.5], [6.8, 51.6], [6.6, 51.6], [6.6, 51.5]]
    Path("from/area.geojson").write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    assert run(["import", "meshviewer", "from/meshviewer.json", "--yes", "--limit-to", limit]) == 0
    err = capsys.readouterr().err
    assert f"taken {taken}," in err
    assert f"skipped {4 - taken} (" in err
    assert "skipped: " not in err
    assert len(load(network).routers) == 2 + taken


@pytest.mark.parametrize("keep", [False, True])
def test_contacts_are_never_shown_and_kept_only_when_told(network: Path, capsys: Out, keep: bool) -> None:
    told = [{"node_id": f"{number:x}", "hostname": f"n{number}", "owner": "me@x.example"} for number in range(3)]
    nodes(*told, {"node_id": "1", "owner": "me@x.example"})
    option = ["--keep-contacts"] if keep else []
    for form in ("tsv", "json", "yaml", "table"):
        assert run(["import", "meshviewer", "map.json", "--yes", "-v", "-o", form, *option]) == 0
    assert run(["router", "show", "n1"]) == 0
    assert run(["router", "list", "-o", "json"]) == 0
    assert run(["check"]) == 0
    assert "me@x.example" not in "".join(capsys.readouterr())
    written = b"".join(files(network).values()).decode()
    assert written.count("private: {contact: me@x.example}") == (3 if keep else 0)


@pytest.mark.usefixtures("network")
def test_an_operator_is_named(capsys: Out) -> None:
    assert run(["import", "nodelist", "from/nodelist.json", "--yes", "--operator", "city"]) == 2
    assert capsys.readouterr().err.endswith("[which-operator]\n")
    assert run(["import", "nodelist", "from/nodelist.json", "--yes", "--operator", "community"]) == 0


def test_a_new_operator_is_told(network: Path, capsys: Out) -> None:
    text = NETWORK.replace("  community: {name: Freifunk, manage: watch}\n", "")
    (network / "inventory/network.yaml").write_text(text, encoding="utf-8")
    assert run(["import", "nodelist", "from/nodelist.json", "--yes"]) == 0
    assert "others: a new operator in network.yaml, whose routers are only watched\n" in capsys.readouterr().err
    assert load(network).network.operators["others"].manage == "watch"


@pytest.mark.usefixtures("network")
def test_columns_of_a_table_are_named(capsys: Out) -> None:
    Path("t.csv").write_text("A;B\nhof;192.0.2.50\n", encoding="utf-8")
    columns = ["--column", "name=A", "--column", "addresses=B"]
    assert run(["import", "csv", "t.csv", "--yes", "-o", "tsv", *columns]) == 0
    assert "hof\tunplaced\tnew\t" in capsys.readouterr().out
    assert run(["import", "csv", "t.csv", "--yes", "--column", "name"]) == 2
    assert "OURS=THEIRS" in capsys.readouterr().err


def test_standard_input_is_read(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.TextIOWrapper(io.BytesIO((DATA / "nodelist.json").read_bytes()))
    monkeypatch.setattr("sys.stdin", stream)
    assert run(["import", "nodelist", "-", "--yes"]) == 0
    assert len(load(network).routers) == 5


# ---------------------------------------------------------------- what goes wrong


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["meshviewr", "x.json"], "FORMAT: there is no format 'meshviewr'; did you mean meshviewer? [unknown-name]"),
        (["nodes", "x.json"], "x.json: cannot be read: no such file or directory [unreadable-file]"),
        (
            ["nodes", "from/meshviewer.json"],
            "from/meshviewer.json: no node in it has a nodeinfo; try the format meshviewer [bad-import]",
        ),
        (["meshviewer", "from"], "from: is a folder; name one file [bad-import]"),
        (
            ["meshviewer", "http://me:hunter2@127.0.0.1:1/map.json?token=x"],
            "http://127.0.0.1:1/map.json: cannot be fetched: connection refused; "
            "look at it with a browser, or save the file and name that [cannot-fetch]",
        ),
    ],
)
def test_what_goes_wrong_is_one_line(capsys: Out, arguments: list[str], line: str) -> None:
    assert run(["import", *arguments, "--yes"]) == 2
    assert capsys.readouterr() == ("", f"error: {line}\n")


@pytest.mark.usefixtures("network")
@pytest.mark.parametrize("form", ["tsv", "json", "yaml", "table"])
def test_nothing_that_is_read_steers_a_terminal(capsys: Out, form: str) -> None:
    hostile = "\x1b]0;x\x07\n\u202e$(id)<script>"
    node = {
        "node_id": "aa",
        "hostname": hostile,
        "model": hostile,
        "addresses": [hostile],
        "firmware": {"base": hostile},
    }
    nodes(node, {"node_id": hostile, "hostname": hostile})
    assert run(["import", "meshviewer", "map.json", "--yes", "-v", "-o", form]) == 0
    assert run(["check"]) == 0
    out, err = capsys.readouterr()
    assert [character for character in out + err if character in "\x1b\x07\u202e"] == []
    assert "id-script" in out
