"""When a shift has its people at their desks."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.reference import Operator, ReferenceEntry, Shift, ShiftBreak
from shared.reference.rules import faults_of
from shared.reference.shifts import at_work, presence
from tests.unit.reference.test_rules import ENTRIES

SHANGHAI = ZoneInfo("Asia/Shanghai")
LUNCH = ShiftBreak(begins="12:00", ends="13:00")


def shift(begins: str = "09:00", ends: str = "17:30", **rest: Any) -> Shift:
    return Shift(id="day", label="Day", begins=begins, ends=ends, **rest)


def local(text: str, zone: ZoneInfo = SHANGHAI) -> datetime:
    """An instant, told in local time."""
    return datetime.fromisoformat(text).replace(tzinfo=zone).astimezone(UTC)


def test_hours_before_within_and_after_a_shift() -> None:
    """The share of each hour: nothing, half of it, all of it; 2026-03-02 is a Monday."""
    assert presence(shift(), local("2026-03-02T07:30"), 3, SHANGHAI) == (0, 0.5, 1)
    assert presence(shift(), local("2026-03-02T16:00"), 3, SHANGHAI) == (1, 0.5, 0)


@pytest.mark.parametrize(
    ("hour", "there"),
    [("08:59", False), ("09:00", True), ("12:00", False), ("13:00", True), ("17:29", True), ("17:30", False)],
)
def test_who_is_at_work_at_an_instant(hour: str, there: bool) -> None:
    """From the beginning on, not at lunch, until the end."""
    assert at_work(shift(breaks=(LUNCH,)), local(f"2026-03-02T{hour}"), SHANGHAI) is there


def test_a_shift_that_begins_after_midnight_is_seen_before_it() -> None:
    """Late on Sunday, Monday's first hours are among the next ones."""
    assert presence(shift("00:30", "08:00"), local("2026-03-01T23:00"), 4, SHANGHAI) == (0, 0.5, 1, 1)


def test_a_planned_break_is_taken_off() -> None:
    """Lunch leaves the desk empty, wherever the hours are cut."""
    assert presence(shift(breaks=(LUNCH,)), local("2026-03-02T11:45"), 2, SHANGHAI) == (0.25, 0.75)


def test_the_weekend_holidays_and_days_worked_instead() -> None:
    """Saturday and a holiday are empty; a Saturday worked before the holiday is not."""
    calendar = shift(closed_on=(date(2026, 10, 1),), opened_on=(date(2026, 10, 10),))
    at_ten = {day: presence(calendar, local(f"{day}T10:00"), 1, SHANGHAI) for day in ("2026-10-01", "2026-10-10")}
    assert at_ten == {"2026-10-01": (0,), "2026-10-10": (1,)}
    assert presence(shift(), local("2026-10-10T10:00"), 1, SHANGHAI) == (0,)


def test_a_night_shift_belongs_to_the_day_on_which_it_begins() -> None:
    """Friday's night reaches into Saturday, Sunday's does not exist; its break is after midnight."""
    night = shift("22:00", "06:00", breaks=(ShiftBreak(begins="02:00", ends="02:30"),))
    assert presence(night, local("2026-03-07T01:00"), 3, SHANGHAI) == (1, 0.5, 1)  # a Saturday
    assert presence(night, local("2026-03-09T01:00"), 1, SHANGHAI) == (0,)  # a Monday
    assert presence(night, local("2026-03-09T21:00"), 4, SHANGHAI) == (0, 1, 1, 1)


def test_a_day_on_which_the_clock_is_changed_is_as_long_as_it_is() -> None:
    """On 2026-03-29 Berlin has no hour from two to three: a shift from one to four lasts two hours."""
    berlin = ZoneInfo("Europe/Berlin")
    early = shift("01:00", "04:00", weekdays=("sun",))
    assert presence(early, local("2026-03-29T00:00", berlin), 4, berlin) == (0, 1, 1, 0)
    brief = shift("01:30", "03:00", weekdays=("sun",))
    assert presence(brief, local("2026-03-29T01:15", berlin), 1, berlin) == (0.5,)


@settings(max_examples=60)
@given(st.integers(0, 7 * 96), st.integers(0, 95), st.integers(1, 95))
def test_a_week_has_as_much_presence_as_its_shifts_are_long(start: int, begins: int, length: int) -> None:
    """However the week is cut into hours, nothing is lost and nothing told twice."""
    hours = [f"{q % 96 // 4:02}:{q % 4 * 15:02}" for q in (begins, begins + length)]
    since = local("2026-03-02T00:00") + timedelta(minutes=15 * start)
    daily = shift(*hours, weekdays=("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
    assert sum(presence(daily, since, 7 * 24, SHANGHAI)) == pytest.approx(7 * length / 4)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (shift(breaks=(ShiftBreak(begins="08:00", ends="08:30"),)), "breaks one after the other"),
        (shift(breaks=(ShiftBreak(begins="17:00", ends="18:00"),)), "breaks one after the other"),
        (shift(breaks=(LUNCH, ShiftBreak(begins="12:30", ends="13:30"))), "breaks one after the other"),
        (shift(closed_on=(date(2026, 5, 1),), opened_on=(date(2026, 5, 1),)), "both closed and opened"),
    ],
)
def test_a_shift_that_cannot_be_worked_is_a_fault(wrong: Shift, told: str) -> None:
    """Breaks lie in order inside the shift; a day is open or closed."""
    assert any(told in fault for fault in faults_of((*ENTRIES, wrong)))


def test_a_night_shifts_break_after_midnight_is_no_fault() -> None:
    """It lies inside the shift, on the next day."""
    assert faults_of((*ENTRIES, shift("22:00", "06:00", breaks=(ShiftBreak(begins="02:00", ends="02:30"),)))) == []


def test_an_operator_names_a_shift_that_exists() -> None:
    """A misspelt shift would silently promise nobody."""
    known = next(entry for entry in ENTRIES if isinstance(entry, Operator))
    entries: list[ReferenceEntry] = [known.model_copy(update={"shift_id": "dya"}) if e is known else e for e in ENTRIES]
    assert any("shift 'dya' is not defined" in fault for fault in faults_of(entries))
