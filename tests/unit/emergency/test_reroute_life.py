"""The life of a reroute: from proposal to return, and every way in which it is kept from starting."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from services.routing.emergency.course import past
from services.routing.emergency.decide import INSTEAD, RULES, WANTED, not_now
from services.routing.emergency.floor import FloorNow
from services.routing.emergency.health import unwell
from services.routing.emergency.preview import drift_between, preview_of
from services.routing.emergency.state import OPEN_MAX, OVER, moved
from shared.contracts.reference import RerouteDuty, RerouteRule, Shift, Team
from shared.contracts.reroute import (
    ApproveReroute,
    BrokenRule,
    CancelReroute,
    CloseReview,
    EndReroute,
    ExtendReroute,
    ProposeReroute,
    RefuseReroute,
    RerouteFellBack,
    RerouteReturning,
    RerouteScope,
)
from shared.contracts.routing import CapacityByWorkType
from shared.reference.board import REFERENCE_BOARD
from shared.reroutes import over_at
from tests.unit.emergency.control_room import CHEN, LIN, MO, NORTH, ControlRoom, desk_load, terms
from tests.unit.routing.floor import ENTRY, NOW
from tests.unit.sight.facts import fact


def proposed(room: ControlRoom, actor: str = LIN, **changes: Any) -> str:
    """Propose r1; returns the answer's code."""
    extra = {name: changes.pop(name) for name in ("break_glass", "override_rules", "source") if name in changes}
    return room.ask(ProposeReroute, actor, "r1", terms=terms(**changes), **extra)


def in_force() -> ControlRoom:
    """A room whose r1 has been approved and is in force."""
    room = ControlRoom()
    assert (proposed(room), room.approve()) == ("done", "done")
    return room


def said(room: ControlRoom) -> str:
    """The sentence of the last answer."""
    return [answer.detail for answer in room.book.answers.values()][-1]


def bank(*rules: RerouteRule) -> ControlRoom:
    """A room whose reference data know transfers and cheques."""
    room = ControlRoom(*rules)
    for name in ("transfer", "cheque"):
        entry = fact("reference.business-type.v1", id=name)
        REFERENCE_BOARD.fold(room.views["reference"], entry.key, entry)
    return room


def back_after(room: ControlRoom, seconds: float) -> None:
    """The processor was dead so long; what was due meanwhile is looked at now."""
    room.now += timedelta(seconds=seconds)
    room.wait(0)


def test_two_people_put_a_reroute_in_force_and_time_brings_it_back() -> None:
    """Proposed by one, approved by another, in force for its minutes, back in three steps, over."""
    room = in_force()
    assert room.order().phase == "active"
    assert room.order().ends_at == NOW + timedelta(minutes=60)
    room.wait(3599)
    assert room.order().phase == "active"
    for held in (75, 50, 25):
        room.everybody_well(60)
        room.wait(1 if held == 75 else 60)
        assert room.order().phase == "returning"
        assert room.order().return_held[room.order().return_steps_done - 1] == held
    room.everybody_well(60)
    room.wait(60)
    assert room.order().phase == "ended"


def test_nobody_approves_their_own_proposal() -> None:
    """Two people, always."""
    room = ControlRoom()
    proposed(room)
    assert room.approve(LIN) == "own_proposal"
    assert room.order().phase == "proposed"


@pytest.mark.parametrize(("actor", "code"), [(MO, "not_authorised"), ("stranger", "not_authorised")])
def test_who_is_not_on_duty_for_the_scope_approves_nothing(actor: str, code: str) -> None:
    """The reference data say who approves what; unknown is a no."""
    room = ControlRoom()
    proposed(room)
    assert room.approve(actor) == code


def test_a_proposer_proposes_only_where_they_are_on_duty() -> None:
    """Mo proposes for centre n, not for s."""
    room = ControlRoom()
    assert proposed(room, MO) == "done"
    assert room.ask(ProposeReroute, MO, "r2", terms=terms(scope=RerouteScope(centres=("s",)))) == "not_authorised"


def test_an_alert_proposes_and_never_more() -> None:
    """The alert needs no duty to propose, and no glass breaks for it."""
    room = ControlRoom()
    assert proposed(room, "alertmanager", source="alert") == "done"
    assert room.order().phase == "proposed"
    glass = room.ask(ProposeReroute, LIN, "r2", terms=terms(minutes=5), source="alert", break_glass=True)
    assert glass == "not_authorised"


def test_an_unapproved_proposal_expires() -> None:
    """Fifteen minutes by default, then it must be proposed anew."""
    room = ControlRoom()
    proposed(room)
    room.wait(899)
    assert room.order().phase == "proposed"
    room.wait(1)
    assert room.order().phase == "expired"
    assert room.approve() == "wrong_phase"


