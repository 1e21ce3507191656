"""The laws of the book of reroutes: totality, determinism, replay, idempotence, and what is told is what is booked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.routing.emergency.decide import RULES
from services.routing.emergency.state import Phase
from shared.contracts.intake import SubmissionSentBack
from shared.contracts.reroute import (
    ApproveReroute,
    CancelReroute,
    CloseReview,
    EndReroute,
    ExtendReroute,
    HeedCalendar,
    ProposeReroute,
    RefuseReroute,
    RerouteCommand,
    RerouteOrder,
)
from shared.runtime.processor import TimerFired
from tests.support.examples import share_of
from tests.unit.emergency.control_room import CHEN, LIN, MO, ControlRoom, desk_load, terms
from tests.unit.emergency.drilling import DrillRoom, entry

COMMANDS: tuple[type[RerouteCommand], ...] = (
    ProposeReroute,
    ApproveReroute,
    RefuseReroute,
    CancelReroute,
    ExtendReroute,
    EndReroute,
    CloseReview,
)
Move = tuple[str, str, str, int]
MOVES = st.lists(
    st.tuples(
        st.sampled_from([*(form.__name__ for form in COMMANDS), "wait", "load", "heed", "back"]),
        st.sampled_from([LIN, CHEN, MO, "stranger"]),
        st.sampled_from(["r1", "r2"]),
        st.integers(1, 60),
    ),
    max_size=25,
)


def play(moves: list[Move]) -> ControlRoom:
    """A room after these moves; its calendar has a drill ten minutes later, announced a minute before."""
    room = DrillRoom(entry(begins="10:10", minutes=5, notice_minutes=1), queued=10)
    for name, actor, reroute_id, number in moves:
        make(room, name, actor, reroute_id, number)
    return room


def make(room: ControlRoom, name: str, actor: str, reroute_id: str, number: int) -> None:
    """One move: a command, time, a desk's news, or a submission that went back."""
    if name == "wait":
        room.wait(number * 30)
    elif name == "heed":
        room.send(HeedCalendar(issued_at=room.now))
    elif name == "back":
        left = {"submission_id": f"s-{number}", "branch_id": f"b-{number % 3}", "reroute_id": reroute_id}
        room.send(SubmissionSentBack(**left, received_at=room.now))
    elif name == "load":
        room.tell_load(desk_load("north", ("ann",) * (number % 2), number, at=room.now))
    else:
        room.send(command_of(room, name, actor, reroute_id, number))


def command_of(room: ControlRoom, name: str, actor: str, reroute_id: str, number: int) -> RerouteCommand:
    """The command of this name, with whatever fits now."""
    form = next(form for form in COMMANDS if form.__name__ == name)
    order = room.book.orders.get(reroute_id)
    extra: dict[str, object] = {}
    if form is ProposeReroute:
        extra = {"terms": terms(minutes=number, effect="drain" if number % 2 else "recall"), "break_glass": number < 9}
    elif form is ApproveReroute:
        extra = {"preview_sha256": order.preview.sha256 if order else "0" * 64}
    elif form is ExtendReroute:
        extra = {"minutes": number}
    return room.command(form, actor, reroute_id, **extra)


def test_every_phase_has_an_answer_to_every_command() -> None:
    """Totality of the table."""
    assert set(RULES) == {(phase, form) for phase in Phase for form in COMMANDS}


@settings(max_examples=share_of(60))
@given(MOVES)
def test_the_facts_and_the_rows_give_the_same_book(moves: list[Move]) -> None:
    """Replay from the log, reload from the store."""
    room = play(moves)
    assert room.replayed_contents() == room.book.contents() == room.reloaded_contents()


@settings(max_examples=share_of(40))
@given(MOVES)
def test_what_is_told_of_an_order_is_what_is_booked(moves: list[Move]) -> None:
    """The last notice on the topic equals the row; versions rise one by one, so no notice is skipped."""
    room = play(moves)
    told: dict[str, list[RerouteOrder]] = {}
    for fact in room.facts:
        if isinstance(fact, RerouteOrder):
            told.setdefault(fact.reroute_id, []).append(fact)
    assert {name: notices[-1] for name, notices in told.items()} == room.book.orders
    for notices in told.values():
        versions = [notice.version for notice in notices]
        assert versions == sorted(set(versions))


@settings(max_examples=share_of(40))
@given(MOVES, MOVES)
def test_the_same_course_gives_the_same_facts(moves: list[Move], more: list[Move]) -> None:
    """Determinism."""
    assert play(moves + more).facts == play(moves + more).facts


@settings(max_examples=share_of(40))
@given(MOVES)
def test_nobody_ever_starts_a_reroute_alone_for_more_than_half_an_hour(moves: list[Move]) -> None:
    """In force: approved by somebody else, or a broken glass of at most thirty minutes with an open or closed review."""
    for fact in play(moves).facts:
        if not isinstance(fact, RerouteOrder) or fact.phase not in ("active", "returning"):
            continue
        assert fact.ends_at is not None
        assert fact.started_at is not None
        if fact.break_glass:
            assert fact.review != "none"
            assert fact.ends_at - fact.started_at <= timedelta(minutes=30)
        else:
            assert fact.approved_by not in (None, fact.proposed_by)
            assert fact.ends_at - fact.started_at <= timedelta(hours=72)


@pytest.mark.parametrize("form", COMMANDS, ids=lambda form: form.__name__)
def test_the_same_command_twice_changes_nothing_the_second_time(form: type[RerouteCommand]) -> None:
    """And the same id with another content is a conflict that changes nothing either."""
    room = ControlRoom()
    if form is not ProposeReroute:
        make(room, "ProposeReroute", LIN, "r1", 20)
    command = command_of(room, form.__name__, CHEN, "r1", 20)
    assert room.send(command)
    before = room.replayed_contents()
    assert room.send(command) == ()
    other = room.send(command.model_copy(update={"reason": "another"}))
    assert [fact.model_dump()["code"] for fact in other] == ["conflict"]
    assert room.book.contents() == before


def test_a_timer_that_fires_too_early_changes_nothing() -> None:
    """Only the hour that has come does something."""
    room = ControlRoom()
    make(room, "ProposeReroute", LIN, "r1", 20)
    assert not room.send(TimerFired("floor", "orders", room.now))
