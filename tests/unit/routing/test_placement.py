"""Placement: the choice of a team, and where an item is."""

from __future__ import annotations

import gc
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.routing.boards import LOAD_BOARD, PLAN_BOARD, somebody_for
from services.routing.placement.choice import (
    CONSIDERED_MAX,
    EXPLORED,
    BatchSight,
    Entrant,
    Sight,
    choose,
    draw_two,
    pick,
)
from services.routing.placement.decide import BARRED_TRIES, INTERESTS, RULES, next_try_at
from services.routing.placement.processor import placement
from services.routing.placement.sent import SentSince
from services.routing.placement.state import Phase
from services.routing.why import refuse_again
from shared.contracts.audit import WorkCancelled, WorkRequested, WorkSettled
from shared.contracts.message import Message
from shared.contracts.reference import FloorLimits, Team
from shared.contracts.routing import (
    LOAD,
    Candidate,
    CapacityByWorkType,
    LoadSnapshot,
    PlacementDeferred,
    PlanMade,
    PlannedWork,
    TeamShare,
    UnplaceableReason,
    WorkClosed,
    WorkPlaced,
    WorkRecalled,
    WorkReleased,
    WorkUnplaceable,
)
from shared.contracts.vendor import InspectionRequested, InspectionSettled
from shared.contracts.work import WorkOrder
from shared.reference.board import REFERENCE_BOARD
from shared.runtime.boards import Boards
from shared.runtime.headers import outside_headers
from shared.runtime.log import Record
from shared.runtime.processor import TimerFired
from shared.runtime.shard import AlarmClock
from tests.support.examples import share_of
from tests.unit.routing.floor import ENTRY, NOW, Floor, boards, kinds, load, only, operator, order, stand
from tests.unit.routing.test_choice import template

PEOPLE = (
    operator("ann"),
    operator("bob"),
    operator("sue", team_id="south"),
    operator("vic", team_id="vendor"),
)


def floor(*loads: Any, people: Any = PEOPLE) -> Floor:
    return Floor(placement(), "item-1", boards(people, loads))


def released(
    placing: int = 1,
    team: str = "north",
    attempt: int = 1,
    reason: UnplaceableReason = "standing",
    barred: tuple[str, ...] = (),
) -> Message:
    return WorkReleased(
        work_item_id="item-1",
        case_id="case-of-item-1",
        at=NOW,
        team_id=team,
        placing=placing,
        attempt=attempt,
        reason=reason,
        barred=barred,
    )


def cancelled() -> Message:
    return WorkCancelled(work_item_id="item-1", case_id="case-of-item-1", reason="withdrawn")


def settled() -> Message:
    return WorkSettled(work_item_id="item-1", case_id="case-of-item-1", outcome="refused")


def events() -> list[Message | TimerFired]:
    return [
        WorkRequested(order=order()),
        InspectionRequested(order=order()),
        cancelled(),
        settled(),
        InspectionSettled(work_item_id="item-1", case_id="case-of-item-1"),
        released(),
        TimerFired("item-1", "try", NOW),
    ]


def test_every_phase_answers_every_event() -> None:
    """The rules name every phase and every event."""
    assert set(RULES) == {(phase, type(event)) for phase in Phase for event in events()}


def test_its_own_facts_are_not_its_business() -> None:
    """What placement reads back of its own from the shared topic has no key, and is not even decoded."""
    spec = placement()
    closed = WorkClosed(work_item_id="item-1", case_id="c", at=NOW, outcome="accepted")
    assert spec.key(closed) is None
    assert spec.key(released()) == "item-1"
    assert spec.takes == {e.kind_name() for e in INTERESTS if issubclass(e, Message)}
    assert WorkClosed.kind_name() not in spec.takes


