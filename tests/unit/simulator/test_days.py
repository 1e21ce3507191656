"""Days and policies: what is kept whatever the way of dealing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache, partial

import pytest

from services.routing.simulator.bank import ARBITRATION_SECONDS, PROFILES, bank_day
from services.routing.simulator.bound import on_time_bound
from services.routing.simulator.changes import (
    people_added,
    standard_set,
    team_closed,
    vendor_share_set,
)
from services.routing.simulator.day import Case, Day, Person, Task
from services.routing.simulator.figures import figures_of
from services.routing.simulator.floor import PATIENCE, Dealing, Floor, Played
from services.routing.simulator.line import CustomerClass
from services.routing.simulator.opening import day_from
from services.routing.simulator.plain import BEGINS_AT, Kind, plain_day
from services.routing.simulator.policies import POLICIES, KnownDealing
from services.routing.simulator.real import RealDealing
from shared.contracts.reference import Operator
from shared.contracts.routing import LoadByWorkType, LoadSnapshot
from shared.reference.board import ReferenceView

HOUR = 3600.0
WAYS: dict[str, Callable[[], Dealing]] = {
    **{name: partial(KnownDealing, policy) for name, policy in POLICIES.items()},
    "ours without plan": partial(RealDealing, loads_a_plan=None),
    "ours": RealDealing,
}
OURS = pytest.param("ours", marks=pytest.mark.long)


def morning(load: float = 0.9) -> Day:
    """The first hour's cases of a small centre."""
    day = bank_day(PROFILES["small-centre"], load, 3)
    return replace(day, cases=tuple(case for case in day.cases if case.arrives < 9.25 * HOUR))


@cache
def played_morning(way: str, load: float = 0.9) -> Played:
    """The morning as a way of dealing lets it happen; played once for all who only look at it."""
    return Floor(morning(load), WAYS[way]()).play()


def course(played: Played) -> list[tuple[str, float | None, str | None]]:
    """Who did what until when."""
    return [(item.order.work_item_id, item.ended, item.operator_id) for item in played.items]


@pytest.mark.parametrize("way", [*POLICIES, OURS])
def test_every_way_of_dealing_keeps_the_rules_and_loses_nothing(way: str) -> None:
    """Every case ends; nobody has two roles on a case; nobody does what they are not qualified for or a vendor may not."""
    played = played_morning(way)
    operators = {one.id: one for one in played.day.reference if isinstance(one, Operator)}
    assert all(case.ended is not None for case in played.cases)
    for item in played.items:
        assert item.operator_id is not None
        doer = operators[item.operator_id]
        assert item.order.work_type in doer.work_types
        assert not (item.order.in_house_only and doer.team_id == "clearkey-one")
    for case in played.cases:
        roles = {(item.operator_id, item.order.role) for item in case.items}
        assert len(roles) == len({operator_id for operator_id, _ in roles})


@pytest.mark.parametrize("way", [OURS, "FIFO, random team"])
def test_the_same_seed_gives_the_same_day(way: str) -> None:
    """To the last digit."""
    assert course(Floor(morning(), WAYS[way]()).play()) == course(played_morning(way))


@pytest.mark.long
def test_all_policies_meet_the_same_day() -> None:
    """The size of a task and the pace of a person hang on nothing that a policy decides."""
    ours, known = (played_morning(way) for way in ("ours", "round robin"))
    sizes = [{item.order.work_item_id: item.task.size for item in played.items} for played in (ours, known)]
    both = sizes[0].keys() & sizes[1].keys()
    assert len(both) > 200
    assert all(sizes[0][one] == sizes[1][one] for one in both)


@cache
def rushed(load: float) -> Day:
    """The morning with a tenth of the time for each case."""
    day = morning(load)
    return replace(
        day, cases=tuple(replace(case, due=case.arrives + (case.due - case.arrives) / 10) for case in day.cases)
    )


@cache
def bound_of(day: Callable[[float], Day], load: float) -> float:
    return on_time_bound(day(load))


