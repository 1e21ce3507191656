"""Somebody scarce kept free for urgent work that is about to come: when, for how long, and what for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

import pytest

from services.routing.desk.dealing import KEPT_FREE, LONGEST_READY
from services.routing.why import hold_again, tell
from shared.contracts.message import Message, Step
from shared.contracts.reference import BusinessType, FloorLimits, Operator, SliceArea, StandardTimes, TemplateField
from shared.contracts.routing import AcceptAssignment, WorkAssigned, WorkHeldBack
from shared.contracts.work import ReviewVerdict, WorkOrder
from shared.reference.board import REFERENCE_BOARD
from tests.unit.routing.floor import only, operator, order
from tests.unit.routing.test_desk import Desk

FREEZE, OPENING = "freeze", "opening"
REVIEWS = (f"{FREEZE}/review",)
BOTH = (f"{FREEZE}/authorisation", f"{OPENING}/review")
PEOPLE = (operator("ann", work_types=REVIEWS), operator("bob", work_types=BOTH))


def template(name: str, seconds: float, sla: float) -> BusinessType:
    area = SliceArea(left=0, top=0, width=1, height=0.5)
    times = StandardTimes(entry=30, arbitration=40, review=seconds, authorisation=30, inspection=35)
    return BusinessType(
        id=name,
        label=name,
        version=1,
        fields=(TemplateField(name="amount", label="Amount", area=area),),
        sla_seconds=sla,
        sla_urgent_seconds=sla / 3,
        standard=times,
    )


def a_desk(people: Sequence[Operator] = PEOPLE, worked: float = 50, hold: float = 20.0, **review: Any) -> Desk:
    """Ann reviews an urgent freeze, 60 s of work of which so many are over; the case is due in a minute and a half."""
    d = Desk(people)
    for entry in (
        template(FREEZE, 60, 900),
        template(OPENING, 300, 7200),
        FloorLimits(id="floor", work_lease_seconds_min=900, hold_seconds_max=hold),
    ):
        REFERENCE_BOARD.fold(d.views["reference"], entry.key, entry)
    d.on("ann")
    d.place(freeze("review", **review))
    d.says(AcceptAssignment, "ann", work_item_id="freeze-review", attempt=1)
    d.now += timedelta(seconds=worked)
    return d


def freeze(step: Step, **changes: Any) -> WorkOrder:
    fields: dict[str, Any] = {"urgent": True, "later_seconds": 30 if step == "review" else 0}
    seconds = 60 if step == "review" else 30
    fields |= {"case_id": "case", "business_type": FREEZE, "standard_seconds": seconds}
    return order(f"freeze-{step}", step=step, due_seconds=140, **(fields | changes))


def opening(name: str = "opening", **changes: Any) -> WorkOrder:
    """A long review that has an hour and a half yet."""
    fields: dict[str, Any] = {
        "business_type": OPENING,
        "standard_seconds": 300,
        "later_seconds": 0,
        "due_seconds": 7000,
    }
    return order(name, step="review", **(fields | changes))


def assigned(facts: Sequence[Message]) -> list[tuple[str, str]]:
    return [(fact.operator_id, fact.work_item_id) for fact in facts if isinstance(fact, WorkAssigned)]


def test_who_alone_may_do_an_urgent_step_that_comes_in_a_moment_is_kept_free_for_it() -> None:
    """Bob comes ten seconds before the authorisation, which nobody else may do: he begins no review of five minutes."""
    d = a_desk()
    d.place(opening())
    assert assigned(d.on("bob")) == []
    d.now += timedelta(seconds=10)
    d.completes("ann", "freeze-review", outcome=ReviewVerdict(passed=True))
    assert assigned(d.place(freeze("authorisation"))) == [("bob", "freeze-authorisation")]


def test_that_somebody_is_kept_free_is_told_once_and_can_be_weighed_again() -> None:
    """Of the item that Bob would have had: what is awaited, and both sides of the scale; the next looks tell nothing new."""
    d = a_desk()
    d.place(opening())
    told = only(d.on("bob"), WorkHeldBack)
    assert (told.work_item_id, told.operator_id, told.awaited_case_id) == ("opening", "bob", "case")
    assert (told.awaited_step, told.awaited_after) == ("authorisation", "freeze-review")
    assert told.awaited_seconds == pytest.approx(10)
    assert told.spared_seconds == pytest.approx(290)  # five minutes of the opening, less the ten seconds
    assert hold_again(told).same
    assert not hold_again(told.model_copy(update={"slope_per_minute": 1000 * told.awaited_slope_per_minute})).same
    assert not any(isinstance(fact, WorkHeldBack) for fact in (*d.place(opening("another")), *d.wait(5)))
    (line,) = tell([told])
    assert "kept bob free" in line.what
    assert "urgent case case should come in 10 s" in line.what
    assert d.state.operator("bob").kept_for == d.reloaded().operator("bob").kept_for == "freeze-review"
    d.completes("ann", "freeze-review", outcome=ReviewVerdict(passed=True))
    d.place(freeze("authorisation"))
    assert d.state.operator("bob").kept_for is None


def test_what_is_placed_meanwhile_does_not_go_to_who_is_kept_free() -> None:
    """It waits, as what waited already does; to somebody else who may do it, it goes at once."""
    d = a_desk((*PEOPLE, operator("cat", work_types=BOTH[1:])))
    d.on("bob")
    assert assigned(d.place(opening("one"))) == []
    assert assigned(d.on("cat")) == [("cat", "one")]


def test_who_is_kept_free_is_named_beside_the_one_who_gets_it_instead() -> None:
    """Bob was ready longer; the fact of Cat's item says that he was kept free."""
    d = a_desk((*PEOPLE, operator("cat", work_types=BOTH[1:])))
    d.on("bob")
    d.now += timedelta(seconds=2)
    d.on("cat")
    told = only(d.place(opening()), WorkAssigned)
    assert (told.operator_id, told.why) == (
        "cat",
        f"{LONGEST_READY}, for 0 s; 1 other ready; passed over: bob for 2 s ({KEPT_FREE})",
    )


