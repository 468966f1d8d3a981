"""Platforms: one short module per device operating system, listed here.

A platform says which edits it can carry, what must be read for them, and what a change would look like. What is not
listed in :data:`PLATFORMS` is watched only.
"""

from __future__ import annotations

from types import ModuleType

from wifimgr.errors import Refused
from wifimgr.model import Router
from wifimgr.platforms import openwrt

PLATFORMS: dict[str, ModuleType] = {"openwrt": openwrt}
"""Platforms that configuration can be pushed to."""


def platform_of(router: Router) -> ModuleType:
    """The platform that carries changes for a router. Raises Refused (``wrong-platform``) when there is none."""
    if router.platform not in PLATFORMS:
        what = f"configuration cannot be pushed to platform {router.platform!r}"
        hint = f"leave it out with -s platform={','.join(PLATFORMS)}"
        raise Refused("wrong-platform", what, where=router.name, hint=hint)
    return PLATFORMS[router.platform]