@pytest.mark.parametrize(("day", "load"), [(morning, 0.9), (rushed, 1.5)])
@pytest.mark.parametrize("way", list(WAYS))
@pytest.mark.long
def test_no_policy_passes_the_clairvoyant_bound(way: str, day: Callable[[float], Day], load: float) -> None:
    """Where all could be on time, and where not all can be."""
    bound = bound_of(day, load)
    assert bound < 1.0 if day is rushed else bound <= 1.0 + 1e-9
    played = played_morning(way, load) if day is morning else Floor(day(load), WAYS[way]()).play()
    assert figures_of(played)["on_time"] <= bound + 1e-9


def test_the_bound_is_what_can_be_reckoned_by_hand() -> None:
    """One person, ten minutes for four tasks of 200 s that are due then: three of them, not four."""
    task = Task("entry-1", "entry", 200.0)
    cases = tuple(Case(str(n), "a", 0.0, 600.0, ((task,),)) for n in range(4))
    day = replace(_one_person(), cases=cases)
    assert on_time_bound(day) == pytest.approx(3 / 4)


def test_the_bound_lets_a_task_in_hand_outlast_the_shift() -> None:
    """A shift of 100 s, two tasks of 60 s: the second is begun before the end and finished after it, in time."""
    task = Task("entry-1", "entry", 60.0)
    cases = tuple(Case(str(n), "a", arrives, 200.0, ((task,),)) for n, arrives in enumerate((0.0, 31.0)))
    day = replace(_one_person(until=100.0), cases=cases)
    assert on_time_bound(day) == pytest.approx(1.0)


def test_the_bound_knows_that_one_person_at_a_time_does_one_stage_after_the_other() -> None:
    """Two people, two stages of 200 s, due after 300 s: together they have the time, and the case is late all the same."""
    stages = tuple((Task(f"role-{n}", "entry", 200.0),) for n in range(2))
    two = replace(_one_person(), people={f"person-{n:03}": Person(f"person-{n:03}", ((0.0, 1e6),)) for n in range(2)})
    for due, share in ((300.0, 0.0), (400.0, 1.0)):
        assert on_time_bound(replace(two, cases=(Case("1", "a", 0.0, due, stages),))) == pytest.approx(share)


def test_the_bound_gives_a_stage_no_time_that_the_others_need() -> None:
    """Two cases due after 1,200 s whose second stages take a thousand each: one person has time for one of them."""
    stages = ((Task("role-1", "entry", 100.0),), (Task("role-2", "entry", 1000.0),))
    day = replace(_one_person(), cases=tuple(Case(str(n), "a", 0.0, 1200.0, stages) for n in range(2)))
    assert on_time_bound(day) < 0.6


def _one_person(until: float = 1e6) -> Day:
    day = plain_day([Kind("a", CustomerClass(1.0, 1.0))], 1, 1, 1)
    return replace(day, people={"person-000": Person("person-000", ((0.0, until),))})


def test_what_vendors_did_is_a_share_of_all_items() -> None:
    """Each item counts once, whoever keyed it; where their crew is closed it is nothing."""
    day = bank_day(PROFILES["small-centre"], 0.3, 3)
    played = Floor(day, RealDealing(loads_a_plan=None)).play()
    theirs = [item for item in played.items if (item.operator_id or "").startswith("clearkey-one")]
    assert figures_of(played)["outside_share"] == pytest.approx(len(theirs) / len(played.items))
    assert theirs
    closed = Floor(team_closed("clearkey-one")(day), RealDealing(loads_a_plan=None)).play()
    assert figures_of(closed)["outside_share"] == 0.0


def test_cases_left_over_count_as_late() -> None:
    """Nobody comes: nothing is on time."""
    day = replace(morning(), people={})
    figures = figures_of(Floor(day, KnownDealing(POLICIES["round robin"])).play())
    assert figures["on_time"] == 0.0
    assert figures["left_over"] == len(day.cases)
    assert figures["utilisation"] == 0.0


@pytest.mark.parametrize("way", ["ours", "ours without plan"])
def test_a_day_that_nobody_there_can_finish_ends(way: str) -> None:
    """Two keyings of a case and one person: the second is asked for again and again, but not for ever."""
    keyings = tuple(Task(role, "entry", 60.0) for role in ("entry-1", "entry-2"))
    day = replace(_one_person(until=float("inf")), cases=(Case("1", "a", 0.0, 600.0, (keyings,)),))
    floor = Floor(day, WAYS[way]())
    played = floor.play(until=day.closes + 10 * HOUR)
    assert [item.ended is None for item in played.items] == [False, True]
    assert floor.agenda.now < max(day.closes, 60.0) + PATIENCE + HOUR
    assert figures_of(played)["left_over"] == 1.0
    assert figures_of(played)["on_time"] == 0.0


