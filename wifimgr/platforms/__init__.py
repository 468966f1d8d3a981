"""Platforms: one short module per device operating system, listed here.

A platform says which edits it can carry, what must be read for them, and what a change would look like. What is not
listed in :data:`PLATFORMS` is watched only.
"""

from __future__ import annotations

from collections.abc import Iterable
from types import ModuleType

from wifimgr.errors import Refused
from wifimgr.model import Router
from wifimgr.platforms import gluon, openwrt, routeros
from wifimgr.platforms.edits import Edit

PLATFORMS: dict[str, ModuleType] = {"openwrt": openwrt, "gluon": gluon, "routeros": routeros}
"""Platforms that configuration can be pushed to."""


def platform_of(router: Router) -> ModuleType:
    """The platform that carries changes for a router. Raises Refused (``wrong-platform``) when there is none."""
    if router.platform not in PLATFORMS:
        what = f"configuration cannot be pushed to platform {router.platform!r}"
        hint = f"leave it out with -s platform={','.join(PLATFORMS)}"
        raise Refused("wrong-platform", what, where=router.name, hint=hint)
    return PLATFORMS[router.platform]


def check_carried(router: Router, edits: Iterable[Edit]) -> None:
    """Raises Refused (``wrong-platform``) for edits that the platform of a router cannot carry out."""
    platform = platform_of(router)
    for edit in edits:
        if not isinstance(edit, platform.CARRIES):
            reason = getattr(platform, "REASONS", {}).get(type(edit), "")
            what = f"{router.platform} cannot carry what is wished at {edit.where}{reason and f': {reason}'}"
            raise Refused("wrong-platform", what, where=router.name, hint="make a playbook of its own for such routers")