def test_the_better_of_two_teams_gets_the_item() -> None:
    """Of two drawn teams the one with the shorter expected wait is chosen, and both stand in the fact."""
    f = floor(load("north", ["ann", "bob"], 300), load("south", ["sue"], 200))
    placed = only(f.send(WorkRequested(order=order())), WorkPlaced)
    assert placed.team_id == "north"  # 300 / 2 people < 200 / 1
    assert {(c.team_id, c.drawn, c.expected_wait_seconds) for c in placed.considered if c.drawn} == {
        ("north", True, 150.0),
        ("south", True, 200.0),
    }
    assert [c.removed_by for c in placed.considered if c.team_id == "vendor"] == ["vendor_barred"]


def test_present_people_who_may_not_do_it_do_not_count() -> None:
    """Capacity is the number of present members who may do this work."""
    f = floor(load("north", ["ann", "bob", "stranger"], 100), load("south", ["sue"], 90))
    placed = only(f.send(WorkRequested(order=order(excluded_operators=("ann",)))), WorkPlaced)
    assert placed.team_id == "south"
    assert [c.eligible_present for c in placed.considered if c.team_id == "north"] == [1]


@pytest.mark.parametrize(
    ("work", "reason"),
    [
        (order(grade_min=9), "nobody_qualified"),
        (order(data_class="unheard-of"), "data_class_barred"),
        (order(excluded_teams=("north", "south")), "all_excluded"),
        (order(in_house_only=True), "nobody_present"),
    ],
)
def test_an_item_that_nobody_may_do_waits_with_its_reason(work: WorkOrder, reason: str) -> None:
    """Unplaceable is visible, with the nearest miss and a sentence."""
    f = floor(load("vendor", ["vic"]))
    fact = only(f.send(WorkRequested(order=work)), WorkUnplaceable)
    assert fact.reason == reason
    assert fact.detail.startswith("Expected ")
    alarm = f.processor.alarms(f.state)["try"]
    comes = {somebody_for(ENTRY)} if reason == "nobody_present" else set()
    assert alarm.boards == {"reference", "standing", "reroutes"} | comes
    assert (alarm.at is not None) == (reason == "nobody_present")


def test_the_load_board_tells_for_what_somebody_has_come() -> None:
    """Who is there already, and who leaves, wakes nobody; nor does a load that says nothing new of people."""
    boards, told = Boards((LOAD_BOARD,)), somebody_for(ENTRY)

    def heard(version: int, present: int) -> int:
        capacity = (CapacityByWorkType(work_type=ENTRY, present=present, learned_seconds=20.0),)
        message = load("north", [f"p-{n}" for n in range(present)]).model_copy(
            update={"capacity": capacity, "version": version}
        )
        body = message.model_dump_json().encode()
        headers = outside_headers(message, "/outside", f"l-{version}", NOW)
        boards.feed(Record(LOAD.name, 0, version, b"north", body, headers, version))
        return boards.versions.get(told, 0)

    assert [heard(*load) for load in ((1, 0), (2, 1), (3, 1), (4, 2), (3, 5), (5, 1), (6, 2))] == [0, 1, 1, 2, 2, 2, 3]
    assert boards.versions[LOAD_BOARD.name] == 7
    assert somebody_for("corporate-transfer/review") not in boards.versions


def test_work_that_waits_for_people_is_woken_when_one_comes() -> None:
    """Not at its next try, which may be half a minute away, and not by one who holds other work."""
    f = floor()
    f.send(WorkRequested(order=order()))
    clock = AlarmClock({("item", "try"): f.processor.alarms(f.state)["try"]})
    clock.due(NOW, {}, 9)
    assert not clock.woken_by({somebody_for("corporate-transfer/review"): 1})
    assert clock.woken_by({somebody_for(ENTRY): 1})
    LOAD_BOARD.fold(f.views["load"], "north", load("north", ["ann"]))
    assert only(f.fire("try"), WorkPlaced).team_id == "north"


def test_it_is_placed_as_soon_as_somebody_may() -> None:
    """A change of standing wakes the item; it is told once per reason, then placed."""
    f = floor(load("north", ["ann"]), people=[operator("ann", standing="suspended")])
    assert only(f.send(WorkRequested(order=order())), WorkUnplaceable).reason == "standing"
    assert f.fire("try") == ()
    stand(f.views, "operator", "ann", "allowed")
    assert only(f.fire("try"), WorkPlaced).team_id == "north"


