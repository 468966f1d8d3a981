"""Opening hours: holidays of a region, school holidays of a file, nights, clocks that are turned, wording."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from opening_hours import OpeningHours

from tests.networks import NETWORK, SITE, write
from wifimgr.errors import visible
from wifimgr.hours import Calendar, Hours, HoursError, region_hint
from wifimgr.inventory import load

ZONE = ZoneInfo("Europe/Berlin")
HERBST, WEIHNACHTEN = (date(2026, 10, 17), date(2026, 10, 31)), (date(2026, 12, 23), date(2027, 1, 6))
NW = Calendar("DE", "NW", "Europe/Berlin", (HERBST, WEIHNACHTEN), date(2027, 7, 31))
REGIONS = {name: Calendar("DE", name) for name in ("NW", "BY", "BE")}


def at(text: str, fold: int = 0) -> datetime:
    """A time on the clocks of Duisburg."""
    return datetime.fromisoformat(text).replace(tzinfo=ZONE, fold=fold)


def is_open(text: str, when: str, calendar: Calendar = NW) -> bool | None:
    return Hours.parse(text, calendar).is_open(at(when))


def next_change(text: str, when: datetime | str, calendar: Calendar = NW) -> str | None:
    """As UTC, short."""
    change = Hours.parse(text, calendar).next_change(at(when) if isinstance(when, str) else when)
    assert change is None or change.tzinfo is UTC
    return change and f"{change:%Y-%m-%d %H:%M}"


# --- public holidays ---

DAYS_OFF = {
    "Karfreitag": ("2026-04-03", {"NW", "BY", "BE"}),
    "Pfingstmontag": ("2026-05-25", {"NW", "BY", "BE"}),
    "Fronleichnam": ("2026-06-04", {"NW", "BY"}),
    "Allerheiligen": ("2027-11-01", {"NW", "BY"}),
    "Heilige Drei Könige": ("2027-01-06", {"BY"}),
    "Frauentag": ("2027-03-08", {"BE"}),
    "an ordinary Thursday": ("2026-06-11", set()),
}


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("name", DAYS_OFF)
def test_public_holidays_are_those_of_the_region(name: str, region: str) -> None:
    day, regions = DAYS_OFF[name]
    assert is_open("Mo-Fr 14:00-21:00; PH off", f"{day} 15:00", REGIONS[region]) == (region not in regions)


def test_the_region_has_all_its_public_holidays_and_no_other() -> None:
    """Those of the law of North Rhine-Westphalia (Feiertagsgesetz NW, paragraph 2), and the national one in October."""
    days = (date(2027, 1, 1) + timedelta(number) for number in range(365))
    assert [f"{day:%m-%d}" for day in days if not is_open("24/7; PH off", f"{day} 12:00")] == [
        "01-01",  # Neujahr
        "03-26",  # Karfreitag
        "03-29",  # Ostermontag
        "05-01",  # Tag der Arbeit
        "05-06",  # Christi Himmelfahrt
        "05-17",  # Pfingstmontag
        "05-27",  # Fronleichnam
        "10-03",  # Tag der Deutschen Einheit
        "11-01",  # Allerheiligen
        "12-25",
        "12-26",
    ]


def test_without_a_region_only_the_holidays_of_the_whole_country_hold() -> None:
    country = Calendar("DE")
    assert is_open("Mo-Fr 14:00-21:00; PH off", "2026-06-04 15:00", country) is True
    assert is_open("Mo-Fr 14:00-21:00; PH off", "2026-05-25 15:00", country) is False


OPEN = [
    # text, open at, closed at: Fronleichnam 2026-06-04 is a Thursday, Tag der Deutschen Einheit 2026-10-03 a Saturday
    ("Mo-Fr 10:00-18:00; Sa,Su,PH 11:00-16:00", ["2026-06-04 15:59", "2026-06-07 11:00"], ["2026-06-04 17:00"]),
    ("PH,Su 11:00-16:00", ["2026-06-04 12:00", "2026-06-07 12:00"], ["2026-06-05 12:00"]),
    ("PH Mo-Fr 11:00-16:00", ["2026-06-04 12:00"], ["2026-06-05 12:00", "2026-10-03 12:00"]),
    ("Mo-Fr PH 11:00-16:00", ["2026-06-04 12:00"], ["2026-06-05 12:00", "2026-10-03 12:00"]),
    ("24/7; Jun PH off", ["2026-05-25 12:00", "2026-06-05 12:00"], ["2026-06-04 12:00"]),
    ("24/7; 2027 PH off", ["2026-06-04 12:00"], ["2027-05-27 12:00"]),
    ("24/7; Jun: Su,PH off", ["2026-05-24 12:00", "2026-06-05 12:00"], ["2026-06-04 12:00", "2026-06-07 12:00"]),
    ("PH", ["2026-06-04 00:00", "2026-06-04 23:59"], ["2026-06-03 23:59", "2026-06-05 00:00"]),
    ("Mo-Fr 10:00-18:00; PH off; PH 11:00-12:00", ["2026-06-04 11:30"], ["2026-06-04 13:00"]),
    ("Fr 18:00-02:00, PH 18:00-02:00", ["2026-06-05 01:00", "2026-06-06 01:00"], ["2026-06-04 01:00"]),
    # school holidays: 2026-10-17, a Saturday, to 2026-10-31
    ("Mo-Fr 14:00-21:00; SH Mo-Fr 11:00-19:00", ["2026-10-19 12:00", "2026-11-02 20:00"], ["2026-10-19 20:00"]),
    ("SH Mo-Fr 11:00-19:00", ["2026-10-30 18:59"], ["2026-10-16 12:00", "2026-10-17 12:00", "2026-11-02 12:00"]),
    ("SH,Sa 11:00-19:00", ["2026-10-19 12:00", "2026-11-07 12:00"], ["2026-11-09 12:00"]),
    ("24/7; SH,PH off", ["2026-11-02 12:00"], ["2026-06-04 12:00", "2026-10-31 23:59", "2027-01-01 12:00"]),
    ("SH off", [], ["2026-10-19 12:00"]),
    # nights
    ("Mo-Su 16:00-08:00", ["2026-06-01 16:00", "2026-06-02 07:59"], ["2026-06-02 08:00", "2026-06-02 15:59"]),
    ("Fr 18:00-02:00", ["2026-06-05 18:00", "2026-06-06 01:59"], ["2026-06-06 02:00", "2026-06-06 18:00"]),
    ("Mo-Th 13:00-20:00, Fr 13:00-26:00, Sa 16:00-22:00", ["2026-06-06 01:59"], ["2026-06-06 02:00"]),
    ("Dec 31 20:00-04:00; PH off", ["2026-12-31 21:00"], ["2027-01-01 00:00"]),
    ("Th,PH 20:00-04:00", ["2026-12-31 21:00", "2027-01-01 02:00", "2027-01-02 02:00"], ["2027-01-03 02:00"]),
    ("Mo-Su 06:00-24:00", ["2026-06-01 06:00", "2026-06-01 23:59"], ["2026-06-02 00:00"]),
    # others
    ("always", ["2026-01-01 00:00"], []),
    ("24/7", ["2026-01-01 00:00"], []),
    ("off", [], ["2026-06-05 12:00"]),
    ("Mo 10:00-12:00 open \"ring; or call\"; PH off", ["2026-06-01 11:00"], ["2026-05-25 11:00"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "opened", "closed"), OPEN, ids=[text for text, *_ in OPEN])
def test_it_is_open_when_the_text_says_so(text: str, opened: list[str], closed: list[str]) -> None:
    assert {when: is_open(text, when) for when in opened + closed} == {
        **dict.fromkeys(opened, True),
        **dict.fromkeys(closed, False),
    }


def test_a_time_is_meant_in_the_zone_of_the_calendar() -> None:
    hours = Hours.parse("Mo-Fr 10:00-12:00", Calendar(timezone="America/New_York"))
    assert hours.is_open(datetime(2026, 6, 1, 15, tzinfo=UTC)) is True
    assert hours.next_change(datetime(2026, 6, 1, 15, tzinfo=UTC)) == datetime(2026, 6, 1, 16, tzinfo=UTC)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(AssertionError):
        Hours.parse("24/7", NW).is_open(datetime(2026, 6, 1))


# --- what nobody can tell ---


def test_nobody_can_tell_after_the_end_of_the_school_file() -> None:
    text = "Mo-Fr 14:00-21:00; SH Mo-Fr 11:00-19:00"
    assert is_open(text, "2027-07-30 15:00") is True
    assert is_open(text, "2027-07-31 23:59") is False
    assert is_open(text, "2027-08-01 00:00") is None
    assert is_open(text, "2031-08-02 15:00") is None
    assert is_open("Mo-Fr 14:00-21:00; PH off", "2027-08-02 15:00") is True


def test_school_holidays_come_from_the_file_until_it_has_run_out(tmp_path: Path) -> None:
    write(
        tmp_path,
        "holidays: {region: DE-NW, school: school-holidays.yaml}\n" + NETWORK,
        eins=f'opening_hours: "Mo-Fr 14:00-21:00; SH Mo-Fr 11:00-19:00; PH off"\n{SITE}',
    )
    file = tmp_path / "inventory/school-holidays.yaml"
    file.write_text("until: 2026-12-22\nholidays:\n  Herbst 2026: 2026-10-17..2026-10-31\n", encoding="utf-8")
    inventory = load(tmp_path)
    text, calendar = inventory.sites["eins"].opening_hours, inventory.network.calendar
    assert is_open(text, "2026-10-19 12:00", calendar) is True
    assert is_open(text, "2026-10-19 20:00", calendar) is False
    assert is_open(text, "2026-10-16 20:00", calendar) is True, "the last day of school"
    assert is_open(text, "2026-12-22 20:00", calendar) is True
    assert is_open(text, "2026-12-23 12:00", calendar) is None, "nobody wrote on"
    assert is_open(text, "2027-05-18 12:00", calendar) is None


@pytest.mark.parametrize(
    ("text", "needed"),
    [("SH off", True), ("Mo-Fr 10:00-12:00; SH,PH off", True), ("PH off", False), ('Mo 10:00-12:00 "SH"', False)],
)
def test_hours_know_whether_they_need_school_holidays(text: str, needed: bool) -> None:
    assert Hours.parse(text, NW).need_school is needed


def test_a_change_into_the_unknown_is_none() -> None:
    text = "Mo-Fr 14:00-21:00; SH Mo-Fr 11:00-19:00"
    assert next_change(text, "2027-07-30 15:00") == "2027-07-30 19:00"
    assert next_change(text, "2027-07-30 21:30") is None
    assert next_change(text, "2027-08-02 15:00") is None


def test_unknown_hours_and_a_comment_alone_are_unknown() -> None:
    for text in ("Sa unknown", 'Sa "by appointment"', 'Sa unknown "by appointment"', '"by appointment"'):
        assert is_open(text, "2026-06-06 12:00") is None, text
    assert next_change("Mo-Fr 10:00-12:00, Fr 12:00-14:00 unknown", "2026-06-05 11:00") is None
    assert next_change("Mo-Fr 10:00-12:00, Fr 12:00-14:00 unknown", "2026-06-05 13:00") == "2026-06-05 12:00"


# --- the next change ---

CHANGES = [
    ("Mo-Fr 14:00-21:00; PH off", "2026-06-03 15:00", "2026-06-03 19:00"),
    ("Mo-Fr 14:00-21:00; PH off", "2026-06-03 21:00", "2026-06-05 12:00"),
    ("Mo-Fr 14:00-21:00; PH off", "2026-06-04 15:00", "2026-06-05 12:00"),
    ("Mo-Fr 10:00-18:00; PH off", "2026-12-31 19:00", "2027-01-04 09:00"),
    ("24/7; PH off", "2026-12-26 12:00", "2026-12-26 23:00"),
    ("24/7; PH off", "2026-12-31 12:00", "2026-12-31 23:00"),
    ("24/7; PH off", "2027-01-01 12:00", "2027-01-01 23:00"),
    ("SH Mo-Fr 11:00-19:00", "2026-11-15 12:00", "2026-12-23 10:00"),
    ("SH off; PH 10:00-12:00", "2026-12-27 12:00", "2027-01-01 09:00"),
    ("Mo-Su 00:00-24:00", "2026-06-03 15:00", None),
    ("Mo-Su 00:00-12:00 open \"a\", Mo-Su 12:00-24:00 open \"b\"", "2026-06-03 11:00", None),
    ("always", "2026-06-03 15:00", None),
    ("off", "2026-06-03 15:00", None),
    ("PH off", "2026-06-03 15:00", None),
    ("24/7; 2028 PH off; 2028 Mar 05 off", "2026-12-15 12:00", None),
    ("Dec 24 10:00-12:00", "2026-12-25 15:00", "2027-12-24 09:00"),
    ("2026 Jun 04 10:00-12:00", "2026-06-04 11:00", "2026-06-04 10:00"),
    ("2026 Jun 04 10:00-12:00", "2026-06-04 13:00", None),
    ("2099 Mo 10:00-12:00", "2026-06-04 13:00", None),
    # clocks are turned on 2026-03-29 from 2 to 3 o'clock (1:00 UTC) and on 2026-10-25 from 3 to 2 (1:00 UTC)
    ("Mo-Su 16:00-08:00", "2026-03-28 20:00", "2026-03-29 06:00"),
    ("Mo-Su 16:00-08:00", "2026-10-24 20:00", "2026-10-25 07:00"),
    ("Sa 20:00-03:00", "2026-03-28 21:00", "2026-03-29 01:00"),
    ("Su 02:30-05:00", "2026-03-28 21:00", "2026-03-29 01:00"),
    ("Su 02:30-05:00", "2026-03-29 04:00", "2026-03-29 03:00"),
    ("Su 10:00-12:00", "2026-03-28 23:00", "2026-03-29 08:00"),
    ("Su 10:00-12:00", "2026-10-24 23:00", "2026-10-25 09:00"),
    ("Sa 20:00-03:00", "2026-10-25 02:59", "2026-10-25 02:00"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "when", "change"), CHANGES, ids=[f"{text} at {when}" for text, when, _ in CHANGES])
def test_the_next_change(text: str, when: str, change: str | None) -> None:
    assert next_change(text, when) == change


@pytest.mark.parametrize(
    ("text", "never"),
    [
        ("24/7", True),
        ("Mo-Su,PH 00:00-24:00", True),
        ("24/7; PH off", False),
        ("Mo-Fr 10:00-18:00", False),
        ('Mo-Fr 10:00-14:00, Mo-Fr 14:00-16:00 "by appointment"', False),
        ("2026 Nov 20+", True),
    ],
)
def test_hours_that_never_close(text: str, never: bool) -> None:
    """Not those of which nobody can tell when they do."""
    hours = Hours.parse(text, NW)
    assert hours.never_closes(at("2026-11-25 12:00")) is never
    assert not Hours.parse("2026 Nov 26+", NW).never_closes(at("2026-11-25 12:00")), "it is not even open"


def test_an_hour_that_comes_twice_is_open_twice() -> None:
    text, night = "Su 00:00-02:30", [at("2026-10-25 02:10"), at("2026-10-25 02:40")]
    night += [moment.replace(fold=1) for moment in night]
    assert [Hours.parse(text, NW).is_open(moment) for moment in night] == [True, False, True, False]
    assert [next_change(text, moment) for moment in night] == [
        "2026-10-25 00:30",
        "2026-10-25 01:00",
        "2026-10-25 01:30",
        "2026-10-31 23:00",
    ]


# --- any text, any time ---

TIMES = ["10:00-18:00", "18:00-02:00", "00:00-24:00", "02:15-02:45", "08:00-12:00,14:00-18:00", "22:00-30:00", "off"]
DAYS = ["Mo-Fr", "Sa,Su", "Su", "PH", "Sa,PH", "SH", "SH Mo-Fr", "PH,SH", "Oct", "2026 Dec 24-2027 Jan 2", "Jan-Jun PH"]
RULES = st.builds("{} {}".format, st.sampled_from(DAYS), st.sampled_from(TIMES))
TEXTS = st.builds(
    lambda rules, sign: sign.join(rules), st.lists(RULES, min_size=1, max_size=4), st.sampled_from([", ", "; "])
)
MOMENTS = st.sampled_from(["2026-03-29", "2026-06-04", "2026-10-17", "2026-10-25", "2026-12-31", "2027-07-31"]).flatmap(
    lambda day: st.integers(-600, 2000).map(lambda minutes: at(day).astimezone(UTC) + timedelta(minutes=minutes))
)
SIGNS = [
    "Mo",
    "Sa",
    "PH",
    "SH",
    "-",
    ",",
    ", ",
    "; ",
    "||",
    " ",
    "off",
    "24/7",
    "week 5",
    "Feb",
    "30",
    "2026",
    "easter",
]
SIGNS += ["+", "+1 day", "[1]", "10:00", "26:00", "sunset", '"', ":", "open", "unknown", "(", "always", "\n", "–"]


def read(text: str) -> Hours:
    """Hours, where the text is one that can be read."""
    try:
        return Hours.parse(text, NW)
    except HoursError:
        assume(False)
        raise


@given(st.text() | st.lists(st.sampled_from(SIGNS), max_size=8).map("".join))
def test_any_text_is_read_or_refused_in_one_line(text: str) -> None:
    message = ""
    try:
        Hours.parse(text, NW)
    except ValueError as error:
        message = str(error)
    assert message == visible(message)


@given(TEXTS, MOMENTS, st.integers(0, 99))
def test_nothing_changes_until_the_next_change(text: str, moment: datetime, part: int) -> None:
    hours = read(text)
    state, change = hours.is_open(moment), hours.next_change(moment)
    if change:
        assert change > moment
        assert hours.is_open(moment + (change - moment) * part / 100) is state
        assert hours.is_open(change) in {True, False} - {state}


@given(TEXTS, MOMENTS, st.integers(1, 300 * 24))
def test_no_change_is_missed(text: str, moment: datetime, passed: int) -> None:
    hours = read(text)
    later = moment + timedelta(hours=passed)
    if {hours.is_open(moment), hours.is_open(later)} == {True, False}:
        change = hours.next_change(moment)
        assert change is not None
        assert change <= later


NATIONAL = st.lists(
    st.builds(
        "{} {}".format, st.sampled_from(["Mo-Fr", "Sa,PH", "PH", "PH,Su", "Dec PH", "Sa,Su"]), st.sampled_from(TIMES)
    ),
    min_size=1,
    max_size=3,
)


@given(NATIONAL, st.sampled_from([", ", "; "]), st.datetimes(datetime(2024, 1, 1), datetime(2030, 12, 31)))
def test_holidays_of_a_country_are_answered_as_the_library_does_that_knows_them(
    rules: list[str], sign: str, moment: datetime
) -> None:
    text, calendar = sign.join(rules), Calendar("DE", timezone="UTC")
    try:
        hours = Hours.parse(text, calendar)
    except HoursError:
        assume(False)
    assert hours.is_open(moment.replace(tzinfo=UTC)) is OpeningHours(text, country="DE").is_open(moment)


def test_the_same_hours_are_read_once() -> None:
    assert Hours.parse("Mo 10:00-12:00", NW) is Hours.parse("Mo 10:00-12:00", Calendar(*NW_PARTS))


NW_PARTS = ("DE", "NW", "Europe/Berlin", (HERBST, WEIHNACHTEN), date(2027, 7, 31))


# --- what is refused ---

EXAMPLE = 'write it like "Mo-Fr 14:00-21:00; Sa 15:00-22:00; PH off"'
DAY_NAMES = "the days are Mo Tu We Th Fr Sa Su, and PH for public holidays"
REFUSED = {
    "": f"hours cannot be read from '' on; {EXAMPLE}",
    "nine to five": f"hours cannot be read from 'nine to five' on; {EXAMPLE}",
    "Mo-Fr 10:00-12:00; Mittwoch off": f"hours cannot be read from 'Mittwoch off' on; {DAY_NAMES}",
    "Di 10:00-12:00": f"hours cannot be read from 'Di 10:00-12:00' on; {DAY_NAMES}",
    "Mo–Fr 10:00-12:00": "hours cannot be read from '–Fr 10:00-12:00' on; "
    "write a plain - between days and between times",
    "Mo-Fr 10-12": "hours cannot be read from '10-12' on; write times like 14:00-21:00",
    "Mo-Fr 10:00-12:00 Uhr": "hours cannot be read from 'Uhr' on; write times like 14:00-21:00",
    "Mo-Fr 10:00-12:00; ph off": "hours cannot be read from 'ph off' on; write PH and SH in capitals",
    "2027-2026 Mo 10:00-12:00": f"hours cannot be read from '2027-2026 Mo 10:00-12:00' on; {EXAMPLE}",
    "sunset-sunrise": "the times of the sun are not known here; write the time of the clock",
    "PH -1 day 10:00-12:00": "a day before or after a holiday cannot be found; write its dates",
    "Mo[1] +1 day,PH off": "the holidays in 'Mo[1] +1 day,PH off' cannot be understood; "
    "write a rule of their own for them",
    "Mo, We 10:00-12:00": "'Mo' is a rule without times; take the space out after 'Mo,', or give it times",
    "Mo 10:00-12:00; 14:00-16:00": "'14:00-16:00' replaces all rules before it; write ', ' before it in place of ';'",
    "PH off; Mo-Fr 10:00-12:00": "'PH off' does not hold where 'Mo-Fr 10:00-12:00' does; write it behind that rule",
    "24/7; Nov 31 off": "there is no Nov 31; correct the date",
    "Mo 22:00-48:00": "a night ends before the next one does; write the hours of each day",
    "Mo 10:00-12:00 || unknown": "'||' is not answered reliably; "
    "write the hours of each day, with unknown where nobody can tell",
    '"x":Mo 10:00-12:00': "a comment stands before its rule; write it behind the rule",
    "Fr 18:00-02:00; Sa 18:00-02:00": "the hours after midnight of 'Fr 18:00-02:00' get lost, "
    "since another rule holds on the next day; write ', ' in place of ';' between the two",
    "Fr 18:00-26:00; Sa 16:00-22:00": "the hours after midnight of 'Fr 18:00-26:00' get lost, "
    "since another rule holds on the next day; write ', ' in place of ';' between the two",
}  # fmt: skip


@pytest.mark.parametrize("text", REFUSED)
def test_what_cannot_be_answered_is_refused_with_advice(text: str) -> None:
    with pytest.raises(HoursError) as caught:
        Hours.parse(text, NW)
    assert str(caught.value) == REFUSED[text]


@pytest.mark.parametrize(
    "text",
    [
        "Mo off; Tu-Su 10:00-18:00",
        "Mo-Fr 10:00-18:00; 12:00-13:00 off",
        "Mo-Fr 10:00-18:00; We 12:00-13:00 off; Sa 10:00-12:00",
        "24/7, PH off",
        "Mo-Fr 10:00-12:00; PH off; Dec 24 10:00-12:00",
        "Fr 18:00-02:00; Mo-Th 10:00-12:00",
        "Fr 18:00-02:00, Sa 18:00-02:00",
        "Fr,Sa 18:00-02:00; PH off",
        'Mo 10:00-12:00 "Mo, We; sunset || PH -1 day"',
    ],
)
def test_what_is_meant_as_it_is_written_is_not_refused(text: str) -> None:
    Hours.parse(text, NW)


def test_holidays_that_nobody_named_are_refused() -> None:
    with pytest.raises(HoursError, match="nobody said whose public holidays PH means"):
        Hours.parse("Mo-Fr 10:00-12:00; PH off", Calendar())
    with pytest.raises(HoursError, match="nobody said when the school holidays SH are"):
        Hours.parse("Mo-Fr 10:00-12:00; SH off", Calendar("DE", "NW"))


def test_regions_that_are_known() -> None:
    assert [region_hint(name) for name in ("DE-NW", "DE", "AT-9")] == ["", "", ""]
    lands = "BW BY BE BB HB HH HE MV NI NW RP SL SN ST SH TH"
    assert [land for land in re.findall("[A-Z]+", lands) if region_hint(f"DE-{land}")] == []
    assert "DE-NW" in region_hint("DE-NRW")
    assert region_hint("de-nw") == "did you mean DE-NW?"
    assert region_hint("NRW") == "write a country, or one with its region, like DE-NW"
    assert region_hint("Nordrhein-Westfalen") == region_hint("NRW")


# --- in words ---

WORDS = [
    (
        "Mo-Fr 14:00-21:00; Sa 15:00-22:00; PH off",
        "Mo–Fr 14–21 Uhr, Sa 15–22 Uhr, an Feiertagen geschlossen",
        "Mon–Fri 14:00–21:00, Sat 15:00–22:00, closed on public holidays",
    ),
    ("Tu,Th 08:30-12:00,14:00-18:30", "Di, Do 8:30–12 und 14–18:30 Uhr", "Tue, Thu 08:30–12:00 and 14:00–18:30"),
    ("Sa,Su,PH 10:00-18:00", "Sa, So und an Feiertagen 10–18 Uhr", "Sat, Sun and on public holidays 10:00–18:00"),
    ("SH Mo-Fr 11:00-19:00", "in den Schulferien Mo–Fr 11–19 Uhr", "in school holidays Mon–Fri 11:00–19:00"),
    (
        "SH,PH off",
        "in den Schulferien und an Feiertagen geschlossen",
        "closed in school holidays and on public holidays",
    ),
    ("always", "rund um die Uhr", "around the clock"),
    ("24/7; PH off", "rund um die Uhr, an Feiertagen geschlossen", "around the clock, closed on public holidays"),
    ("off", "geschlossen", "closed"),
    ("Mo closed", "Mo geschlossen", "closed Mon"),
    ("10:00-24:00", "täglich 10–24 Uhr", "daily 10:00–24:00"),
    ("Mo-Su 16:00-08:00", "täglich 16–8 Uhr", "daily 16:00–08:00"),
    ("fr 18:00-26:00", "Fr 18–2 Uhr", "Fri 18:00–02:00"),
    ("Sa 18:00+", "Sa ab 18 Uhr", "Sat from 18:00"),
    ("Su", "So ganztägig", "Sun all day"),
    ("Dec 24 Tu 10:00-12:00", "Dez 24 Di 10:00-12:00", "Dec 24 Tue 10:00-12:00"),
    (
        'Tu 10:00-12:00 "Tu"; PH off',
        'Di 10:00-12:00 "Tu"; Feiertage geschlossen',
        'Tue 10:00-12:00 "Tu"; public holidays closed',
    ),
]


@pytest.mark.parametrize(("text", "german", "english"), WORDS, ids=[text for text, *_ in WORDS])
def test_hours_in_words(text: str, german: str, english: str) -> None:
    hours = Hours.parse(text, NW)
    assert (hours.describe("de"), hours.describe("en")) == (german, english)
