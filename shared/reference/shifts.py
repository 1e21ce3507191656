"""When a shift has its people at their desks."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from shared.contracts.reference import Shift
from shared.contracts.routing import DayKind

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY: Final = 24 * 60
HOUR: Final = timedelta(hours=1)

Minutes = tuple[int, int]  # from and until, counted from local midnight of the day on which the shift begins


def span(shift: Shift) -> Minutes:
    """From when until when the shift is, breaks and all."""
    begins, ends = _minutes(shift.begins), _minutes(shift.ends)
    return begins, ends if ends > begins else ends + DAY


def planned_breaks(shift: Shift) -> Iterator[Minutes]:
    """The shift's breaks in the order in which they are told; one before its beginning is on the next day."""
    opening, _ = span(shift)
    for one in shift.breaks:
        begins, ends = _minutes(one.begins), _minutes(one.ends)
        begins += DAY if begins < opening else 0
        ends += DAY if ends < opening else 0
        yield begins, ends


def worked_on(shift: Shift, day: date) -> bool:
    """Whether the shift begins on this day at all."""
    if day in shift.opened_on:
        return True
    return WEEKDAYS[day.weekday()] in shift.weekdays and day not in shift.closed_on


def day_kind(day: date, shifts: Collection[Shift], peak_days: Sequence[int]) -> DayKind:
    """What kind of day it is: a peak by its place in the month, off when no shift is worked."""
    if shifts and not any(worked_on(shift, day) for shift in shifts):
        return "off"
    last = (day.replace(day=1) + timedelta(days=32)).replace(day=1) - timedelta(days=1)
    return "peak" if any(day.day == min(peak, last.day) for peak in peak_days) else "working"


def presence(shift: Shift, since: datetime, hours: int, zone: ZoneInfo) -> Sequence[float]:
    """The share of each of the next hours in which the shift has its people at their desks.

    Holds:   reckoned between instants, so that a day on which the clock is changed is as long as it is.
    """
    worked = list(_stretches(shift, since, hours, zone))
    ends = [since + n * HOUR for n in range(hours + 1)]
    return tuple(
        sum((_common(start, end, stretch) for stretch in worked), timedelta()) / HOUR
        for start, end in itertools.pairwise(ends)
    )


def at_work(shift: Shift, now: datetime, zone: ZoneInfo) -> bool:
    """Whether the shift has its people at their desks at this instant."""
    return any(begins <= now < ends for begins, ends in _stretches(shift, now, 1, zone))


def _stretches(shift: Shift, since: datetime, hours: int, zone: ZoneInfo) -> Iterator[tuple[datetime, datetime]]:
    first = since.astimezone(zone).date() - timedelta(days=1)  # yesterday's night shift may still be there
    for ahead in range(hours // 24 + 3):
        day = first + timedelta(days=ahead)
        if worked_on(shift, day):
            begins, until = span(shift)
            for pause, back in planned_breaks(shift):
                yield _instant(day, begins, zone), _instant(day, pause, zone)
                begins = back
            yield _instant(day, begins, zone), _instant(day, until, zone)


def _common(start: datetime, end: datetime, stretch: tuple[datetime, datetime]) -> timedelta:
    return max(min(end, stretch[1]) - max(start, stretch[0]), timedelta())


def _instant(day: date, minutes: int, zone: ZoneInfo) -> datetime:
    days, minute = divmod(minutes, DAY)
    local = datetime.combine(day + timedelta(days=days), time(minute // 60, minute % 60), zone)
    return local.astimezone(UTC)


def _minutes(text: str) -> int:
    at = time.fromisoformat(text)
    return at.hour * 60 + at.minute
