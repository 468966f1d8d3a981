"""Opening hours in OpenStreetMap's syntax: is it open, when does that change, and how to say it to people.

The library opening-hours-py knows the syntax. What it does not know is told to it as plain dates before it is asked:
public holidays (``PH``) of a country and its region, and school holidays (``SH``) of a dated file. So hours with
holidays become one expression for each year that is asked about.
"""

from __future__ import annotations

import bisect
import functools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from wifimgr.errors import did_you_mean, visible

if TYPE_CHECKING:
    from opening_hours import OpeningHours

ALWAYS = "always"
"""May stand in place of hours: the same as ``24/7``."""
FARTHEST = 730
"""Days. A change farther away than this is none."""

Rules = Sequence[tuple[str, str]]
"""The rules of one text, each with the separator before it: ``;`` or ``, ``."""

_MONTHS = {"Jan": 31, "Feb": 29, "Mar": 31, "Apr": 30, "May": 31, "Jun": 30}
_MONTHS |= {"Jul": 31, "Aug": 31, "Sep": 30, "Oct": 31, "Nov": 30, "Dec": 31}
_DAY = "(?i:Mo|Tu|We|Th|Fr|Sa|Su)"
_RANGE = rf"{_DAY}(?:-{_DAY}|\[[^]]*\])?"
_DAYS = f"{_RANGE}(?:,{_RANGE})*"
_TIME = "[0-9]{1,2}:[0-9]{2}"
_SEPARATOR = re.compile(rf"( *; *| *, +(?!{_TIME}))")
_HOLIDAYS = re.compile(
    rf"(?P<before>(?:.*[ :])?)(?:(?P<days>{_DAYS}),)?(?P<kinds>(?:PH|SH)(?:,(?:PH|SH))*)"
    rf"(?:(?P<join>[, ])(?P<others>{_DAYS}))?(?P<rest>(?: .*)?)"
)
"""A rule with holidays: ``Jan-Mar Sa,PH off``, ``SH Mo-Fr 11:00-19:00``. A comma is an or, a space is an and."""


@dataclass(frozen=True, slots=True)
class Calendar:
    """What hours need to know of their place: its clock and its holidays."""

    country: str = ""
    """``DE``; empty: nobody said whose public holidays hold, so hours with ``PH`` cannot be read."""
    region: str = ""
    """``NW`` of ``DE-NW``; empty: only what holds in the whole country."""
    timezone: str = "Europe/Berlin"
    school: tuple[tuple[date, date], ...] | None = None
    """First and last day of each school holiday; None: nobody said, so hours with ``SH`` cannot be read."""
    until: date = date.max
    """The last day that ``school`` knows about; after it nobody can tell."""


class HoursError(ValueError):
    """Hours that cannot be read: what is wrong, and what to do."""

    def __init__(self, what: str, hint: str, unquoted: str = "") -> None:
        self.what, self.hint = visible(what), hint
        self.unquoted = unquoted or self.what
        """What is wrong, without free text: somebody's name may stand in it where hours are those of a contact."""
        super().__init__(f"{self.what}; {self.hint}")


def region_hint(region: str) -> str:
    """Nothing where the public holidays of a country or region (``DE-NW``) are known, else which ones are."""
    import holidays

    known = holidays.list_supported_countries(include_aliases=False)
    country = region.partition("-")[0]
    names = [country, *(f"{country}-{name}" for name in known[country])] if country in known else [*known]
    if region in names:
        return ""
    upper = region.upper()
    if country not in known and upper != region and not region_hint(upper):
        return f"did you mean {upper}?"
    return did_you_mean(region, names) if country in known else "write a country, or one with its region, like DE-NW"


def known_hours(text: str, calendar: Calendar) -> Hours | None:
    """Hours where somebody wrote some that can be read; None: nobody knows when."""
    try:
        return Hours.parse(text, calendar) if text else None
    except HoursError:
        return None