def test_nobody_is_kept_free_for_longer_than_the_limit() -> None:
    """The freeze takes Ann a minute more than it does others; Bob gets what waits within seconds of the limit."""
    d = a_desk(hold=5.0, worked=56)
    d.place(opening())
    assert assigned(d.on("bob")) == []
    begun = d.now
    given = only(d.wait(30), WorkAssigned)
    assert given.operator_id == "bob"
    assert timedelta(seconds=4) <= given.at - begun <= timedelta(seconds=7)


NOT: Final[dict[str, dict[str, Any]]] = {
    "the case is not urgent": {"urgent": False},
    "nothing follows the review": {"later_seconds": 0},
    "he had a part in the case": {"excluded_operators": ("bob",)},
    "the limit is nothing": {"hold": 0.0},
    "it will be longer than the limit": {"worked": 5},
    "the review should be over": {"worked": 61},
}


@pytest.mark.parametrize("why", NOT)
def test_else_nobody_stands_idle_while_work_waits(why: str) -> None:
    """Each condition lacking, Bob gets the opening at once."""
    d = a_desk(**NOT[why])
    d.place(opening())
    assert assigned(d.on("bob")) == [("bob", "opening")]


def test_nobody_is_kept_free_for_what_somebody_else_is_free_for() -> None:
    """Cat may authorise freezes and nothing else."""
    d = a_desk((*PEOPLE, operator("cat", work_types=BOTH[:1])))
    d.on("cat")
    d.place(opening())
    assert assigned(d.on("bob")) == [("bob", "opening")]


def test_nobody_is_kept_free_where_it_costs_more_than_it_spares() -> None:
    """What waits will be late too, and much of it."""
    d = a_desk()
    for n in range(60):
        d.place(opening(str(n), urgent=False, due_at=d.now + timedelta(seconds=310)))
    assert [who for who, _ in assigned(d.on("bob"))] == ["bob"]


def test_a_desk_that_is_read_from_its_rows_keeps_the_same_people_free() -> None:
    """Which urgent work is in hand follows from the items."""
    d = a_desk()
    assert list(d.state.urgent_in_hand) == list(d.reloaded().urgent_in_hand) == ["freeze-review"]
    d.completes("ann", "freeze-review", outcome=ReviewVerdict(passed=True))
    assert list(d.state.urgent_in_hand) == list(d.replayed().urgent_in_hand) == []