def test_nobody_present_is_tried_again_with_growing_intervals() -> None:
    """Each due try in vain notes the next one, doubling to the greatest interval, and says the reason only once."""
    f = floor()
    f.send(WorkRequested(order=order()))
    facts = f.wait(300)
    assert set(kinds(facts)) == {"PlacementDeferred"}
    tries = [fact for fact in facts if isinstance(fact, PlacementDeferred)]
    gaps = [(fact.next_try_at - fact.at).total_seconds() for fact in tries]
    assert gaps == sorted(gaps[:3]) + gaps[3:]
    assert 4 <= gaps[0] <= 4.8
    assert all(30 <= gap <= 36 for gap in gaps[4:])
    assert 9 <= len(tries) <= 14


def test_an_early_wake_moves_nothing() -> None:
    """A board that changes in vain before the next try is due gives no fact."""
    f = floor()
    f.send(WorkRequested(order=order()))
    assert f.fire("try") == ()


def test_a_change_of_reason_is_told() -> None:
    """When the nearest miss changes the item says so."""
    f = floor()
    f.send(WorkRequested(order=order()))
    for person in PEOPLE:
        stand(f.views, "operator", person.id, "suspended")
    assert only(f.fire("try"), WorkUnplaceable).reason == "standing"
    assert f.state.next_try_at is None


def paced(team_id: str, person: str, learned_seconds: float, **changes: Any) -> LoadSnapshot:
    """A desk with one person there, who takes so long for an entry."""
    capacity = (CapacityByWorkType(work_type=ENTRY, present=1, learned_seconds=learned_seconds),)
    return load(team_id, [person]).model_copy(update={"capacity": capacity, **changes})


def test_of_two_idle_teams_the_one_that_will_be_done_first_gets_the_item() -> None:
    """Nobody would wait at either; by when it will be done is what differs, and late it would be only at the slow one."""
    f = floor(paced("north", "ann", 3000), paced("south", "sue", 30))
    placed = only(f.send(WorkRequested(order=order(due_seconds=600))), WorkPlaced)
    assert (placed.team_id, placed.late_seconds) == ("south", 0.0)


def test_a_team_too_slow_to_be_in_time_is_a_predicted_miss_at_once() -> None:
    """Where only the slow may do it: what it takes them beyond the due instant, later steps counted."""
    f = floor(paced("north", "ann", 3000))
    placed = only(f.send(WorkRequested(order=order(due_seconds=600, later_seconds=0))), WorkPlaced)
    assert placed.late_seconds == 2400.0


def test_what_was_sent_counts_at_the_teams_own_pace() -> None:
    """Ten items of half a minute on their way to each, by the standard: at the slow desk they take ten times as long."""
    slow, quick = paced("north", "ann", 300, in_hand=1), paced("south", "sue", 30, in_hand=1)
    sight = BatchSight(sent={"north": {ENTRY: 300.0}, "south": {ENTRY: 300.0}})
    choice = choose(order(), 1, None, Sight.of(boards(PEOPLE, (slow, quick)), NOW, sight))
    found = {c.team_id: (c.sent_since_seconds, c.item_seconds, c.expected_wait_seconds) for c in choice.considered}
    assert found["north"] == (3000.0, 300.0, 3000.0 + 30 / 2)
    assert found["south"] == (300.0, 30.0, 300.0 + 30 / 2)


def test_of_two_desks_without_a_queue_the_one_with_more_free_people_gets_the_item() -> None:
    """Though the other is quicker: what is in hand tells how many are free, and nobody who is free makes anything wait."""
    quick = paced("south", "sue", 20, in_hand=1)
    placed = only(floor(paced("north", "ann", 40), quick).send(WorkRequested(order=order())), WorkPlaced)
    assert placed.team_id == "north"


