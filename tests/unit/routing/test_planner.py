"""The plan of a small floor, the memory between plans, and the rules that its Faust application keeps."""

from __future__ import annotations

import ast
import asyncio
import inspect
import math
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.routing.balancer import app as balancer_app
from services.routing.balancer.arrivals import Arrivals
from services.routing.balancer.balance import Balance
from services.routing.balancer.planner import FloorNow, make_plan
from services.routing.boards import ARRIVALS_BOARD, LOAD_BOARD, PLAN_BOARD, PlanView, fold_plan
from services.routing.kinds import Kind
from shared.contracts.audit import WorkCancelled, WorkRequested
from shared.contracts.message import Message
from shared.contracts.reference import Centre, Provider
from shared.contracts.routing import (
    CapacityByWorkType,
    ExpectedCapacity,
    LoadByWorkType,
    LoadSnapshot,
    PlanMade,
    TeamShare,
)
from shared.reference.board import REFERENCE_BOARD
from shared.runtime.headers import outside_headers
from shared.runtime.log import Record
from tests.unit.routing.floor import ENTRY, NOW, boards, load, order, rates_told
from tests.unit.routing.test_choice import CHEQUE, template

ANY, HOUSE = Kind(ENTRY), Kind(ENTRY, in_house_only=True)
ROOT = Path(__file__).parents[3]


def desk(
    team_id: str, people: int, waiting_seconds: float = 0.0, expected: float | None = None, work_type: str = ENTRY
) -> LoadSnapshot:
    """A desk's load: so many people who take a minute per entry, and what waits."""
    queued = LoadByWorkType(work_type=work_type, queued=1, standard_seconds=waiting_seconds, oldest_requested_at=None)
    snapshot = load(team_id, [f"{team_id}-{n}" for n in range(people)]).model_copy(
        update={
            "queued": (queued,),
            "capacity": (CapacityByWorkType(work_type=work_type, present=people, learned_seconds=60.0),),
        }
    )
    if expected is None:
        return snapshot
    coming = ExpectedCapacity(work_type=work_type, people_by_hour=(expected,) * 4, learned_seconds=60.0)
    return snapshot.model_copy(update={"expected": (coming,), "expected_people_by_hour": (expected,) * 4})


def views(*loads: LoadSnapshot) -> dict[str, Any]:
    """The boards that the balancer reads."""
    return boards(loads=loads) | {ARRIVALS_BOARD.name: ARRIVALS_BOARD.empty()}


PLACE = ("audit.work.v1", 0)


def arrivals(**per_hour: float) -> Arrivals:
    """What is known of entry work: any=…, house=…"""
    known = Arrivals(NOW)
    known.resume(rates_told({{"any": ANY, "house": HOUSE}[name]: rate for name, rate in per_hour.items()}, NOW))
    return known


def planned(boards_now: dict[str, Any], known: Arrivals, last: PlanView | None = None) -> PlanMade:
    return make_plan(FloorNow.of(boards_now, NOW), known, last or PlanView(), "balancer-1", 1.0)


def shares(plan: PlanMade, kind: Kind) -> dict[str, float]:
    (part,) = (part for part in plan.work if Kind.told(part) == kind)
    return {one.team_id: one.share for one in part.shares}


def test_work_is_shared_by_people_and_by_what_they_have() -> None:
    """North has twice south's people and half an hour of work for each: both end the hour equally full."""
    plan = planned(views(desk("north", 2, waiting_seconds=3600), desk("south", 1)), arrivals(any=60))
    assert shares(plan, ANY)["south"] == pytest.approx(2 / 3, abs=0.02)
    assert {team.team_id: team.saturation for team in plan.teams} == pytest.approx(
        {"north": 2 / 3, "south": 2 / 3}, abs=0.02
    )


def test_a_lunch_that_is_planned_counts_before_it_begins() -> None:
    """Four are at north's desks, one is expected in the mean of the coming hour: it gets a fifth, not a half."""
    plan = planned(views(desk("north", 4, expected=1.0), desk("south", 4, expected=4.0)), arrivals(any=60))
    assert shares(plan, ANY) == pytest.approx({"north": 0.2, "south": 0.8}, abs=0.02)


