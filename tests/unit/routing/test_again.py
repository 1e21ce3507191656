"""A desk's choice made again from its fact, the item's order and the reference data: what is seen when somebody forges it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.routing.again import Known, assign_again
from services.routing.desk.learning import ONE, Pace
from services.routing.why import tell
from shared.contracts.message import Message
from shared.contracts.reference import FloorLimits
from shared.contracts.routing import HeadConsidered, WorkAssigned, WorkPlaced
from shared.contracts.work import WorkOrder
from shared.reference.board import REFERENCE_BOARD
from tests.support.examples import share_of
from tests.unit.routing.floor import ENTRY, NOW, only, order
from tests.unit.routing.test_choice import CHEQUE, desk_of, template, work
from tests.unit.routing.test_desk import Desk

READ_AT: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def a_desk() -> Desk:
    """Transfers on a rail that closes, and cheques; its decisions say by which reference data."""
    d = desk_of(template(cut_off="10:30"), template("cheque", 120, 3600, late_per_minute=3.0))
    d.as_of = {"reference": int(READ_AT.timestamp() * 1000)}
    return d


def at_hand(d: Desk) -> Known:
    return Known(d.views["reference"], READ_AT)


def chosen() -> tuple[Desk, WorkAssigned, WorkOrder]:
    """Ann did a transfer and is given another, before a cheque; from a third transfer she is barred."""
    d = a_desk()
    d.place(work("first", -1))
    d.on("ann")
    mine = work("mine", 20)
    for each in (mine, work("cheque", 900, "cheque"), work("barred", 0, excluded_operators=("ann",))):
        d.place(each)
    d.now += timedelta(seconds=3.456)
    return d, only(d.completes("ann", "first"), WorkAssigned), mine


def forged(fact: WorkAssigned, work_item_id: str, **terms: Any) -> WorkAssigned:
    """The fact with other terms of one item, and the index that they give unless it is named."""

    def changed(head: HeadConsidered) -> HeadConsidered:
        if head.work_item_id != work_item_id:
            return head
        one = head.model_copy(update=terms)
        bonus = head.index * 60 / (head.slope_per_minute * head.rate_per_hour)
        index = round(one.slope_per_minute * one.rate_per_hour / 60 * bonus, 6)
        return one.model_copy(update={"index": terms.get("index", index)})

    return fact.model_copy(update={"considered": tuple(changed(head) for head in fact.considered)})


def test_slopes_are_made_again_by_the_reference_data_that_the_fact_names() -> None:
    """The answer says so, and that rates are taken as told."""
    d, fact, mine = chosen()
    assert {head.work_item_id for head in fact.considered} == {"mine", "cheque", "barred"}
    again = assign_again(fact, mine, at_hand(d))
    assert again.same
    assert again.found == "mine, of 2 that could be given; the slopes made again too; rates as told"


def test_what_is_taken_as_told_is_said() -> None:
    """Reference data that has changed since, or was not read; a fact of before it told which; a type without a template."""
    d, fact, mine = chosen()
    later = Known(d.views["reference"], READ_AT + timedelta(hours=1))
    assert assign_again(fact, mine, later).found.endswith(
        "slopes and rates as told: the reference data has changed since 2026-03-02 09:00:00, at hand is of 2026-03-02 10:00:00"
    )
    assert assign_again(fact, mine).found.endswith("slopes and rates as told: no reference data at hand")
    older = fact.model_copy(update={"boards": None})
    assert assign_again(older, mine, later).found.endswith("as told: the fact does not say by which reference data")
    plain = Desk()
    plain.as_of = d.as_of
    plain.place(order("a"))
    found = assign_again(only(plain.on("ann"), WorkAssigned), None, at_hand(plain)).found
    assert found.endswith(
        "the slopes made again too but those of transfer/entry, which no template describes; rates as told"
    )


def test_who_was_ready_longest_is_taken_as_told() -> None:
    """One item was weighed, for the person who was chosen first."""
    d = a_desk()
    d.on("ann")
    again = assign_again(only(d.place(work("a", 100)), WorkAssigned), None, at_hand(d))
    assert again.same
    assert again.found.startswith("a, of 1 that could be given; that ann was ready longest as told; the slopes")


OTHER: Final = {"work_item_id": "cheque", "business_type": "cheque", "requested_at": NOW - timedelta(seconds=270)}

Forge = Callable[[WorkAssigned], WorkAssigned]
BY_REFERENCE: Final[dict[str, tuple[Forge, str]]] = {
    "a slope is another, and its index with it": (
        lambda fact: forged(fact, "mine", slope_per_minute=fact.considered[0].slope_per_minute * 1.001),
        "by the reference data, the slope of mine is",
    ),
    "what was better has a slope that makes it less": (
        lambda fact: forged(fact, "cheque", slope_per_minute=0.001),
        "by the reference data, the slope of cheque is",
    ),
    "another item is chosen, with a slope that was invented": (
        lambda fact: forged(fact.model_copy(update=OTHER), "cheque", slope_per_minute=500.0),
        "by the reference data, the slope of cheque is",
    ),
    "the bonus for staying is larger": (
        lambda fact: forged(
            forged(fact, "mine", index=_index(fact, "mine") * 2), "barred", index=_index(fact, "barred") * 2
        ),
        "the bonus for staying is",
    ),
    "one of two rates of a type": (lambda fact: forged(fact, "barred", rate_per_hour=90.0), "two rates are told of"),
    "nobody is so fast": (lambda fact: forged(fact, "cheque", rate_per_hour=9_000.0), "nobody can do 9000.0 items"),
    "an operator who is nobody": (lambda fact: fact.model_copy(update={"operator_id": "zoe"}), "knows no operator zoe"),
    "an operator of another team": (
        lambda fact: fact.model_copy(update={"operator_id": "sue"}),
        "knows no operator sue",
    ),
    "an operator who does not hold it": (
        lambda fact: fact.model_copy(update={"operator_id": "bob"}),
        "bob does not hold",
    ),
    "another team": (lambda fact: fact.model_copy(update={"team_id": "west"}), "knows no operator ann in west"),
    "another provider": (
        lambda fact: fact.model_copy(update={"provider_id": "keyers"}),
        "knows no team north of keyers",
    ),
}


def _index(fact: WorkAssigned, work_item_id: str) -> float:
    return next(head.index for head in fact.considered if head.work_item_id == work_item_id)


@pytest.mark.parametrize("what", BY_REFERENCE)
def test_what_the_reference_data_does_not_give_is_seen(what: str) -> None:
    """Though every index follows from the terms that are told."""
    d, fact, _ = chosen()
    forge, found = BY_REFERENCE[what]
    again = assign_again(forge(fact), None, at_hand(d))
    assert not again.same
    assert found in again.found


def test_another_item_with_an_invented_slope_is_not_the_best_by_the_fact_alone_either() -> None:
    """Its age is told apart, by the instants of the fact."""
    _, fact, _ = chosen()
    other = fact.model_copy(update={"work_item_id": "cheque", "business_type": "cheque"})
    assert not assign_again(other).same
    assert not assign_again(forged(other, "cheque", slope_per_minute=500.0, age_seconds=1.0)).same


BY_FACT: Final[dict[str, Forge]] = {
    "an index that its terms do not give": lambda fact: forged(fact, "cheque", index=_index(fact, "cheque") * 1.01),
    "a bonus below one": lambda fact: forged(fact, "mine", index=_index(fact, "mine") * 0.5),
    "a bonus of one item alone": lambda fact: forged(fact, "mine", index=_index(fact, "mine") * 1.5),
    "one of a type does not stay": lambda fact: forged(fact, "barred", stays=False, index=_index(fact, "barred") / 1.1),
    "two types stay": lambda fact: forged(fact, "cheque", stays=True),
    "weighed as another type": lambda fact: forged(
        fact, "mine", work_type=CHEQUE, stays=False, index=_index(fact, "mine") / 1.1
    ),
    "another age": lambda fact: forged(fact, "mine", age_seconds=1.0),
    "another instant": lambda fact: fact.model_copy(update={"at": fact.at + timedelta(minutes=1)}),
}


@pytest.mark.parametrize("what", BY_FACT)
def test_what_the_fact_alone_does_not_give_is_seen(what: str) -> None:
    """Without reference data: the terms of one fact hold each other."""
    _, fact, _ = chosen()
    assert assign_again(fact).same
    assert not assign_again(BY_FACT[what](fact)).same


def test_what_the_items_order_does_not_give_is_seen() -> None:
    """Its slack, whom it keeps from it, what it is of; another item's order says nothing."""
    _, fact, mine = chosen()
    assert assign_again(fact, mine).same
    assert assign_again(fact, work("another", 5)).same
    for change in (
        {"due_at": mine.due_at + timedelta(seconds=1)},
        {"excluded_operators": ("ann",)},
        {"excluded_teams": ("north",)},
        {"step": "review"},
    ):
        assert not assign_again(fact, mine.model_copy(update=change)).same


