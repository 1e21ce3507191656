"""Pause, wrap up, resume, and a certain item picked for a certain operator."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from services.routing.desk.state import OperatorPhase
from shared.contracts.message import Message
from shared.contracts.reroute import Effect
from shared.contracts.routing import (
    AcceptAssignment,
    AssignmentDeclined,
    LoadSnapshot,
    OperatorPaused,
    Pause,
    PickWork,
    Resume,
    SignOff,
    SignOn,
    WorkAssigned,
)
from tests.unit.routing.floor import kinds, only, operator, order, stand
from tests.unit.routing.test_desk import Desk, refusal
from tests.unit.routing.test_obedience import put, reroute


def phase(d: Desk, who: str) -> OperatorPhase:
    found: OperatorPhase = d.state.operator(who).phase
    return found


def pauses(d: Desk, who: str, reason: str = "lunch", command_id: str = "") -> Sequence[Message]:
    return d.says(Pause, who, command_id, reason=reason)


def picks(d: Desk, who: str, item: str, by: str = "", command_id: str = "") -> Sequence[Message]:
    return d.says(PickWork, who, command_id, work_item_id=item, reason="the customer waits", picked_by=by or who)


def at_work(item: str = "a", who: str = "ann") -> Desk:
    """Somebody with an item in hand."""
    d = Desk()
    d.on(who)
    d.place(order(item))
    d.says(AcceptAssignment, who, work_item_id=item, attempt=1)
    return d


# ---------------------------------------------------------------- presence


def test_who_pauses_with_empty_hands_gets_no_work_until_they_resume() -> None:
    """Paused at once, with the reason; a placed item queues; resuming deals it in the same decision."""
    d = Desk()
    d.on("ann")
    fact = only(pauses(d, "ann"), OperatorPaused)
    assert (fact.reason, fact.wrapping_up, phase(d, "ann")) == ("lunch", False, OperatorPhase.PAUSED)
    assert kinds(d.place(order("a"))) == ["WorkQueued"]
    assert not [f for f in d.wait(5) if isinstance(f, WorkAssigned)]
    assert kinds(d.says(Resume, "ann")) == ["OperatorResumed", "WorkAssigned"]
    assert d.state.operator("ann").pause_reason is None


def test_an_offer_goes_back_when_the_operator_pauses_and_may_come_again() -> None:
    """What is only offered goes to a colleague in the same decision; a pause is no decline."""
    d = Desk()
    d.on("ann")
    d.place(order("a"))
    d.on("bob")
    facts = pauses(d, "ann")
    assert kinds(facts) == ["AssignmentDeclined", "OperatorPaused", "WorkAssigned"]
    assert only(facts, WorkAssigned).operator_id == "bob"
    d.says(SignOff, "bob")
    assert only(d.says(Resume, "ann"), WorkAssigned).work_item_id == "a"


def test_nobody_is_offered_back_what_their_own_pause_gave_up() -> None:
    """Alone at the desk, the offer queues and waits."""
    d = Desk()
    d.on("ann")
    d.place(order("a"))
    assert kinds(pauses(d, "ann")) == ["AssignmentDeclined", "OperatorPaused"]
    assert phase(d, "ann") is OperatorPhase.PAUSED


def test_who_pauses_at_work_wraps_up_first() -> None:
    """The item stays in hand and its result counts; then they pause, though more work waits."""
    d = at_work()
    d.place(order("b"))
    assert only(pauses(d, "ann"), OperatorPaused).wrapping_up
    assert phase(d, "ann") is OperatorPhase.WRAPPING_UP
    assert kinds(d.completes("ann", "a")) == ["WorkCompleted"]
    assert phase(d, "ann") is OperatorPhase.PAUSED
    assert d.state.operator("ann").pause_reason == "lunch"


def test_who_wraps_up_and_declines_pauses_too() -> None:
    """However the item leaves the hand, the pause begins then."""
    d = at_work()
    d.place(order("b"))
    pauses(d, "ann")
    assert kinds(d.declines("ann", "a")) == ["AssignmentDeclined"]
    assert phase(d, "ann") is OperatorPhase.PAUSED


def test_a_suspended_operator_who_wraps_up_is_dealt_nothing_else() -> None:
    """The item is taken back as from anybody, and the pause begins."""
    d = at_work()
    d.place(order("b"))
    pauses(d, "ann")
    stand(d.views, "operator", "ann", "suspended")
    assert "WorkAssigned" not in kinds(d.fire("boards"))
    assert phase(d, "ann") is OperatorPhase.PAUSED


def test_who_resumes_while_wrapping_up_simply_works_on() -> None:
    """The item stays in hand, and the next one follows it."""
    d = at_work()
    d.place(order("b"))
    pauses(d, "ann")
    assert kinds(d.says(Resume, "ann")) == ["OperatorResumed"]
    assert phase(d, "ann") is OperatorPhase.WORKING
    assert kinds(d.completes("ann", "a")) == ["WorkCompleted", "WorkAssigned"]


def test_who_wraps_up_and_lets_the_lease_run_out_is_away_not_paused() -> None:
    """Nobody knows where they are: the pause is over, and a new sign-on is wanted."""
    d = at_work()
    pauses(d, "ann")
    assert "OperatorAway" in kinds(d.wait(400))
    assert (phase(d, "ann"), d.state.operator("ann").pause_reason) == (OperatorPhase.AWAY, None)
    assert refusal(d.says(Resume, "ann")) == "not_signed_on"


def test_the_load_tells_only_who_takes_work() -> None:
    """Paused and wrapping up count neither as present nor as capacity."""
    d = at_work()
    d.on("bob", "cat")
    pauses(d, "ann")
    pauses(d, "bob")
    d.now += timedelta(seconds=2)
    told = only(d.fire("load"), LoadSnapshot)
    assert (told.present, told.in_hand) == (("cat",), 1)
    assert {row.present for row in told.capacity} <= {1}


def test_another_reason_is_worth_a_fact_the_same_one_is_not() -> None:
    """A lunch that becomes a meeting is told; the item in hand stays there."""
    d = at_work()
    pauses(d, "ann")
    assert kinds(pauses(d, "ann")) == ["CommandNoted"]
    fact = only(pauses(d, "ann", "meeting"), OperatorPaused)
    assert (fact.reason, fact.wrapping_up, phase(d, "ann")) == ("meeting", True, OperatorPhase.WRAPPING_UP)


def test_a_paused_operator_signs_off_and_on() -> None:
    """Signing on ends the pause as resuming does; signing off ends the day."""
    d = Desk()
    d.on("ann")
    pauses(d, "ann")
    assert kinds(d.says(SignOn, "ann")) == ["OperatorReady"]
    assert (phase(d, "ann"), d.state.operator("ann").pause_reason) == (OperatorPhase.READY, None)
    pauses(d, "ann")
    d.says(SignOff, "ann")
    assert (phase(d, "ann"), d.state.operator("ann").pause_reason) == (OperatorPhase.OFF, None)


@pytest.mark.parametrize("form", [Pause, Resume])
def test_only_who_is_signed_on_can_pause_or_resume(form: type[Message]) -> None:
    """Somebody who is off is refused and stays off."""
    d = Desk()
    rest = {"reason": "lunch"} if form is Pause else {}
    assert refusal(d.says(form, "ann", **rest)) == "not_signed_on"
    assert phase(d, "ann") is OperatorPhase.OFF


def test_somebody_who_leaves_the_team_while_paused_is_away() -> None:
    """A board that no longer knows the person ends the pause, too."""
    d = Desk([operator("ann"), operator("bob")])
    d.on("ann", "bob")
    pauses(d, "ann")
    del d.views["reference"].operators["ann"]
    assert "OperatorAway" in kinds(d.fire("boards"))
    assert phase(d, "ann") is OperatorPhase.AWAY


def test_the_same_pause_twice_changes_nothing() -> None:
    """A command that was answered keeps its answer."""
    d = at_work()
    pauses(d, "ann", command_id="p")
    assert pauses(d, "ann", command_id="p") == ()
    assert refusal(pauses(d, "ann", "meeting", "p")) == "conflict"


# -------------------------------------------------------------------- picks


def test_a_picked_item_goes_before_what_the_desk_would_choose() -> None:
    """The fact records who picked it, why, and which command it answers; what was offered goes back."""
    d = Desk()
    d.place(order("urgent", due_seconds=900))
    d.place(order("quiet", due_seconds=9000))
    assert only(d.on("ann"), WorkAssigned).work_item_id == "urgent"
    facts = picks(d, "ann", "quiet", by="lea", command_id="pick")
    assert kinds(facts) == ["AssignmentDeclined", "WorkAssigned"]
    given = only(facts, WorkAssigned)
    assert (given.work_item_id, given.operator_id, given.attempt) == ("quiet", "ann", 1)
    assert (given.picked.picked_by, given.picked.reason, given.picked.command_id) == (
        "lea",
        "the customer waits",
        "pick",
    )
    assert given.why == "picked by lea: the customer waits"
    assert only(d.on("bob"), WorkAssigned).work_item_id == "urgent"


def test_what_the_picker_gives_up_goes_to_a_colleague_at_once() -> None:
    """Nothing waits while somebody is ready for it, and the picker is not dealt it again."""
    d = Desk([operator("ann"), operator("bob", work_types=("transfer/entry",))])
    d.on("ann")
    d.place(order("entry"))
    d.on("bob")
    d.place(order("barred", step="entry", excluded_operators=("bob",)))
    facts = picks(d, "ann", "barred")
    assert [(f.work_item_id, f.operator_id) for f in facts if isinstance(f, WorkAssigned)] == [
        ("barred", "ann"),
        ("entry", "bob"),
    ]


def test_who_declined_an_item_may_pick_it_after_all() -> None:
    """The desk does not offer it to them again, but they may ask for it."""
    d = Desk()
    d.place(order("a"))
    d.on("ann")
    d.declines("ann", "a")
    assert only(picks(d, "ann", "a"), WorkAssigned).attempt == 2


def test_no_pick_gives_somebody_a_second_role_on_a_case() -> None:
    """Who keyed it does not key it again, whoever asks."""
    d = Desk()
    d.place(order("one", case_id="case", role="entry-1"))
    d.place(order("two", case_id="case", role="entry-2"))
    d.on("ann")
    d.completes("ann", "one")
    assert refusal(picks(d, "ann", "two", by="lea")) == "not_allowed"
    assert phase(d, "ann") is OperatorPhase.READY


@pytest.mark.parametrize(
    "changes", [{"excluded_operators": ("ann",)}, {"data_class": "secret", "grade_min": 3}, {"step": "authorisation"}]
)
def test_the_hard_rules_hold_for_a_pick(changes: dict[str, Any]) -> None:
    """Excluded, too junior, not qualified: refused, and nothing is given."""
    d = Desk()
    d.on("ann")
    d.place(order("a", **changes))
    facts = picks(d, "ann", "a", by="lea")
    assert (kinds(facts), refusal(facts)) == (["CommandRefused"], "not_allowed")


def test_a_suspended_operator_picks_nothing() -> None:
    """Standing counts at a pick as at any assignment."""
    d = Desk()
    d.on("ann")
    stand(d.views, "operator", "ann", "suspended")
    d.place(order("a"))
    assert refusal(picks(d, "ann", "a")) == "not_allowed"


def test_nobody_picks_what_a_reroute_moves_away() -> None:
    """An evacuated item leaves; a pick does not keep it."""
    d = Desk()
    d.place(order("a"))
    d.on("ann")
    d.declines("ann", "a")
    effect: Effect = "evacuate"
    put(d, reroute(effect))
    assert refusal(picks(d, "ann", "a")) == "not_allowed"


def test_only_what_waits_can_be_picked() -> None:
    """Unknown, or with a colleague: refused as not in the queue; a colleague's work is not taken away."""
    d = at_work()
    d.on("bob")
    assert refusal(picks(d, "bob", "a")) == "not_queued"
    assert refusal(picks(d, "bob", "elsewhere")) == "not_queued"
    assert d.state.item("a").operator_id == "ann"


