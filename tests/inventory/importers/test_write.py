"""What an import writes: files that people could have written, and nothing the second time."""

from __future__ import annotations

import json
import tempfile
from datetime import date
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.inventory.importers.test_mesh import NODES
from tests.networks import NETWORK, SITE, write
from wifimgr.errors import ConfigError
from wifimgr.inventory import load
from wifimgr.inventory.importers import IMPORTERS
from wifimgr.inventory.importers import write as writing
from wifimgr.inventory.importers.base import Found, Note, Options, Source
from wifimgr.inventory.importers.fetch import source
from wifimgr.inventory.importers.propose import Proposal, propose
from wifimgr.inventory.load import survey
from wifimgr.model import Manage

DATA = Path(__file__).parent.parent.parent / "data/import"
SAMPLES = {
    "meshviewer": "meshviewer.json",
    "nodes": "nodes.json",
    "nodelist": "nodelist.json",
    "ansible": "ansible",
    "bbb-configs": "bbb-configs",
    "csv": "geraete.csv",
}
BARE = "name: Netz\noperators: {city: {name: Stadt, manage: push}}\n"


def take(folder: Path, told: list[Found | Note], **options: Any) -> Proposal:
    """Import as the command does, without asking."""
    inventory = load(folder)
    proposal = propose(inventory, told, **options)
    if proposal.taken:
        writing.write(proposal, inventory)
    return proposal


def sample(format: str, name: str = "") -> list[Found | Note]:
    return list(IMPORTERS[format](source(str(DATA / (name or SAMPLES[format]))), Options()))


def mesh(format: str, nodes: Any) -> list[Found | Note]:
    raw = json.dumps({"nodes": nodes}).encode()
    return list(IMPORTERS[format](Source("map.json", {"map.json": raw}), Options()))


def files(folder: Path) -> dict[str, bytes]:
    """Every file of the inventory."""
    paths = (folder / "inventory").rglob("*")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths if path.is_file()}


def bare(folder: Path, **sites: str) -> Path:
    """A network that has an operator of its own, and by default nothing else."""
    (folder / "inventory/sites").mkdir(parents=True)
    write(folder, BARE, **(sites or {"x": ""}))
    if not sites:
        (folder / "inventory/sites/x.yaml").unlink()
    return folder


def wrong(folder: Path) -> list[str]:
    """What ``wifimgr check`` tells."""
    seen = survey(folder)
    return [problem.line() for problem in [*seen.problems, *seen.findings(date(2026, 8, 1))]]


# ---------------------------------------------------------------- every format


def test_there_is_a_sample_of_every_format() -> None:
    assert SAMPLES.keys() == IMPORTERS.keys()


@pytest.mark.parametrize("format", IMPORTERS)
@pytest.mark.parametrize("network", ["bare", "full"])
def test_an_import_can_be_loaded_and_a_second_one_changes_nothing(tmp_path: Path, format: str, network: str) -> None:
    folder = bare(tmp_path) if network == "bare" else write(tmp_path, NETWORK)
    told = sample(format)
    first = take(folder, told)
    assert first.taken > 0
    inventory = load(folder)
    imported = [router for router in inventory.routers.values() if router.site != "eins"]
    assert len(imported) == first.taken
    assert {router.manage for router in imported} == {Manage.WATCH}
    assert not [site.slug for site in inventory.sites.values() if site.public]
    assert wrong(folder) == []
    before = files(folder)
    second = take(folder, told)
    assert (second.taken, len(second.there), files(folder)) == (0, first.taken + len(first.there), before)
    assert (sum(second.skipped.values()), second.changed) == (sum(first.skipped.values()), 0)


@pytest.mark.parametrize("format", IMPORTERS)
@pytest.mark.parametrize("keep", [False, True])
def test_contacts_are_written_only_when_somebody_says_so(tmp_path: Path, format: str, keep: bool) -> None:
    told = sample(format)
    contacts = {item.contact for item in told if isinstance(item, Found) and item.contact}
    take(bare(tmp_path), told, keep_contacts=keep)
    written = json.dumps([list(load(tmp_path).routers), *(text.decode() for text in files(tmp_path).values())])
    assert [contact for contact in contacts if json.dumps(contact)[1:-1] in written] == (list(contacts) if keep else [])


# ---------------------------------------------------------------- what stands in the files


