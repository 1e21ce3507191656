"""Drills by the calendar: announced, signed beforehand, checked twice, held, judged; and what no drill proves."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import pytest

from services.routing.emergency.drills import completed_between, ordinary_hours
from services.routing.emergency.metrics import UNPROVED, proof_levels
from services.routing.emergency.report import line_of
from services.routing.emergency.state import Almanac, OrdinaryHour
from shared.contracts.message import Message
from shared.contracts.reference import FloorLimits, RerouteDuty, RerouteRule
from shared.contracts.reroute import (
    ApproveReroute,
    CancelReroute,
    DrillJudged,
    DrillsPlanned,
    EndReroute,
    ExtendReroute,
    HourTallied,
    ProposeReroute,
    RerouteScope,
    TeamTally,
)
from shared.reroutes import REROUTE_BOARD, RerouteView, points_of, unproved_because
from tests.unit.emergency.control_room import CHEN, LIN, NORTH, ControlRoom, answer_in, desk_load, terms
from tests.unit.emergency.drilling import DRILL, MONDAY, DrillRoom, entry
from tests.unit.routing.floor import NOW, kinds, only

NOON: Final = entry(begins="12:30")
NOON_DRILL: Final = "drill-north-weekly-20260302T0430"
HELD: Final = timedelta(minutes=33)  # thirty in force, three steps back


def held(completed: int = 100, late: int = 2) -> DrillRoom:
    """A room after two ordinary hours and a drill in which so much was completed."""
    room = DrillRoom(NOON)
    room.ordinary_hour()
    room.ordinary_hour()
    room.until(MONDAY + timedelta(hours=2, minutes=10))
    room.count(completed, late)
    room.until(MONDAY + timedelta(hours=2) + HELD)
    return room


def test_a_drill_is_announced_approved_beforehand_and_begins_at_its_hour() -> None:
    """A quarter of an hour before it stands there, proposed by its owner, approved by whoever signed."""
    room = DrillRoom()
    announced = room.until(MONDAY - timedelta(minutes=15))
    assert kinds(announced)[:3] == ["RerouteProposed", "RerouteApproved", "RerouteOrder"]
    order = room.order(DRILL)
    assert (order.phase, order.proposed_by, order.approved_by, order.source) == ("approved", CHEN, LIN, "calendar")
    assert order.approved_beforehand
    room.until(MONDAY)
    assert room.order(DRILL).phase == "active"
    assert room.order(DRILL).started_at == MONDAY


def test_a_passed_drill_tells_the_share_on_time_the_misses_and_the_return() -> None:
    """98 of 100 on time, as in ordinary hours; three minutes until everything was back."""
    room = held()
    found = room.outcome(NOON_DRILL)
    assert (found.outcome, found.completed, found.late, found.fell_back) == ("passed", 100, 2, 0)
    assert (found.baseline, found.baseline_completed, found.baseline_late) == ("any_hour", 200, 4)
    assert found.return_seconds == 180
    line = line_of(only(room.facts, DrillJudged))
    assert line is not None
    assert line.sentence.startswith("drill passed: 98.0% on time")


def test_a_drill_in_which_more_came_late_than_usual_has_failed() -> None:
    """90 of 100 instead of 98: the rest could not carry it."""
    assert held(late=10).outcome(NOON_DRILL).outcome == "failed"


def test_a_drill_in_which_hardly_anything_was_done_proves_nothing() -> None:
    """Neither on an empty floor, nor where nothing is known to compare with."""
    assert held(completed=5, late=0).outcome(NOON_DRILL).outcome == "unmeasured"
    room = DrillRoom()
    room.until(MONDAY + timedelta(minutes=10))
    room.count(100)
    room.until(MONDAY + HELD)
    assert (room.outcome().outcome, room.outcome().baseline) == ("unmeasured", "none")


def test_a_drill_that_somebody_stops_has_failed_and_one_stopped_before_was_not_held() -> None:
    """Whoever is on duty may cancel at any point."""
    room = DrillRoom()
    room.until(MONDAY + timedelta(minutes=5))
    assert room.ask(CancelReroute, LIN, DRILL) == "done"
    assert room.outcome().outcome == "failed"
    early = DrillRoom()
    early.until(MONDAY - timedelta(minutes=5))
    early.ask(CancelReroute, LIN, DRILL)
    assert early.outcome().outcome == "not_held"


def test_a_drill_from_which_the_work_did_not_come_back_at_once_has_failed() -> None:
    """Nobody is at the north when it returns; it falls back, and comes back later."""
    room = DrillRoom()
    room.until(MONDAY + timedelta(minutes=30))
    room.tell_load(desk_load("north", (), at=room.now))
    room.wait(90)
    assert room.order(DRILL).fell_back == 1
    room.until(room.now + timedelta(minutes=10))
    assert room.outcome().outcome == "failed"
    assert "fell back" in room.outcome().detail


def test_a_return_that_is_noted_late_took_no_longer_than_its_steps() -> None:
    """The broker was away over its end: desks let go by the clock, the outcome tells when that was; and what nobody has seen
    come back well is no proof."""
    room = DrillRoom(NOON)
    room.ordinary_hour()
    room.ordinary_hour()
    room.until(MONDAY + timedelta(hours=2, minutes=1))
    room.count(100, 2)
    room.until(MONDAY + timedelta(hours=2, minutes=31))
    assert room.order(NOON_DRILL).phase == "returning"
    room.now += timedelta(minutes=20)
    room.until(room.now + timedelta(minutes=1))
    assert room.order(NOON_DRILL).phase == "ended"
    found = room.outcome(NOON_DRILL)
    assert (found.outcome, found.return_seconds) == ("unmeasured", 180)
    assert found.detail.startswith("Expected somebody to look as the work came back")


def test_a_drill_that_is_not_well_and_cannot_be_taken_again_has_failed() -> None:
    """Too much comes by now for those who would be left: the work comes back all the same, and nothing is proved."""
    room = DrillRoom(NOON)
    room.ordinary_hour()
    room.ordinary_hour()
    room.until(MONDAY + timedelta(hours=2, minutes=30))
    room.count(100, 2)
    room.expect(per_hour=217)
    room.tell_load(desk_load("north", ("ann", "bob"), at=room.now, accepted=4, expired=3))
    room.wait(90)
    assert (room.order(NOON_DRILL).phase, room.order(NOON_DRILL).not_well) == ("returning", 1)
    room.until(MONDAY + timedelta(hours=2) + HELD)
    assert (room.outcome(NOON_DRILL).outcome, room.outcome(NOON_DRILL).fell_back) == ("failed", 0)
    assert "found that it was not in 1 steps" in room.outcome(NOON_DRILL).detail


# ------------------------------------------------------------------- capacity


def test_a_drill_that_the_rest_could_not_carry_is_refused_and_on_record() -> None:
    """Nobody in the south: the north's work would have no one. It is refused when announced."""
    room = DrillRoom()
    room.tell_load(desk_load("south", ()))
    room.wait(15 * 60)
    assert room.order(DRILL).phase == "refused"
    assert room.order(DRILL).over_because.startswith("CAPACITY_CHECK_FAILED")
    assert room.outcome().outcome == "refused"