def test_an_approval_that_could_not_be_carried_out_in_time_expires() -> None:
    """Execution has an expiry of its own: a service that wakes up too late starts nothing old."""
    room = ControlRoom()
    proposed(room, starts_at=NOW + timedelta(minutes=30))
    room.approve()
    assert room.order().phase == "approved"
    room.now = NOW + timedelta(minutes=41)
    room.fire("orders")
    assert room.order().phase == "expired"


def test_a_reroute_for_later_starts_at_its_hour() -> None:
    """Approved now, in force then."""
    room = ControlRoom()
    proposed(room, starts_at=NOW + timedelta(minutes=30))
    room.approve()
    room.wait(1800)
    assert room.order().phase == "active"
    assert room.order().started_at == NOW + timedelta(minutes=30)


def test_a_floor_that_drifted_stops_the_approval_and_asks_again() -> None:
    """What the approver saw is no longer so: a new preview, a new approval."""
    room = ControlRoom()
    proposed(room)
    old = room.order().preview
    room.tell_load(desk_load("north", ("ann", "bob"), 500))
    assert room.approve() == "preview_changed"
    assert (room.order().phase, room.order().preview.items_moving) == ("proposed", 500)
    assert room.ask(ApproveReroute, CHEN, preview_sha256=old.sha256) == "preview_changed"
    assert room.approve() == "done"


def test_a_floor_that_got_better_keeps_nobody_waiting() -> None:
    """As many would move and fewer be late than was agreed to: a building on fire is evacuated at the first word."""
    preview = preview_of(terms(), FloorNow.of(ControlRoom().views, (), NOW))
    (skill,) = (skill for skill in preview.skills if skill.queued)
    late, punctual = (
        preview.model_copy(update={"skills": (skill.model_copy(update={"misses_with": late}),)}) for late in (240, 12)
    )
    assert drift_between(late, punctual, 0.25) is None
    assert drift_between(punctual, late, 0.25) == "Expected about 12 predicted misses as approved, found 240."


def test_a_floor_that_drifted_before_the_hour_stops_the_start() -> None:
    """The same at the start of a reroute for later."""
    room = ControlRoom()
    proposed(room, starts_at=NOW + timedelta(minutes=5))
    room.approve()
    room.tell_load(desk_load("south", ()))
    room.wait(300)
    assert room.order().phase == "proposed"
    assert room.order().approved_by is None
    assert room.order().preview.dead_ends != ()


def test_a_broken_glass_acts_at_once_for_half_an_hour_and_must_be_answered_for() -> None:
    """One person, at most thirty minutes, and a review closed in words by another."""
    room = ControlRoom()
    assert proposed(room, minutes=31, break_glass=True) == "too_long"
    assert proposed(room, minutes=30, break_glass=True) == "done"
    assert (room.order().phase, room.order().review) == ("active", "open")
    assert room.ask(ExtendReroute, CHEN, minutes=1) == "too_long"
    assert "at most 30 minutes: propose it with a second one" in said(room)
    assert room.ask(CloseReview, LIN) == "own_proposal"
    assert room.ask(CloseReview, CHEN, reason="rightly so") == "done"
    assert room.order().review_words == "chen: rightly so"
    assert room.ask(CloseReview, CHEN) == "nothing_to_review"


def test_all_that_a_broken_glass_moved_is_back_after_half_an_hour() -> None:
    """The steps of the return count, too: they begin three minutes before; a shorter one is not cut."""
    room = ControlRoom()
    assert proposed(room, minutes=30, break_glass=True) == "done"
    assert room.order().ends_at == NOW + timedelta(minutes=27)
    assert over_at(room.order()) == NOW + timedelta(minutes=30)
    room = ControlRoom()
    assert proposed(room, minutes=20, break_glass=True) == "done"
    assert room.order().ends_at == NOW + timedelta(minutes=20)


@pytest.mark.parametrize(
    ("changes", "code", "says"),
    [
        (
            {"starts_at": NOW + timedelta(hours=1)},
            "start_too_far",
            "start at once, found a start at 2026-03-02 03:00:00 UTC",
        ),
        ({"drill": True}, "drill_breaks_rule", "in earnest, found a drill"),
    ],
)
def test_a_glass_is_broken_for_now_and_in_earnest(changes: dict[str, Any], code: str, says: str) -> None:
    """What is for later, or for practice, has time for a second person; the refusal says so."""
    room = ControlRoom()
    assert proposed(room, minutes=5, break_glass=True, **changes) == code
    assert says in said(room)
    assert "without breaking the glass" in said(room)