def test_the_story_of_an_item_weighs_it_with_its_order() -> None:
    """An ordinary item that is told as an urgent one: the placing before it in the story says that it was not."""
    d = a_desk()
    d.on("ann")
    d.place(work("a", 100))
    usual = only(d.facts, WorkAssigned)
    urgent = a_desk()
    urgent.on("ann")
    urgent.place(work("a", 100, urgent=True))
    told = only(urgent.facts, WorkAssigned)
    assert usual.considered != told.considered
    assert assign_again(told, None, at_hand(d)).same
    placed = placing(work("a", 100))
    assert weighed([placed, usual], d)
    assert not weighed([placed, told], d)


def weighed(story: Sequence[Message], d: Desk) -> bool:
    """The desk's choice, the last of the story, comes out the same."""
    again = list(tell(story, at_hand(d)))[-1].again
    assert again is not None
    return again.same


def placing(item: WorkOrder) -> Message:
    return WorkPlaced(team_id="north", placing=1, attempt=0, order=item, placed_at=NOW, considered=(), draw_seed=1)


WAITING = st.lists(
    st.tuples(
        st.sampled_from([("transfer", 30.0), ("cheque", 120.0)]),
        st.floats(-5_000, 5_000),
        st.floats(0, 9_000),
        st.booleans(),
        st.booleans(),
        st.booleans(),
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=share_of(150))
@given(WAITING, st.sampled_from([0.0, 0.1, 0.7]), st.floats(0, 120), st.integers(ONE // 3, 3 * ONE))
def test_whatever_a_desk_decides_is_the_same_again(
    waiting: list[tuple[tuple[str, float], float, float, bool, bool, bool]], bonus: float, passes: float, pace: int
) -> None:
    """Late or not, urgent or not, due at the closing of a rail, barred, after work of the same type, at any pace."""
    d = a_desk()
    limits = FloorLimits(id="floor", stay_bonus=bonus)
    REFERENCE_BOARD.fold(d.views["reference"], limits.key, limits)
    for work_type in (ENTRY, CHEQUE):
        d.state.put_pace(Pace("ann", work_type, NOW, 30 * ONE, 30 * pace))
    orders: dict[str, WorkOrder] = {}
    d.on("ann")
    for number, ((name, seconds), slack, age, urgent, closes, barred) in enumerate(waiting):
        rest: dict[str, Any] = {
            "urgent": urgent,
            "requested_at": NOW - timedelta(seconds=age),
            "standard_seconds": seconds,
        }
        if closes:
            rest["due_at"] = datetime(2026, 3, 2, 2, 30, tzinfo=UTC)
        if barred and number:
            rest["excluded_operators"] = ("ann",)
        orders[f"item-{number}"] = item = work(f"item-{number}", slack, name, **rest)
        d.place(item)
    d.now += timedelta(seconds=passes)
    d.completes("ann", "item-0")
    for fact in d.facts:
        if isinstance(fact, WorkAssigned):
            item = orders[fact.work_item_id]
            assert assign_again(fact, item, at_hand(d)).same, assign_again(fact, item, at_hand(d)).found
            assert assign_again(fact, None, at_hand(d)).same, assign_again(fact, None, at_hand(d)).found
            assert assign_again(fact).same