def test_what_is_kept_in_the_house_is_planned_apart() -> None:
    """The vendor takes what it may, so that the bank's own people are free for what it may not."""
    plan = planned(views(desk("north", 1), desk("vendor", 1)), arrivals(any=30, house=30))
    assert shares(plan, HOUSE) == {"north": 1.0}
    assert shares(plan, ANY) == pytest.approx({"vendor": 1.0}, abs=0.03)


def test_a_contract_is_kept_and_a_broken_bound_is_named() -> None:
    """The vendor was promised three fifths of all work, of which half is kept in the house: a tenth is missing."""
    floor = views(desk("north", 3), desk("vendor", 1))
    promise = Provider(id="keyers", label="Keyers", outside=True, data_classes=("internal",), share_minimum=0.6)
    REFERENCE_BOARD.fold(floor["reference"], promise.key, promise)
    plan = planned(floor, arrivals(any=30, house=30))
    (broken,) = plan.relaxed
    assert (broken.reason, broken.name) == ("provider_minimum", "keyers")
    assert broken.by == pytest.approx(0.1, abs=0.0011)  # within 1 % of the least that it can give way by
    (limit,) = plan.limits
    assert (limit.limit, limit.name, limit.bound) == ("provider_minimum", "keyers", 0.6)
    assert limit.planned == pytest.approx(0.6 - broken.by, abs=0.001)
    assert shares(plan, ANY)["vendor"] == pytest.approx(1.0, abs=0.03)


def test_a_centre_that_goes_to_lunch_leaves_the_other_more_than_its_maximum() -> None:
    """A running plan within both centres' maximum of 0.6: south closes, north's bound gives way and is named each time."""
    floor = views(desk("north", 2), desk("south", 2))
    for centre_id in ("n", "s"):
        centre = Centre(id=centre_id, label=centre_id, city="-", share_maximum=0.6)
        REFERENCE_BOARD.fold(floor["reference"], centre.key, centre)
    balance = Balance(floor, "balancer-1", NOW)
    for n in range(60):
        balance.hear(asked(n))
    for seconds, lunch, expected in ((60, False, []), (61, True, ["n"]), (62, True, ["n"]), (300, False, [])):
        floor["load"]["south"] = desk("south", 0 if lunch else 2)
        plan = balance.plan(NOW + timedelta(seconds=seconds), 1.0)
        assert plan is not None
        PLAN_BOARD.fold(floor["plan"], plan.key, plan)
        assert [one.name for one in plan.relaxed] == expected
        assert all(one.reason == "centre_maximum" and one.by == pytest.approx(0.4) for one in plan.relaxed)
        (part,) = plan.work
        north = next(one.share for one in part.shares if one.team_id == "north")
        assert north == pytest.approx(1.0 if lunch else 0.5, abs=0.11)


def test_a_plan_is_of_the_loads_that_were_told_last() -> None:
    """What was worked out of a desk's load goes with it: the next plan is what a balancer makes that never saw the old one."""
    floor, known = views(desk("north", 5), desk("south", 5)), arrivals(any=120)
    before = planned(floor, known)
    fewer = desk("north", 2, waiting_seconds=600).model_copy(update={"version": 2})
    LOAD_BOARD.fold(floor[LOAD_BOARD.name], fewer.key, fewer)
    now = planned(floor, known)
    assert now == planned(views(fewer, desk("south", 5)), known)
    assert shares(now, ANY).get("north", 0.0) < shares(before, ANY)["north"]


def test_what_hurts_is_told_in_words() -> None:
    """More work than people: another operator is worth minutes of lateness, and the team is called by its name."""
    plan = planned(views(desk("north", 1)), arrivals(any=120))
    assert plan.reliefs[0].words.startswith("another operator for any work at North would save up to ")
    assert plan.saturation == pytest.approx(2.0, abs=0.02)


def test_lateness_is_told_in_minutes_whatever_a_minute_costs() -> None:
    """Dearer lateness is weighed more, and is no longer."""
    told = set()
    for points in (1.0, 20.0):
        floor = views(desk("north", 1))
        REFERENCE_BOARD.fold(floor["reference"], (entry := template("transfer", late_per_minute=points)).key, entry)
        known = Arrivals(NOW)
        known.resume(rates_told({ANY: 120.0}, NOW))
        told.add(planned(floor, known).lateness_minutes)
    assert len(told) == 1
    assert told.pop() > 100