class Hours:
    """Opening hours, ready to be asked; made by :meth:`parse`."""

    def __init__(self, text: str, calendar: Calendar) -> None:
        self.text, self._calendar = text, calendar
        self._zone = ZoneInfo(calendar.timezone)
        self._rules = _read(text, calendar)
        self._dated = any(_HOLIDAYS.fullmatch(rule) for _, rule in self._rules)
        self._expressions: dict[int, OpeningHours] = {}

    @staticmethod
    @functools.lru_cache(maxsize=4096)
    def parse(text: str, calendar: Calendar) -> Hours:
        """Read hours, the same ones only once. Raises HoursError, a ValueError of one line."""
        return Hours(text, calendar)

    @property
    def need_school(self) -> bool:
        """Whether they depend on school holidays."""
        return any("SH" in rule for _, rule in self._rules)

    def is_open(self, at: datetime) -> bool | None:
        """Whether it is open at a time with a zone; None: nobody can tell."""
        local = self._local(at)
        expression = self._expression(local.year)
        return expression.is_open(local) or (None if expression.is_unknown(local) else False)

    def next_change(self, at: datetime) -> datetime | None:
        """When that changes next (UTC). None: never, after the end of next year, or nobody can tell."""
        state, moment = self.is_open(at), at.astimezone(UTC)
        while change := self._change(self._local(moment)):
            # Where clocks are turned, they show a time twice or never: look at each moment that could be meant.
            moments = [*self._moments(self._local(moment)), *self._moments(change)]
            moment = min(later for later in moments if later > moment)
            then = self.is_open(moment)
            if then is not state:
                return None if then is None else moment
        return None

    def never_closes(self, at: datetime) -> bool:
        """Whether it is open and stays so, like ``24/7``."""
        return self.is_open(at) is True and self._change(self._local(at)) is None

    def describe(self, language: str) -> str:
        """The hours in words, ``de`` or ``en``; as they are written, with translated names, where they are subtle."""
        return _described(self.text, _WORDS[language])

    def _local(self, at: datetime) -> datetime:
        """What the clocks of the place show."""
        assert at.tzinfo, "a time without a zone"
        return at.astimezone(self._zone).replace(tzinfo=None)

    def _moments(self, local: datetime) -> list[datetime]:
        """When clocks show this (UTC). Where they are turned, these are three, with the turn in the middle."""
        first, last = sorted(local.replace(tzinfo=self._zone, fold=fold).astimezone(UTC) for fold in (0, 1))
        if first == last:
            return [first]
        offset = last.astimezone(self._zone).utcoffset()
        seconds = range(int(first.timestamp()), int(last.timestamp()) + 1)
        zone = self._zone
        turn = bisect.bisect_left(seconds, 1, key=lambda at: datetime.fromtimestamp(at, zone).utcoffset() == offset)
        return [first, datetime.fromtimestamp(seconds[turn], UTC), last]

    def _change(self, local: datetime) -> datetime | None:
        change = self._expression(local.year).next_change(local)
        return None if self._dated and change and change.year > local.year + 1 else change

    def _expression(self, year: int) -> OpeningHours:
        """What is asked about times of a year, and about changes until the end of the next one."""
        key = year if self._dated else 0
        if key not in self._expressions:
            self._expressions[key] = _expression(self._rules, self._calendar, year)
        return self._expressions[key]


# --- reading ---

_EXAMPLE = 'write it like "Mo-Fr 14:00-21:00; Sa 15:00-22:00; PH off"'
_SYNTAX_HINTS = (
    ("[–—]", "write a plain - between days and between times"),
    (r"\b(Di|Mi|Do|So|\w+tag|Mittwoch|Feiertage)\b", "the days are Mo Tu We Th Fr Sa Su, and PH for public holidays"),
    (r"\b(ph|Ph|sh|Sh)\b", "write PH and SH in capitals"),
    (r"[0-9]\.[0-9]|(?i:uhr)|\b[0-9]{1,2}-[0-9]{1,2}\b(?!:)", "write times like 14:00-21:00"),
    ("", _EXAMPLE),
)
"""What people write that is not the syntax, and what to write instead."""

