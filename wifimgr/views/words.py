"""Say things in the languages of the status page: states and times. What is said stands in locale/."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from zoneinfo import ZoneInfo

from wifimgr.model import Reason, State
from wifimgr.settings import Network
from wifimgr.views.locale import LANGUAGES

SECONDS_NOW = 60
"""What is younger than this was just now."""
DAYS_NEAR = 7
"""Within so many days the name of a weekday says which day is meant."""

Style = Literal["at", "checked", "since", "until"]
"""What stands before a time: it opens ``at``, was ``checked`` at, is so ``since``, or ``until``."""


def languages(network: Network) -> list[str]:
    """The languages of a network's page, the default one first: those of network.yaml that wifimgr speaks."""
    wanted = dict.fromkeys(language.partition("-")[0] for language in network.file.languages)
    return [language for language in wanted if language in LANGUAGES] or [next(iter(LANGUAGES))]


@dataclass(frozen=True, slots=True)
class Speech:
    """Says things in one language, at one moment, on the clock of one place."""

    language: str
    zone: ZoneInfo
    now: datetime

    def __call__(self, key: str, **values: object) -> str:
        """The text with this key."""
        return LANGUAGES[self.language][key].format(**values)

    def about(self, what: str, state: State, reasons: Iterable[Reason]) -> str:
        """The most exact text there is about a state: for its first reason that has one, else for any reason."""
        texts = LANGUAGES[self.language]
        ends = next((reason.until for reason in reasons if reason.until), None)
        exact = [(f"{what}.{state}.{reason.id}", reason.until) for reason in reasons]
        for key, until in [*exact, (f"{what}.{state}", ends)]:
            if until and f"{key}.until" in texts:
                return self(f"{key}.until", at=self.moment(until, "at"), until=self.moment(until, "until"))
            if key in texts:
                return texts[key]
        raise KeyError(f"{what}.{state}")

    def moment(self, at: datetime, style: Style) -> str:
        """A time as people say it from here: ``heute um 14 Uhr``, ``am Montag um 8:30 Uhr``."""
        local, now = at.astimezone(self.zone), self.now.astimezone(self.zone)
        days = (local.date() - now.date()).days
        near = {-1: "yesterday", 0: "today", 1: "tomorrow"}.get(days)
        kind = near or ("weekday" if abs(days) < DAYS_NEAR else "date" if abs(days) < 300 else "year")
        key = f"{style}.{kind}"
        return self(
            key if key in LANGUAGES[self.language] else f"at.{kind}",
            clock=self("clock.minutes" if local.minute else "clock", hour=local.hour, minute=local.minute),
            weekday=self("weekdays").split()[local.weekday()],
            day=local.day,
            month=self("months").split()[local.month - 1],
            year=local.year,
        )

    def ago(self, at: datetime) -> str:
        """How long ago a time was: ``vor 5 Minuten``."""
        seconds = (self.now - at).total_seconds()
        if seconds < SECONDS_NOW:
            return self("ago.now")
        units = (("day", 86400), ("hour", 3600), ("minute", 60))
        unit, count = next((unit, int(seconds // size)) for unit, size in units if seconds >= size)
        return self(f"ago.{unit}") if count == 1 else self(f"ago.{unit}s", count=count)

    def checked(self, at: datetime | None) -> str:
        """When a place was last looked at, as a sentence."""
        if at is None:
            return self("never-checked")
        return self("checked", ago=self.ago(at), when=self.moment(at, "checked"))