def test_what_hurts_most_is_told_first_by_the_points_that_its_words_name() -> None:
    """North's few minutes are dear, South's many are cheap: the words say what the order goes by."""
    floor = views(desk("north", 1), desk("south", 1, work_type=CHEQUE))
    for entry in (template("transfer", late_per_minute=20.0), template("cheque", late_per_minute=1.0)):
        REFERENCE_BOARD.fold(floor["reference"], entry.key, entry)
    known = Arrivals(NOW)
    known.resume(rates_told({ANY: 70.0, Kind(CHEQUE): 240.0}, NOW))
    for kind in (ANY, Kind(CHEQUE)):
        known.heard(kind, NOW, 0.0)  # due at once
    reliefs = planned(floor, known).reliefs
    first, last = reliefs[0], reliefs[-1]
    assert (first.team_id, last.team_id) == ("north", "south")
    assert first.saves_minutes < last.saves_minutes
    minutes, points = f"{first.saves_minutes:,.0f}", f"{20 * first.saves_minutes:,.0f}"
    assert first.words.endswith(
        f" at North would save up to {minutes} minutes of lateness this hour, {points} points by their cost"
    )
    told = [float(relief.words.split()[-5].replace(",", "")) for relief in reliefs]
    assert told == sorted(told, reverse=True)


@pytest.mark.parametrize(("people", "per_hour", "waiting_seconds"), [(1, 120, 0), (5, 400, 7200), (3, 3600, 0)])
def test_the_minutes_that_are_told_are_those_that_the_plan_with_that_person_saves(
    people: int, per_hour: float, waiting_seconds: float
) -> None:
    """Just full, late by what waits, hopeless: never more than there is to save."""
    plan, with_one = (
        planned(views(desk("north", n, waiting_seconds), desk("south", people)), arrivals(any=per_hour))
        for n in (people, people + 1)
    )
    saves = next(relief.saves_minutes for relief in plan.reliefs if relief.team_id == "north")
    assert saves == pytest.approx(plan.lateness_minutes - with_one.lateness_minutes, rel=0.01, abs=0.2)
    assert saves <= plan.lateness_minutes


def test_a_plan_is_good_for_many_intervals_however_fast_the_clock_runs() -> None:
    """Ten minutes at a real clock's pace; sixty intervals where an interval is many minutes."""
    floor, known = views(desk("north", 1)), arrivals(any=10)
    slow = make_plan(FloorNow.of(floor, NOW), known, PlanView(), "b", 1.0)
    fast = make_plan(FloorNow.of(floor, NOW), known, PlanView(), "b", 200.0)
    assert slow.good_until - NOW == timedelta(minutes=10)
    assert fast.good_until - NOW == timedelta(seconds=12_000)


# ------------------------------------------------------------- between plans


def record(message: Message | None, value: bytes | None = None, kind: bytes | None = None, offset: int = 0) -> Record:
    """A record as the bus holds it."""
    headers = () if message is None else outside_headers(message, "/test", "event-1", NOW)
    if kind is not None:
        headers = (("ce_type", kind),)
    body = value if message is None else message.model_dump_json().encode()
    return Record("audit.work.v1", 0, offset, b"key", body, headers, 0)


def asked(n: int) -> Record:
    return record(WorkRequested(order=order(f"item-{n}", requested_at=NOW + timedelta(seconds=n))), offset=n)


def test_a_killed_balancer_comes_back_with_the_same_plan() -> None:
    """What a new process makes of the boards, one of them the last plan, is what the old one made."""
    floor = views(desk("north", 2), desk("south", 1))
    first = Balance(floor, "balancer-1", NOW)
    for n in range(600):
        first.hear(asked(n))
    now = NOW + timedelta(seconds=600)
    made = first.plan(now, 1.0)
    assert made is not None
    PLAN_BOARD.fold(floor["plan"], made.key, made)
    second = Balance(floor, "balancer-2", now)
    second.resume(now)
    again = second.plan(now + timedelta(seconds=1), 1.0)
    assert again is not None
    assert [(p.work_type, dict(shares(again, Kind.told(p)))) for p in again.work] == [
        (p.work_type, dict(shares(made, Kind.told(p)))) for p in made.work
    ]
    assert again.work[0].recent_per_hour == pytest.approx(made.work[0].recent_per_hour, rel=0.01)


