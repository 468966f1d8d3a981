"""``router adopt``: looks at a device and takes it into the inventory, after asking."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from wifimgr.cli import common, output
from wifimgr.errors import ConfigError, RouterError, did_you_mean

if TYPE_CHECKING:
    from wifimgr.adopt import Candidate, Device, Proposal
    from wifimgr.inventory import Inventory

MOST_SITES = 40
"""As many sites as are listed for somebody who shall name one."""

Address = Annotated[str, typer.Argument(metavar="ADDRESS", help="Where the device is: an IP address or a DNS name.")]
SiteSlug = Annotated[str, typer.Option("--site", metavar="SLUG", help="The site it stands in; else you are asked.")]
Name = Annotated[str, typer.Option("--name", metavar="NAME", help="What to call it; else its own host name.")]
Ssh = Annotated[str, typer.Option("--ssh", metavar="PROFILE", help="How to log in, if not as everywhere in its site.")]
Port = Annotated[int | None, typer.Option("--port", metavar="N", min=1, max=65535, help="The port of its SSH server.")]
Jump = Annotated[str, typer.Option("--jump", metavar="ROUTER", help="The router that leads to it.")]


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    router = common.noun(app, "router", "Routers: access points, gateways, mesh nodes.")
    common.command(router, "adopt")(adopt)


def adopt(
    run: common.Run,
    address: Address,
    site: SiteSlug = "",
    name: Name = "",
    ssh: Ssh = "",
    port: Port = None,
    jump: Jump = "",
    yes: common.Yes = False,
) -> None:
    """Look at a device, trust its host key after asking, and write it into the inventory."""
    import asyncio

    from wifimgr import adopt as adoption
    from wifimgr.inventory import load
    from wifimgr.ssh import KnownHosts

    common.need_somebody(yes, "say --yes, and --site SLUG")
    folder = run.folder()
    inventory = load(folder)
    known_hosts = KnownHosts(folder / "inventory/known_hosts")
    adoption.refuse_known(inventory, address)
    slug = site or _site(inventory, adoption.likely_sites(inventory, address, jump), yes=yes)
    wish = adoption.Wish(address=address, site=slug, name=name, ssh=ssh, port=port, jump=jump)
    wanted = adoption.candidate(inventory, wish)
    run.say(f"looking at {address}")
    device = asyncio.run(adoption.look(wanted, known_hosts))
    adoption.refuse_met(wanted, known_hosts, device)
    over_snmp = _may_go_on(wanted, device, yes=yes)
    device = asyncio.run(adoption.ask(wanted, known_hosts, device, over_snmp=over_snmp))
    if not device.answers:
        whys = "; ".join(f"{way}: {why}" for way, why in device.silent.items())
        hint = "check address, power and cable; a router that shall come later: 'wifimgr router add'"
        raise RouterError("unreachable", f"nothing answers there ({whys})", where=address, hint=hint)
    _show(device, to_person=False)
    proposal = _named(wanted, adoption.propose(wanted, device), yes=yes)
    for line in () if yes and run.quiet else _entry(proposal):
        output.line(line, to=sys.stderr)
    file = f"inventory/sites/{slug}.yaml"
    if not (yes or typer.confirm(f"Write this into {file}?", default=True, err=True)):
        _nothing(run)
    adoption.write(wanted, proposal, device.shown.key if device.shown else None)
    key = ", its host key into inventory/known_hosts" if device.shown else ""
    run.say(f"{proposal.name}: written into {file}{key}")


def _nothing(run: common.Run) -> None:
    run.say("nothing was written")
    raise typer.Exit(1)


# ---------------------------------------------------------------- questions


def _site(inventory: Inventory, likely: list[str], *, yes: bool) -> str:
    """The site, proposed by the address or by the way to it."""
    default = likely[0] if len(likely) == 1 else None
    if yes:
        if default is None:
            raise ConfigError("need-terminal", "somebody has to say at which site it stands", hint="say --site SLUG")
        return default
    sites = list(inventory.sites.values())
    for each in sites[:MOST_SITES]:
        output.line(f"  {each.slug}: {each.name}", to=sys.stderr)
    if len(sites) > MOST_SITES:
        output.line(f"  … ({len(sites)} in all: 'wifimgr site list')", to=sys.stderr)
    while True:
        slug = str(typer.prompt("At which site does it stand?", default=default, err=True)).strip()
        if slug in inventory.sites:
            return slug
        hint = did_you_mean(slug, inventory.sites, "'wifimgr site list'")
        output.line(f"there is no site '{slug}'; {hint}; a new one: 'wifimgr site add {slug} …'", to=sys.stderr)


def _may_go_on(wanted: Candidate, device: Device, *, yes: bool) -> bool:
    """Asks before something of ours is sent: about the host key, or about SNMP where there is none to compare.

    Whether SNMP may be asked. Ends the program when the key is not the router's own.
    """
    if yes:
        return True
    if device.shown:
        _show(device, to_person=True)
        if not typer.confirm("Is that the router's own host key?", err=True):
            output.line("nothing was written", to=sys.stderr)
            raise typer.Exit(1)
        return True
    if wanted.through or not wanted.inventory.network.snmp_profiles:
        return False
    _show(device, to_person=True)
    question = "It shows no host key, so nobody knows whose it is. Ask it over SNMP with our credentials?"
    return typer.confirm(question, err=True)


def _named(wanted: Candidate, proposal: Proposal, *, yes: bool) -> Proposal:
    """The proposal with a name that somebody agreed to."""
    from dataclasses import replace

    from wifimgr.inventory.schema import ROUTER_NAME

    if yes or wanted.wish.name:
        return proposal
    while True:
        name = str(typer.prompt("What is it called?", default=proposal.name, err=True)).strip()
        if ROUTER_NAME.fullmatch(name) and name not in wanted.names:
            return replace(proposal, name=name)
        why = "is there already" if name in wanted.names else "is not a router name: small letters, digits, and . -"
        output.line(f"'{name}' {why}", to=sys.stderr)


# ---------------------------------------------------------------- what is shown


def _show(device: Device, *, to_person: bool) -> None:
    """What the device told: before a question for who is asked, at the end as data."""
    rows = [{"what": fact.what, "value": fact.value, "from": fact.source} for fact in device.facts()]
    columns = ("what", "value", "from")
    if to_person:
        output.show(rows, "fact", columns, output.Form.TABLE, to=sys.stderr)
    else:
        output.show(rows, "fact", columns)


def _entry(proposal: Proposal) -> list[str]:
    """The entry as it would be written, and what to know about it."""
    from wifimgr.inventory.edit import nested
    from wifimgr.yamltext import inline

    entry = nested(proposal.values)
    lines = [f"{proposal.name}:", *(f"  {key}: {inline(value)}" for key, value in entry.items())]
    new = [f"'{proposal.new_operator}' is new in inventory/network.yaml: others, whose routers are only watched"]
    return [*lines, *proposal.notes, *(new if proposal.new_operator else [])]