def test_what_a_broken_glass_holds_may_go_on_by_two_people_without_a_gap() -> None:
    """The glass ends after its half hour, and its work stays where it went: the other order has it."""
    room = ControlRoom()
    assert proposed(room, minutes=30, break_glass=True) == "done"
    assert room.ask(ProposeReroute, CHEN, "r2", terms=terms(minutes=120)) == "done"
    assert room.approve(LIN, "r2") == "done"
    for _ in range(31):
        room.wait(60)
        assert {"r1", "r2"} & {one.reroute_id for one in room.book.open_orders() if one.phase == "active"}
    assert room.order("r1").phase == "ended"
    assert room.order("r2").phase == "active"


def test_what_comes_back_says_what_another_order_still_holds() -> None:
    """Each step and the end: the scope has its work again where nobody else keeps it away."""
    room = in_force()
    assert room.ask(ProposeReroute, CHEN, "r2", terms=terms(effect="drain")) == "done"
    assert (room.approve(LIN, "r2"), room.ask(EndReroute, LIN)) == ("done", "done")
    for _ in range(3):
        room.everybody_well(60)
        room.wait(60)
    assert room.order().over_because == "All work is back, but for what r2 holds of it."
    told = [fact.reason for fact in room.facts if isinstance(fact, RerouteReturning)]
    assert told == ["because", *["the scope is well, but for what r2 holds of it"] * 2]


def test_a_glass_can_be_broken_however_much_is_open() -> None:
    """Who has an emergency is not kept out by proposals; the next one that may wait is."""
    room = ControlRoom()
    for n in range(OPEN_MAX):
        assert room.ask(ProposeReroute, LIN, f"p{n}", terms=terms(effect="drain")) == "done"
    assert room.ask(ProposeReroute, LIN, "more", terms=terms(effect="drain")) == "too_many_open"
    assert said(room) == "Expected fewer than 100 open reroutes, found 100; cancel some first."
    assert room.ask(ProposeReroute, LIN, "glass", terms=terms(minutes=5), break_glass=True) == "done"
    assert room.order("glass").phase == "active"


def test_a_glass_is_broken_only_by_who_may() -> None:
    """Proposing is not enough."""
    room = ControlRoom()
    assert proposed(room, MO, minutes=5, break_glass=True) == "not_authorised"


@pytest.mark.parametrize("seconds", [0, 1, 300])
def test_what_is_over_by_its_own_instants_is_not_kept_for_longer(seconds: int) -> None:
    """The command comes before the look at its last step: its work is back already."""
    room = in_force()
    over = over_at(room.order())
    assert over is not None
    room.now = over + timedelta(seconds=seconds)
    assert room.ask(ExtendReroute, CHEN, minutes=20) == "wrong_phase"
    assert f"found r1 over since {over:%Y-%m-%d %H:%M:%S} UTC; propose it anew" in said(room)
    room.everybody_well()
    room.wait(60)
    assert room.order().phase == "ended"


def test_nothing_stays_in_force_for_more_than_three_days() -> None:
    """Extended openly, so that all is back 72 hours after the start."""
    room = in_force()
    assert room.ask(ExtendReroute, MO, minutes=10) == "not_authorised"
    assert room.ask(ExtendReroute, CHEN, minutes=71 * 60 - 3) == "done"
    assert room.ask(ExtendReroute, CHEN, minutes=1) == "too_long"
    assert "more than 72 hours" in said(room)
    assert "extend it by less, or propose it anew" in said(room)
    assert over_at(room.order()) == NOW + timedelta(hours=72)
    whole = ControlRoom()
    assert (proposed(whole, minutes=72 * 60), whole.approve()) == ("done", "done")
    assert over_at(whole.order()) == NOW + timedelta(hours=72)


def test_a_reroute_ends_early_step_by_step() -> None:
    """End is not cancel: the work comes back by the ramp."""
    room = in_force()
    assert room.ask(EndReroute, LIN) == "done"
    assert (room.order().phase, room.order().ends_at) == ("returning", NOW)
    assert room.ask(EndReroute, LIN) == "noted"
    room.everybody_well(60)
    room.wait(60)
    assert room.order().return_steps_done == 2


def test_an_unwell_scope_takes_its_work_back_out_by_itself() -> None:
    """Nobody is there when the work comes back: in force again, for a while, on record."""
    room = in_force()
    room.ask(EndReroute, LIN)
    room.tell_load(desk_load("north", (), at=NOW + timedelta(seconds=59)))
    room.wait(60)
    assert (room.order().phase, room.order().fell_back) == ("active", 1)
    assert room.order().ends_at == NOW + timedelta(seconds=360)


@pytest.mark.parametrize(("begins", "ends", "phase"), [("08:00", "09:30", "returning"), ("09:00", "17:30", "active")])
def test_who_has_gone_home_is_not_ill(begins: str, ends: str, phase: str) -> None:
    """At 10:00 local: a shift that is over leaves an empty desk; one that is worked now should have somebody there."""
    room = in_force()
    shift = Shift(id="day", label="Day", begins=begins, ends=ends)
    REFERENCE_BOARD.fold(room.views["reference"], shift.key, shift)
    for name in ("ann", "bob"):
        one = room.views["reference"].operators[name].model_copy(update={"shift_id": "day"})
        REFERENCE_BOARD.fold(room.views["reference"], one.key, one)
    room.ask(EndReroute, LIN)
    room.tell_load(desk_load("north", (), at=NOW + timedelta(seconds=59)))
    room.wait(60)
    assert room.order().phase == phase