def test_the_capacity_is_checked_again_when_it_begins() -> None:
    """Everybody of the south has left meanwhile."""
    room = DrillRoom()
    room.until(MONDAY - timedelta(minutes=1))
    assert room.order(DRILL).phase == "approved"
    room.tell_load(desk_load("south", ()))
    room.wait(60)
    assert room.outcome().outcome == "refused"
    assert room.order(DRILL).started_at is None


def test_more_predicted_misses_than_the_limits_allow_refuse_a_drill_of_anybody() -> None:
    """Eight hundred wait at the south, whom the north can no longer help when its people take nothing new."""
    room = DrillRoom()
    room.count()
    room.tell_load(desk_load("south", ("cai", "dee"), queued=800))
    drill = {"terms": terms(effect="drain", scope=RerouteScope(teams=("north",)), drill=True)}
    assert room.ask(ProposeReroute, LIN, "mine", **drill) == "drill_breaks_rule"
    room.publish(FloorLimits(id="floor", drill_misses_max=10_000))
    assert room.ask(ProposeReroute, LIN, "mine", **drill) == "done"


def test_what_comes_must_not_load_those_who_are_left_beyond_the_limit() -> None:
    """Two people at half a minute an entry do 240 an hour; 90 % of that is 216."""
    for per_hour, phase in ((215, "approved"), (217, "refused")):
        room = DrillRoom()
        room.count()
        room.expect(per_hour)
        room.wait(15 * 60)
        assert room.order(DRILL).phase == phase
    assert "found for 1.8" in room.order(DRILL).over_because