_TRAPS = (
    ('"" ?:', "a comment stands before its rule", "write it behind the rule"),
    (r"\|\|", "'||' is not answered reliably", "write the hours of each day, with unknown where nobody can tell"),
    ("48:00", "a night ends before the next one does", "write the hours of each day"),
    ("(?i)dawn|sunrise|sunset|dusk", "the times of the sun are not known here", "write the time of the clock"),
    (r"(?:PH|SH) ?[+-] ?[0-9]", "a day before or after a holiday cannot be found", "write its dates"),
)
"""What is right in the syntax, but would be answered wrong. A comment is shown here as ``""``."""


def _read(text: str, calendar: Calendar) -> Rules:
    """The rules of a text, without comments. Raises HoursError for what cannot be answered as it is meant."""
    from opening_hours import OpeningHours, ParserError  # type: ignore[attr-defined]  # its stubs forget this one

    text = "24/7" if text == ALWAYS else text
    try:
        OpeningHours(text)
    except ParserError as error:
        place = re.search(r"--> 1:([0-9]+)", str(error))
        rest = text[int(place[1]) - 1 :] if place else text
        hint = next(hint for pattern, hint in _SYNTAX_HINTS if re.search(pattern, text))
        what = f"hours cannot be read from '{rest or text}' on"
        raise HoursError(what, hint, unquoted="hours cannot be read") from None
    text = re.sub('"[^"]*"', '""', text)
    for pattern, what, hint in _TRAPS:
        if re.search(pattern, text):
            raise HoursError(what, hint)
    # A comment in place of open or off, like "by appointment", says that nobody can tell.
    text = re.sub(' ?""', " unknown", re.sub('(?i)(open|closed|off|unknown) ""', r"\1", text)).strip()
    pieces = ["", *_SEPARATOR.split(text)]
    rules = [(separator, rule.strip()) for separator, rule in zip(pieces[::2], pieces[1::2], strict=True)]
    for index, (_, rule) in enumerate(rules):
        _check_meaning(*rules[index], rules[index + 1 :])
        _check_holidays(rule, calendar)
    _check_nights(rules, calendar)
    return rules


def _check_meaning(separator: str, rule: str, following: Rules) -> None:
    """Refuse a rule that does something else than whoever writes it thinks."""
    spaced = following and following[0][0].startswith(",")
    if spaced and not re.search(rf"(?i){_TIME}|24/7|off|closed|open|unknown", rule):
        raise HoursError(f"'{rule}' is a rule without times", f"take the space out after '{rule},', or give it times")
    if separator.startswith(";") and re.match(_TIME, rule) and not _closes(rule):
        raise HoursError(f"'{rule}' replaces all rules before it", "write ', ' before it in place of ';'")
    if _closes(rule) and re.search(f"PH|SH|[0-9]{{4}}|(?i:week|easter|{'|'.join(_MONTHS)})", rule):
        again = next((later for _, later in following if re.match(_DAYS, later) and not _closes(later)), "")
        if again:
            raise HoursError(f"'{rule}' does not hold where '{again}' does", "write it behind that rule")
    for month, day in re.findall(rf"(?i)({'|'.join(_MONTHS)}) ?([0-9]+)(?![0-9]*:)", rule):
        if int(day) > _MONTHS[month.title()]:
            raise HoursError(f"there is no {month} {day}", "correct the date")


def _check_holidays(rule: str, calendar: Calendar) -> None:
    if not (match := _HOLIDAYS.fullmatch(rule)):
        if re.search("PH|SH", rule):
            raise HoursError(f"the holidays in '{rule}' cannot be understood", "write a rule of their own for them")
        return
    if "PH" in match["kinds"] and not calendar.country:
        raise HoursError("nobody said whose public holidays PH means", "add holidays: {region: DE-NW} to network.yaml")
    if "SH" in match["kinds"] and calendar.school is None:
        raise HoursError("nobody said when the school holidays SH are", "add holidays: {school: FILE} to network.yaml")


def _closes(rule: str) -> bool:
    return bool(re.search("(?i)(off|closed)$", rule))