@pytest.mark.parametrize(("begins", "ends", "phase"), [("08:00", "09:30", "returning"), ("09:00", "17:30", "active")])
def test_who_goes_by_no_shift_is_missed_while_the_floor_works(begins: str, ends: str, phase: str) -> None:
    """The south goes by a shift and the north by none: at an hour without one an empty desk is no illness, and is told."""
    room = in_force()
    shift = Shift(id="day", label="Day", begins=begins, ends=ends)
    REFERENCE_BOARD.fold(room.views["reference"], shift.key, shift)
    room.ask(EndReroute, LIN)
    for _ in range(3 if phase == "returning" else 1):
        room.tell_load(desk_load("north", (), at=room.now + timedelta(seconds=59)))
        room.wait(60)
    assert room.order().phase == ("ended" if phase == "returning" else "active")
    empty = "nobody is there, and nobody is expected now, at north"
    steps = [fact.reason for fact in room.facts if isinstance(fact, RerouteReturning)][1:]
    assert steps == ([f"the scope is well; {empty}"] * 2 if phase == "returning" else [])
    assert room.order().over_because == (f"All work is back; {empty}." if phase == "returning" else "")


def test_of_a_desk_that_is_not_heard_nobody_says_that_it_is_empty() -> None:
    """The broker hung at an hour without a shift, and people are there: who notes the end does not know."""
    room = in_force()
    shift = Shift(id="day", label="Day", begins="08:00", ends="09:30")
    REFERENCE_BOARD.fold(room.views["reference"], shift.key, shift)
    room.ask(EndReroute, LIN)
    for _ in range(3):
        room.tell_load(desk_load("north", (), at=room.now - timedelta(hours=1)))
        room.wait(60)
    assert room.order().phase == "ended"
    assert "nobody is there" not in room.order().over_because


def test_a_team_that_has_nobody_is_not_ill() -> None:
    """Defined, and not yet hired for: its desk says nothing, and who ends the order gets the work back."""
    room = ControlRoom()
    new = Team(id="north-new", label="New", centre_id="n", provider_id="bank")
    REFERENCE_BOARD.fold(room.views["reference"], new.key, new)
    assert (proposed(room), room.approve(), room.ask(EndReroute, LIN)) == ("done", "done", "done")
    for _ in range(3):
        room.everybody_well(60)
        room.wait(60)
    assert (room.order().phase, room.order().fell_back, room.order().not_well) == ("ended", 0, 0)


@pytest.mark.parametrize("before", [True, False])
def test_who_was_not_there_when_it_began_is_not_missed(before: bool) -> None:
    """Nobody of the north goes by a shift: an empty desk is ill when somebody sat there as the order began, and else not."""
    room = ControlRoom()
    if not before:
        room.tell_load(desk_load("north", ()))
    assert (proposed(room), room.approve(), room.ask(EndReroute, LIN)) == ("done", "done", "done")
    assert room.order().staffed_teams == (("north",) if before else ())
    room.wait(60)
    assert room.order().phase == ("active" if before else "returning")


def test_who_has_come_since_it_began_is_missed_when_the_desk_falls_silent() -> None:
    """The last that it told is that somebody is there."""
    room = ControlRoom()
    room.tell_load(desk_load("north", ()))
    assert (proposed(room), room.approve(), room.ask(EndReroute, LIN)) == ("done", "done", "done")
    room.tell_load(desk_load("north", ("ann",)))
    room.wait(60)
    assert room.order().phase == "active"


def test_an_order_of_before_people_were_noted_misses_everybody() -> None:
    """It began before its teams were noted: whoever does not go by a shift is taken to have been there."""
    room = in_force()
    room.ask(EndReroute, LIN)
    older = room.order().model_copy(update={"staffed_teams": None})
    assert unwell(older, FloorNow.of(room.views, (), NOW + timedelta(minutes=1))) is not None


def test_leases_that_run_out_as_work_comes_back_are_a_fall_back() -> None:
    """People are signed on and take nothing: that is not well."""
    room = in_force()
    room.ask(EndReroute, LIN)
    room.tell_load(desk_load("north", ("ann",), at=NOW + timedelta(seconds=59), accepted=4, expired=3))
    room.wait(60)
    assert room.order().phase == "active"