def test_other_work_on_its_way_counts_at_the_pace_of_its_own_type() -> None:
    """By its template's standard time; of a type without one, as it stands."""
    capacity = (CapacityByWorkType(work_type="cheque/entry", present=1, learned_seconds=40.0),)
    views = boards(PEOPLE, (load("north", ["ann"]).model_copy(update={"capacity": capacity}),))
    cheque = template("cheque", sla=3600, seconds=20)
    REFERENCE_BOARD.fold(views["reference"], cheque.key, cheque)
    sight = BatchSight(sent={"north": {"cheque/entry": 100.0, "unknown/entry": 7.0}})
    choice = choose(order(), 1, None, Sight.of(views, NOW, sight))
    assert next(c for c in choice.considered if c.team_id == "north").sent_since_seconds == 207.0


def test_a_released_item_prefers_another_team() -> None:
    """The team that gave the item back is avoided while there is another, and attempts are carried over."""
    f = floor(load("north", ["ann"]), load("south", ["sue"], 10_000))
    first = only(f.send(WorkRequested(order=order())), WorkPlaced)
    assert first.team_id == "north"
    second = only(f.send(released(attempt=3)), WorkPlaced)
    assert (second.team_id, second.placing, second.attempt) == ("south", 2, 3)


def test_a_load_of_days_ago_counts_as_it_stands_for_the_wait_and_never_for_who_may() -> None:
    """A desk that is silent is being taken over: its people and its queue are still there. Who was suspended since is
    asked of the boards, which are not the load's."""
    old = load("north", ["ann"], 300).model_copy(update={"at": NOW - timedelta(days=3)})
    f = floor(old, load("south", ["sue"], 500))
    assert only(f.send(WorkRequested(order=order("a"))), WorkPlaced).team_id == "north"
    gone = floor(old, people=[operator("ann", standing="suspended")])
    assert only(gone.send(WorkRequested(order=order("a"))), WorkUnplaceable).reason == "standing"


def test_who_had_another_role_on_the_case_counts_no_more_and_the_item_waits_visibly() -> None:
    """Else it would go back and forth between placement and the desk, and nobody would be told that it has nobody."""
    f = floor(load("north", ["ann"]))
    f.send(WorkRequested(order=order()))
    waits = only(f.send(released(reason="all_excluded", barred=("ann",))), WorkUnplaceable)
    assert (waits.reason, waits.barred) == ("nobody_present", ("ann",))
    assert waits.detail.endswith("Not counted: 1 with another role on the case.")
    assert refuse_again(waits).same
    assert set(kinds(f.wait(100))) == {"PlacementDeferred"}
    LOAD_BOARD.fold(f.views["load"], "south", load("south", ["sue"]))
    placed = only(f.fire("try"), WorkPlaced)
    assert (placed.team_id, placed.order.excluded_operators) == ("south", ())


def test_two_desks_do_not_hand_an_item_to_each_other_for_ever() -> None:
    """What the first said of its people still holds when the second gives it back."""
    f = floor(load("north", ["ann"]), load("south", ["sue"], 10_000))
    f.send(WorkRequested(order=order()))
    assert only(f.send(released(reason="all_excluded", barred=("ann",))), WorkPlaced).team_id == "south"
    again = released(placing=2, team="south", reason="all_excluded", barred=("sue",))
    assert only(f.send(again), WorkUnplaceable).barred == ("ann", "sue")


def test_after_many_tries_in_vain_who_had_another_role_is_asked_again() -> None:
    """They may have given it up, and no desk tells that."""
    f = floor(load("north", ["ann"]))
    f.send(WorkRequested(order=order()))
    f.send(released(reason="all_excluded", barred=("ann",)))
    *tries, placed = f.wait(600)
    assert kinds(tries) == ["PlacementDeferred"] * (BARRED_TRIES - 1)
    assert isinstance(placed, WorkPlaced)
    assert (placed.team_id, placed.barred) == ("north", ())


def test_the_only_team_gets_its_item_back() -> None:
    """A decline is not an exclusion for ever."""
    f = floor(load("north", ["ann"]))
    f.send(WorkRequested(order=order()))
    assert only(f.send(released(reason="nobody_present")), WorkPlaced).team_id == "north"