def test_the_calendar_needs_a_plan_to_know_what_comes_and_people_do_not() -> None:
    """The balancer is dead: nobody has looked, so it is refused; who proposes a drill by hand has looked."""
    room = DrillRoom()
    room.expect(60, hours=0.1)
    room.wait(15 * 60)
    assert "Expected a plan" in room.order(DRILL).over_because
    assert room.ask(ProposeReroute, LIN, "mine", terms=terms(effect="drain", drill=True)) == "done"


def test_a_rule_may_ask_for_less_of_a_drill() -> None:
    """With two centres, two that can review are never left without one; a drill ends in a second, so one will do."""
    rule = RerouteRule(id="two", label="two", form="able_centres", step="review", minimum=2)
    strict, mild = DrillRoom(), DrillRoom()
    strict.publish(rule)
    mild.publish(rule.model_copy(update={"drill_minimum": 1}))
    for room in (strict, mild):
        room.wait(15 * 60)
    assert strict.outcome().outcome == "refused"
    assert mild.order(DRILL).phase == "approved"
    assert mild.ask(ProposeReroute, LIN, "real", terms=terms()) == "done"
    assert mild.approve(CHEN, "real") == "rules_broken"


# ----------------------------------------------------------------- signatures


def test_an_entry_whose_signature_no_longer_holds_waits_for_a_living_approver() -> None:
    """Lin approves nothing any more: the drill is proposed, and expires unless somebody approves it in time."""
    room = DrillRoom()
    room.publish(RerouteDuty(id=LIN, name="Lin"))
    room.publish(RerouteDuty(id="wu", name="Wu", approves=True))
    room.until(MONDAY - timedelta(minutes=10))
    assert room.order(DRILL).phase == "proposed"
    assert "not signed" in room.order(DRILL).terms.reason
    assert room.approve("wu", DRILL) == "done"
    assert not room.order(DRILL).approved_beforehand
    unapproved = DrillRoom(entry(signed_by="somebody"))
    unapproved.until(MONDAY)
    assert unapproved.outcome().outcome == "not_held"


def test_its_owner_does_not_approve_an_unsigned_drill() -> None:
    """Two people, always."""
    room = DrillRoom(entry(signed_by=CHEN))
    room.until(MONDAY - timedelta(minutes=10))
    sha256 = room.order(DRILL).preview.sha256
    assert room.ask(ApproveReroute, CHEN, DRILL, preview_sha256=sha256) == "own_proposal"


# ------------------------------------------------------------------- calendar


def test_a_drill_does_not_begin_while_a_reroute_is_in_force() -> None:
    """Trouble is no time for practice: neither at the announcement nor at the beginning."""
    room = DrillRoom()
    room.ask(ProposeReroute, LIN, "real", terms=terms(scope=RerouteScope(teams=("vendor",))))
    assert room.approve(CHEN, "real") == "done"
    room.wait(15 * 60)
    assert room.outcome().outcome == "not_held"
    assert "real" in room.outcome().detail
    later = DrillRoom()
    later.until(MONDAY - timedelta(minutes=5))
    later.ask(ProposeReroute, LIN, "real", terms=terms(scope=RerouteScope(teams=("vendor",))))
    later.approve(CHEN, "real")
    later.until(MONDAY)
    assert later.outcome().outcome == "not_held"