@pytest.mark.parametrize(
    ("tally", "phase"),
    [
        ({"accepted": 3, "declined": 373}, "active"),
        ({"declined": 4}, "returning"),  # too few to say anything
        ({"accepted": 5, "declined": 5}, "returning"),
        ({"completed": 9, "declined": 5}, "returning"),  # who completes what is offered need not accept it first
    ],
)
def test_offers_that_nobody_accepts_as_work_comes_back_are_a_fall_back(tally: dict[str, int], phase: str) -> None:
    """People are there and give back what they are offered: that is not well, though no lease runs out."""
    room = in_force()
    room.ask(EndReroute, LIN)
    room.tell_load(desk_load("north", ("ann",), at=NOW + timedelta(seconds=59), **tally))
    room.wait(60)
    assert room.order().phase == phase
    told = [fact.detail for fact in room.facts if isinstance(fact, RerouteFellBack)]
    assert told == (
        ["Expected offers to be accepted at north, found 373 of 376 declined."] if phase == "active" else []
    )


def at_the_pace(room: ControlRoom, seconds: float, **tally: int) -> None:
    """The north tells its load a second before its step is over: an entry takes its people so long."""
    told = desk_load("north", ("ann", "bob"), at=room.now + timedelta(seconds=59), **tally)
    pace = CapacityByWorkType(work_type=ENTRY, present=2, learned_seconds=seconds)
    room.tell_load(told.model_copy(update={"capacity": (pace,)}))
    room.wait(60)


@pytest.mark.parametrize(
    ("seconds", "steps"),
    [(30.0, 1), (31.0, 2), (60.0, 2), (90.0, 3), (91.0, None)],  # 91: three steps are over before it may be expected
)
def test_work_is_stalled_when_it_had_its_time_and_nothing_is_completed(seconds: float, steps: int | None) -> None:
    """Twelve accepted at once: whether none completed is an illness goes by how long the work takes."""
    room = in_force()
    room.ask(EndReroute, LIN)
    not_well_after = None
    for step in (1, 2, 3):
        at_the_pace(room, seconds, accepted=12)
        if room.order().phase == "active" or room.order().not_well:
            not_well_after = step
            break
    assert not_well_after == steps


@pytest.mark.parametrize("seconds", [0, 1, 29])  # within half a step: looked at in time
def test_what_was_not_well_in_its_last_step_is_not_held_again(seconds: float) -> None:
    """Its promised end has come and desks have let go: nothing is taken again, and what was not well is on record."""
    room = in_force()
    room.ask(EndReroute, LIN)
    for _ in range(2):
        room.everybody_well(60)
        room.wait(60)
    over = over_at(room.order())
    assert over == NOW + timedelta(minutes=3)
    room.tell_load(desk_load("north", (), at=over))
    back_after(room, 60 + seconds)
    order = room.order()
    assert (order.phase, order.fell_back, order.not_well) == ("ended", 0, 1)
    assert order.over_because.startswith(
        "Expected somebody present at north, found nobody. It is over and not taken again"
    )


def test_a_return_of_before_its_first_tallies_were_told_gives_the_order_of_before() -> None:
    """Replayed, the older fact makes of the order what was published of it then, or the book would not agree with itself."""
    room = in_force()
    before = room.order()
    room.ask(EndReroute, LIN)
    (told,) = (one for one in room.facts if isinstance(one, RerouteReturning))
    assert moved(before, told).return_tallies == told.tallies != ()
    older = told.model_validate_json(told.model_dump_json(exclude={"return_tallies"}))
    assert moved(before, older).return_tallies == ()


def test_work_that_stops_being_completed_in_a_later_step_is_stalled() -> None:
    """Some was completed in the first step, none of many accepted in the second; and what is completed is well."""
    for completed, phase in ((5, "active"), (6, "returning")):
        room = in_force()
        room.ask(EndReroute, LIN)
        at_the_pace(room, 30.0, accepted=12, completed=5)
        at_the_pace(room, 30.0, accepted=24, completed=completed)
        assert room.order().phase == phase


def test_an_order_that_is_over_by_the_clock_is_never_taken_up_again() -> None:
    """Routing was dead over the end of the ramp, and all desks are silent when it is back: that is no illness of the scope."""
    room = in_force()
    room.ask(EndReroute, LIN)
    back_after(room, 400)
    assert (room.order().phase, room.order().fell_back) == ("ended", 0)
    assert "in time" in room.order().over_because


def test_a_step_that_nobody_looked_at_in_time_goes_by_the_clock() -> None:
    """Half a step late, with silent desks: the next step and no fall-back; looked at in time it is judged again."""
    room = in_force()
    room.ask(EndReroute, LIN)
    back_after(room, 60 + 40)
    assert (room.order().phase, room.order().return_steps_done) == ("returning", 2)
    room.wait(25)
    assert (room.order().phase, room.order().fell_back) == ("active", 1)


