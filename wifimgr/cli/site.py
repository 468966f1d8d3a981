"""What the public is told about a place: ``site explain``."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime
from typing import Annotated

import typer

from wifimgr.cli import common
from wifimgr.errors import ConfigError, did_you_mean

Slug = Annotated[str, typer.Argument(metavar="SLUG", help="The site, as its file is called.")]
Language = Annotated[str, typer.Option("--lang", metavar="LANGUAGE", help="One of the page's languages.")]


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    site = common.noun(app, "site", "Places: youth centres, libraries, squares.")
    common.command(site, "explain")(explain)


def explain(run: common.Run, slug: Slug, language: Language = "") -> None:
    """Print what the status page says about a place, to be read out on the phone."""
    from wifimgr.inventory import load
    from wifimgr.settings import make_state_dir
    from wifimgr.store import Store
    from wifimgr.views.site import site_text, view_of
    from wifimgr.views.snapshot import take
    from wifimgr.views.words import languages

    folder = run.folder()
    inventory = load(folder)
    if slug not in inventory.sites:
        hint = did_you_mean(slug, inventory.sites, "'wifimgr site list'")
        raise ConfigError("unknown-name", f"there is no site '{slug}'", hint=hint)
    spoken = languages(inventory.network)
    if language and language not in spoken:
        hint = did_you_mean(language, spoken)
        raise ConfigError("unknown-name", f"the status page has no language '{language}'", hint=hint)
    with closing(Store(make_state_dir(folder))) as store:
        view = view_of(take(inventory, store, datetime.now(UTC)), slug, language or spoken[0])
    if view is None:
        site = inventory.sites[slug]
        why = f"it is {site.lifecycle}" if site.public else "it is not public"
        hint = "the page shows those with public: true and lifecycle active or maintenance"
        what = f"the status page does not show this site: {why}"
        raise ConfigError("unknown-name", what, where=str(site.origin or ""), hint=hint)
    print(site_text(view), end="")
