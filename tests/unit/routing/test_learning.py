"""Learned handling times: thin evidence, outliers, forgetting, and the same figures after replay and restart."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from services.routing.desk.learning import BEYOND, ONE, PACE_MAX, PACE_MIN, Pace, Paces
from services.routing.desk.state import DeskItem, Queue
from shared.contracts.reference import BusinessType, SliceArea, StandardTimes, TemplateField
from shared.contracts.routing import AcceptAssignment, LoadSnapshot
from shared.reference.board import REFERENCE_BOARD
from tests.support.examples import share_of
from tests.unit.routing.floor import ENTRY, NOW, only, operator, order, stand
from tests.unit.routing.test_desk import Desk

STANDARD = 30.0


def shown(paces: Paces, who: str, *taken: float, at: datetime = NOW) -> float:
    """The person hands in results that took so many seconds each; returns their learned seconds."""
    for seconds in taken:
        paces.put(paces.after(who, ENTRY, timedelta(seconds=seconds), STANDARD, at))
    return paces.of(who, ENTRY) / ONE * STANDARD


def template(entry_seconds: float) -> BusinessType:
    """Business type `transfer` with this standard time."""
    area = SliceArea(left=0, top=0, width=1, height=0.5)
    standard = StandardTimes(entry=entry_seconds, arbitration=40, review=45, authorisation=30, inspection=35)
    field = TemplateField(name="amount", label="Amount", area=area)
    return BusinessType(
        id="transfer", label="Transfer", version=1, fields=(field,), sla_seconds=1200, standard=standard
    )


def test_without_evidence_everybody_takes_the_standard_time() -> None:
    """Neither a person nor a team has shown anything yet."""
    assert shown(Paces(), "ann") == STANDARD


def test_thin_evidence_is_drawn_to_the_team_and_the_standard_time() -> None:
    """One quick result moves the figure a little; a hundred make it the person's own."""
    paces = Paces()
    assert 0.9 * STANDARD < shown(paces, "ann", 15) < STANDARD
    assert 15 < shown(paces, "ann", *[15] * 100) < 17


def test_a_newcomer_is_expected_to_be_as_fast_as_the_team() -> None:
    """Somebody without results of their own counts with the pace that the others have shown."""
    paces = Paces()
    shown(paces, "ann", *[15] * 100)
    shown(paces, "bob", *[15] * 100)
    assert 15 < shown(paces, "cat") < 18
    assert paces.mean((), ENTRY) == paces.of("cat", ENTRY) / ONE


def test_a_lunch_break_is_no_handling_time() -> None:
    """Three quarters of an hour over one item move a known figure by less than five in a hundred."""
    paces = Paces()
    before = shown(paces, "ann", *[30] * 60)
    assert before < shown(paces, "ann", 2700) < 1.05 * before


def test_a_lasting_change_is_learned_and_the_past_is_forgotten_slowly() -> None:
    """After a long time at one pace, half of the way to a new one takes more than fifty results and fewer than 300."""
    paces = Paces()
    shown(paces, "ann", *[30] * 1000)
    steps = 0
    while shown(paces, "ann", 60) < 45:
        steps += 1
    assert 50 < steps < 300
    assert shown(paces, "ann", *[60] * 1000) > 58


def test_old_evidence_weighs_less() -> None:
    """Two months later the same new results move the figure further."""
    soon, late = Paces(), Paces()
    for paces in (soon, late):
        shown(paces, "ann", *[30] * 100)
    later = NOW + timedelta(days=60)
    assert shown(late, "ann", *[60] * 20, at=later) > shown(soon, "ann", *[60] * 20) + 2


def test_the_bound_on_outliers_leaves_means_where_they_are() -> None:
    """Exponential and lognormal times are learned without bias: within 3 in 100 over 20,000 results."""
    draw = random.Random(5)
    laws: list[Callable[[], float]] = [
        lambda: draw.expovariate(1 / 40),
        lambda: 40 * draw.lognormvariate(-0.06125, 0.35),
    ]
    for seconds in laws:
        paces = Paces()
        found = []
        for n in range(20_000):
            found.append(shown(paces, "ann", seconds()))
            if n < 500:
                found.clear()
        assert abs(sum(found) / len(found) / 40 - 1) < 0.03


