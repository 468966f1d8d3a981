"""From files to the inventory: read every file, compose, check, and tell all problems in one run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from types import MappingProxyType

from pydantic import BaseModel

from wifimgr.errors import ConfigError, Problem, in_order
from wifimgr.inventory import checks, compose, findings
from wifimgr.inventory.checks import Scope
from wifimgr.inventory.compose import SiteSource
from wifimgr.inventory.schema import SITE_SLUG, SiteFile
from wifimgr.model import Router, Site
from wifimgr.settings import Network, read_network
from wifimgr.settings.files import Level
from wifimgr.yamlfile import Document, Gaps, salvage, scan

SITES_FOLDER = "inventory/sites"


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything the files of a network folder say. Routers stand in the order of their sites and files."""

    network: Network
    sites: Mapping[str, Site]
    routers: Mapping[str, Router]


def load(folder: Path, texts: Mapping[str, str] = MappingProxyType({})) -> Inventory:
    """Read and check a network folder. Raises ConfigError with every problem, ordered by file and line.

    ``texts`` are read in place of files, by names relative to the folder: so an edit is checked before it is made.
    What is wrong, but stops no command, is told by :func:`survey` only: so a site can be written before its routers.
    """
    seen = survey(folder, texts)
    if seen.problems:
        raise ConfigError.of(seen.problems)
    return seen.inventory


@dataclass(frozen=True, slots=True)
class Survey:
    """A network folder as far as it can be read, and what is wrong with it."""

    inventory: Inventory
    """What is right. What is wrong was left out, so nothing may be done with it as long as there are problems."""
    problems: list[Problem]
    """What makes the inventory unusable, in order."""
    scope: Scope = field(repr=False)

    def findings(self, today: date) -> list[Problem]:
        """What is wrong, or will be soon, but stops no other command."""
        return findings.findings(self.scope, today)

    def sure(self) -> list[Router]:
        """The routers that surely are what they seem to: nothing of their values was left out as wrong."""
        keys = ("kind", "district", *Level.model_fields)
        return [draft.router for draft in self.scope.drafts if self.scope.sure(draft, *keys)]

    def missing_secrets(self, others: Iterable[tuple[Document, BaseModel]] = ()) -> list[Problem]:
        """Fetches every secret that the inventory refers to, and ``others``: one problem for each place without one."""
        network = self.scope.network
        sites = ((source.document, source.file) for source in self.scope.sources)
        settings = [(network.document, network.file), (network.local_document, network.local)]
        return list(findings.missing_secrets(network, [*settings, *sites, *others]))


def survey(folder: Path, texts: Mapping[str, str] = MappingProxyType({})) -> Survey:
    """Read and check a network folder, like :func:`load`, but go on where something is wrong."""
    problems: list[Problem] = []
    documents = list(_documents(folder, texts, problems))
    sources = list(_sources(documents, problems))
    network, wrong = read_network(folder, texts)
    problems += wrong
    base = compose.defaults(network)
    drafts = [draft for source in sources for draft in compose.drafts(network, source, base)]
    sites = {source.slug: compose.site(source, base) for source in sources}
    names = [source.document.names("routers") for source in sources]
    unread = None in names or len(sources) < len(documents)
    known = None if unread else {name for some in names for name in some or ()}
    scope = Scope(network, sources, sites, drafts, {draft.router.name: draft for draft in reversed(drafts)}, known)
    problems += checks.problems(scope)
    inventory = Inventory(network, sites, {draft.router.name: draft.router for draft in drafts})
    return Survey(inventory, in_order(problems), scope)


def _documents(folder: Path, texts: Mapping[str, str], problems: list[Problem]) -> Iterator[Document]:
    """The files of all sites; what is wrong with them is added to ``problems``."""
    paths = {
        *(folder / SITES_FOLDER).glob("[!.]*.y*ml"),
        *(folder / name for name in texts if name.startswith(SITES_FOLDER)),
    }
    for path in sorted(paths):
        shown = f"{SITES_FOLDER}/{path.name}"
        if path.suffix != ".yaml" or not SITE_SLUG.fullmatch(path.stem):
            hint = "use small letters, digits and -, like jz-meiderich.yaml"
            what = "the file name is not the name of a site"
            problems.append(Problem("wrong-type", shown, "", what, hint))
            yield Document(path, shown, {}, {}, Gaps([()]))
            continue
        document, wrong = scan(path, shown, texts.get(shown))
        problems += wrong
        yield document


def _sources(documents: Iterable[Document], problems: list[Problem]) -> Iterator[SiteSource]:
    """What is right in the files of all sites; adds what is wrong to ``problems``."""
    for document in documents:
        if () not in document.gaps.left_out:
            file, right, wrong = salvage(document, SiteFile, {"name": "?", "kind": "other", "routers": {}})
            problems += wrong
            yield SiteSource(document.path.stem, right, file)
