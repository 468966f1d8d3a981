"""The first files of a new network: commented templates beside this file, with what somebody answered put in."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

from wifimgr.inventory.importers.names import LONGEST, slug
from wifimgr.inventory.load import SITES_FOLDER
from wifimgr.settings import NETWORK_FILE
from wifimgr.yamltext import YamlText

ROUTER = "first-place-ap"
"""The router of the template."""
SUFFIX = "-ap"
PLACE = "first-place"
"""What a place is called in whose name there is no letter or digit that a file name may have."""
IGNORED = "# state, secrets, and what is true on one machine only\n.wifimgr/\n"
"""The file ``.gitignore``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What has to be known about a new network, each in one line."""

    name: str
    """Of the network."""
    region: str
    """Whose public holidays count: ``DE-NW``, or ``DE``."""
    owner: str
    """Who owns the routers that we may change."""
    site: str
    """The name of the first place."""
    key: str
    """Path of the private SSH key."""


def first_files(answers: Answers) -> dict[str, str]:
    """The files of a new network, by their names in its folder; playbooks are none of them."""
    place = slug(answers.site)[: LONGEST - len(SUFFIX)].rstrip("-") or PLACE
    network, site = YamlText(_template("network"), NETWORK_FILE), YamlText(_template("site"), SITES_FOLDER)
    country = answers.region.partition("-")[0]
    for key, value in {
        ("name",): answers.name,
        ("country",): country,
        ("holidays", "region"): answers.region,
        ("operators", "us", "name"): answers.owner,
        ("profiles", "ssh", "default", "key", "file"): answers.key,
        ("defaults", "vars", "wifi_country"): country,
        ("defaults", "vars", "help_line"): answers.owner,
    }.items():
        network.set(key, value)
    site.set(("name",), answers.site)
    site.rename(("routers", ROUTER), f"{place}{SUFFIX}")
    return {NETWORK_FILE: network.text, f"{SITES_FOLDER}/{place}.yaml": site.text, ".gitignore": IGNORED}


def _template(name: str) -> str:
    return (files("wifimgr.inventory.starter") / f"{name}.yaml").read_text(encoding="utf-8")
