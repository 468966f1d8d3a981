"""Who is new, who is there already, and what is said about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.networks import NETWORK, write
from wifimgr.errors import ConfigError
from wifimgr.inventory import load
from wifimgr.inventory.importers.base import Found, Note
from wifimgr.inventory.importers.limits import OUTSIDE, parse
from wifimgr.inventory.importers.propose import Proposal, propose

SITE = """\
name: Haus Eins
kind: library
routers:
  eins-gw: {addresses: [192.0.2.1], node_id: c4e984000001}
  eins-ap: {addresses: ["2001:db8::2", 192.0.2.2]}
  eins-old: {addresses: [192.0.2.3], node_id: c4e984000003, lifecycle: retired}
"""


def found(name: str = "", node_id: str = "", *addresses: str, **more: Any) -> Found:
    return Found(where=f"{name}/{node_id}", name=name, node_id=node_id, addresses=addresses, **more)


def proposed(folder: Path, *told: Found | Note, network: str = NETWORK, site: str = SITE, **options: Any) -> Proposal:
    return propose(load(write(folder, network, eins=site)), told, **options)


def new(proposal: Proposal) -> list[str]:
    return [router.name for place in proposal.places for router in place.routers]


def there(proposal: Proposal) -> list[str]:
    return [router.name for _, router in proposal.there]


def notes(proposal: Proposal) -> list[str]:
    return [f"{note.kind} {note.where}: {note.what}" for note in proposal.notes]


# ---------------------------------------------------------------- known again


@pytest.mark.parametrize(
    "told",
    [
        found("other-name", "C4E984000001", "192.0.2.77"),
        found("other-name", "", "192.0.2.1"),
        found("eins-gw", "", "192.0.2.77"),
        found("Eins_GW", "", "192.0.2.77"),
        found("eins-gw"),
    ],
    ids=["id", "address", "name", "spelled", "name alone"],
)
def test_a_router_is_known_by_id_else_by_address_else_by_name(tmp_path: Path, told: Found) -> None:
    proposal = proposed(tmp_path, told)
    assert (there(proposal), new(proposal), notes(proposal)) == (["eins-gw"], [], [])


def test_an_id_counts_more_than_an_address_and_an_address_more_than_a_name(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, found("eins-ap", "c4e984000001", "192.0.2.2"), found("eins-gw", "", "2001:DB8::2"))
    assert there(proposal) == ["eins-gw", "eins-ap"]


def test_who_has_another_id_is_somebody_else_who_gets_another_name_and_no_address_of_others(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, found("eins-gw", "ffff00000001", "192.0.2.1", "192.0.2.9"))
    assert new(proposal) == ["eins-gw-2"]
    assert proposal.places[0].routers[0].found.addresses == ("192.0.2.9",)
    assert notes(proposal) == [
        "changed eins-gw/ffff00000001: an address was left out: another router has it",
        "changed eins-gw/ffff00000001: the name 'eins-gw' became eins-gw-2",
    ]


def test_a_name_is_claimed_once(tmp_path: Path) -> None:
    """Two routers of one name: the second is not the one that is there."""
    proposal = proposed(tmp_path, found("eins-ap", "aa", "192.0.2.8"), found("eins-ap", "bb", "192.0.2.9"))
    assert (there(proposal), new(proposal)) == (["eins-ap"], ["eins-ap-2"])


def test_the_name_of_a_router_that_is_known_otherwise_is_not_free(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, found("eins-gw", "", "192.0.2.9"), found("else", "c4e984000001"))
    assert (there(proposal), new(proposal)) == (["eins-gw"], ["eins-gw-2"])


def test_a_retired_router_is_known_but_its_address_may_be_somebody_elses(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, found("a", "c4e984000003"), found("b", "", "192.0.2.3"), found("eins-old"))
    assert (there(proposal), new(proposal)) == (["eins-old", "eins-old"], ["b"])


# ---------------------------------------------------------------- twice in one file


def test_who_stands_twice_is_told(tmp_path: Path) -> None:
    proposal = proposed(
        tmp_path,
        found("a", "aa", "192.0.2.8"),
        found("a2", "AA", "192.0.2.9"),
        found("a3", "", "192.0.2.8"),
        found("a"),
        found("b"),
        found("b"),
    )
    assert new(proposal) == ["a", "b"]
    assert notes(proposal) == [
        "skipped a2/AA: stands twice in the file: it is a/aa again",
        "skipped a3/: stands twice in the file: it is a/aa again",
        "skipped a/: stands twice in the file: it is a/aa again",
        "skipped b/: stands twice in the file: it is b/ again",
    ]
    assert proposal.skipped == {"stands twice in the file": 4}


def test_an_address_of_many_stays_with_the_first(tmp_path: Path) -> None:
    proposal = proposed(
        tmp_path, found("a", "aa", "192.0.2.8"), found("b", "bb", "192.0.2.8"), found("c", "cc", "192.0.2.8")
    )
    assert [router.found.addresses for place in proposal.places for router in place.routers] == [("192.0.2.8",), (), ()]


def test_names_used_twice_get_numbers(tmp_path: Path) -> None:
    routers = [found("Knoten", f"{number:x}") for number in range(1, 5)]
    assert new(proposed(tmp_path, *routers)) == ["knoten", "knoten-2", "knoten-3", "knoten-4"]


def test_without_a_name_the_id_is_one_and_without_anything_nobody_is_there(tmp_path: Path) -> None:
    proposal = proposed(
        tmp_path, found("", "aa"), found("Кафе", "bb"), found("", "", "192.0.2.8"), found(), found("***", "$")
    )
    assert new(proposal) == ["aa", "bb", "router"]
    assert notes(proposal) == [
        "changed /aa: it has no name: it became aa",
        "changed Кафе/bb: the name 'Кафе' became bb",
        "changed /: it has no name: it became router",
        "skipped /: has no id, no address, and no name of letters and digits",
        "skipped ***/$: has no id, no address, and no name of letters and digits",
    ]


# ---------------------------------------------------------------- what is said


def test_every_entry_is_counted_once(tmp_path: Path) -> None:
    proposal = proposed(
        tmp_path,
        Note("nodes[0]", "skipped", "is no node"),
        found("a", "aa", "192.0.2.8", position=(51.4, 6.7)),
        found("B", "bb", "192.0.2.9", position=(51.4, 6.7)),
        found("a", "aa", position=(51.4, 6.7)),
        found("far", "cc", position=(52.4, 6.7)),
        found("nowhere", "dd"),
        found("eins-gw", position=(51.4, 6.7)),
        limit=parse("51.4,6.7,1km"),
    )
    assert proposal.summary() == (
        "taken 2, changed 1, skipped 4 (is no node: 1, stands twice in the file: 1, outside of --limit-to: 1, "
        "without a position, which --limit-to asks for: 1), already there 1; 1 new site"
    )


def test_nothing_is_said_about_changes_to_those_who_are_there_or_not_meant(tmp_path: Path) -> None:
    said = [
        Note("eins-gw/", "changed", "something"),
        Note("X/xx", "changed", "something"),
        Note("all", "changed", "sth"),
    ]
    proposal = proposed(
        tmp_path, *said, found("eins-gw", contact="me"), found("X", "xx", contact="me"), limit=parse("eins")
    )
    assert notes(proposal) == ["changed all: sth"]
    assert proposal.remarks == ()
    assert proposal.skipped == {OUTSIDE: 1}
    assert proposal.changed == 0


def test_what_holds_for_many_is_said_once(tmp_path: Path) -> None:
    addresses = [("fe80::1", f"192.0.2.{number}") for number in range(10, 13)]
    proposal = proposed(
        tmp_path, *(found(f"n{each[1]}", "", *each, contact="me@x.example") for each in addresses), found("m")
    )
    assert proposal.remarks == (
        "the contact was left out; --keep-contacts keeps it (3 routers)",
        "link-local addresses without a zone were left out: they lead nowhere from here (3 routers)",
        "no address is told, so nobody is asked: sources: [map] (1 router)",
    )
    assert proposal.changed == 0


def test_long_names_are_told_short(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, found("N" * 300, "aa"))
    assert notes(proposal)[0].endswith(f"the name '{'N' * 60}…' became {'n' * 63}")


def test_who_comes_to_a_public_place_is_told(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, found("a", "aa", site="eins"), site=SITE.replace("kind:", "public: true\nkind:"))
    assert notes(proposal) == ["changed a/aa: comes to a place of the status page: eins"]


# ---------------------------------------------------------------- whose they are

CITY = "  community: {name: Freifunk, manage: watch}\n"


def test_imported_routers_belong_to_the_only_operator_who_is_watched(tmp_path: Path) -> None:
    proposal = proposed(tmp_path, found("a", "aa"))
    assert (proposal.operator, proposal.new_operator) == ("community", False)


@pytest.mark.parametrize(("other", "name"), [("", "others"), ("  others: {name: Andere, manage: push}\n", "others-2")])
def test_without_one_an_operator_is_added(tmp_path: Path, other: str, name: str) -> None:
    proposal = proposed(tmp_path, found("a", "aa"), network=NETWORK.replace(CITY, other))
    assert (proposal.operator, proposal.new_operator) == (name, True)


def test_of_several_one_must_be_named(tmp_path: Path) -> None:
    network = NETWORK.replace(CITY, CITY + "  club: {name: Verein, manage: watch}\n")
    with pytest.raises(ConfigError) as caught:
        proposed(tmp_path, network=network)
    assert caught.value.line() == (
        "several operators are only watched; say --operator with one of community, club [which-operator]"
    )
    assert proposed(tmp_path, network=network, operator="club").operator == "club"


@pytest.mark.parametrize(
    ("operator", "network", "line"),
    [
        ("clubb", NETWORK, "--operator: there is no operator 'clubb'; known here: community [unknown-name]"),
        (
            "city",
            NETWORK,
            "--operator: imported routers are only watched, and those of 'city' are not; "
            "known here: community [which-operator]",
        ),
        (
            "city",
            NETWORK.replace(CITY, ""),
            "--operator: imported routers are only watched, and those of 'city' are not; "
            "leave it out, then an operator is added for them [which-operator]",
        ),
    ],
)
def test_an_operator_who_may_be_pushed_to_is_refused(tmp_path: Path, operator: str, network: str, line: str) -> None:
    with pytest.raises(ConfigError) as caught:
        proposed(tmp_path, operator=operator, network=network)
    assert caught.value.line() == line
