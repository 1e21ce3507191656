"""What the shift calendar promises a desk: people by work type for each of the next hours."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from services.routing import eligibility
from services.routing.desk.state import TeamDesk
from services.routing.eligibility import Rulebook
from shared.contracts.reference import Operator
from shared.contracts.routing import ExpectedCapacity
from shared.reference.board import ReferenceView
from shared.reference.shifts import presence

HOURS: Final = 4
QUARTER: Final = timedelta(minutes=15)

ByHour = Sequence[float]


def quarter_of(now: datetime) -> datetime:
    """The quarter of an hour that `now` lies in; the expectation is the same all through it."""
    return now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)


def expected_capacity(desk: TeamDesk, book: Rulebook, now: datetime) -> Iterator[ExpectedCapacity]:
    """The people of the team by work type and hour, and how fast they are. Nothing when nobody has a shift."""
    if not _has_shifts(desk, book):
        return
    team = _people(desk, book)
    since = quarter_of(now)
    coming = {person.id: _hours_of(person, desk, book.reference, since) for person in team}
    for work_type, people in sorted(_by_work_type(team, coming).items()):
        standard = book.reference.standard_seconds(work_type)
        if standard is not None:
            yield ExpectedCapacity(
                work_type=work_type,
                people_by_hour=tuple(round(sum(coming[name][hour] for name in people), 2) for hour in range(HOURS)),
                learned_seconds=round(standard * desk.paces.mean(people, work_type), 1),
            )


def expected_people(desk: TeamDesk, book: Rulebook, now: datetime) -> ByHour:
    """How many people of the team in the same hours, each counted once. Nothing when nobody has a shift."""
    if not _has_shifts(desk, book):
        return ()
    team = _people(desk, book)
    since = quarter_of(now)
    by_person = [_hours_of(person, desk, book.reference, since) for person in team]
    return tuple(round(sum(hours[ahead] for hours in by_person), 2) for ahead in range(HOURS))


def _has_shifts(desk: TeamDesk, book: Rulebook) -> bool:
    """Somebody of the team who may work has a shift; looked through once for the same people."""
    fit, key = eligibility.unsuspended(desk.team_id, book), (__name__, "shifts", desk.team_id)
    known: tuple[Mapping[str, Operator], bool] | None = book.reference.derived.get(key)
    if known is None or known[0] is not fit:
        known = book.reference.derived[key] = fit, any(person.shift_id for person in fit.values())
    return known[1]


def _people(desk: TeamDesk, book: Rulebook) -> Collection[Operator]:
    """Who of the team may work at all."""
    return eligibility.unsuspended(desk.team_id, book).values()


def _by_work_type(team: Iterable[Operator], coming: dict[str, ByHour]) -> dict[str, list[str]]:
    able: dict[str, list[str]] = {}
    for person in sorted(team, key=lambda one: one.id):
        if any(coming[person.id]):
            for work_type in person.work_types:
                able.setdefault(work_type, []).append(person.id)
    return able


def _hours_of(person: Operator, desk: TeamDesk, reference: ReferenceView, since: datetime) -> ByHour:
    if person.shift_id is None:
        return (1.0 if person.id in desk.present else 0.0,) * HOURS
    return _hours_of_shift(person.shift_id, reference, since)


def _hours_of_shift(shift_id: str, reference: ReferenceView, since: datetime) -> ByHour:
    """Worked out once a quarter; the board forgets it when the reference data changes."""
    kept: tuple[datetime, ByHour] | None = reference.derived.get((__name__, shift_id))
    if kept is not None and kept[0] == since:
        return kept[1]
    shift = reference.shifts.get(shift_id)
    zone = ZoneInfo(reference.limits.time_zone)
    hours: ByHour = (0.0,) * HOURS if shift is None else presence(shift, since, HOURS, zone)
    reference.derived[__name__, shift_id] = (since, hours)
    return hours