def test_a_new_site_looks_as_if_people_had_written_it(tmp_path: Path) -> None:
    proposal = take(bare(tmp_path), sample("meshviewer"))
    assert proposal.summary() == "taken 4, changed 3, skipped 0, already there 0; 2 new sites"
    assert (tmp_path / "inventory/network.yaml").read_text() == (
        "name: Netz\noperators: {city: {name: Stadt, manage: push}, others: {name: Others, manage: watch}}\n"
    )
    assert (tmp_path / "inventory/sites/jz-walsum.yaml").read_text() == writing.NEW_SITE + dedent(
        """\
        name: JZ-Walsum
        kind: other
        position: [51.53716, 6.69271]
        operator: others

        routers:
          jz-walsum-hof:
            platform: gluon
            role: mesh-node
            model: TP-Link Archer C7 v2
            addresses: [2001:db8:ff:0:c6e9:84ff:fe00:1]
            node_id: c4e984000001
            sources: [respondd]
          jz-walsum-saal:
            platform: gluon
            role: mesh-node
            model: AVM FRITZ!Box 4040
            addresses: [2001:db8:ff::2]
            node_id: c4e984000002
            sources: [respondd]
        """
    )
    assert (tmp_path / "inventory/sites/unplaced.yaml").read_text() == writing.NEW_SITE + dedent(
        """\
        name: Ohne Ort
        kind: other

        routers:
          ffgw-1:
            operator: others
            platform: other
            role: gateway
            addresses: [2001:db8:ff::a1]
            node_id: c4e984aa0001
            sources: [respondd]
          buecherei-sued-1:
            operator: others
            platform: gluon
            role: mesh-node
            model: Ubiquiti UniFi AC Mesh
            node_id: c4e984000003
            sources: [map]
        """
    )


def test_newcomers_to_a_site_stand_at_its_end_and_nothing_else_changes(tmp_path: Path) -> None:
    site = SITE + "    # the last word\n"
    write(tmp_path, NETWORK, eins=site)
    found = Found(
        where="1",
        name="neu",
        site="eins",
        addresses=("192.0.2.9",),
        platform="gluon",
        role="access-point",
        room="Saal",
        tags=("indoor",),
        sources=("respondd",),
        vars={"ssid": "frei", "country": "AT", "high": True},
        contact="me",
    )
    take(tmp_path, [found], keep_contacts=True)
    assert (tmp_path / "inventory/sites/eins.yaml").read_text() == site + (
        "  neu:\n"
        "    operator: community\n"
        "    platform: gluon\n"
        "    addresses: [192.0.2.9]\n"
        "    room: Saal\n"
        "    tags: [indoor]\n"
        "    sources: [respondd]\n"
        "    vars: {country: AT, high: true}\n"
        "    private: {contact: me}\n"
    )
    assert (tmp_path / "inventory/network.yaml").read_text() == NETWORK


def test_what_a_site_says_for_all_its_routers_is_not_said_again(tmp_path: Path) -> None:
    site = SITE.replace("routers:", "operator: community\nplatform: gluon\nsources: [respondd]\ntags: [a]\nrouters:")
    write(tmp_path, NETWORK, eins=site)
    take(tmp_path, [Found(where="1", name="neu", site="eins", platform="gluon", sources=("respondd",), tags=("a",))])
    added = (tmp_path / "inventory/sites/eins.yaml").read_text().removeprefix(site)
    assert added == "  neu: {sources: [map]}\n" or added == "  neu:\n    sources: [map]\n"
    assert load(tmp_path).routers["neu"].manage is Manage.WATCH


def test_a_router_about_which_nothing_is_told_has_what_every_router_needs(tmp_path: Path) -> None:
    take(bare(tmp_path), [Found(where="1", name="neu", site="Haus")])
    router = load(tmp_path).routers["neu"]
    assert (router.platform, router.role, router.operator, router.sources) == ("other", "access-point", "others", ())


def test_a_router_that_differs_in_nothing_stands_there_all_the_same(tmp_path: Path) -> None:
    write(tmp_path, NETWORK.replace("operator: city\n  platform: openwrt", "operator: community\n  platform: other"))
    take(tmp_path, [Found(where=name, name=name, site="Haus") for name in ("a", "b")])
    assert "routers:\n  a: {}\n  b: {}\n" in (tmp_path / "inventory/sites/haus.yaml").read_text()
    assert wrong(tmp_path) == []


def test_one_is_not_true(tmp_path: Path) -> None:
    write(tmp_path, NETWORK.replace("country: DE", "flag: 1"))
    take(tmp_path, [Found(where="1", name="neu", site="eins", addresses=("192.0.2.9",), vars={"flag": True})])
    assert load(tmp_path).routers["neu"].vars["flag"] is True


