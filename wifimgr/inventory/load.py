"""From files to the inventory: read every file, compose, check, and tell all problems in one run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wifimgr.errors import ConfigError, Problem, collecting
from wifimgr.inventory import checks, compose
from wifimgr.inventory.compose import SiteSource
from wifimgr.inventory.schema import SITE_SLUG, SiteFile
from wifimgr.model import Router, Site
from wifimgr.settings import Network, load_network
from wifimgr.yamlfile import Document, read, validate

SITES_FOLDER = "inventory/sites"


@dataclass(frozen=True, slots=True)
class Inventory:
    """Everything the files of a network folder say. Routers stand in the order of their sites and files."""

    network: Network
    sites: Mapping[str, Site]
    routers: Mapping[str, Router]


def load(folder: Path) -> Inventory:
    """Read and check a network folder. Raises ConfigError with every problem, ordered by file and line."""
    problems: list[Problem] = []
    documents = list(_documents(folder, problems))
    unread = bool(problems)
    sources = list(_sources(documents, problems))
    try:
        network = load_network(folder)
    except ConfigError as error:
        raise _all_of([*error.problems, *problems]) from None
    base = compose.defaults(network)
    drafts = [draft for source in sources for draft in compose.drafts(network, source, base)]
    others = {str(name) for document in documents for name in document.data.get("routers") or ()}
    problems += checks.problems(network, sources, drafts, None if unread else others)
    if problems:
        raise _all_of(problems)
    sites = {source.slug: compose.site(source, base) for source in sources}
    return Inventory(network, sites, {draft.router.name: draft.router for draft in drafts})


def _all_of(problems: Iterable[Problem]) -> ConfigError:
    def place(problem: Problem) -> tuple[str, int, str]:
        file, _, line = problem.where.rpartition(":")
        return (file, int(line), problem.key) if line.isdigit() else (problem.where, 0, problem.key)

    return ConfigError.of(sorted(problems, key=place))


def _documents(folder: Path, problems: list[Problem]) -> Iterator[Document]:
    """The files of all sites that are YAML; what is wrong with the others is added to ``problems``."""
    for path in sorted((folder / SITES_FOLDER).glob("[!.]*.y*ml")):
        shown = f"{SITES_FOLDER}/{path.name}"
        with collecting(problems):
            if path.suffix != ".yaml" or not SITE_SLUG.fullmatch(path.stem):
                hint = "use small letters, digits and -, like jz-meiderich.yaml"
                raise ConfigError("wrong-type", "the file name is not the name of a site", where=shown, hint=hint)
            yield read(path, shown)


def _sources(documents: Iterable[Document], problems: list[Problem]) -> Iterator[SiteSource]:
    for document in documents:
        with collecting(problems):
            yield SiteSource(document.path.stem, document, validate(document, SiteFile))
