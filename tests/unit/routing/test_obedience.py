"""Placement and desk obey reroutes from their board, with no service to ask."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from services.routing.desk.obey import LATE, MOVED_FIRST, MOVED_MAX, MOVED_MIN, MOVED_STEP, PACE
from services.routing.desk.processor import desk
from services.routing.placement.choice import BatchSight, Sight, choose
from services.routing.placement.processor import placement
from shared.contracts.audit import WorkRequested
from shared.contracts.message import Message
from shared.contracts.reference import Branch
from shared.contracts.reroute import Effect, Preview, RerouteOrder, RerouteScope, RerouteTerms
from shared.contracts.routing import (
    AcceptAssignment,
    AssignmentRevoked,
    CompleteAssignment,
    ReroutesHeeded,
    SignOn,
    WorkAssigned,
    WorkPlaced,
    WorkReleased,
    WorkUnplaceable,
)
from shared.contracts.work import KeyedValue, WorkOrder
from shared.reference.board import REFERENCE_BOARD
from shared.reroutes import REROUTE_BOARD, at_point, held_percent, resolve, sent_back
from tests.unit.routing.floor import NOW, Floor, boards, kinds, load, only, operator, order

PEOPLE = [operator("ann"), operator("bob"), operator("cai", "south")]
NO_PREVIEW = Preview(
    taken_at=NOW,
    sha256="",
    items_moving=0,
    in_hand_moving=0,
    skills=(),
    dead_ends=(),
    broken_rules=(),
    also_in_force=(),
)


def reroute(effect: Effect, name: str = "r1", *, starts: datetime = NOW, **scope: Any) -> RerouteOrder:
    """An order in force from `starts` for ten minutes, over centre n unless told otherwise."""
    drill, percent = scope.pop("drill", False), scope.pop("percent", 100)
    where = RerouteScope(**(scope or {"centres": ("n",)}))
    return RerouteOrder(
        reroute_id=name,
        version=2,
        phase="active",
        terms=RerouteTerms(effect=effect, scope=where, minutes=10, reason="test", drill=drill, percent=percent),
        proposed_by="lin",
        proposed_at=starts,
        approve_by=starts,
        preview=NO_PREVIEW,
        started_at=starts,
        ends_at=starts + timedelta(minutes=10),
    )


def put(floor: Floor, *orders: RerouteOrder) -> None:
    """The orders reach the board."""
    for one in orders:
        REROUTE_BOARD.fold(floor.views["reroutes"], one.key, one)


def placing_floor(*orders: RerouteOrder) -> Floor:
    """Placement, with somebody present in north and south."""
    floor = Floor(placement(), "item-1", boards(PEOPLE, [load("north", ["ann", "bob"]), load("south", ["cai"], 9_000)]))
    put(floor, *orders)
    return floor


def north_desk(*work: WorkOrder) -> Floor:
    """The desk of north with this work queued and nobody signed on."""
    floor = Floor(desk(), "north", boards(PEOPLE))
    for one in work:
        floor.send(placed(one))
    return floor


def placed(work: WorkOrder, placing: int = 1) -> WorkPlaced:
    """Placement sends the work to north."""
    return WorkPlaced(
        team_id="north", placing=placing, attempt=0, order=work, placed_at=NOW, considered=(), draw_seed=1
    )


def command(floor: Floor, form: type[Any], who: str, **fields: Any) -> Sequence[Message]:
    """Somebody at north commands."""
    common = {"command_id": f"c{len(floor.facts)}", "team_id": "north", "operator_id": who, "issued_at": floor.now}
    return floor.send(form(**common, **fields))


# ------------------------------------------------------------------- placement


@pytest.mark.parametrize("effect", ["drain", "evacuate", "recall"])
def test_no_new_work_is_placed_in_a_held_scope(effect: Effect) -> None:
    """South is chosen though it is fuller; the snapshot names the order that removed north."""
    fact = only(placing_floor(reroute(effect)).send(WorkRequested(order=order())), WorkPlaced)
    assert fact.team_id == "south"
    north = next(candidate for candidate in fact.considered if candidate.team_id == "north")
    assert (north.removed_by, north.reroute_id) == ("rerouted", "r1")


def test_work_with_no_team_left_waits_visibly_and_goes_on_when_the_order_is_over() -> None:
    """By its own clock, with nothing else alive: the next try finds the order at its end."""
    floor = placing_floor(reroute("drain", work_types=("transfer/entry",)))
    fact = only(floor.send(WorkRequested(order=order())), WorkUnplaceable)
    assert fact.reason == "rerouted"
    assert fact.next_try_at is not None
    assert "WorkPlaced" not in kinds(floor.wait(600))
    assert "WorkPlaced" in kinds(floor.wait(400))


@pytest.mark.long
def test_a_shift_takes_its_share_of_the_items() -> None:
    """Of four hundred items about a quarter stay away, the same ones tonight."""
    away = {n for n in range(400) if _removed(f"item-{n}")}
    assert 70 <= len(away) <= 130
    assert away == {n for n in range(400) if _removed(f"item-{n}")}


def _removed(item_id: str) -> bool:
    floor = placing_floor(reroute("shift", percent=25))
    fact = only(floor.send(WorkRequested(order=order(item_id))), WorkPlaced)
    return any(candidate.removed_by == "rerouted" for candidate in fact.considered)


def test_a_scope_is_an_intersection() -> None:
    """Another business type at the same centre is not touched."""
    floor = placing_floor(reroute("drain", centres=("n",), business_types=("payroll",)))
    assert only(floor.send(WorkRequested(order=order())), WorkPlaced).team_id == "north"


# ------------------------------------------------------------------------ desk


def test_an_evacuated_desk_lets_its_queue_go_most_urgent_first() -> None:
    """In the order of latest start; each item says by which reroute it left."""
    floor = north_desk(order("late", due_seconds=3600), order("soon", due_seconds=300), order("mid", due_seconds=900))
    put(floor, reroute("evacuate"))
    facts = floor.fire("boards")
    released = [fact for fact in facts if isinstance(fact, WorkReleased)]
    assert [fact.work_item_id for fact in released] == ["soon", "mid", "late"]
    assert {fact.reroute_id for fact in released} == {"r1"}
    assert floor.state.heed.moved_by_reroute == {"r1": 3}
    assert floor.state.items == {}


SECOND = timedelta(seconds=1)  # the interval in which a desk tells its load


def left(facts: Iterable[Message]) -> int:
    """How many items left."""
    return sum(isinstance(fact, WorkReleased) for fact in facts)


def test_a_long_queue_leaves_in_chunks_that_grow_while_the_floor_keeps_up() -> None:
    """A bounded number at once; the desk wakes itself for the next, and is done when nothing is left."""
    floor = north_desk(*(order(f"item-{n}") for n in range(2 * MOVED_FIRST + MOVED_STEP + 5)))
    put(floor, reroute("evacuate"))
    assert left(floor.fire("boards")) == MOVED_FIRST
    assert floor.processor.alarms(floor.state)["reroutes"].at == floor.now + SECOND * PACE
    floor.now += SECOND * PACE
    assert left(floor.fire("reroutes")) == MOVED_FIRST + MOVED_STEP
    floor.now += SECOND * PACE
    last = floor.fire("reroutes")
    assert left(last) == 5
    assert only(last, ReroutesHeeded).next_at is None
    assert "reroutes" not in floor.processor.alarms(floor.state)


def test_chunks_shrink_when_their_turn_comes_late_and_never_to_nothing() -> None:
    """Whoever places what leaves also places what is new: a busy floor gets half as much, an idle one more again."""
    floor = north_desk(*(order(f"item-{n:05}") for n in range(3 * MOVED_MAX)))
    put(floor, reroute("evacuate"))
    floor.fire("boards")
    chunks = []
    for late in (False, True, True, True, False):
        floor.now += SECOND * (PACE + (2 * LATE if late else LATE / 2))
        chunks.append(left(floor.fire("reroutes")))
    grown = MOVED_FIRST + MOVED_STEP
    assert chunks == [grown, grown // 2, MOVED_MIN, MOVED_MIN, MOVED_MIN + MOVED_STEP]


def test_between_two_chunks_a_desk_lets_nothing_more_go() -> None:
    """A board that changes, or the load that is told, does not hurry it; what is in hand is recalled all the same."""
    floor = north_desk(*(order(f"item-{n:05}") for n in range(2 * MOVED_FIRST)))
    put(floor, reroute("evacuate"))
    floor.fire("boards")
    floor.now += SECOND * PACE / 2
    assert left(floor.fire("boards")) == 0
    assert left(floor.fire("reroutes")) == 0
    floor.now += SECOND * PACE / 2
    assert left(floor.fire("reroutes")) == MOVED_FIRST


def test_a_drained_desk_works_its_queue_off_and_takes_nothing_new() -> None:
    """What was there is dealt out; what placement sends late goes straight back, and counts as moved."""
    floor = north_desk(order("old"))
    put(floor, reroute("drain"))
    floor.fire("boards")
    assert only(command(floor, SignOn, "ann"), WorkAssigned).work_item_id == "old"
    back = floor.send(placed(order("new")))
    assert kinds(back) == ["WorkQueued", "WorkReleased", "ReroutesHeeded"]
    floor.send(placed(order("newer")))
    assert floor.state.heed.moved_by_reroute == {only(back, WorkReleased).reroute_id: 2}


def test_nothing_of_an_evacuated_queue_is_dealt_out_any_more() -> None:
    """Even before its chunk has left: the order is on the board, so nobody there gets the item."""
    floor = north_desk(order())
    put(floor, reroute("evacuate"))
    assert "WorkAssigned" not in kinds(command(floor, SignOn, "ann"))


def test_an_evacuation_leaves_work_in_hand_and_its_result_counts() -> None:
    """Who has begun finishes."""
    floor = north_desk(order())
    command(floor, SignOn, "ann")
    command(floor, AcceptAssignment, "ann", work_item_id="item-1", attempt=1)
    put(floor, reroute("evacuate"))
    assert "AssignmentRevoked" not in kinds(floor.fire("boards"))
    done = {"work_item_id": "item-1", "attempt": 1, "outcome": KeyedValue(value="7"), "handle_seconds": 5}
    assert "WorkCompleted" in kinds(command(floor, CompleteAssignment, "ann", **done))


def test_a_recall_takes_back_what_is_in_hand() -> None:
    """The assignment is revoked, the item leaves, a result that comes later is refused."""
    floor = north_desk(order())
    command(floor, SignOn, "ann")
    put(floor, reroute("recall"))
    facts = floor.fire("boards")
    assert only(facts, AssignmentRevoked).reroute_id == "r1"
    assert only(facts, WorkReleased).attempt == 1
    done = {"work_item_id": "item-1", "attempt": 1, "outcome": KeyedValue(value="7"), "handle_seconds": 5}
    assert "WorkCompleted" not in kinds(command(floor, CompleteAssignment, "ann", **done))


def test_an_order_ends_by_the_desks_own_clock() -> None:
    """No fact, no service: after its end and its ramp the desk deals as before."""
    floor = north_desk()
    put(floor, reroute("evacuate"))
    floor.now = NOW + timedelta(minutes=14)
    floor.send(placed(order("after")))
    assert only(command(floor, SignOn, "ann"), WorkAssigned).work_item_id == "after"


@pytest.mark.parametrize("effect", ["drain", "evacuate", "recall"])
def test_facts_and_rows_give_the_same_desk(effect: Effect) -> None:
    """Replay and reload after an order was obeyed."""
    floor = north_desk(*(order(f"item-{n}") for n in range(5)))
    command(floor, SignOn, "ann")
    put(floor, reroute(effect))
    floor.fire("boards")
    floor.wait(5)
    assert floor.replayed().contents() == floor.state.contents() == floor.reloaded().contents()


# ------------------------------------------------------------------ precedence


def test_the_stronger_order_applies_and_the_others_are_explained() -> None:
    """Recall before evacuate before drain before shift; every order that was passed over has its sentence."""
    orders = [
        reroute("shift", "a", percent=50),
        reroute("drain", "b"),
        reroute("recall", "c"),
        reroute("evacuate", "d"),
    ]
    floor = placing_floor(*orders)
    north = floor.views["reference"].teams["north"]
    found = at_point(floor.views["reroutes"], north, order(), {}, NOW)
    assert found.applied is not None
    assert found.applied.reroute_id == "c"
    assert {name for name, _ in found.passed_over} <= {"a", "b", "d"}
    assert ("b", "c applies: recall goes before drain of b") in found.passed_over


def test_a_real_order_goes_before_a_drill() -> None:
    """Even a weaker one."""
    floor = placing_floor(reroute("evacuate", "a", drill=True), reroute("drain", "b"))
    found = at_point(floor.views["reroutes"], floor.views["reference"].teams["north"], order(), {}, NOW)
    assert found.applied is not None
    assert found.applied.reroute_id == "b"


def test_of_equal_effects_the_larger_share_applies_then_the_later_start_then_the_id() -> None:
    """Each rung of the precedence decides where those before it say nothing, in whatever order the two come."""
    later = {"started_at": NOW + timedelta(minutes=1)}
    ladder = [
        reroute("shift", "z", percent=20).model_copy(update=later),
        reroute("shift", "a", percent=30),
        reroute("shift", "b", percent=30),
        reroute("shift", "a2", percent=30).model_copy(update=later),
    ]
    for weaker, stronger in pairwise(ladder):
        for pair in ((weaker, stronger), (stronger, weaker)):
            assert resolve(pair).applied == stronger


@pytest.mark.parametrize(("minute", "held"), [(0, 100), (9.9, 100), (10, 75), (11.5, 50), (12, 25), (13, 0), (99, 0)])
def test_the_ramp_follows_the_clock(minute: float, held: int) -> None:
    """Three quarters, half, a quarter, nothing, a minute each, from the order's own end."""
    assert held_percent(reroute("drain"), NOW + timedelta(minutes=minute)) == held


