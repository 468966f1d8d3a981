"""The task ``packages``: what is installed and what is not, by opkg or apk. No router takes this back by itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from typing import Annotated, Self

from pydantic import AfterValidator, WithJsonSchema, model_validator

from wifimgr.platforms.edits import PackageEdit
from wifimgr.push.variables import Fill
from wifimgr.settings.values import Shape
from wifimgr.yamlfile import KeyPath, Strict, fault

_NAME = Shape("[a-z0-9][a-z0-9._+-]*", "is not a name of a package", "write it as opkg or apk lists it, like snmpd")
STAYS = (
    *("base-files", "kernel", "kmod-*", "lib*", "busybox*", "procd*", "ubox", "ubus*", "ubi-utils", "uci", "ucode*"),
    *("fstools", "block-mount", "mtd", "mkf2fs", "e2fsprogs", "losetup", "logd", "jshn", "jsonfilter", "rpcd*"),
    *("urngd", "urandom-seed", "getrandom", "usign", "ucert*", "fwtool", "opkg*", "apk*", "ca-bundle", "*-firmware-*"),
    *("dropbear*", "openssh-server*", "netifd", "firewall*", "nftables*", "iptables*", "xtables*", "ppp*", "odhcp6c"),
    *("wpad*", "hostapd*", "wpa-supplicant*", "wifi-scripts", "wireless-regdb", "iw", "iwinfo", "grub2*"),
)
"""What a router needs to start, to be reached and to go back, and what came with its kernel. ``*`` stands for anything.
A library goes with what needs it, never by itself."""


def _may_go(value: str) -> str:
    _NAME.match(value)
    if any(fnmatchcase(value, each) for each in STAYS):
        raise fault("may not be removed: a router can be lost without it", "take it out of absent", "bad-wish")
    return value


Package = Annotated[str, _NAME]
Removable = Annotated[str, AfterValidator(_may_go), WithJsonSchema(_NAME.schema)]


class PackagesWish(Strict):
    """Which packages are installed, and which are not."""

    present: list[Package] = []
    """These are installed."""
    absent: list[Removable] = []
    """These are not."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not (self.present or self.absent):
            raise fault("wishes nothing", "add present or absent", "bad-wish")
        if both := set(self.present) & set(self.absent):
            raise fault(f"wishes {min(both)} both present and absent", "keep one of both", "bad-wish")
        return self


def edits(wish: PackagesWish | None, fill: Fill, where: Callable[[KeyPath], str]) -> Iterator[PackageEdit]:
    """An edit for each package; what comes is before what goes, so that a download that fails costs nothing."""
    del fill  # a name is no place for a variable
    for key in ("present", "absent") if wish else ():
        for index, name in enumerate(dict.fromkeys(getattr(wish, key))):
            yield PackageEdit(name=name, present=key == "present", where=where((key, index)))