@pytest.mark.parametrize(
    "silent", [timedelta(seconds=2), timedelta(minutes=8), timedelta(hours=12), timedelta(days=60)]
)
def test_a_balancer_that_comes_back_expects_what_one_that_lived_on_would(silent: timedelta) -> None:
    """Nothing came meanwhile: after hours nothing is expected, and nobody is called for to help with it."""
    floor = views(desk("north", 2), desk("south", 2))
    living = Balance(floor, "balancer-1", NOW)
    for n in range(0, 7200, 4):
        living.hear(asked(n))
    now = NOW + timedelta(seconds=7200)
    made = living.plan(now, 1.0)
    assert made is not None
    PLAN_BOARD.fold(floor["plan"], made.key, made)
    now += silent
    back = Balance(floor, "balancer-2", now)
    back.resume(now)
    back.begin({PLACE: asked(7196).next_offset})
    one, other = living.plan(now, 1.0), back.plan(now, 1.0)
    assert one is not None
    assert other is not None
    assert other.work[0].recent_per_hour == pytest.approx(one.work[0].recent_per_hour, rel=0.01, abs=0.1)
    assert other.saturation == pytest.approx(one.saturation, abs=0.01)
    assert bool(other.reliefs) == bool(one.reliefs) == (silent < timedelta(hours=1))


@pytest.mark.parametrize("watched", [20, 90, 600, 7200])
def test_what_came_while_no_balancer_lived_counts_as_if_one_had(watched: int) -> None:
    """A rush comes while the first is dead: the next, which hears it from where the plan ends, expects what a living one
    does, however short both had watched; and an item that is handed over again is no other item."""
    floor = views(desk("north", 2), desk("south", 2))
    living = Balance(floor, "balancer-1", NOW)
    living.begin({PLACE: 0})
    for n in range(0, watched, 4):
        living.hear(asked(n))
    killed = NOW + timedelta(seconds=watched)
    made = living.plan(killed, 1.0)
    assert made is not None
    PLAN_BOARD.fold(floor["plan"], made.key, made)
    rush = [asked(n) for n in range(watched, watched + 20)]
    back = Balance(floor, "balancer-2", killed + timedelta(seconds=20))
    back.resume(killed + timedelta(seconds=20))
    begins = back.begin({PLACE: watched + 20})[PLACE]
    assert begins == range(0, watched, 4)[-1] + 1  # behind the last item that the dead one heard
    for balance in (living, back):
        for record_ in (*rush, *rush[-2:]):
            balance.hear(record_)
    now = killed + timedelta(seconds=21)
    one, other = living.plan(now, 1.0), back.plan(now, 1.0)
    assert one is not None
    assert other is not None
    assert other.work[0].recent_per_hour == pytest.approx(one.work[0].recent_per_hour, rel=1e-4)
    assert (other.counted_since, other.heard) == (one.counted_since, one.heard)


@pytest.mark.parametrize("begun", [False, True])
def test_what_is_not_heard_yet_is_not_taken_for_nothing(begun: bool) -> None:
    """Of forty minutes without a balancer the next one has heard nothing, half and all: it plans for what came each time."""
    floor, dead = views(desk("north", 2), desk("south", 2)), timedelta(minutes=40)
    living = Balance(floor, "balancer-1", NOW)
    living.begin({PLACE: 0})
    for n in range(0, 3600, 4):
        living.hear(asked(n))
    killed = NOW + timedelta(seconds=3600)
    made = living.plan(killed, 60.0)
    assert made is not None
    PLAN_BOARD.fold(floor["plan"], made.key, made.model_copy(update={"good_until": killed + 2 * dead}))
    now, missed = killed + dead, [asked(n) for n in range(3600, 6000, 4)]
    back = Balance(floor, "balancer-2", now)
    back.resume(now)
    if begun:
        back.begin({PLACE: missed[-1].next_offset})
    for part in ([], missed[:300], missed[300:-1], missed[-1:]):
        for record_ in part:
            back.hear(record_)
        plan = back.plan(now + timedelta(seconds=1), 60.0)
        assert plan is not None
        assert plan.work[0].coming_per_hour == pytest.approx(900.0, rel=0.03)
        assert plan.made_at == now + timedelta(seconds=1)
    late = back.plan(killed + 2 * dead + timedelta(seconds=1), 60.0)
    assert late is not None
    assert late.work[0].coming_per_hour < 200.0