@pytest.mark.parametrize("late", [released(placing=2), released(team="south")])
def test_late_news_of_another_placing_is_ignored(late: Message) -> None:
    """Only the current placing's team can give the item back."""
    f = floor(load("north", ["ann"]))
    f.send(WorkRequested(order=order()))
    assert f.send(late) == ()


def test_a_cancelled_item_is_recalled_and_closed() -> None:
    """Placed: recalled from its team; waiting: only closed. Nothing comes after."""
    f = floor(load("north", ["ann"]))
    f.send(WorkRequested(order=order()))
    recalled = f.send(cancelled())
    assert kinds(recalled) == ["WorkRecalled", "WorkClosed"]
    assert only(recalled, WorkRecalled).team_id == "north"
    assert all(f.send(event) == () for event in events())
    waiting = floor()
    waiting.send(WorkRequested(order=order()))
    assert kinds(waiting.send(cancelled())) == ["WorkClosed"]


def test_settled_work_is_closed_with_its_outcome() -> None:
    """Both settlements close the item; its order is forgotten."""
    f = floor(load("north", ["ann"]))
    f.send(WorkRequested(order=order()))
    assert only(f.send(settled()), WorkClosed).outcome == "refused"
    assert f.state.order is None
    g = floor(load("north", ["ann"]))
    g.send(InspectionRequested(order=order()))
    assert only(g.send(InspectionSettled(work_item_id="item-1", case_id="c")), WorkClosed).outcome == "accepted"


def test_considered_is_bounded_with_the_drawn_first() -> None:
    """However many teams there are, a fact carries at most twelve, the drawn ones among them."""
    views = boards([operator(f"p{n}", team_id=f"t{n:02}") for n in range(40)])
    for n in range(40):
        team = Team(id=f"t{n:02}", label="t", centre_id="c", provider_id="bank")
        REFERENCE_BOARD.fold(views["reference"], team.key, team)
        views["load"][team.id] = load(team.id, [f"p{n}"], backlog_seconds=n)
    choice = choose(order(), 1, None, Sight.of(views, NOW, None))
    assert len(choice.considered) == CONSIDERED_MAX
    assert [c.drawn for c in choice.considered[:3]] == [True, True, False]


def test_two_choices_tolerate_a_stale_view() -> None:
    """With one empty desk among four in a view that never moves, it gets about half of the items, never all."""
    views = boards([operator(f"p{n}", team_id=f"t{n}") for n in range(4)])
    for n in range(4):
        team = Team(id=f"t{n}", label="t", centre_id="c", provider_id="bank")
        REFERENCE_BOARD.fold(views["reference"], team.key, team)
        views["load"][team.id] = load(team.id, [f"p{n}"], backlog_seconds=100.0 * n)
    sight = Sight.of(views, NOW, None)
    chosen = Counter(choose(order(f"item-{n}"), 1, None, sight).team_id for n in range(400))
    assert 160 <= chosen["t0"] <= 240
    assert chosen["t3"] == 0


@settings(max_examples=share_of(100))
@given(st.integers(0, 2**53 - 1), st.integers(2, 60))
def test_a_draw_without_a_plan_gives_two_different_teams(seed: int, count: int) -> None:
    """Both are of the field and differ."""
    field = [Entrant.of(Candidate(team_id=f"t{n}")) for n in range(count)]
    assert len({candidate.team_id for candidate in draw_two(field, seed)}) == 2


def test_draws_by_a_plan_follow_its_shares() -> None:
    """Of four thousand first draws each team gets its share, a twentieth more before all are made to sum to one."""
    shares = {"a": 0.5, "b": 0.3, "c": 0.2, "d": 0.0}
    field = [Entrant.of(Candidate(team_id=team, share=share)) for team, share in shares.items()]
    first = Counter(draw_two(field, n)[0].team_id for n in range(4000))
    expected = {team: (share + EXPLORED) / (1 + 4 * EXPLORED) for team, share in shares.items()}
    assert {team: first[team] / 4000 for team in shares} == pytest.approx(expected, abs=0.025)


