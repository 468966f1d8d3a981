"""Selectors: which routers a command is about.

A selector is one text: terms with spaces between them, and all of them must hold. A term is ``key=value`` or
``key!=value``; a value may have alternatives (``role=gateway,switch``) and wildcards (``site=jz-*``). A bare
word is the name of a router or the slug of a site. Several selectors are alternatives.
"""

from __future__ import annotations

import fnmatch
import re
import shlex
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from wifimgr.errors import ConfigError, did_you_mean
from wifimgr.inventory.load import Inventory
from wifimgr.model import Router, Site


def _ways(inventory: Inventory, router: Router) -> Iterator[str]:
    """Every router on the way from us to this one. In an inventory with problems, ways may be circles or lead away."""
    seen: set[str] = set()
    while router.behind and router.behind not in seen:
        seen.add(router.behind)
        yield router.behind
        router = inventory.routers.get(router.behind, router)


def _of_site(field: Callable[[Site], str]) -> Callable[[Inventory, Router], Iterable[str]]:
    return lambda inventory, router: [field(inventory.sites[router.site])]


def _of_router(field: Callable[[Router], str]) -> Callable[[Inventory, Router], Iterable[str]]:
    return lambda inventory, router: [field(router)]


KEYS: Mapping[str, Callable[[Inventory, Router], Iterable[str]]] = {
    "name": _of_router(lambda router: router.name),
    "site": _of_router(lambda router: router.site),
    "kind": _of_site(lambda site: site.kind),
    "district": _of_site(lambda site: site.district),
    "dns": _of_site(lambda site: site.dns_profile),
    "role": _of_router(lambda router: router.role),
    "platform": _of_router(lambda router: router.platform),
    "operator": _of_router(lambda router: router.operator),
    "manage": _of_router(lambda router: router.manage),
    "lifecycle": _of_router(lambda router: router.lifecycle),
    "model": _of_router(lambda router: router.model),
    "tag": lambda inventory, router: router.tags,
    "behind": _ways,
}
"""What a term can ask for, and the values a router has there. ``behind``: every router on the way to it."""

_BARE: Callable[[Inventory, Router], Iterable[str]] = lambda inventory, router: (router.name, router.site)  # noqa: E731


@dataclass(frozen=True, slots=True)
class Term:
    """One condition."""

    text: str
    key: str
    """Empty: a bare word."""
    wanted: str
    """What stands right of the sign: alternatives with commas between them."""
    values: Callable[[Inventory, Router], Iterable[str]]
    pattern: re.Pattern[str]
    negated: bool

    @classmethod
    def parse(cls, text: str) -> Term:
        """Raises ConfigError ``bad-selector``."""
        match = re.fullmatch(r"([^=!]*)(!?=)(.*)", text, re.DOTALL)
        key, sign, wanted = match.groups() if match else ("", "", text)
        if sign and key not in KEYS:
            raise ConfigError(
                "bad-selector", f"'{key}' is no key of a selector", key=text, hint=did_you_mean(key, KEYS)
            )
        parts = wanted.split(",")
        if not all(parts):
            raise ConfigError("bad-selector", "a value is missing", key=text, hint="write key=value or key!=value")
        pattern = re.compile("|".join(fnmatch.translate(part) for part in parts), re.IGNORECASE)
        return cls(text, key, wanted, KEYS.get(key, _BARE), pattern, sign == "!=")

    def matches(self, inventory: Inventory, router: Router) -> bool:
        """Whether the condition holds for a router."""
        return any(map(self.pattern.match, self.values(inventory, router))) is not self.negated


@dataclass(frozen=True, slots=True)
class Selector:
    """Terms that must all hold."""

    text: str
    terms: tuple[Term, ...]

    @classmethod
    def parse(cls, text: str) -> Selector:
        """Raises ConfigError ``bad-selector``."""
        try:
            words = shlex.split(text)
        except ValueError:
            raise ConfigError("bad-selector", "a quote is not closed", key=text, hint="close it") from None
        if not words:
            raise ConfigError("bad-selector", "the selector is empty", hint="write a router, a site, or key=value")
        return cls(text, tuple(map(Term.parse, words)))

    def matches(self, inventory: Inventory, router: Router) -> bool:
        """Whether every term holds for a router."""
        return all(term.matches(inventory, router) for term in self.terms)


def select(inventory: Inventory, selectors: Sequence[str] = ()) -> list[Router]:
    """The routers that at least one selector matches, in the order of the inventory; without selectors all.

    Raises ConfigError ``bad-selector``, or ``nothing-selected`` when one of them matches no router: it was
    meant to, so it is never passed over.
    """
    chosen: set[str] = set()
    for selector in map(Selector.parse, selectors):
        found = {name for name, router in inventory.routers.items() if selector.matches(inventory, router)}
        if not found:
            raise _nothing(inventory, selector)
        chosen |= found
    return [router for name, router in inventory.routers.items() if name in chosen or not selectors]


def _nothing(inventory: Inventory, selector: Selector) -> ConfigError:
    for term in selector.terms:
        if not any(term.matches(inventory, router) for router in inventory.routers.values()):
            if term.text in inventory.sites:
                hint = f"add one with 'wifimgr router add NAME --site {term.text}'"
                return ConfigError("nothing-selected", "this place has no routers", key=term.text, hint=hint)
            hint = "every router is that" if term.negated else _closest(inventory, term)
            return ConfigError("nothing-selected", "matches no router", key=term.text, hint=hint)
    hint = "each part alone matches some router; take one out"
    return ConfigError("nothing-selected", "no router matches all parts", key=selector.text, hint=hint)


_ROUTERS, _SITES = "'wifimgr router list'", "'wifimgr site list'"
_LISTINGS: Mapping[str, str] = {"": _ROUTERS, "name": _ROUTERS, "behind": _ROUTERS, "site": _SITES}
"""What lists the values of a key, where there are many."""


def _closest(inventory: Inventory, term: Term) -> str:
    values = {value for router in inventory.routers.values() for value in term.values(inventory, router) if value}
    return did_you_mean(term.wanted, values, _LISTINGS.get(term.key, ""))