def test_what_came_while_no_plan_was_in_force_is_not_heard() -> None:
    """A night's work is not what comes now; nor is a place begun at its start that the plan does not know."""
    floor = views(desk("north", 2))
    first = Balance(floor, "balancer-1", NOW)
    first.begin({PLACE: 0})
    first.hear(asked(1))
    made = first.plan(NOW + timedelta(seconds=5), 1.0)
    assert made is not None
    PLAN_BOARD.fold(floor["plan"], made.key, made)
    ends = {PLACE: 900, ("audit.work.v1", 1): 7}
    for late, begins in ((timedelta(), 2), (timedelta(seconds=1), 900)):
        now = made.good_until + late
        back = Balance(floor, "balancer-2", now)
        back.resume(now)
        assert back.begin(ends) == {PLACE: begins, ("audit.work.v1", 1): 7}


def test_a_plan_that_is_in_force_no_more_is_no_memory() -> None:
    """Within its time the last plan's shares and rates stay while they are as good; after it nobody draws by them."""
    teams = views(desk("north", 2), desk("south", 2))
    known = arrivals(any=60)
    first = planned(teams, known)
    kept = first.work[0].model_copy(
        update={"coming_per_hour": 62.0, "shares": (TeamShare(team_id="north", share=1.0),)}
    )
    for good, expected in ((timedelta(), 62.0), (-timedelta(seconds=1), 60.0)):
        last = PlanView()
        fold_plan(last, "floor", first.model_copy(update={"work": (kept,), "good_until": NOW + good}))
        assert planned(teams, known, last).work[0].coming_per_hour == pytest.approx(expected, abs=0.1)


def test_two_balancers_at_once_make_the_same_plan() -> None:
    """Each hears everything, so each plans for all of the work."""
    floor = views(desk("north", 2), desk("south", 1))
    both = [Balance(floor, f"balancer-{n}", NOW) for n in (1, 2)]
    for balance in both:
        for n in range(100):
            balance.hear(asked(n))
    one, two = (balance.plan(NOW + timedelta(seconds=100), 1.0) for balance in both)
    assert one is not None
    assert two is not None
    assert one.model_copy(update={"made_by": ""}) == two.model_copy(update={"made_by": ""})


def test_without_arrivals_or_people_there_is_no_plan() -> None:
    """An empty plan would only push a good one off the board."""
    assert Balance(views(desk("north", 1)), "b", NOW).plan(NOW, 1.0) is None
    unheard = Balance(views(), "b", NOW)
    unheard.hear(asked(1))
    assert unheard.plan(NOW + timedelta(seconds=5), 1.0) is None


def test_only_what_asks_for_work_is_an_arrival() -> None:
    """Cancellations pass, what nobody can read is counted."""
    balance = Balance(views(desk("north", 1)), "b", NOW)
    balance.hear(record(WorkCancelled(work_item_id="i", case_id="c", reason="x")))
    assert (balance.heard, balance.refused) == (0, 0)
    balance.hear(record(None, b"{", kind=b"audit.work-requested.v1", offset=1))
    assert (balance.heard, balance.refused) == (0, 1)


# ---------------------------------------------------------- the rules of Faust


@settings(max_examples=100)
@given(st.binary(max_size=60), st.none() | st.binary(max_size=40) | st.just(b"audit.work-requested.v1"))
def test_the_body_never_raises(value: bytes, kind: bytes | None) -> None:
    """Whatever lies on the topic: an agent that raised would have its event acknowledged all the same."""
    balance = Balance(views(), "b", NOW)
    balance.hear(record(None, value, kind=kind))
    balance.hear(record(None, None, kind=kind, offset=1))
    assert balance.heard == 0


def test_agents_run_one_at_a_time_on_raw_values() -> None:
    """One agent per topic, concurrency 1, values as bytes: nothing of Faust's decodes, and nothing runs side by side."""

    async def built() -> None:
        app = balancer_app.faust_app("127.0.0.1:1", "test", lambda record: None, Path("nowhere"))
        app.finalize()
        agents = list(app.agents.values())
        assert sorted(agent.channel.topics[0] for agent in agents) == sorted(t.name for t in balancer_app.ASKED_ON)
        assert [agent.concurrency for agent in agents] == [1] * len(agents)
        for agent in agents:
            assert (agent.channel.value_serializer, agent.channel.key_serializer) == ("raw", "raw")

    asyncio.run(built())