def test_what_branches_do_themselves_comes_back_whatever_desks_say() -> None:
    """A local order touches no team."""
    room = bank()
    scope = RerouteScope(business_types=("transfer",))
    assert (proposed(room, effect="local", scope=scope), room.approve()) == ("done", "done")
    room.ask(EndReroute, LIN)
    for team in ("north", "south"):
        room.tell_load(desk_load(team, (), at=NOW + timedelta(seconds=59)))
    room.wait(60)
    assert (room.order().phase, room.order().return_steps_done) == ("returning", 2)


@pytest.mark.parametrize(("interval", "heard"), [(1.0, False), (2.0, True)])
def test_a_desk_is_silent_by_the_interval_that_it_told(interval: float, heard: bool) -> None:
    """Sixty seconds without a word: too long for a desk that tells changes each second, not for one that takes two."""
    room = in_force()
    room.tell_load(
        desk_load("north", ("ann",), at=NOW + timedelta(seconds=1)).model_copy(update={"interval_seconds": interval})
    )
    room.ask(EndReroute, LIN)
    room.wait(61)
    assert (room.order().phase == "returning") == heard


def test_cancel_ends_everything_at_once() -> None:
    """At each point of its life, without a ramp."""
    for room in (ControlRoom(), in_force()):
        if not room.book.orders:
            proposed(room)
        assert room.ask(CancelReroute, LIN) == "done"
        assert room.order().phase == "cancelled"
        assert room.ask(CancelReroute, LIN) == "wrong_phase"


def test_a_command_that_does_not_fit_says_what_it_is_for_and_what_helps() -> None:
    """By where the reroute is: a proposal is cancelled, what has expired is proposed anew."""
    room = ControlRoom()
    proposed(room)
    assert room.ask(EndReroute, LIN) == "wrong_phase"
    assert said(room) == "Expected a reroute in force to end, found r1 proposed; cancel it, or have it approved first."
    room.wait(900)
    assert room.approve() == "wrong_phase"
    assert said(room) == "Expected a proposal to approve, found r1 expired; propose it anew."
    assert room.ask(CancelReroute, LIN) == "wrong_phase"
    assert (
        said(room) == "Expected a reroute to cancel that is not over, found r1 expired; nothing of it is left to stop."
    )
    begun = in_force()
    assert begun.ask(RefuseReroute, CHEN) == "wrong_phase"
    assert said(begun) == "Expected a proposal to refuse, found r1 active; end it, or cancel it."


def test_every_phase_and_command_that_do_not_fit_have_a_sentence() -> None:
    """None is left out."""
    for (phase, form), rule in RULES.items():
        if rule is not_now:
            assert phase in OVER or phase in INSTEAD
            assert form in WANTED


def test_an_approver_refuses() -> None:
    """With a reason, on record."""
    room = ControlRoom()
    proposed(room)
    assert room.ask(RefuseReroute, LIN) == "own_proposal"
    assert room.ask(RefuseReroute, CHEN, reason="the power is back") == "done"
    assert (room.order().phase, room.order().over_because) == ("refused", "the power is back")


TWO_CENTRES = RerouteRule(id="two", label="one more must not stop us", form="able_centres", step="review", minimum=2)


def test_a_safety_rule_is_overridden_by_its_name_alone() -> None:
    """The approver names it, and the name is on record."""
    room = ControlRoom(TWO_CENTRES)
    proposed(room)
    assert [rule.rule_id for rule in room.order().preview.broken_rules] == ["two"]
    assert room.approve() == "rules_broken"
    assert room.approve(override_rules=("twelve",)) == "rule_unknown"
    assert room.approve(override_rules=("two",)) == "done"
    assert room.order().overridden_rules == ("two",)


def test_a_rule_that_holds_for_everybody_is_not_even_proposed_against() -> None:
    """Fail closed."""
    room = ControlRoom(TWO_CENTRES.model_copy(update={"overridable": False}))
    assert proposed(room) == "rule_not_overridable"


def test_a_drill_breaks_no_rule() -> None:
    """What the rest could not carry is refused with its code."""
    room = ControlRoom(TWO_CENTRES)
    command = room.command(ProposeReroute, LIN, terms=terms(drill=True))
    facts = room.send(command)
    assert "CAPACITY_CHECK_FAILED" in facts[0].model_dump()["detail"]


def test_work_does_not_flap() -> None:
    """So long after one is over, none begins in the same place, unless the rule is overridden."""
    room = ControlRoom(RerouteRule(id="flap", label="to and fro", form="anti_flap", wait_seconds=300))
    proposed(room)
    room.approve()
    room.ask(CancelReroute, LIN)
    assert room.ask(ProposeReroute, LIN, "r2", terms=terms()) == "done"
    assert room.approve(reroute_id="r2") == "rules_broken"
    room.now += timedelta(seconds=301)
    assert room.ask(ProposeReroute, LIN, "r3", terms=terms()) == "done"
    assert room.approve(reroute_id="r3") == "done"


