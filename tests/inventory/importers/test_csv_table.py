"""Tables: which column is what, and cells as spreadsheets write them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.networks import write
from wifimgr.errors import ConfigError, Problem, collecting
from wifimgr.inventory import load
from wifimgr.inventory.exporters.csv_table import export
from wifimgr.inventory.importers.base import Found, Note, Options, Source
from wifimgr.inventory.importers.csv_table import EITHER, HEADINGS, read

DATA = Path(__file__).parents[2] / "data" / "import"


def entries(table: str | bytes, **columns: str) -> list[Found | Note]:
    raw = table if isinstance(table, bytes) else table.encode()
    return list(read(Source("list.csv", {"list.csv": raw}), Options(columns)))


def rows(table: str | bytes, **columns: str) -> list[Found]:
    return [found for found in entries(table, **columns) if isinstance(found, Found)]


def row(table: str | bytes, **columns: str) -> Found:
    [found] = rows(table, **columns)
    return found


def notes(table: str | bytes, **columns: str) -> list[tuple[str, str, str]]:
    return [(note.where, note.kind, note.what) for note in entries(table, **columns) if isinstance(note, Note)]


def refused(table: str | bytes, **columns: str) -> str:
    with pytest.raises(ConfigError) as caught:
        entries(table, **columns)
    return caught.value.line()


# --- a table as it is ---


def test_a_table_of_a_german_spreadsheet_is_read() -> None:
    found = rows((DATA / "geraete.csv").read_bytes())
    assert found[:2] == [
        Found(
            where="line 2",
            name="JZ-Walsum-Theke",
            addresses=("192.0.2.11",),
            node_id="c4e984000001",
            platform="openwrt",
            role="access-point",
            model="TP-Link Archer C7 v2",
            room="Theke",
            position=(51.5371, 6.6925),
            site="Jugendzentrum Walsum",
            district="Walsum",
            contact="Hausmeisterei, Büro 2",
        ),
        Found(
            where="line 3",
            name="JZ-Walsum-Hof",
            addresses=("192.0.2.12", "2001:db8:1::12"),
            node_id="c4e984000002",
            platform="gluon",
            role="mesh-node",
            model="TP-Link CPE210",
            room="Hof\r\n(am Mast)",
            position=(51.53705, 6.69248),
            site="Jugendzentrum Walsum",
            district="Walsum",
        ),
    ]
    assert [(each.where, each.name, each.role) for each in found[2:]] == [
        ("line 6", "192.0.2.13", "switch"),
        ("line 7", 'Bücherei "Süd"', ""),
        ("line 9", "Lager", ""),
    ]


def test_a_table_of_a_german_spreadsheet_tells_what_is_not_taken() -> None:
    assert notes((DATA / "geraete.csv").read_bytes()) == [
        ("list.csv", "changed", "is not UTF-8: read as Windows-1252"),
        ("line 1", "changed", "column 'Kaufdatum' is not read"),
        ("line 6", "changed", "has no name: it is called by its address"),
        ("line 7", "changed", "its role is none that is known here"),
        ("line 7", "changed", "its platform is none that is known here"),
        ("line 7", "changed", "its position is not two numbers"),
        ("line 8", "skipped", "has no name and no address that is one"),
    ]


WRITTEN = {
    "commas": "name,ip\na,192.0.2.1\n",
    "semicolons": "name;ip\na;192.0.2.1\n",
    "tabs": "name\tip\na\t192.0.2.1\n",
    "Excel's first line": "sep=;\r\nname;ip\r\na;192.0.2.1\r\n",
    "Excel's first line, with a delimiter of its own": "sep=|\nname|ip\na|192.0.2.1\n",
    "a byte order mark": "name,ip\na,192.0.2.1\n".encode("utf-8-sig"),
    "UTF-16": "name\tip\na\t192.0.2.1\n".encode("utf-16"),
    "all in quotes": '"name";"ip"\n"a";"192.0.2.1"\n',
    "delimiters of other tables in a heading": "name;ip;a,b,c,d\na;192.0.2.1;\n",
    "line ends of old Macs": "name;ip\ra;192.0.2.1\r",
    "no line end at the end": "name;ip\na;192.0.2.1",
    "empty lines before, between and behind": "\n;;\nname;ip\n\n;\na;192.0.2.1\n\n",
    "blanks around": " Name ; IP \n a ; 192.0.2.1 \n",
    "a row that is shorter than the heading": "name;ip;model;room\na;192.0.2.1\n",
}


@pytest.mark.parametrize("case", WRITTEN)
def test_a_table_is_read_however_it_is_written(case: str) -> None:
    found = row(WRITTEN[case])
    assert (found.name, found.addresses) == ("a", ("192.0.2.1",))


# --- columns ---


CELLS = {
    "addresses": ("192.0.2.1", ("192.0.2.1",)),
    "tags": ("x", ("x",)),
    "role": ("ap", "access-point"),
    "platform": ("gluon", "gluon"),
    "position": ("51,5 6,7", (51.5, 6.7)),
}


@pytest.mark.parametrize("key", sorted(HEADINGS.keys() - {"lat", "lon"}))
def test_every_heading_is_recognised(key: str) -> None:
    cell, value = CELLS.get(key, ("x1", "x1"))
    for heading in HEADINGS[key]:
        for written in (heading, heading.upper(), heading.replace("-", " ").title()):
            table = f"{written}\n{cell}\n" if key == "name" else f"name;{written}\nn;{cell}\n"
            assert getattr(row(table), key) == value, written
            assert notes(table) == []


@pytest.mark.parametrize("latitude", HEADINGS["lat"])
@pytest.mark.parametrize("longitude", HEADINGS["lon"])
def test_every_heading_of_a_position_is_recognised(latitude: str, longitude: str) -> None:
    assert row(f"name;{longitude};{latitude}\nn;6,7;51,5\n").position == (51.5, 6.7)


def test_the_surest_heading_tells_and_the_others_are_named_once() -> None:
    table = "Typ;Router;Modell;Name;Hostname\nAP;r;C7;n;h\nAP;r;C7;n;h\n"
    assert {(found.name, found.model) for found in rows(table)} == {("n", "C7")}
    assert notes(table) == [
        ("line 1", "changed", f"column '{heading}' is not read") for heading in ("Typ", "Router", "Hostname")
    ]


def test_a_heading_twice_is_read_once() -> None:
    assert row("name;name;model;model\na;b;c;d\n").name == "a"
    assert notes("name;name\na;b\n") == [("line 1", "changed", "column 'name' is not read")]


def test_a_column_without_a_heading_is_named_by_its_place() -> None:
    assert notes("name;;x\na;b;c\n") == [
        ("line 1", "changed", "column 2, which has no heading, is not read"),
        ("line 1", "changed", "column 'x' is not read"),
    ]


@pytest.mark.parametrize("heading", EITHER)
def test_a_place_is_the_site_or_the_room_where_another_column_is_the_site(heading: str) -> None:
    assert (row(f"name;{heading}\na;b\n").site, row(f"name;{heading}\na;b\n").room) == ("b", "")
    found = row(f"name;{heading};Einrichtung\na;b;c\n")
    assert (found.site, found.room) == ("c", "b")
    assert notes(f"name;{heading};Einrichtung;Raum\na;b;c;d\n") == [
        ("line 1", "changed", f"column '{heading}' is not read")
    ]


def test_several_columns_tell_addresses_tags_and_contacts() -> None:
    found = row("name;IPv6;IPv4;Tags;Kontakt;Telefon\na;2001:db8::1;192.0.2.1 192.0.2.2;x y,z;Büro;+49 203 000000\n")
    assert found.addresses == ("192.0.2.1", "192.0.2.2", "2001:db8::1")
    assert (found.tags, found.contact) == (("x", "y", "z"), "Büro, +49 203 000000")


def test_columns_can_be_told() -> None:
    table = "Bez.;Wo;IP;mgmt\na;b;192.0.2.1;192.0.2.2\n"
    found = row(table, name="Bez.", site="wo", addresses="mgmt")
    assert (found.name, found.site, found.addresses) == ("a", "b", ("192.0.2.2",))
    assert notes(table, name="Bez.", site="wo", addresses="mgmt") == [("line 1", "changed", "column 'IP' is not read")]


def test_a_told_column_means_nothing_else() -> None:
    found = row("name;model\na;b\n", room="model")
    assert (found.room, found.model) == ("b", "")


def test_the_heading_as_written_is_meant_before_one_like_it() -> None:
    assert row("IP;ip;name\n192.0.2.1;192.0.2.2;a\n", addresses="ip").addresses == ("192.0.2.2",)


COLUMNS: Mapping[str, tuple[str, dict[str, str], str]] = {
    "a column that is not there": (
        "Hostname;IP\na;\n",
        {"name": "Hostnam"},
        "--column: 'Hostnam' is no column of list.csv; did you mean Hostname? [unknown-name]",
    ),
    "nothing like it is there": (
        "Hostname;;IP\na;\n",
        {"name": "zzz"},
        "--column: 'zzz' is no column of list.csv; known here: Hostname, IP [unknown-name]",
    ),
    "a key that no column tells": (
        "a;b\n",
        {"nmae": "a"},
        "--column: 'nmae' is no key that a column can tell; did you mean name? [unknown-name]",
    ),
    "no column with a name": (
        "a;model\n1;2\n",
        {},
        "list.csv: has no column with a name, an address or a node_id that we know; "
        "say which column is the name: --column name=HEADING [bad-import]",
    ),
    "nothing": (
        "",
        {},
        "list.csv: has no column with a name, an address or a node_id that we know; "
        "say which column is the name: --column name=HEADING [bad-import]",
    ),
    "a cell as long as a book": (
        'name\na\n"' + "x" * 200_000,
        {},
        "list.csv:3: has a cell without end; look for a quote that is not closed [bad-import]",
    ),
    "no text": ("name\n\0", {}, "list.csv: is not text [bad-import]"),
}


@pytest.mark.parametrize("case", COLUMNS)
def test_refused(case: str) -> None:
    table, told, line = COLUMNS[case]
    assert refused(table, **told) == line


def test_a_folder_is_no_table() -> None:
    with pytest.raises(ConfigError) as caught:
        list(read(Source("net", {"a.csv": b"name\na\n", "b.csv": b""}), Options()))
    assert caught.value.line() == "net: is a folder; name one file [bad-import]"


# --- cells ---

POSITIONS = {
    ("51.4652", "6.7741"): (51.4652, 6.7741),
    ("51,4652", "6,7741"): (51.4652, 6.7741),
    ("-33,9°", "18.4°"): (-33.9, 18.4),
    ("51.4652, 6.7741",): (51.4652, 6.7741),
    ("51.4652,6.7741",): (51.4652, 6.7741),
    ("51,4652 6,7741",): (51.4652, 6.7741),
    ("51,4652, 6,7741",): (51.4652, 6.7741),
    ("51,4652,6,7741",): (51.4652, 6.7741),
    ("51.4652; 6.7741",): (51.4652, 6.7741),
    ("51.4652 / 6.7741",): (51.4652, 6.7741),
    ("51 6",): (51.0, 6.0),
    ("51.4652", ""): None,
    ("am Rathaus",): None,
    ("51.4652",): None,
    ("1 2 3",): None,
    ("514652000", "67741000"): None,
}


@pytest.mark.parametrize("cells", POSITIONS)
def test_a_position_is_two_numbers(cells: tuple[str, ...]) -> None:
    heading = "lat\tlon" if len(cells) == 2 else "position"
    table = "\n".join(["name\t" + heading, "\t".join(["a", *cells])])
    assert row(table).position == POSITIONS[cells]
    lost = [("line 2", "changed", "its position is not two numbers")]
    assert notes(table) == ([] if POSITIONS[cells] else lost)


def test_a_position_of_two_columns_comes_before_that_of_one() -> None:
    assert row("name;lat;position;lon\na;51;1 2;6\n").position == (51.0, 6.0)
    assert row("name;lat;position;lon\na;;1 2;6\n").position == (1.0, 2.0)


@pytest.mark.parametrize(
    ("cell", "addresses"),
    [
        ("192.0.2.1/24", ("192.0.2.1",)),
        ("[2001:db8::1], ap.example.org", ("2001:db8::1", "ap.example.org")),
        ("192.0.2.1 192.0.2.1\n192.0.2.2", ("192.0.2.1", "192.0.2.2")),
        ("fe80::1%eth0", ("fe80::1%eth0",)),
    ],
)
def test_addresses_are_words_in_a_cell(cell: str, addresses: tuple[str, ...]) -> None:
    assert row(f'name;ip\na;"{cell}"\n').addresses == addresses


@pytest.mark.parametrize(
    ("cell", "node_id"),
    [
        ("C4:E9:84:00:00:01", "c4e984000001"),
        ("C4-E9-84-00-00-01", "c4e984000001"),
        ("c4e9.8400.0001", "c4e984000001"),
        ("c4e984000001", "c4e984000001"),
        ("Knoten 7", "Knoten 7"),
    ],
)
def test_a_mac_address_is_written_as_a_node_id(cell: str, node_id: str) -> None:
    assert row(f"name;mac\na;{cell}\n").node_id == node_id


def test_who_has_no_name_is_called_by_the_address_or_the_node_id() -> None:
    table = "name;ip;mac\n;192.0.2.1;\n;;C4:E9:84:00:00:01\n;;\n"
    assert [found.name for found in rows(table)] == ["192.0.2.1", "c4e984000001"]


def test_cells_behind_the_heading_are_left_out_and_told() -> None:
    assert notes("name;ip\na;192.0.2.1;;\nb;192.0.2.2;x\n") == [
        ("line 3", "changed", "has more cells than the heading: they are left out")
    ]


def test_a_quote_without_end_swallows_no_row_silently() -> None:
    table = 'name;ip\na;192.0.2.2\n"b;192.0.2.3\nc;192.0.2.4\n'
    assert [found.name for found in rows(table)] == ["a"]
    assert notes(table) == [("line 3", "skipped", "a quote has no end: nothing from here on is read")]


def test_a_quote_within_a_cell_is_part_of_it() -> None:
    table = 'name;room\na;19" rack\nb;"Hof\n""7"""\n'
    assert [(found.name, found.room) for found in rows(table)] == [("a", '19" rack'), ("b", 'Hof\n"7"')]