def test_faust_leaves_nothing_where_it_was_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its folder lies with the floor's other data, not in whatever folder one stood in."""
    (tmp_path / "here").mkdir()
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    async def started() -> None:
        app = balancer_app.faust_app("127.0.0.1:1", "test", lambda record: None, tmp_path / "home")
        await app.on_first_start()

    asyncio.run(started())
    assert list((tmp_path / "here").iterdir()) == []
    assert list((tmp_path / "home").iterdir()) != []


def test_no_table_and_no_window_holds_anything() -> None:
    """Faust's windows expire by the wall clock and its tables by its acknowledgements: neither is called by anybody here."""
    modules = sorted(Path(inspect.getfile(balancer_app)).parent.glob("*.py"))
    assert len(modules) > 5
    called = {
        node.func.attr
        for module in modules
        for node in ast.walk(ast.parse(module.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    assert not called & {
        "Table",
        "GlobalTable",
        "SetTable",
        "tumbling",
        "hopping",
        "relative_to_now",
        "relative_to_stream",
    }


def test_faust_is_pinned_to_the_version_that_was_looked_into() -> None:
    """Its faults are known by version; another one is to be looked into first."""
    assert version("faust-streaming") == "0.15.3"
    assert "faust-streaming==0.15.3" in (ROOT / "requirements.lock").read_text()


class Joining:
    """A Faust application as far as its life goes: it joins or waits for ever, it ends or crashes."""

    def __init__(self, *, joins: bool, crash: Exception | None = None) -> None:
        self.assignor = self
        self.stopped = 0
        self.crash_reason = crash
        self._joins = joins

    def assigned_actives(self) -> set[str]:
        return {"audit.work.v1"} if self._joins else set()

    async def start(self) -> None:
        if not self._joins and self.crash_reason is None:
            await asyncio.Event().wait()

    async def wait_until_stopped(self) -> None:
        await asyncio.sleep(0.01)

    async def stop(self) -> None:
        self.stopped += 1


def test_a_faust_that_never_joins_its_group_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """The broker went away while it joined: it is stopped, and who runs it begins anew."""
    monkeypatch.setattr(balancer_app, "JOIN_SECONDS", 0.05)
    waiting = Joining(joins=False)
    with pytest.raises(TimeoutError, match="join its group"):
        asyncio.run(balancer_app.heard_out(waiting))
    assert waiting.stopped == 1


def test_a_faust_that_crashes_says_of_what() -> None:
    """Before it joined as well as afterwards; one that ends by itself raises nothing."""
    for joins in (True, False):
        crashed = Joining(joins=joins, crash=ConnectionError("away"))
        with pytest.raises(ConnectionError, match="away"):
            asyncio.run(balancer_app.heard_out(crashed))
        assert crashed.stopped == 1
    ended = Joining(joins=True)
    asyncio.run(balancer_app.heard_out(ended))
    assert ended.stopped == 1


def slack_of_next(recent: float, told: float | None, cut_off: str | None = None, minutes: float = 0.0) -> float | None:
    """The slack that the next plan reckons with, after a plan that reckoned with `told`; NOW is 10:00 in Shanghai."""
    floor = views(desk("north", 2))
    REFERENCE_BOARD.fold(floor["reference"], (entry := template("transfer", cut_off=cut_off)).key, entry)
    before = rates_told({ANY: 60.0}, NOW)
    last = before.model_copy(update={"work": (before.work[0].model_copy(update={"slack_minutes": told}),)})
    known = Arrivals(NOW)
    known.heard(ANY, NOW, recent)
    at = NOW + timedelta(minutes=minutes)
    (part,) = make_plan(FloorNow.of(floor, at), known, PlanView(last), "b", 1.0).work
    assert part.recent_slack_minutes == recent
    return part.slack_minutes


def test_a_slack_that_hardly_differs_is_taken_for_the_same() -> None:
    """By less than a fifth, or than a minute; so shares do not move by the chance of what came last."""
    assert slack_of_next(23.0, None) == 23.0
    assert slack_of_next(23.0, 20.0) == 20.0
    assert slack_of_next(25.0, 20.0) == 25.0
    assert slack_of_next(1.9, 1.0) == 1.0
    assert slack_of_next(-3.0, 1.0) == -3.0


def test_of_what_has_not_come_today_a_whole_service_level_is_expected() -> None:
    """Twenty minutes by the template, whatever yesterday's last minutes were like; without a template nothing is known."""
    floor, known = views(desk("north", 2)), Arrivals(NOW)
    known.heard(ANY, NOW, 3.0)
    for minutes, described, expected in ((1, True, 3.0), (600, True, 20.0), (600, False, None)):
        if not described:
            floor = views(desk("north", 2))
        REFERENCE_BOARD.fold(floor["reference"], (entry := template("transfer" if described else "other")).key, entry)
        plan = make_plan(FloorNow.of(floor, NOW + timedelta(minutes=minutes)), known, PlanView(), "b", 1.0)
        assert [part.slack_minutes for part in plan.work] == [expected]


def test_no_slack_outlasts_the_closing_of_the_rail() -> None:
    """It closes half an hour after ten: what comes at 10:00 and 10:15 has that long, what comes later has until tomorrow."""
    assert slack_of_next(240.0, None) == 240.0
    assert slack_of_next(240.0, None, cut_off="10:30") == pytest.approx((30 + 15 + 240 + 240) / 4, abs=0.1)
    assert slack_of_next(20.0, None, cut_off="10:30") == pytest.approx((20 + 15 + 20 + 20) / 4, abs=0.1)
    assert slack_of_next(240.0, None, cut_off="10:30", minutes=31) == 240.0


@pytest.mark.parametrize(
    "odd",
    [
        {"due_at": datetime(1, 1, 1, tzinfo=UTC)},
        {"later_seconds": 1e15},
        {"standard_seconds": float("inf")},
        {"requested_at": NOW - timedelta(days=9)},
        {"requested_at": datetime(1, 1, 1, tzinfo=UTC)},
        {"due_at": datetime(9999, 12, 31, tzinfo=UTC)},
    ],
)
def test_no_order_stops_the_hearing_whatever_its_instants(odd: dict[str, Any]) -> None:
    """What no calendar can tell the latest start of is refused, what came long ago weighs nothing; the next one counts."""
    balance = Balance(views(desk("north", 1)), "b", NOW)
    for number, changes in enumerate((odd, odd, {})):
        asked_for = WorkRequested(order=order(f"item-{number}", **changes))
        balance.hear(record(asked_for, offset=number))
    assert balance.heard + balance.refused == 3
    plan = balance.plan(NOW + timedelta(seconds=5), 1.0)
    assert plan is not None
    (part,) = plan.work
    assert part.recent_slack_minutes is not None
    assert math.isfinite(part.recent_slack_minutes)


def test_who_goes_on_from_a_plan_expects_what_its_maker_would() -> None:
    """Of how much comes and of how long it may wait, nearly to the digit; both hear what comes after it."""
    floor = views(desk("north", 2))
    living = Balance(floor, "b-1", NOW)
    orders = [
        order(
            f"i-{n}",
            requested_at=NOW + timedelta(seconds=7 * n),
            due_at=NOW + timedelta(seconds=7 * n + 600 + 37 * (n % 11)),
        )
        for n in range(90)
    ]
    for number, one in enumerate(orders[:60]):
        living.hear(record(WorkRequested(order=one), offset=number))
    told = living.plan(NOW + timedelta(seconds=420), 1.0)
    assert told is not None
    PLAN_BOARD.fold(floor["plan"], told.key, told)
    after = Balance(floor, "b-2", NOW + timedelta(seconds=421))
    after.resume(NOW + timedelta(seconds=421))
    after.begin({PLACE: 60})
    for number, one in enumerate(orders[60:], 60):
        for balance in (living, after):
            balance.hear(record(WorkRequested(order=one), offset=number))
    plans = [balance.plan(NOW + timedelta(seconds=640), 1.0) for balance in (living, after)]
    (his,), (theirs,) = (plan.work for plan in plans if plan is not None)
    assert theirs.recent_per_hour == pytest.approx(his.recent_per_hour, abs=1e-5)
    assert theirs.recent_slack_minutes == pytest.approx(his.recent_slack_minutes, abs=1e-5)
    assert (theirs.coming_per_hour, theirs.slack_minutes) == (his.coming_per_hour, his.slack_minutes)