def test_an_older_version_of_an_order_changes_nothing() -> None:
    """A slow former owner may write it again."""
    floor = placing_floor(reroute("drain"))
    over = reroute("drain").model_copy(update={"phase": "cancelled", "version": 3})
    put(floor, over)
    assert floor.views["reroutes"].acting == {}
    put(floor, reroute("drain"))
    assert floor.views["reroutes"].acting == {}


def test_a_local_order_sends_new_submissions_of_its_kind_back_to_the_branch() -> None:
    """By business type and region; another type and another region are taken in, and all of them afterwards."""
    view = REROUTE_BOARD.empty()
    one = reroute("local", business_types=("transfer",), regions=("east",))
    REROUTE_BOARD.fold(view, one.key, one)
    east, west = (Branch(id=name, label=name, public_key="local", region=name) for name in ("east", "west"))
    assert sent_back(view, "s1", "transfer", east, NOW) == one
    assert sent_back(view, "s1", "payroll", east, NOW) is None
    assert sent_back(view, "s1", "transfer", west, NOW) is None
    assert sent_back(view, "s1", "transfer", east, NOW + timedelta(minutes=13)) is None


@pytest.mark.parametrize(
    "one",
    [
        reroute("evacuate"),
        reroute("shift", percent=50),
        reroute("drain", regions=("coast",)),
        reroute("drain", data_classes=("secret",)),
        reroute("drain", work_types=("transfer/review",)),
    ],
    ids=lambda one: f"{one.terms.effect}-{one.terms.percent}",
)
def test_a_batch_obeys_as_each_order_alone_would(one: RerouteOrder) -> None:
    """What a batch remembers of a choice is never handed to an order that a reroute tells apart."""
    floor = placing_floor(one)
    for name, region in (("branch-2", "coast"), ("branch-3", "inland")):
        branch = Branch(id=name, label=name, public_key="local", region=region)
        REFERENCE_BOARD.fold(floor.views["reference"], branch.key, branch)
    shared = Sight.of(floor.views, NOW, BatchSight())
    for number in range(40):
        work = order(
            f"item-{number}", branch_id=f"branch-{2 + number % 2}", data_class=("internal", "secret")[number // 20]
        )
        avoid = "north" if number % 3 else None
        alone = Sight.of(floor.views, NOW, BatchSight())
        assert choose(work, 1, avoid, shared) == choose(work, 1, avoid, alone)