def test_of_two_equal_proposals_one_comes_into_force() -> None:
    """Two people proposed the same in the same minute, and both were approved."""
    room = ControlRoom()
    assert (proposed(room), room.ask(ProposeReroute, CHEN, "r2", terms=terms())) == ("done", "done")
    assert room.approve() == "done"
    assert room.approve(LIN, "r2") == "same_scope_in_force"
    assert room.order("r2").phase == "proposed"


def test_of_two_equal_orders_for_later_one_begins() -> None:
    """Both were approved while neither was in force."""
    room = ControlRoom()
    later = terms(starts_at=NOW + timedelta(seconds=90))
    for name, who, second in (("r1", LIN, CHEN), ("r2", CHEN, LIN)):
        assert room.ask(ProposeReroute, who, name, terms=later) == "done"
        assert room.approve(second, name) == "done"
    room.everybody_well(90)
    room.wait(90)
    assert (room.order("r1").phase, room.order("r2").phase) == ("active", "refused")
    assert "r1" in room.order("r2").over_because


def test_what_touches_other_work_is_no_flapping() -> None:
    """A name that is overridden as a habit is no rule: other people's work, or another sort of work, may go at once."""
    room = bank(RerouteRule(id="flap", label="to and fro", form="anti_flap", wait_seconds=300))
    mine = RerouteScope(centres=("n",), business_types=("transfer",))
    room.ask(ProposeReroute, LIN, terms=terms(scope=mine))
    room.approve()
    room.ask(CancelReroute, LIN)
    flaps = {
        "same": terms(scope=mine),
        "same, later": terms(scope=mine, starts_at=room.now + timedelta(seconds=301)),
        "wider": terms(),
        "other work": terms(scope=RerouteScope(centres=("n",), business_types=("cheque",))),
        "other people": terms(scope=RerouteScope(centres=("s",), business_types=("transfer",))),
        "branches": terms(effect="local", scope=RerouteScope(business_types=("transfer",))),
    }
    floor = FloorNow.of(room.views, room.book.orders.values(), room.now)
    told = {name: bool(preview_of(one, floor, past(room.book)).broken_rules) for name, one in flaps.items()}
    assert [name for name, flap in told.items() if flap] == ["same", "wider"]


def test_nothing_begins_in_a_blocked_window() -> None:
    """10:00 in Shanghai is 02:00 UTC."""
    room = ControlRoom(RerouteRule(id="peak", label="the peak", form="blocked_window", begins="09:30", ends="11:30"))
    proposed(room)
    assert room.approve() == "rules_broken"


@pytest.mark.parametrize(
    ("scope", "effect", "code"),
    [
        (RerouteScope(), "drain", "scope_empty"),
        (RerouteScope(centres=("nowhere",)), "drain", "scope_unknown"),
        (RerouteScope(centres=("n",), work_types=("transfer/entri",)), "drain", "scope_unknown"),
        (RerouteScope(centres=("n",), data_classes=("persnal",)), "drain", "scope_unknown"),
        (RerouteScope(centres=("n",), teams=("south",)), "drain", "scope_unknown"),
        (RerouteScope(work_types=("transfer/entry",), business_types=("cheque",)), "drain", "scope_unknown"),
        (RerouteScope(centres=("n",)), "local", "scope_not_local"),
    ],
)
def test_a_scope_that_means_nothing_is_refused_with_its_code(scope: RerouteScope, effect: str, code: str) -> None:
    """Empty, unknown, without any team, or not for branches to obey."""
    assert proposed(ControlRoom(), scope=scope, effect=effect) == code


@pytest.mark.parametrize("form", [EndReroute, CancelReroute])
def test_who_proposed_and_has_no_duty_any_more_stops_nothing(form: type[EndReroute | CancelReroute]) -> None:
    """Somebody who left the list is nobody on call, whatever they proposed; with a duty for another scope they may."""
    room = in_force()
    room.views["reference"].fold(f"{RerouteDuty.noun}:{LIN}", None)
    assert room.ask(form, LIN) == "not_authorised"


def test_who_proposed_is_on_duty_still_when_another_agrees() -> None:
    """Else one person of those who may stands behind the order; an alert proposes without a duty of its own."""
    room = ControlRoom()
    assert proposed(room) == "done"
    room.views["reference"].fold(f"{RerouteDuty.noun}:{LIN}", None)
    assert room.approve(CHEN, "r1") == "not_authorised"
    assert "propose it anew" in said(room)
    assert room.order("r1").phase == "proposed"
    assert room.ask(ProposeReroute, "alertmanager", "r2", terms=terms(), source="alert") == "done"
    assert room.approve(CHEN, "r2") == "done"