def test_routers_without_a_place_stay_watched_when_their_entry_moves(tmp_path: Path) -> None:
    write(tmp_path, NETWORK)
    take(tmp_path, [Found(where="1", name="solo", node_id="aa", platform="gluon", sources=("map",))])
    lines = (tmp_path / "inventory/sites/unplaced.yaml").read_text().splitlines()
    assert lines[lines.index("  solo:") + 1] == "    operator: community"


def test_an_entry_of_ours_is_never_changed(tmp_path: Path) -> None:
    write(tmp_path, NETWORK, eins=SITE)
    before = files(tmp_path)
    other = {"model": "other", "room": "other", "platform": "gluon", "node_id": "ff", "contact": "me"}
    proposal = take(tmp_path, [Found(where="1", name="eins-gw", addresses=("192.0.2.99",), **other)])
    assert ([router.name for _, router in proposal.there], files(tmp_path)) == (["eins-gw"], before)


def test_nothing_is_written_where_one_file_cannot_be_edited(tmp_path: Path) -> None:
    site = SITE.replace("routers:", "x: &all\nrouters:").replace("x: &all\n", "")
    alias = site.replace("eins-ap:\n", "eins-ap: &ap\n").replace("routers:\n", "routers: &r\n")
    write(tmp_path, NETWORK, eins=alias + "private: {copy: *r}\n")
    before = files(tmp_path)
    told: list[Found | Note] = [Found(where="1", name="a", site="Neu"), Found(where="2", name="b", site="eins")]
    with pytest.raises(ConfigError, match="cannot-edit"):
        take(tmp_path, told)
    assert files(tmp_path) == before


# ---------------------------------------------------------------- what the wild holds

HOSTILE = [
    'it\'s "quoted"',
    "two\nlines: {a: b}",
    "$(reboot) `id` ${HOME}",
    "<script>alert(1)</script>",
    "\x1b[2J\x1b]0;title\x07",
    "x" * 300,
    "",
    "null",
    "1e5",
    "*alias",
    "&anchor !tag",
    "{{ ssid }}",
    "- a",
    "#",
    "\u202eumgedreht",
    "halb\ud800",
    "😀 Süd",
    "../../etc/passwd",
]


@pytest.mark.parametrize("format", ["meshviewer", "nodes", "nodelist"])
def test_hostile_texts_arrive_as_text_and_nothing_else(tmp_path: Path, format: str) -> None:
    def node(number: int, text: str) -> dict[str, Any]:
        info = {"node_id": f"{number:x}", "hostname": text, "hardware": {"model": text}, "owner": {"contact": text}}
        flat = {"node_id": f"{number:x}", "hostname": text, "model": text, "owner": text, "firmware": {"base": text}}
        shapes = {"meshviewer": flat, "nodes": {"nodeinfo": info}, "nodelist": {"id": f"{number:x}", "name": text}}
        return shapes[format]

    told = mesh(format, [node(number, text) for number, text in enumerate(HOSTILE)])
    proposal = take(bare(tmp_path), told, keep_contacts=True)
    assert (proposal.taken, wrong(tmp_path)) == (len(HOSTILE), [])
    inventory = load(tmp_path)
    assert len(inventory.routers) == len(HOSTILE)
    assert all(path.startswith("inventory/") for path in files(tmp_path))
    by_id = {router.node_id: router for router in inventory.routers.values()}
    if format != "nodelist":
        plain = [text for text in HOSTILE if text.isprintable() and text.isascii()]
        assert [text for text in plain if by_id[f"{HOSTILE.index(text):x}"].model != text] == []
    before = files(tmp_path)
    assert take(tmp_path, told, keep_contacts=True).taken == 0
    assert files(tmp_path) == before


def accounted(proposal: Proposal) -> int:
    return proposal.taken + len(proposal.there) + sum(proposal.skipped.values())


@pytest.mark.parametrize("format", ["meshviewer", "nodes", "nodelist"])
@settings(max_examples=25)
@given(nodes=NODES)
def test_any_nodes_are_written_or_told_and_never_written_twice(format: str, nodes: Any) -> None:
    try:
        told = mesh(format, nodes)
    except ConfigError:
        return
    with tempfile.TemporaryDirectory() as name:
        folder = bare(Path(name))
        first = take(folder, told, keep_contacts=True)
        assert accounted(first) == len(nodes)
        assert wrong(folder) == []
        assert len(load(folder).routers) == first.taken
        before = files(folder)
        second = take(folder, told, keep_contacts=True)
        assert (second.taken, accounted(second), files(folder)) == (0, len(nodes), before)