def test_a_mark_that_keeps_spreadsheets_from_reckoning_is_taken_off() -> None:
    found = row("name;room\n'=1+1;'' im Hof\n")
    assert (found.name, found.room) == ("=1+1", "'' im Hof")


def test_our_own_export_comes_back(tmp_path: Path) -> None:
    inventory = load(write(tmp_path))
    found = rows(export(inventory, list(inventory.routers.values())))
    assert [(each.name, each.site, each.addresses, each.role, each.platform) for each in found] == [
        ("eins-gw", "eins", ("192.0.2.1",), "gateway", "openwrt"),
        ("eins-ap", "eins", ("192.0.2.2",), "access-point", "openwrt"),
    ]


# --- whatever somebody calls a table ---

PLAIN = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
ODD = PLAIN | st.sampled_from(["name", "ip", "lat", "lon", "192.0.2.1", "51,4", '"', "'", "=1+1", "", "ap", "sep=;"])


@given(st.lists(st.lists(ODD, min_size=1, max_size=5), max_size=8), st.sampled_from([",", ";", "\t"]))
def test_every_row_is_found_or_told(table: list[list[str]], delimiter: str) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows([["name", "ip", "kontakt"], *table])
    told = entries(text.getvalue())
    rows = [each for each in told if isinstance(each, Found) or each.kind == "skipped"]
    assert len(rows) == sum(any(cell.strip() for cell in cells) for cells in table)
    assert len({each.where for each in rows}) == len(rows)