def test_nobody_has_two_items_in_hand() -> None:
    """At work, wrapping up: finish first."""
    d = at_work()
    d.place(order("b"))
    assert refusal(picks(d, "ann", "b")) == "hand_full"
    pauses(d, "ann")
    assert refusal(picks(d, "ann", "b", by="lea")) == "hand_full"


def test_nothing_is_picked_for_who_is_not_there() -> None:
    """Off or paused: they would not see it before its lease is over."""
    d = Desk()
    d.place(order("a"))
    assert refusal(picks(d, "ann", "a", by="lea")) == "not_signed_on"
    d.on("bob")
    pauses(d, "bob")
    assert only(d.facts, AssignmentDeclined).operator_id == "bob"
    assert refusal(picks(d, "bob", "a", by="lea")) == "not_signed_on"


def test_the_same_pick_twice_gives_the_item_once() -> None:
    """The answer stands in the rows, too: after a restart the same command still changes nothing."""
    d = Desk()
    d.place(order("a", due_seconds=9000))
    d.place(order("b"))
    d.on("ann")
    picks(d, "ann", "a", command_id="pick")
    assert picks(d, "ann", "a", command_id="pick") == ()
    assert refusal(picks(d, "ann", "b", command_id="pick")) == "conflict"
    assert d.state.answered("ann", "pick") is not None
    assert d.reloaded().contents() == d.replayed().contents() == d.state.contents()
