"""When the calendar holds a drill: preferred day, peaks, cut-offs, blocked windows, days off, every other week."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.contracts.reference import (
    BusinessType,
    Centre,
    DrillEntry,
    FloorLimits,
    Provider,
    ReferenceEntry,
    RerouteDuty,
    RerouteRule,
    Shift,
    StandardTimes,
    Team,
    TemplateField,
)
from shared.reference.board import ReferenceView
from shared.reference.drills import blocked_because, next_start, unsigned_because
from shared.reference.rules import faults_of

SINCE: Final = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # Monday, 09:00 in Shanghai
ZONE: Final = ZoneInfo("Asia/Shanghai")
WEEK: Final = Shift(id="day", label="Day", begins="09:00", ends="17:30", closed_on=(date(2026, 3, 3),))
AREA: Final = {"left": 0.1, "top": 0.1, "width": 0.2, "height": 0.2}
BASE: Final[tuple[ReferenceEntry, ...]] = (
    FloorLimits(id="floor", peak_days=(10,)),
    Centre(id="n", label="N", city="Beijing"),
    Provider(id="bank", label="Bank", outside=False, data_classes=("internal",)),
    Team(id="north", label="North", centre_id="n", provider_id="bank"),
    RerouteDuty(id="chen", name="Chen"),
    RerouteDuty(id="lin", name="Lin", approves=True),
)


def entry(**changes: Any) -> DrillEntry:
    """The centre N, on Wednesdays, else Thursdays, at 10:30."""
    fields: dict[str, Any] = {
        "id": "n-weekly",
        "label": "without N",
        "centre": "n",
        "weekdays": ("wed", "thu"),
        "begins": "10:30",
        "owner": "chen",
        "signed_by": "lin",
        "signed_on": date(2026, 1, 12),
    }
    return DrillEntry(**(fields | changes))


def view(*more: ReferenceEntry) -> ReferenceView:
    """The reference data with more of it."""
    found = ReferenceView()
    for one in (*BASE, *more):
        found.fold(one.key, one)
    return found


def starts(one: DrillEntry, reference: ReferenceView, count: int) -> list[str]:
    """The next drills, local."""
    at, found = SINCE, []
    for _ in range(count):
        following = next_start(one, at, reference)
        assert following is not None
        at = following
        found.append(f"{at.astimezone(ZONE):%a %d %H:%M}")
    return found


def test_one_drill_a_week_on_the_preferred_day() -> None:
    """Wednesday after Wednesday."""
    assert starts(entry(), view(), 2) == ["Wed 04 10:30", "Wed 11 10:30"]


def test_a_peak_day_and_a_day_off_move_it_to_the_next_day_that_it_may_have() -> None:
    """The tenth is a peak, the third a holiday; an entry that does not mind peaks keeps its day."""
    tuesdays = entry(weekdays=("tue", "thu"))
    assert starts(tuesdays, view(WEEK), 2) == ["Thu 05 10:30", "Thu 12 10:30"]
    assert starts(entry(weekdays=("tue",), on_peak_days=True), view(WEEK), 1) == ["Tue 10 10:30"]


def test_every_other_week() -> None:
    """Two weeks lie between."""
    one = entry(every_weeks=2)
    first = next_start(one, SINCE, view())
    assert first is not None
    assert next_start(one, first, view()) == first + timedelta(weeks=2)


TRANSFER: Final = BusinessType(
    id="transfer",
    label="Transfer",
    version=1,
    fields=(TemplateField(name="amount", label="Amount", area=AREA),),
    sla_seconds=3600,
    cut_off="11:50",
    standard=StandardTimes(entry=30, arbitration=30, review=30, authorisation=30, inspection=30),
)


@pytest.mark.parametrize(
    ("one", "more", "words"),
    [
        (entry(blocked=({"begins": "10:45", "ends": "11:15"},)), (), "a window that the entry blocks"),
        (entry(), (RerouteRule(id="r", label="lunch", form="blocked_window", begins="10:59", ends="12:00"),), "lunch"),
        (entry(), (TRANSFER,), "the closing of transfer"),
    ],
)
def test_a_drill_never_reaches_into_a_blocked_window(
    one: DrillEntry, more: tuple[ReferenceEntry, ...], words: str
) -> None:
    """Not only its beginning counts: half an hour from 10:30 reaches 10:59, and the last hour before a rail closes."""
    at = datetime(2026, 3, 4, 10, 30, tzinfo=ZONE)
    assert (blocked_because(one, at, view(*more)) or "").startswith(words)
    assert next_start(one, SINCE, view(*more)) is None
    assert blocked_because(one, at - timedelta(hours=1), view(*more)) is None


@settings(max_examples=60)
@given(
    st.lists(st.sampled_from(["mon", "tue", "wed", "thu", "fri"]), min_size=1, max_size=5, unique=True),
    st.integers(1, 4),
    st.integers(0, 60 * 24 * 60),
)
def test_there_is_never_more_than_one_drill_of_an_entry_in_a_week(
    weekdays: list[str], every_weeks: int, minutes: int
) -> None:
    """And it is later than asked, on one of its days, not blocked."""
    one, reference = entry(weekdays=tuple(weekdays), every_weeks=every_weeks), view(WEEK)
    after = SINCE + timedelta(minutes=minutes)
    first = next_start(one, after, reference)
    assert first is not None
    assert first > after
    assert blocked_because(one, first, reference) is None
    second = next_start(one, first, reference)
    assert second is not None
    weeks = [at.astimezone(ZONE).isocalendar()[:2] for at in (first, second)]
    assert weeks[0] != weeks[1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"signed_by": "chen"}, "signed by its own owner"),
        ({"signed_by": "mo"}, "does not approve"),
        ({"owner": "nobody"}, "does not propose"),
        ({"centre": "x"}, "is not defined"),
        ({"provider": "bank"}, "name exactly one"),
        ({"centre": None}, "name exactly one"),
        ({"begins": "23:45"}, "beyond midnight"),
        ({"minutes": 9}, "minutes must be at least 10, found 9"),
        ({"weekdays": ("wed", "wed")}, "stands twice"),
        ({"blocked": ({"begins": "12:00", "ends": "11:00"},)}, "begins before it ends"),
    ],
)
def test_a_fault_of_an_entry_is_told_with_its_remedy(changes: dict[str, Any], words: str) -> None:
    """Before anything is published."""
    mo = RerouteDuty(id="mo", name="Mo", approves=True, centres=("elsewhere",))
    faults = [fault for fault in faults_of((*BASE, mo, entry(**changes))) if fault.startswith("drill ")]
    assert len(faults) == 1
    assert words in faults[0]


def test_a_lawful_entry_has_no_fault() -> None:
    """Two people, both on duty for the place."""
    assert unsigned_because(entry(), view()) is None
    assert [fault for fault in faults_of((*BASE, entry())) if fault.startswith("drill ")] == []