@pytest.mark.parametrize("way", ["ours", "round robin"])
def test_whoever_comes_long_after_closing_still_finds_what_waits(way: str) -> None:
    """No day ends while somebody is still to come."""
    day = _one_person()
    late = day.closes + 10 * PATIENCE
    person = Person("person-000", ((late, float("inf")),))
    case = Case("1", "a", 0.0, 600.0, ((Task("entry-1", "entry", 60.0),),))
    played = Floor(replace(day, people={"person-000": person}, cases=(case,)), WAYS[way]()).play()
    assert [item.began for item in played.items] == [pytest.approx(late, abs=60.0)]
    assert figures_of(played)["left_over"] == 0.0


def test_changes_change_one_thing() -> None:
    """A closed team has nobody, added people come, a longer standard takes longer, vendors are shut out."""
    day = morning()
    closed = team_closed("south-entry")(day)
    assert not [name for name in closed.people if name.startswith("south-entry")]
    assert closed.cases == day.cases
    assert len(people_added("north-entry", 5)(day).people) == len(day.people) + 5
    longer = standard_set("cheque-deposit/entry", 60.0)(day)
    seconds = {
        task.standard_seconds
        for case in longer.cases
        if case.business_type == "cheque-deposit"
        for task in case.stages[0]
    }
    assert seconds == {60.0}
    shut = vendor_share_set(0.0)(day)
    assert all(task.in_house_only for case in shut.cases for stage in case.stages for task in stage)


def test_a_preview_begins_with_the_floor_as_it_is() -> None:
    """What waits is done by those present, the overdue counts as late, and twice is the same."""
    reference = ReferenceView()
    for entry in morning().reference:
        reference.fold(entry.key, entry)
    now = datetime(2026, 3, 2, 3, 0, tzinfo=UTC)
    queued = LoadByWorkType(
        work_type="cheque-deposit/entry",
        queued=40,
        standard_seconds=1200.0,
        oldest_requested_at=now - timedelta(hours=1),
    )
    team = [one.id for one in reference.operators.values() if one.team_id == "north-entry"]
    load = LoadSnapshot(
        team_id="north-entry", at=now, version=1, queued=(queued,), in_hand=2, present=tuple(sorted(team))
    )
    day = day_from(reference, {"north-entry": load}, {"cheque-deposit/entry": 0.02}, now, 1800.0)
    played = Floor(day, RealDealing()).play()
    assert day.begins_at == now
    assert len([case for case in day.cases if case.waits_at == "north-entry"]) == 40
    assert all(case.ended is not None for case in played.cases)
    assert 0.0 < figures_of(played)["on_time"] < 1.0
    assert course(played) == course(Floor(day, RealDealing()).play())


def test_the_clock_of_a_day_is_the_bank_s() -> None:
    """Virtual seconds become instants of the floor."""
    day = _one_person()
    assert Floor(day, RealDealing()).at(60.0) == BEGINS_AT + timedelta(minutes=1)


@pytest.mark.long
def test_another_standard_for_arbitration_reaches_the_cases_that_come_to_it() -> None:
    """It is no stage of a case but comes in when keyings differ: the day takes longer, other types keep their own."""
    day = morning()
    slow = standard_set("corporate-transfer/arbitration", 4000.0)(day)
    standards = {
        (case.business_type, case.arbitration.standard_seconds) for case in slow.cases if case.arbitration is not None
    }
    assert {seconds for name, seconds in standards if name == "corporate-transfer"} == {4000.0}
    assert {seconds for name, seconds in standards if name != "corporate-transfer"} == {ARBITRATION_SECONDS}
    taken = [
        sum(played.busy_seconds.values()) for played in (played_morning("ours"), Floor(slow, RealDealing()).play())
    ]
    assert taken[1] > taken[0] + 4000.0
