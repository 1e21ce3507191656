"""What an auditor reads: how long it really was, what was agreed to, who answers for a broken glass."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from opsfloor.console.control.telling import what_now
from services.routing.emergency.report import in_force_words, minutes_in_force, page_of, report_of
from shared.contracts.reference import RerouteRule
from shared.contracts.reroute import CancelReroute, CloseReview, ExtendReroute, ProposeReroute, RerouteFact
from shared.reference.board import REFERENCE_BOARD
from tests.unit.emergency.control_room import CHEN, LIN, ControlRoom, terms


def page(room: ControlRoom) -> str:
    """The auditor's page of the one order."""
    life = [fact for fact in room.facts if isinstance(fact, RerouteFact)]
    return page_of(report_of(room.now, room.order(), life, {}, 0, 0, (), room.book.sent_back.get("r1", {})))


def in_force(**changes: Any) -> ControlRoom:
    """A room with an order that Lin proposed and Chen approved."""
    room = ControlRoom()
    assert room.ask(ProposeReroute, LIN, terms=terms(**changes)) == "done"
    assert room.approve(CHEN) == "done"
    return room


def test_an_order_that_was_stopped_ended_when_it_was_stopped() -> None:
    """An hour that lasted sixteen seconds is told as sixteen seconds."""
    room = in_force()
    begun = room.now
    room.now += timedelta(seconds=16)
    assert room.ask(CancelReroute, LIN) == "done"
    told = in_force_words(room.order(), lambda at: f"{(at - begun).total_seconds():g}")
    assert told == "0 to 16"
    assert f"to {room.now:%Y-%m-%d %H:%M:%S} UTC</td>" in page(room)


def test_an_order_whose_work_came_back_in_steps_tells_both_instants() -> None:
    """When it ceased to be in force, and when the last of it was back."""
    order = in_force().order()
    assert order.ends_at is not None
    over = order.model_copy(update={"phase": "ended", "over_at": order.ends_at + timedelta(minutes=3)})
    assert in_force_words(over, lambda at: f"{at:%H:%M}") == (
        f"{order.started_at:%H:%M} to {order.ends_at:%H:%M}, all back at {over.over_at:%H:%M}"
    )
    assert in_force_words(order.model_copy(update={"started_at": None}), str) == "not begun"


def test_the_head_says_what_was_agreed_to() -> None:
    """The effect, the share, the place and the minutes, and what was foreseen of the waits."""
    told = page(in_force(effect="shift", percent=30, minutes=45))
    assert "shift of 30 % of centre n for 45 min<" in told
    assert "cleared in, after" in told


def test_an_order_kept_for_longer_is_told_with_the_new_length() -> None:
    """On the page, on the screens, and from when it was proposed."""
    room = in_force()
    assert minutes_in_force(room.order()) == 60
    assert room.ask(ExtendReroute, CHEN, minutes=60) == "done"
    assert "for 60 min (kept for longer: 120 min)" in page(room)
    assert what_now(room.order(), "UTC").endswith("for 120 min")


def test_every_rule_that_somebody_overrode_is_told_where_they_did() -> None:
    """At the start alone, by a broken glass; and when it was kept for longer."""
    two = RerouteRule(id="two", label="two", form="able_centres", step="review", minimum=2)
    room = ControlRoom(two)
    assert room.ask(ProposeReroute, LIN, terms=terms(minutes=20), break_glass=True, override_rules=("two",)) == "done"
    assert "breaking the glass, overriding two: smoke" in page(room)
    room = ControlRoom()
    assert (room.ask(ProposeReroute, LIN, terms=terms()), room.approve(CHEN)) == ("done", "done")
    REFERENCE_BOARD.fold(room.views["reference"], two.key, two)
    assert room.ask(ExtendReroute, CHEN, minutes=5, reason="it burns", override_rules=("two",)) == "done"
    assert "UTC, overriding two: it burns<" in page(room)


def test_a_broken_glass_names_who_broke_it_and_who_answered() -> None:
    """Nobody approved it, and the page does not say that anybody did."""
    room = ControlRoom()
    assert room.ask(ProposeReroute, LIN, terms=terms(minutes=20), break_glass=True) == "done"
    told = page(room)
    assert "by nobody: lin broke the glass and started it alone" in told
    assert "Preview, approved by nobody" in told
    assert "open: nobody has answered for it yet" in told
    assert room.ask(CloseReview, CHEN, reason="it did <b>burn</b>") == "done"
    assert f"closed by chen, {room.now:%Y-%m-%d %H:%M:%S} UTC: it did &lt;b&gt;burn&lt;/b&gt;" in page(room)