@settings(max_examples=share_of(100))
@given(
    st.integers(0, 2**53 - 1),
    st.lists(st.tuples(st.floats(0, 1), st.floats(0, 500)), min_size=3, max_size=20),
    st.floats(-100, 600),
    st.booleans(),
)
def test_a_decision_is_the_same_from_what_its_fact_tells(
    seed: int, terms: list[tuple[float, float]], slack: float, planned: bool
) -> None:
    """The drawn and the best alone lead to the same team and the same lateness as all candidates did."""
    field = [
        Candidate(team_id=f"t{n:02}", share=share if planned else None, expected_wait_seconds=round(wait, 1))
        for n, (share, wait) in enumerate(terms)
    ]
    whole = pick(field, seed, None, slack)
    told = [c for c in whole.candidates if c.drawn or c.team_id == whole.team_id]
    again = pick([c.model_copy(update={"drawn": False}) for c in told], seed, None, slack)
    assert (again.team_id, again.late_seconds) == (whole.team_id, whole.late_seconds)
    assert {c.team_id for c in again.candidates if c.drawn} == {c.team_id for c in told if c.drawn}


def plan(shares: dict[str, float], made_at: datetime = NOW, good_seconds: float = 60.0) -> PlanMade:
    """A plan for internal entry work."""
    work = PlannedWork(
        work_type=ENTRY,
        in_house_only=True,
        recent_per_hour=1.0,
        coming_per_hour=1.0,
        shares=tuple(TeamShare(team_id=team, share=share) for team, share in shares.items()),
    )
    return PlanMade(
        made_at=made_at,
        made_by="balancer-1",
        good_until=made_at + timedelta(seconds=good_seconds),
        work=(work,),
        teams=(),
        saturation=0.5,
        lateness_minutes=0.0,
    )


def placed_by(*plans: PlanMade, seconds_later: float = 0.0) -> WorkPlaced:
    """Where an item goes with one person at each of two idle teams."""
    views = boards(PEOPLE, (load("north", ["ann"]), load("south", ["sue"])))
    for made in plans:
        PLAN_BOARD.fold(views["plan"], made.key, made)
    f = Floor(placement(), "item-1", views)
    f.now = NOW + timedelta(seconds=seconds_later)
    placed: WorkPlaced = only(f.send(WorkRequested(order=order())), WorkPlaced)
    return placed


@pytest.mark.parametrize("team", ["north", "south"])
def test_work_goes_where_the_plan_sends_it(team: str) -> None:
    """All of the share to one of two idle teams: it gets the item, and the fact names the plan and the shares."""
    made = plan({team: 1.0})
    placed = placed_by(made)
    assert (placed.team_id, placed.plan_made_at) == (team, NOW)
    assert {c.team_id: c.share for c in placed.considered if c.removed_by is None} == {
        "north": float(team == "north"),
        "south": float(team == "south"),
    }


def test_a_stale_plan_is_not_drawn_by() -> None:
    """A second after it is good no more the draw goes without it, and the fact says so."""
    assert placed_by(plan({"south": 1.0}), seconds_later=60.0).plan_made_at == NOW
    assert placed_by(plan({"south": 1.0}), seconds_later=61.0).plan_made_at is None


def test_of_two_plans_the_one_made_last_counts_whatever_comes_first() -> None:
    """Two balancers at once do no harm."""
    early, late = plan({"north": 1.0}), plan({"south": 1.0}, made_at=NOW + timedelta(seconds=1))
    for course in ((early, late), (late, early)):
        assert placed_by(*course, seconds_later=2.0).team_id == "south"


def test_a_plan_never_makes_anybody_eligible() -> None:
    """The whole share to a team where nobody is: the item goes to who is there, drawn without the plan."""
    placed = placed_by(plan({"vendor": 1.0}))
    assert placed.team_id in {"north", "south"}
    assert placed.plan_made_at is None