def test_an_equal_reroute_in_force_is_a_typed_conflict() -> None:
    """Extend that one instead."""
    room = in_force()
    assert room.ask(ProposeReroute, CHEN, "r2", terms=terms()) == "same_scope_in_force"
    said_twice = terms(scope=RerouteScope(centres=("n", "n")))
    assert room.ask(ProposeReroute, CHEN, "r2", terms=said_twice) == "same_scope_in_force"
    assert room.ask(ProposeReroute, CHEN, "r2", terms=terms(effect="drain")) == "done"
    assert room.order("r2").preview.also_in_force == ("r1",)


def test_an_equal_reroute_may_be_agreed_for_when_this_one_is_over() -> None:
    """And when this one was kept for longer meanwhile, the other is refused when its hour comes."""
    room = in_force()
    back = room.now + timedelta(hours=2)
    assert (
        room.ask(ProposeReroute, CHEN, "r2", terms=terms(starts_at=room.now + timedelta(minutes=5)))
        == "same_scope_in_force"
    )
    assert room.ask(ProposeReroute, CHEN, "r2", terms=terms(starts_at=back)) == "done"
    assert room.approve(LIN, "r2") == "done"
    assert room.ask(ExtendReroute, CHEN, "r1", minutes=180) == "done"
    room.wait(2 * 3_600 + 1)
    assert room.order("r1").phase == "active"
    assert room.order("r2").phase == "refused"


@pytest.mark.parametrize(
    ("minutes", "also", "dead_ends"),
    [
        (30, ("r1",), ("transfer/entry", "transfer/review")),  # r1 still has the north
        (70, (), ()),  # nobody has: the north has taken its work back
        (130, ("r3",), ("transfer/entry", "transfer/review")),  # r3 has it by then
        (220, (), ()),  # and is over
    ],
)
def test_what_begins_later_is_seen_beside_the_orders_of_its_hour(
    minutes: int, also: tuple[str, ...], dead_ends: tuple[str, ...]
) -> None:
    """Not beside those in force at the moment: what is over by then holds nothing, what is agreed for then does."""
    room = in_force()
    two_hours_on, south = room.now + timedelta(minutes=120), RerouteScope(centres=("s",))
    assert room.ask(ProposeReroute, CHEN, "r3", terms=terms(starts_at=two_hours_on, effect="drain")) == "done"
    assert room.approve(LIN, "r3") == "done"
    later = terms(scope=south, starts_at=room.now + timedelta(minutes=minutes))
    assert room.ask(ProposeReroute, CHEN, "r4", terms=later) == "done"
    assert (room.order("r4").preview.also_in_force, room.order("r4").preview.dead_ends) == (also, dead_ends)


def test_the_preview_tells_dead_ends_and_who_takes_the_work() -> None:
    """With people in the south it has takers; without, it is a dead end before anybody agrees."""
    room = ControlRoom()
    proposed(room)
    entry = next(s for s in room.order().preview.skills if s.work_type.endswith("entry"))
    assert (entry.moves, [t.team_id for t in entry.takers], entry.dead_end) == (10, ["south"], False)
    room.tell_load(desk_load("south", ()))
    room.ask(ProposeReroute, LIN, "r2", terms=terms())
    assert room.order("r2").preview.dead_ends == ("transfer/entry", "transfer/review")


def test_the_scope_of_the_proposal_is_not_changed_by_its_approval() -> None:
    """What is in force is what was shown."""
    assert in_force().order().terms.scope == NORTH


def test_ending_it_after_its_end_makes_it_no_longer() -> None:
    """Time jumped past the end before the timer was seen: who ends it by hand then moves no instant on."""
    room = ControlRoom()
    proposed(room, minutes=30)
    room.approve()
    room.now = NOW + timedelta(minutes=33)
    assert room.ask(EndReroute, LIN) == "done"
    assert (room.order().phase, room.order().ends_at) == ("returning", NOW + timedelta(minutes=30))


@pytest.mark.parametrize(
    ("then", "now", "found"),
    [
        ({"items_moving": 100}, {"items_moving": 151}, "about 100 items to move"),
        ({"items_moving": 151}, {"items_moving": 100}, "about 151 items to move"),
        ({"items_moving": 100}, {"items_moving": 150}, None),
        ({}, {"broken_rules": (BrokenRule(rule_id="two", detail="d", overridable=True),)}, "no more rules broken"),
        ({}, {"dead_ends": ("a/entry",)}, "somebody left for a/entry"),
    ],
)
def test_each_measure_of_drift_counts_by_itself(then: dict[str, Any], now: dict[str, Any], found: str | None) -> None:
    """More than fifty items and more than a quarter, a rule, a dead end."""
    preview = preview_of(terms(), FloorNow.of(ControlRoom(queued=0).views, (), NOW))
    told = drift_between(preview.model_copy(update=then), preview.model_copy(update=now), 0.25)
    assert told is None if found is None else found in str(told)