def test_a_drill_for_which_nobody_was_awake_is_not_held_late() -> None:
    """The processor slept over it; the next one comes next week."""
    room = DrillRoom()
    room.now = MONDAY + timedelta(minutes=20)
    facts = room.fire("calendar")
    assert room.outcome().outcome == "not_held"
    assert only(facts, DrillsPlanned).due[0].starts_at == MONDAY + timedelta(weeks=1)


def test_the_same_drill_is_held_once_however_often_the_calendar_is_looked_at() -> None:
    """Every process of routing says that it begins; the clock may even go back."""
    room = DrillRoom()
    room.until(MONDAY - timedelta(minutes=14))
    room.now -= timedelta(minutes=3)
    for _ in range(3):
        room.heed()
        room.fire("calendar")
        room.until(room.now + timedelta(minutes=1))
    assert list(room.book.orders) == [DRILL]


def test_the_calendar_follows_the_reference_data() -> None:
    """An entry that moved is due at its new hour, one that is gone is not held; nothing new changes nothing."""
    room = DrillRoom()
    assert room.heed() == []
    room.publish(NOON)
    assert only(room.fire("calendar"), DrillsPlanned).due[0].starts_at == MONDAY + timedelta(hours=2)
    room.views["reference"].drills.clear()
    room.fire("calendar")
    room.wait(4 * 3600)
    assert room.book.orders == {}


def test_a_book_that_was_never_commanded_wakes_by_the_calendar_alone() -> None:
    """Before the first event there is no alarm; from then on there always is one."""
    room = ControlRoom()
    assert room.processor.alarms(room.state)["calendar"].at is None
    room.send(room.command(CancelReroute, LIN, "nothing"))
    assert room.processor.alarms(room.state)["calendar"].boards == {"reference"}


# -------------------------------------------------------------- ordinary hours


def hours_of(room: DrillRoom) -> list[tuple[int | None, int]]:
    """What was tallied: hour of the week and items."""
    return [(fact.hour_of_week, fact.completed) for fact in room.facts if isinstance(fact, HourTallied)]


def test_hours_with_a_reroute_or_a_gap_are_no_measure() -> None:
    """The first mark has nothing before it; ten to eleven is ordinary; in the drill's hour and the next one is in force;
    and after a long sleep nobody knows in which hour it was done."""
    room = DrillRoom(entry(begins="11:30", minutes=40))
    room.ordinary_hour(50)
    room.until(NOW + timedelta(hours=3))
    room.now += timedelta(hours=5)
    room.count(30)
    room.fire("calendar")
    assert hours_of(room) == [(None, 0), (10, 50), (None, 0), (None, 0), (None, 30)]


def test_the_same_hour_of_the_week_goes_before_the_same_hour_of_the_day_before_any() -> None:
    """And the last four of each are kept."""
    hour = (OrdinaryHour(NOW, 30, 1),)
    assert ordinary_hours(Almanac(hours={10: hour, 34: hour, 11: hour}), 10)[0] == "same_hour_of_week"
    assert ordinary_hours(Almanac(hours={34: hour, 11: hour}), 10)[0] == "same_hour_of_day"
    assert ordinary_hours(Almanac(hours={11: hour}), 10)[0] == "any_hour"
    assert ordinary_hours(Almanac(hours={11: (OrdinaryHour(NOW, 19, 1),)}), 10) == ("none", ())


def test_a_desk_that_began_anew_or_is_new_counts_for_nothing() -> None:
    """Its figures are lower than before, or there is no before."""
    before = [TeamTally(team_id=t, accepted=0, expired=0, completed=50, late=5) for t in ("a", "b")]
    after = [
        TeamTally(team_id=t, accepted=0, expired=0, completed=n, late=6) for t, n in (("a", 80), ("b", 3), ("c", 9))
    ]
    assert completed_between(before, after) == (30, 1)


