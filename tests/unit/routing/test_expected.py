"""The load tells whom the shift calendar promises for the next hours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from services.routing.desk.expected import HOURS
from shared.contracts.reference import (
    BusinessType,
    Operator,
    ReferenceEntry,
    Shift,
    ShiftBreak,
    SliceArea,
    StandardTimes,
    TemplateField,
)
from shared.contracts.routing import LoadSnapshot, Pause
from shared.reference.board import REFERENCE_BOARD
from tests.unit.routing.floor import ENTRY, NOW, REVIEW, operator, stand
from tests.unit.routing.test_desk import Desk

TRANSFER = BusinessType(
    id="transfer",
    label="Transfer",
    version=1,
    fields=(TemplateField(name="amount", label="Amount", area=SliceArea(left=0, top=0, width=0.5, height=0.5)),),
    sla_seconds=1200,
    standard=StandardTimes(entry=30, arbitration=60, review=45, authorisation=40, inspection=60),
)
DAY = Shift(id="day", label="Day", begins="09:00", ends="13:00", breaks=(ShiftBreak(begins="12:00", ends="12:30"),))


def works(who: str, shift_id: str | None = "day", **rest: Any) -> Operator:
    return operator(who, **rest).model_copy(update={"shift_id": shift_id})


def north(*people: Operator) -> Desk:
    """The desk of team north at ten in the morning, local time, with the calendar known."""
    d = Desk(people)
    for entry in (TRANSFER, DAY):
        know(d, entry)
    return d


def know(d: Desk, entry: ReferenceEntry) -> None:
    REFERENCE_BOARD.fold(d.views["reference"], entry.key, entry)


def load(d: Desk, seconds: float = 20) -> LoadSnapshot:
    told: LoadSnapshot = [fact for fact in d.wait(seconds) if isinstance(fact, LoadSnapshot)][-1]
    return told


def people(told: LoadSnapshot) -> dict[str, tuple[float, ...]]:
    return {row.work_type: row.people_by_hour for row in told.expected}


def test_the_calendar_tells_the_next_hours_whoever_is_there_now() -> None:
    """Two on the shift though one has signed on: two until noon, half an hour of lunch, then home."""
    d = north(works("ann"), works("bob", work_types=(ENTRY,)), works("sue", team_id="south"))
    d.on("ann")
    told = load(d)
    assert datetime(2026, 3, 2, 2, 0, tzinfo=UTC) == NOW  # ten o'clock in Shanghai, a Monday
    assert told.expected_from == NOW
    assert people(told) == {ENTRY: (2, 2, 1, 0), REVIEW: (1, 1, 0.5, 0)}
    assert told.expected[0].learned_seconds == 30
    assert all(len(row.people_by_hour) == HOURS for row in told.expected)


def test_who_has_no_shift_counts_while_they_take_work() -> None:
    """Nothing else is known of them; paused they are not counted on."""
    d = north(works("ann"), works("bob", None, work_types=(ENTRY,)))
    d.on("ann", "bob")
    assert people(load(d))[ENTRY] == (2, 2, 1.5, 1)
    d.says(Pause, "bob", reason="training")
    assert people(load(d))[ENTRY] == (1, 1, 0.5, 0)


def test_the_suspended_are_not_expected() -> None:
    """Nobody counts on whom the hard rules keep from all work."""
    d = north(works("ann"), works("bob"))
    d.on("ann")
    stand(d.views, "operator", "bob", "suspended")
    assert people(load(d))[ENTRY] == (1, 1, 0.5, 0)


def test_without_a_calendar_nothing_is_promised() -> None:
    """A team without shifts tells its present capacity only."""
    d = north(works("ann", None))
    d.on("ann")
    told = load(d)
    assert (told.expected, told.expected_from) == ((), None)


def test_a_shift_that_the_board_does_not_know_promises_nobody() -> None:
    """A desk may hear of the person before it hears of the shift."""
    d = north(works("ann", "night"))
    d.on("ann")
    assert load(d).expected == ()


def test_the_expectation_moves_on_with_the_quarters() -> None:
    """What was worked out for one quarter is not told in the next."""
    d = north(works("ann"))
    d.on("ann")
    assert people(load(d))[ENTRY] == (1, 1, 0.5, 0)
    told = load(d, 15 * 60)
    assert told.expected_from == NOW + timedelta(minutes=15)
    assert people(told)[ENTRY] == (1, 0.75, 0.5, 0)


def test_a_changed_shift_is_in_force_at_the_next_load() -> None:
    """Nothing of the old calendar is kept."""
    d = north(works("ann"))
    d.on("ann")
    assert people(load(d))[ENTRY] == (1, 1, 0.5, 0)
    know(d, DAY.model_copy(update={"ends": "17:00"}))
    assert people(load(d))[ENTRY] == (1, 1, 0.5, 1)