@given(st.binary() | st.text().map(str.encode) | ODD.map(lambda cell: f"name;{cell}\na;{cell}\n".encode()))
def test_any_file_is_told_or_refused(raw: bytes) -> None:
    problems: list[Problem] = []
    with collecting(problems):
        entries(raw)
    assert all(problem.id == "bad-import" and "\n" not in problem.line() for problem in problems)


@given(st.text(alphabet="abcdefghij", min_size=6), st.sampled_from(HEADINGS["contact"]))
def test_a_contact_is_in_no_note(contact: str, heading: str) -> None:
    table = f"name;{heading};role;x\na;{contact};odd;y\n;{contact};;\n"
    assert row(table).contact == contact
    assert contact not in repr(entries(table))


def test_the_docs_name_every_heading() -> None:
    page = (Path(__file__).parents[3] / "docs" / "import.md").read_text(encoding="utf-8")
    told = {words[1].strip(): words[2] for line in page.splitlines() if len(words := line.split("|")) == 4}
    rows = {key.strip("` "): row.casefold() for keys, row in told.items() for key in keys.split(",")}
    for key, headings in HEADINGS.items():
        listed = re.split(r"[,;:] ", rows[key].strip())
        assert [heading for heading in headings if heading.casefold() not in listed] == []
    assert all(heading in page.casefold() for heading in EITHER)