# ---------------------------------------------------------------------- proof


def proofs_after(*facts: Message) -> RerouteView:
    """The board after these notices."""
    view: RerouteView = REROUTE_BOARD.empty()
    for fact in facts:
        if fact.topic == REROUTE_BOARD.topic:
            REROUTE_BOARD.fold(view, fact.key, fact)
    return view


def test_a_passed_drill_proves_its_centre_for_two_weeks() -> None:
    """A failed one afterwards does not take the proof away, time does; the order of news does not matter."""
    room = held()
    passed, failed = room.order(NOON_DRILL), held(late=10).order(NOON_DRILL)
    failed = failed.model_copy(update={"reroute_id": "later", "over_at": (passed.over_at or NOW) + timedelta(days=7)})
    for view in (proofs_after(passed, failed), proofs_after(failed, passed)):
        proof = view.proofs["centre", "n"]
        assert (proof.last.reroute_id, proof.passed_at) == ("later", passed.over_at)
        assert unproved_because(proof, 14, NOW + timedelta(days=13)) is None
        assert unproved_because(proof, 14, NOW + timedelta(days=15)) == "the last drill was passed 15 days ago"
        readings = {
            labels: value
            for level, labels, value in proof_levels(view, room.views["reference"], lambda: NOW)()
            if level is UNPROVED
        }
        assert readings == {("centre",): 2, ("provider",): 1}


@pytest.mark.parametrize(
    ("scope", "points"),
    [
        (NORTH, (("centre", "n"),)),
        (RerouteScope(providers=("keyers",)), (("provider", "keyers"),)),
        (RerouteScope(centres=("n",), providers=("keyers",)), ()),
        (RerouteScope(centres=("n",), business_types=("transfer",)), ()),
        (RerouteScope(teams=("north",)), ()),
    ],
)
def test_only_a_drill_of_a_whole_place_proves_it(scope: RerouteScope, points: tuple[tuple[str, str], ...]) -> None:
    """A part of a centre shows nothing about the centre."""
    assert points_of(scope) == points


@pytest.mark.parametrize(("centre", "outcome"), [("n", "unmeasured"), ("s", "passed")])
def test_a_drill_under_a_real_order_proves_nothing(centre: str, outcome: str) -> None:
    """The place was taken in earnest for a while: what was measured is not the drill alone. Elsewhere says nothing of it."""
    room = DrillRoom(NOON)
    room.ordinary_hour()
    room.ordinary_hour()
    room.until(MONDAY + timedelta(hours=2, minutes=10))
    real = terms(effect="shift", percent=1, minutes=2, scope=RerouteScope(centres=(centre,)))
    assert room.ask(ProposeReroute, LIN, "real", terms=real) == "done"
    assert room.approve(CHEN, "real") == "done"
    room.count(100, 2)
    room.until(MONDAY + timedelta(hours=2) + HELD)
    assert (room.order(NOON_DRILL).phase, room.order("real").phase) == ("ended", "ended")
    assert room.outcome(NOON_DRILL).outcome == outcome
    assert ("found real over it" in room.outcome(NOON_DRILL).detail) == (outcome == "unmeasured")
    view = RerouteView()
    REROUTE_BOARD.fold(view, NOON_DRILL, room.order(NOON_DRILL))
    proof = view.proofs[("centre", "n")]
    assert (unproved_because(proof, 14, room.now) is None) == (outcome == "passed")


def test_a_persons_drill_is_judged_too() -> None:
    """Whoever asks for it by hand."""
    room = DrillRoom(entry(begins="17:00"))
    room.ask(ProposeReroute, LIN, "mine", terms=terms(effect="drain", drill=True, minutes=10))
    room.approve(CHEN, "mine")
    room.until(room.now + timedelta(minutes=15))
    assert room.order("mine").phase == "ended"
    assert room.outcome("mine").outcome == "unmeasured"
    assert room.order("mine").drill_entry is None