def _check_nights(rules: Rules, calendar: Calendar) -> None:
    """A rule holds for whole days, so it may cut off what another rule says of the night before."""
    opening = [(separator, rule) for separator, rule in rules if not _closes(rule)]
    nights = [rule for _, rule in opening if any(_ends_next_day(*span) for span in _spans(rule))]
    if not nights or len(opening) == 1:
        return
    year = calendar.school[-1][1].year if calendar.school else 2026  # in each year rules follow each other alike
    midnights = [datetime.combine(day, time(0)) for day in _window(year)]
    together = _expression(opening, calendar, year)
    for rule in nights:
        alone = _expression([("", rule)], calendar, year)
        if any(alone.is_open(midnight) and not together.is_open(midnight) for midnight in midnights):
            what = f"the hours after midnight of '{rule}' get lost, since another rule holds on the next day"
            raise HoursError(what, "write ', ' in place of ';' between the two")


def _spans(rule: str) -> list[tuple[str, str]]:
    return re.findall(f"({_TIME}) ?- ?({_TIME})", rule)


def _ends_next_day(start: str, end: str) -> bool:
    first, last = (int(hour) * 60 + int(minute) for hour, minute in (start.split(":"), end.split(":")))
    return last <= first or last > 24 * 60


# --- holidays as dates ---


def _expression(rules: Rules, calendar: Calendar, year: int) -> OpeningHours:
    """What the library is asked about a year and the one after it: rules with plain dates in place of holidays."""
    from opening_hours import OpeningHours

    text = ""
    for separator, rule in rules:
        match = _HOLIDAYS.fullmatch(rule)
        plain = _with_dates(match, calendar, year) if match else rule
        text += f"{separator if text else ''}{plain}" if plain else ""
    text = text or "off"
    if any("SH" in rule for _, rule in rules) and calendar.until < date.max:
        text += f"; {_date(calendar.until + timedelta(1))}+ unknown"
    return OpeningHours(text, max_interval_days=FARTHEST)


def _with_dates(rule: re.Match[str], calendar: Calendar, year: int) -> str:
    """A rule with the dates it means in place of its days; empty: it means none."""
    days: frozenset[date] = frozenset().union(*(_holidays(kind, calendar, year) for kind in rule["kinds"].split(",")))
    if rule["days"]:
        days |= _matching(rule["days"], year)
    if rule["others"]:
        others = _matching(rule["others"], year)
        days = days | others if rule["join"] == "," else days & others
    if before := rule["before"].strip(" :"):
        days &= _matching(before, year)
    return f"{_dates(days)}{rule['rest']}" if days else ""


def _window(year: int) -> list[date]:
    """The days of a year and the next one, and the day before them, whose night belongs to them."""
    first, end = date(year - 1, 12, 31), date(year + 2, 1, 1)
    return [first + timedelta(number) for number in range((end - first).days)]


@functools.lru_cache(maxsize=256)
def _holidays(kind: str, calendar: Calendar, year: int) -> frozenset[date]:
    if kind == "PH":
        import holidays

        years = (year - 1, year, year + 1)
        return frozenset(holidays.country_holidays(calendar.country, subdiv=calendar.region or None, years=years))
    school = calendar.school or ()
    return frozenset(day for day in _window(year) if any(first <= day <= last for first, last in school))


@functools.lru_cache(maxsize=256)
def _matching(selector: str, year: int) -> frozenset[date]:
    """The days that the library counts to a selector without holidays."""
    expression = _expression([("", selector)], Calendar(), year)
    return frozenset(day for day in _window(year) if expression.is_open(datetime.combine(day, time(12))))


def _dates(days: Iterable[date]) -> str:
    """Days as the syntax writes dates: ``2026 Oct 17-2026 Oct 31,2026 Nov 1``."""
    stretches: list[list[date]] = []
    for day in sorted(days):
        if stretches and day - stretches[-1][-1] == timedelta(1):
            stretches[-1][1:] = [day]
        else:
            stretches.append([day])
    return ",".join("-".join(map(_date, stretch)) for stretch in stretches)


def _date(day: date) -> str:
    return f"{day.year} {[*_MONTHS][day.month - 1]} {day.day}"