def test_what_was_sent_since_the_last_load_counts() -> None:
    """Both desks tell empty queues; what this process has just sent to north makes south the better one."""
    views = boards(PEOPLE, (load("north", ["ann"]), load("south", ["sue"])))
    sent = {"north": {ENTRY: 90.0}}
    choice = choose(order(), 1, None, Sight.of(views, NOW, BatchSight(sent)))
    assert choice.team_id == "south"
    assert {c.team_id: c.sent_since_seconds for c in choice.considered} == {"north": 90.0, "south": 0.0, "vendor": 0.0}


def test_what_a_team_has_is_by_its_last_load_and_all_that_was_sent_since() -> None:
    """Worked out once, and anew whenever more is sent or a load is told."""
    memory, views = SentSince(), boards(PEOPLE, (load("north", ["ann"]),))

    def seen() -> tuple[float, float]:
        sight = Sight.of(views, NOW, BatchSight(memory.since(views["load"])))
        north = next(c for c in choose(order(), 1, None, sight).considered if c.team_id == "north")
        return north.backlog_seconds, north.sent_since_seconds

    placed = placed_by(plan({"north": 1.0}), seconds_later=1.0)
    assert seen() == (0.0, 0.0)
    for sent in (30.0, 60.0):
        memory.note([placed], NOW)
        assert seen() == seen() == (0.0, sent)
    for version, (at, backlog, sent) in enumerate(((NOW, 240.0, 60.0), (placed.placed_at, 300.0, 0.0)), 2):
        told = load("north", ["ann"], backlog, version).model_copy(update={"at": at})
        LOAD_BOARD.fold(views["load"], told.key, told)
        assert seen() == (backlog, sent)


def test_what_was_sent_of_an_items_own_type_counts_at_the_items_own_standard_time() -> None:
    """A template of 60 s stands beside an item of 30 s: 90 s that were sent are three of that item, and 1.5 by the template."""
    views = boards(PEOPLE, (paced("north", "ann", 10),))
    known = template("transfer", sla=3600, seconds=60)
    REFERENCE_BOARD.fold(views["reference"], known.key, known)
    seen = Sight.of(views, NOW, BatchSight(sent={"north": {ENTRY: 90.0}}))

    def sent(work: WorkOrder) -> float | None:
        return next(c for c in choose(work, 1, None, seen).considered if c.team_id == "north").sent_since_seconds

    assert (sent(order(standard_seconds=30)), sent(order(standard_seconds=60))) == (30.0, 15.0)


async def test_sent_work_is_remembered_until_a_load_counts_it() -> None:
    """What was placed at or before the instant of the desk's load is in it; what came after is still under way."""
    memory = SentSince()
    first, second = placed_by(), placed_by(seconds_later=2.0)
    memory.note([first, second], NOW)
    at = {first.team_id: load(first.team_id, ["ann"])}
    seen = await memory.observe([first, second], {"load": {}})
    assert [each.sent for each in seen] == [{first.team_id: {ENTRY: 60.0}}] * 2
    assert memory.since(at) == {first.team_id: {ENTRY: 30.0}}
    later = load(first.team_id, ["ann"], version=2).model_copy(update={"at": NOW + timedelta(seconds=2)})
    assert memory.since({first.team_id: later}) == {}


def test_what_one_batch_saw_goes_without_the_collector() -> None:
    """No ring holds it: a batch's sight, and all that was found with it, is gone with the batch."""
    gc.collect()
    gc.disable()
    try:
        seen = BatchSight()
        choose(order(), 1, None, Sight.of(boards(PEOPLE, (load("north", ["ann"]),)), NOW, seen))
        assert seen.found.candidates
        del seen
        assert not [one for one in gc.get_objects() if isinstance(one, BatchSight | Sight)]
    finally:
        gc.enable()


