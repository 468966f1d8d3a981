"""Map files of a mesh, in their writers' shapes and in odd ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wifimgr.errors import ConfigError
from wifimgr.inventory.importers import IMPORTERS
from wifimgr.inventory.importers.base import Found, Note, Options, Source

DATA = Path(__file__).parent.parent.parent / "data/import"
MESH = ("meshviewer", "nodes", "nodelist")


def read(format: str, data: Any) -> list[Found | Note]:
    """What an importer makes of JSON: of text or bytes as they are."""
    text = data if isinstance(data, str | bytes) else json.dumps(data)
    raw = text.encode() if isinstance(text, str) else text
    return list(IMPORTERS[format](Source("map.json", {"map.json": raw}), Options()))


def one(format: str, node: Any) -> Found:
    """The router that an importer makes of a file with one node."""
    *_, found = read(format, {"nodes": [node]})
    assert isinstance(found, Found)
    return found


def test_meshviewer_tells_all_that_we_have_words_for() -> None:
    hof, saal, gateway, library = read("meshviewer", (DATA / "meshviewer.json").read_bytes())
    assert hof == Found(
        where="nodes[0]",
        name="JZ-Walsum-Hof",
        addresses=("fe80::c6e9:84ff:fe00:1", "2001:DB8:FF::C6E9:84FF:FE00:1"),
        node_id="c4e984000001",
        platform="gluon",
        role="mesh-node",
        model="TP-Link Archer C7 v2",
        position=(51.5371, 6.6925),
        sources=("respondd",),
        contact="hof@jz-walsum.example",
    )
    assert isinstance(saal, Found)
    assert saal.contact == ""
    assert gateway == Found(
        where="nodes[2]",
        name="ffgw-1",
        addresses=("2001:db8:ff::a1",),
        node_id="c4e984aa0001",
        platform="other",
        role="gateway",
        sources=("respondd",),
    )
    assert isinstance(library, Found)
    assert (library.name, library.addresses, library.sources) == ("Bücherei Süd 1", (), ("map",))


def test_nodes_tells_the_same_from_what_respondd_answered() -> None:
    hof, gateway, other = read("nodes", (DATA / "nodes.json").read_bytes())
    assert hof == Found(
        where="nodes[0]",
        name="jz-walsum-hof",
        addresses=("fe80::c6e9:84ff:fe00:1", "2001:db8:ff::c6e9:84ff:fe00:1"),
        node_id="c4e984000001",
        platform="gluon",
        role="mesh-node",
        model="TP-Link Archer C7 v2",
        position=(51.5371, 6.6925),
        sources=("respondd",),
        contact="hof@jz-walsum.example",
    )
    assert isinstance(gateway, Found)
    assert (gateway.role, gateway.platform, gateway.model, gateway.contact) == ("gateway", "other", "", "")
    assert isinstance(other, Found)
    assert (other.name, other.position, other.addresses) == ("jz-walsum-hof", None, ())


def test_the_first_version_of_nodes_is_read_too() -> None:
    assert read("nodes", (DATA / "nodes-v1.json").read_bytes()) == [
        Found(
            where="nodes.c4e984000001",
            name="jz-walsum-hof",
            addresses=("2001:db8:ff::1",),
            node_id="c4e984000001",
            platform="gluon",
            role="mesh-node",
            model="TP-Link TL-WR841N/ND v9",
            position=(51.5371, 6.6925),
            sources=("respondd",),
        )
    ]


def test_nodelist_tells_no_address_so_only_the_map_can_tell_more() -> None:
    hof, _, gateway = read("nodelist", (DATA / "nodelist.json").read_bytes())
    assert hof == Found(
        where="nodes[0]",
        name="jz-walsum-hof",
        node_id="c4e984000001",
        platform="other",
        role="mesh-node",
        position=(51.5371, 6.6925),
        sources=("map",),
    )
    assert isinstance(gateway, Found)
    assert gateway.position is None


# ---------------------------------------------------------------- odd nodes


@pytest.mark.parametrize(
    ("told", "node_id"),
    [
        ("C4:E9:84:00:00:01", "c4e984000001"),
        ("c4e984000001f", "c4e984000001f"),
        ("1", "1"),
        (12.0, "12"),
        (None, ""),
        (["x"], ""),
        (True, ""),
    ],
)
def test_ids_of_any_length_are_ids(told: object, node_id: str) -> None:
    assert one("meshviewer", {"node_id": told, "hostname": "a"}).node_id == node_id


@pytest.mark.parametrize("told", [None, {}, [], "here", {"latitude": 51.5}, {"latitude": None, "longitude": None}])
def test_a_missing_position_is_none(told: object) -> None:
    assert one("meshviewer", {"node_id": "a", "location": told}).position is None


@pytest.mark.parametrize(
    ("latitude", "position"),
    [(51, (51.0, 6.5)), ("51.5", (51.5, 6.5)), ("north", None), (True, None), (1e999, None), (10**400, None)],
)
def test_a_position_is_two_numbers_however_written(latitude: object, position: object) -> None:
    assert (
        one("meshviewer", {"node_id": "a", "location": {"latitude": latitude, "longitude": 6.5}}).position == position
    )


@pytest.mark.parametrize("told", [None, []])
def test_no_list_of_addresses_is_no_address(told: object) -> None:
    assert one("meshviewer", {"node_id": "a", "addresses": told}).addresses == ()


def test_what_is_no_address_is_left_out_and_told() -> None:
    note, found = read(
        "meshviewer", {"nodes": [{"node_id": "a", "addresses": ["fe80::1%br0", "me@x.example", None, 7]}]}
    )
    assert note == Note("nodes[0]", "changed", "what is no address was left out of its addresses")
    assert isinstance(found, Found)
    assert found.addresses == ("fe80::1%br0",)


def test_one_address_alone_is_a_list_of_one() -> None:
    assert one("meshviewer", {"node_id": "a", "addresses": "2001:db8::1"}).addresses == ("2001:db8::1",)


@pytest.mark.parametrize("told", ["true", 1, None, "yes", {}])
def test_only_true_is_a_gateway(told: object) -> None:
    assert one("meshviewer", {"node_id": "a", "is_gateway": told}).role == "mesh-node"


def test_bad_nodes_among_good_ones_are_told() -> None:
    nodes = [{"node_id": f"{number:x}", "hostname": f"n{number}"} for number in range(2000)]
    items = read("meshviewer", {"nodes": [*nodes[:1000], None, "node", *nodes[1000:]]})
    assert sum(isinstance(item, Found) for item in items) == 2000
    assert [item for item in items if isinstance(item, Note)] == [
        Note("nodes[1000]", "skipped", "is no node"),
        Note("nodes[1001]", "skipped", "is no node"),
    ]


# ---------------------------------------------------------------- odd files


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_files_may_begin_with_a_mark_and_be_of_any_unicode(encoding: str) -> None:
    [found] = read("meshviewer", '{"nodes": [{"node_id": "a", "hostname": "Süd"}]}'.encode(encoding))
    assert isinstance(found, Found)
    assert found.name == "Süd"


@pytest.mark.parametrize("format", MESH)
def test_no_nodes_are_no_error(format: str) -> None:
    assert read(format, {"nodes": []}) == read(format, {"nodes": {}}) == []


@pytest.mark.parametrize("format", MESH)
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[]", "map.json: has no list 'nodes'; an export of a map like meshviewer.json has one [bad-import]"),
        ('"x"', "map.json: has no list 'nodes'; an export of a map like meshviewer.json has one [bad-import]"),
        (
            '{"nodes": null}',
            "map.json: has no list 'nodes'; an export of a map like meshviewer.json has one [bad-import]",
        ),
        ('{"nodes": [\n{"id":', "map.json: is not JSON from line 2 on; fetch it again, it may be cut off [bad-import]"),
        ("", "map.json: is not JSON from line 1 on; fetch it again, it may be cut off [bad-import]"),
        ("[" * 100_000, "map.json: is not JSON that anybody means; fetch it again [bad-import]"),
        ("1" * 5000, "map.json: is not JSON that anybody means; fetch it again [bad-import]"),
        (b"\xff{}x", "map.json: is not text in UTF-8; save it as UTF-8 [bad-import]"),
    ],
    ids=["list", "text", "null", "cut", "empty", "deep", "digits", "bytes"],
)
def test_what_is_no_map_is_an_error_of_one_line(format: str, text: str | bytes, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(format, text)
    assert caught.value.line() == message


@pytest.mark.parametrize(
    ("format", "name", "message"),
    [
        ("meshviewer", "nodes.json", "no node in it has a node_id; try the format nodes"),
        ("meshviewer", "nodelist.json", "no node in it has a node_id; try the format nodelist"),
        ("nodes", "meshviewer.json", "no node in it has a nodeinfo; try the format meshviewer"),
        ("nodelist", "nodes-v1.json", "no node in it has a id; try the format nodes"),
    ],
)
def test_a_file_of_another_format_is_told_its_format(format: str, name: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(format, (DATA / name).read_bytes())
    assert caught.value.line() == f"map.json: {message} [bad-import]"


def test_a_folder_is_no_map() -> None:
    with pytest.raises(ConfigError, match=r"maps: is a folder; name one file \[bad-import\]"):
        list(IMPORTERS["meshviewer"](Source("maps", {"a.json": b"{}", "b.json": b"{}"}), Options()))


# ---------------------------------------------------------------- any JSON

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
KEYS = "node_id hostname addresses location firmware is_gateway model owner id name position network software hardware"
_PART = st.fixed_dictionaries({}, optional=dict.fromkeys(KEYS.split(), JSON))
NODE = JSON | _PART | st.fixed_dictionaries({"nodeinfo": JSON | _PART, "flags": JSON})
NODES = st.lists(NODE, max_size=6) | st.dictionaries(st.text(max_size=4), NODE, max_size=4)


def read_or_refused(format: str, data: Any) -> list[Found | Note] | None:
    """None: the whole was refused, in the one way that is right for that."""
    try:
        return read(format, data)
    except ConfigError as error:
        if error.id != "bad-import":
            raise
        return None


@pytest.mark.parametrize("format", MESH)
@given(nodes=NODES)
def test_every_node_of_any_json_is_found_or_told(format: str, nodes: Any) -> None:
    items = read_or_refused(format, {"nodes": nodes})
    told = [item.where for item in items or () if isinstance(item, Found) or item.kind == "skipped"]
    keys = (
        [f"nodes[{key}]" for key in range(len(nodes))] if isinstance(nodes, list) else [f"nodes.{key}" for key in nodes]
    )
    assert items is None or told == keys


@pytest.mark.parametrize("format", MESH)
@given(data=JSON)
def test_any_json_is_read_or_refused(format: str, data: Any) -> None:
    read_or_refused(format, data)