# --- in words ---

_ITEM = f"(?:{_DAY}(?:-{_DAY})?|PH|SH)"
_SIMPLE = re.compile(
    rf"(?P<days>{_ITEM}(?:[, ]{_ITEM})*)? ?"
    rf"(?P<times>{_TIME}-{_TIME}(?:, ?{_TIME}-{_TIME})*|{_TIME}\+|24/7|off|closed|)"
)
"""A rule that can be said in a few words."""


_DAY_NAMES = ("Mo", "Tu", "We", "Th", "Fr", "Sa", "Su")
_WORDS: Mapping[str, Mapping[str, str]] = {
    "de": {
        **dict(zip(_DAY_NAMES, ("Mo", "Di", "Mi", "Do", "Fr", "Sa", "So"), strict=True)),
        "Mo-Su": "täglich",
        "24/7": "rund um die Uhr",
        "": "ganztägig",
        "PH": "Feiertage",
        "SH": "Schulferien",
        "on PH": "an Feiertagen",
        "on SH": "in den Schulferien",
        "off": "geschlossen",
        "closed": "geschlossen",
        "on off": "{} geschlossen",
        "and": "{} und {}",
        "hour": "{}",
        "minute": "{}:{:02}",
        "times": "{} Uhr",
        "open end": "ab {}",
        "Mar": "März",
        "May": "Mai",
        "Oct": "Okt",
        "Dec": "Dez",
        "week": "Woche",
        "easter": "Ostern",
    },
    "en": {
        **dict(zip(_DAY_NAMES, ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), strict=True)),
        "Mo-Su": "daily",
        "24/7": "around the clock",
        "": "all day",
        "PH": "public holidays",
        "SH": "school holidays",
        "on PH": "on public holidays",
        "on SH": "in school holidays",
        "off": "closed",
        "on off": "closed {}",
        "and": "{} and {}",
        "hour": "{:02}:00",
        "minute": "{:02}:{:02}",
        "times": "{}",
        "open end": "from {}",
    },
}
"""Words of the syntax, and the phrases made of them."""


def _described(text: str, words: Mapping[str, str]) -> str:
    text = "24/7" if text == ALWAYS else text
    pieces = _SEPARATOR.split(text)
    rules = [_SIMPLE.fullmatch(rule) for rule in pieces[::2]]
    if not all(rules):
        return re.sub('"[^"]*"|[A-Za-z]+', lambda word: words.get(word[0], word[0]), text)
    return ", ".join(_said(rule["days"] or "", rule["times"], words) for rule in rules if rule)


def _said(days: str, times: str, words: Mapping[str, str]) -> str:
    """One rule in words."""
    if times in ("off", "closed"):
        return words["on off"].format(_days_said(days, words)) if days else words["off"]
    if times == "24/7":
        return words[times]
    spans = [_span_said(span, words) for span in re.split(", ?", times)] if times else []
    said = words["times"].format(functools.reduce(words["and"].format, spans)) if spans else words[""]
    return f"{_days_said(days or 'Mo-Su', words)} {said}"


def _span_said(span: str, words: Mapping[str, str]) -> str:
    points = []
    for point in re.findall(_TIME, span):
        hour, minute = map(int, point.split(":"))
        points.append(words["minute" if minute else "hour"].format(hour if hour <= 24 else hour - 24, minute))
    return "–".join(points) if len(points) == 2 else words["open end"].format(*points)


def _days_said(days: str, words: Mapping[str, str]) -> str:
    """Days in words. In the syntax a comma is an or, and the space between days and holidays an and."""

    def name(item: str) -> str:
        return words.get(f"on {item}") or words.get(item) or "–".join(words[day.title()] for day in item.split("-"))

    groups = []
    for group in days.split():
        items = group.split(",")
        week = ", ".join(name(item) for item in items if item not in ("PH", "SH"))
        holidays = [name(item) for item in items if item in ("PH", "SH")]
        groups.append(functools.reduce(words["and"].format, filter(None, [week, *holidays])))
    return " ".join(groups)