def test_work_that_can_be_in_time_nowhere_goes_where_it_is_least_late_and_is_told_at_once() -> None:
    """Three desks, all with more in front than the slack: the shortest gets it, drawn or not, and the fact says how late."""
    people = (*PEOPLE, operator("tom", team_id="vendor"))
    loads = (load("north", ["ann"], 4000), load("south", ["sue"], 3000), load("vendor", ["vic"], 2000))
    for n in range(20):
        f = Floor(placement(), f"item-{n}", boards(people, loads))
        placed = only(f.send(WorkRequested(order=order(f"item-{n}", in_house_only=False))), WorkPlaced)
        slack = 1200 - 30 - 75 * 3
        assert (placed.team_id, placed.late_seconds) == ("vendor", 2000 - slack)


@settings(max_examples=share_of(100))
@given(st.text(min_size=1, max_size=20), st.integers(1, 10_000))
def test_the_next_try_is_soon_but_not_at_once(work_item_id: str, tries: int) -> None:
    """The interval stays within its bounds, however often it was tried."""
    assert (
        timedelta(seconds=2)
        <= next_try_at(work_item_id, tries, NOW, FloorLimits(id="floor")) - NOW
        <= timedelta(seconds=36)
    )


@settings(max_examples=share_of(100))
@given(st.lists(st.integers(0, 9), max_size=25))
def test_laws_of_placement_hold_for_any_course_of_events(course: list[int]) -> None:
    """Totality, determinism, replay, stored form, idempotence; never two teams at once; closed stays closed."""
    f = floor(load("north", ["ann"]))
    for choice in course:
        if choice == 7:
            stand(f.views, "provider", "bank", "suspended")
        elif choice == 8:
            stand(f.views, "provider", "bank", "allowed")
        elif choice == 9:
            f.wait(40)
        else:
            event = events()[choice] if choice != 5 else released(placing=f.state.placing)
            twin = f.processor.decide(f.state, event, f.situation())
            assert f.send(event) == twin
            if not isinstance(event, WorkReleased):
                assert f.send(event) == ()
    assert f.replayed() == f.state
    assert f.reloaded() == f.state if f.stored else True
    open_at: str | None = None
    for fact in f.facts:
        if isinstance(fact, WorkPlaced):
            open_at = fact.team_id
    assert f.state.team_id == (open_at if f.state.phase is Phase.PLACED else None)
    placings = [fact.placing for fact in f.facts if isinstance(fact, WorkPlaced)]
    assert placings == list(range(1, len(placings) + 1))
    assert sum(isinstance(fact, WorkClosed) for fact in f.facts) <= 1


ORDERS = st.builds(
    lambda step, grade, data_class, house, people, teams, branch: order(
        step=step,
        grade_min=grade,
        data_class=data_class,
        in_house_only=house,
        excluded_operators=tuple(people),
        excluded_teams=tuple(teams),
        branch_id=branch,
    ),
    st.sampled_from(["entry", "review"]),
    st.integers(0, 3),
    st.sampled_from(["internal", "secret", "unheard-of"]),
    st.booleans(),
    st.lists(st.sampled_from(["ann", "bob", "vic"]), max_size=2, unique=True),
    st.lists(st.sampled_from(["north", "south", "vendor"]), max_size=1),
    st.sampled_from(["branch-1", "branch-2"]),
)


@settings(max_examples=share_of(150))
@given(st.lists(ORDERS, min_size=1, max_size=8))
def test_what_a_batch_has_worked_out_is_what_each_order_would_have_found_alone(orders: list[WorkOrder]) -> None:
    """The candidates of one order serve the next like it: the choices, and what they tell, are the same."""
    people = (operator("ann"), operator("bob", "south", grade=3, branch_id="branch-1"), operator("vic", "vendor"))
    views = boards(people, [load("north", ["ann"], 90.0), load("south", ["bob"]), load("vendor", ["vic"], 10.0)])
    sent = {"north": {ENTRY: 60.0}}
    shared = Sight.of(views, NOW, BatchSight(sent))
    for number, work in enumerate(orders):
        mine = work.model_copy(update={"work_item_id": f"item-{number}"})
        assert choose(mine, 1, None, shared) == choose(mine, 1, None, Sight.of(views, NOW, BatchSight(sent)))