WORD = st.sampled_from(["ap", "AP", "jz-nord-ap", "jz-nord-ap1", "Jz Nord Saal", "", "ä", "unplaced"])
FOUND = st.builds(
    Found,
    where=st.uuids().map(str),
    name=WORD | st.text(max_size=5),
    node_id=st.sampled_from(["", "aa", "AA", "bb", "$"]),
    addresses=st.lists(st.sampled_from(["192.0.2.1", "2001:DB8::1", "2001:db8::1", "fe80::1", "a.example"])).map(tuple),
    platform=st.sampled_from(["", "gluon", "x"]),
    site=st.sampled_from(["", "", "eins", "Haus Eins", "Neu", "Кафе", "unplaced"]),
    district=WORD,
    position=st.none() | st.tuples(st.sampled_from([51.4, 51.4003, 0, 99]), st.sampled_from([6.7, 6.701, 0])),
    vars=st.dictionaries(st.sampled_from(["ssid", "psk", "X"]), st.text(max_size=3) | st.booleans(), max_size=2),
    contact=st.text(max_size=3),
)


@settings(max_examples=40)
@given(told=st.lists(FOUND, max_size=8), more=st.lists(FOUND, max_size=4))
def test_whatever_is_found_is_counted_once_and_never_written_twice(told: list[Found], more: list[Found]) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = write(Path(name), NETWORK, eins=SITE.replace("district", "position: [51.4, 6.7]\ndistrict"))
        untouched = (folder / "inventory/sites/eins.yaml").read_bytes()
        for items in (told, told + more):
            first = take(folder, list(items))
            assert accounted(first) == len(items)
            assert wrong(folder) == []
            before = files(folder)
            second = take(folder, list(items))
            assert (second.taken, accounted(second), files(folder)) == (0, len(items), before)
        assert (folder / "inventory/sites/eins.yaml").read_bytes().startswith(untouched)


def city(nodes: int) -> list[dict[str, Any]]:
    """Nodes of a city: three in a house, every tenth without a position."""
    return [
        {
            "node_id": f"c4e984{number:06x}",
            "hostname": f"ffdu-haus{number // 3}-ap{number % 3}",
            "addresses": [f"fe80::{number + 1:x}", f"2001:db8::{number + 1:x}"],
            "firmware": {"base": "gluon-v2023.2.5"},
            "owner": "me@example.org",
            "location": {"latitude": 51.3 + number // 3 * 0.001, "longitude": 6.7} if number % 10 else None,
        }
        for number in range(nodes)
    ]


def test_two_thousand_nodes_come_at_once(tmp_path: Path) -> None:
    told = mesh("meshviewer", city(2000))
    proposal = take(bare(tmp_path), told)
    assert (proposal.taken, proposal.changed, len(proposal.places)) == (2000, 0, 667)
    assert wrong(tmp_path) == []
    assert len(load(tmp_path).routers) == 2000
    assert take(tmp_path, told).summary() == "taken 0, changed 0, skipped 0, already there 2000; 0 new sites"


def test_many_newcomers_come_to_one_file_at_once(tmp_path: Path) -> None:
    """The second import adds hundreds to a site that is there."""
    first, second = (
        mesh("nodelist", [{"id": f"{number:x}", "name": f"n{number}"} for number in range(*each)])
        for each in ((0, 700), (0, 1400))
    )
    take(bare(tmp_path), first)
    before = (tmp_path / "inventory/sites/unplaced.yaml").read_text()
    assert (take(tmp_path, second).taken, len(load(tmp_path).routers)) == (700, 1400)
    assert (tmp_path / "inventory/sites/unplaced.yaml").read_text().startswith(before)


@pytest.mark.parametrize("told", [(), ("snmp",), ("ubus", "ping")])
def test_no_file_of_others_decides_where_a_secret_of_ours_goes(tmp_path: Path, told: tuple[str, ...]) -> None:
    """SNMP sends a community in clear text, ubus logs in: both only where somebody said so by hand."""
    folder = write(tmp_path, NETWORK.replace("snmp: monitor", "snmp: monitor\n  sources: [snmp, ubus, ping]"))
    take(folder, [Found(where="x", name="neu", addresses=("192.0.2.9",), sources=told)])
    assert load(folder).routers["neu"].sources == ("ping",)


def test_no_newcomer_gets_a_name_whose_key_is_trusted(tmp_path: Path) -> None:
    folder = write(tmp_path)
    (folder / "inventory/known_hosts").write_text("neu ssh-ed25519 AAAA\n", encoding="utf-8")
    take(folder, [Found(where="x", name="neu", addresses=("192.0.2.9",))])
    assert "neu" not in load(folder).routers
    assert len(load(folder).routers) == 3