def test_the_facts_and_the_rows_give_the_same_book_after_drills() -> None:
    """Replay and reload, with everything that drills go by."""
    room = held()
    assert room.replayed_contents() == room.book.contents() == room.reloaded_contents()
    assert datetime.fromisoformat(str(room.book.almanac.marked_at)) == NOW + timedelta(hours=3)


def test_a_drill_by_hand_begins_in_no_emergency_either() -> None:
    """While something is in force, or on its way back, its approval is refused; afterwards the same one is approved."""
    room = ControlRoom()
    assert (
        room.ask(ProposeReroute, LIN, "real", terms=terms(effect="drain", scope=RerouteScope(centres=("v",)))) == "done"
    )
    assert room.approve(CHEN, "real") == "done"
    assert room.ask(ProposeReroute, LIN, "drill", terms=terms(effect="shift", percent=1, drill=True)) == "done"
    assert room.approve(CHEN, "drill") == "drill_breaks_rule"
    assert room.ask(EndReroute, LIN, "real") == "done"
    assert room.order("real").phase == "returning"
    assert room.approve(CHEN, "drill") == "drill_breaks_rule"
    assert room.ask(CancelReroute, LIN, "real") == "done"
    assert room.approve(CHEN, "drill") == "done"


@pytest.mark.parametrize(
    ("begins", "ends", "drill", "code"),
    [
        ("10:20", "10:25", True, "drill_breaks_rule"),  # within it
        ("10:29", "12:00", True, "drill_breaks_rule"),  # it would run into it
        ("10:30", "12:00", True, "done"),  # it is over by then
        ("09:00", "10:00", True, "done"),
        ("10:20", "10:25", False, "done"),  # in earnest it must not begin there, and may last
    ],
)
def test_a_drill_by_hand_keeps_out_of_the_whole_of_a_blocked_window(
    begins: str, ends: str, drill: bool, code: str
) -> None:
    """It is asked at 10:00 local, for half an hour, and a few seconds late: as for the calendar's, its minutes count whole."""
    room = ControlRoom(
        RerouteRule(id="calm", label="not now", form="blocked_window", begins=begins, ends=ends), queued=0
    )
    room.now += timedelta(seconds=20)
    assert room.ask(ProposeReroute, LIN, terms=terms(effect="drain", drill=drill, minutes=30)) == code


def test_a_drill_is_not_kept_into_a_blocked_window() -> None:
    """Until half past it may be; five minutes more would be within."""
    room = ControlRoom(
        RerouteRule(id="calm", label="not now", form="blocked_window", begins="10:30", ends="12:00"), queued=0
    )
    assert room.ask(ProposeReroute, LIN, terms=terms(effect="drain", drill=True, minutes=20)) == "done"
    assert room.approve(CHEN) == "done"
    assert room.ask(ExtendReroute, CHEN, minutes=15) == "drill_breaks_rule"
    assert room.ask(ExtendReroute, CHEN, minutes=10) == "done"


def test_a_drill_that_reaches_over_midnight_keeps_out_of_the_next_days_window() -> None:
    """From 23:50 local for half an hour."""
    room = ControlRoom(
        RerouteRule(id="calm", label="not now", form="blocked_window", begins="00:10", ends="01:00"), queued=0
    )
    night = terms(effect="drain", drill=True, minutes=30, starts_at=NOW.replace(hour=15, minute=50))
    assert room.ask(ProposeReroute, LIN, terms=night) == "drill_breaks_rule"


def test_an_hour_at_which_nothing_may_begin_is_no_lack_of_people() -> None:
    """What is refused for the hour says so; CAPACITY_CHECK_FAILED is what the rest could not carry."""
    rule = RerouteRule(id="calm", label="not now", form="blocked_window", begins="00:00", ends="23:59")
    room = ControlRoom(rule)
    facts = room.send(room.command(ProposeReroute, LIN, terms=terms(effect="shift", percent=1, drill=True)))
    answer = answer_in(facts)
    assert (answer.code, "CAPACITY" in answer.detail, "not now" in answer.detail) == ("drill_breaks_rule", False, True)