@settings(max_examples=share_of(50))
@given(st.lists(st.tuples(st.sampled_from(["ann", "bob", "cat"]), st.floats(0, 1e6)), max_size=60))
def test_figures_stay_in_bounds_and_do_not_hang_on_the_order_of_the_rows(
    results: list[tuple[str, float]],
) -> None:
    """Any times at all: paces stay bounded, one step never exceeds the factor; rows read in any order give them again."""
    paces = Paces()
    for who, seconds in results:
        before = paces.of(who, ENTRY)
        paces.put(paces.after(who, ENTRY, timedelta(seconds=seconds), STANDARD, NOW))
        assert before // BEYOND <= paces.of(who, ENTRY) <= before * BEYOND
        assert PACE_MIN <= paces.of(who, ENTRY) <= PACE_MAX
    again = Paces()
    for pace in reversed(paces.by_person.values()):
        again.put(pace)
    assert [again.of(who, ENTRY) for who in ("ann", "bob", "cat", "new")] == [
        paces.of(who, ENTRY) for who in ("ann", "bob", "cat", "new")
    ]


# ------------------------------------------------------------------ at the desk


def test_the_desk_measures_from_taken_to_completed_whatever_the_client_reports() -> None:
    """The offer's wait does not count; the reported twenty seconds do not either."""
    d = Desk()
    d.on("ann")
    d.place(order("a", standard_seconds=30))
    d.now += timedelta(seconds=50)
    d.says(AcceptAssignment, "ann", work_item_id="a", attempt=1)
    d.now += timedelta(seconds=45)
    d.completes("ann", "a")
    assert d.state.paces.by_person["ann", ENTRY] == Pace("ann", ENTRY, d.now, ONE, ONE * 3 // 2)


def test_without_accepting_the_time_counts_from_the_offer() -> None:
    """Completing without accepting counts as accepting at once."""
    d = Desk()
    d.on("ann")
    d.place(order("a", standard_seconds=30))
    d.now += timedelta(seconds=15)
    d.completes("ann", "a")
    assert d.state.paces.by_person["ann", ENTRY].total == ONE // 2


def test_what_was_learned_survives_a_restart_and_is_the_same_after_replay() -> None:
    """Rows and facts both give the same paces, to the last digit."""
    d = Desk()
    d.on("ann", "bob")
    for n in range(30):
        d.place(order(f"item-{n}"))
        who = d.facts[-1].model_dump()["operator_id"]
        d.now += timedelta(seconds=7.3 + n)
        d.completes(who, f"item-{n}")
    assert len(d.state.paces.by_person) == 2
    for other in (d.reloaded(), d.replayed()):
        assert other.paces.by_person == d.state.paces.by_person
        assert [other.paces.of(who, ENTRY) for who in ("ann", "bob", "cat")] == [
            d.state.paces.of(who, ENTRY) for who in ("ann", "bob", "cat")
        ]


def test_the_load_tells_capacity_and_backlog_at_the_learned_pace() -> None:
    """Who is present and allowed to work, per work type, and how long they take; a suspended person does not count."""
    d = Desk([operator("ann"), operator("bob", work_types=(ENTRY,)), operator("cat", work_types=(ENTRY,))])
    business_type = template(30)
    REFERENCE_BOARD.fold(d.views["reference"], business_type.key, business_type)
    d.on("ann", "bob")
    for n in range(200):
        d.place(order(f"item-{n}"))
    for _ in range(90):
        d.now += timedelta(seconds=60)
        for who in ("ann", "bob"):
            at_work = d.state.operator(who)
            d.says(AcceptAssignment, who, work_item_id=at_work.work_item_id, attempt=at_work.attempt)
            d.completes(who, at_work.work_item_id, at_work.attempt)
    told = only([d.fire("load")[0]], LoadSnapshot)
    entry, review = told.capacity
    assert (entry.work_type, entry.present) == (ENTRY, 2)
    assert (review.present, review.learned_seconds) == (1, 45.0)
    assert entry.learned_seconds < 30
    assert told.queued[0].learned_seconds is not None
    assert abs(told.queued[0].learned_seconds - told.queued[0].queued * entry.learned_seconds) < 2
    stand(d.views, "operator", "ann", "suspended")
    d.now += timedelta(seconds=10)
    assert [c.present for c in only([d.fire("load")[0]], LoadSnapshot).capacity] == [1]


def test_what_a_queue_told_stands_until_more_is_learned_or_others_are_there() -> None:
    """The same record again for the same people; another as soon as they were slower, or somebody else is there."""
    queue, paces, people = Queue(), Paces(), ("ann",)
    queue.add(DeskItem(order(), 1, 0, NOW))
    told = queue.load(ENTRY, people, paces)
    assert told.learned_seconds == STANDARD
    assert queue.load(ENTRY, people, paces) is told
    learned = shown(paces, "ann", *[60.0] * 9)
    assert queue.load(ENTRY, people, paces).learned_seconds == round(learned, 1) > STANDARD
    assert queue.load(ENTRY, ("bob",), paces).learned_seconds == round(paces.of_team(ENTRY) / ONE * STANDARD, 1)
