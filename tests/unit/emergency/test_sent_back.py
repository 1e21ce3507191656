"""What a local order sends back to branches: counted once for each submission, told with the order, kept out of its life."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from typer.testing import CliRunner

from opsfloor import answers
from opsfloor.cli import app
from services.routing.emergency.report import BRANCHES_TOLD, SentBackView, sent_back_words
from services.routing.emergency.state import OVER_KEPT
from shared.contracts.intake import SubmissionSentBack
from shared.contracts.message import Message
from shared.contracts.reroute import CancelReroute, ProposeReroute, RerouteOrder, RerouteScope, RerouteSentBack
from tests.unit.emergency.control_room import CHEN, LIN, ControlRoom, terms
from tests.unit.emergency.front_desk import FrontDesk
from tests.unit.emergency.test_reroute_life import bank
from tests.unit.routing.floor import NOW, only

LOCAL = terms(effect="local", scope=RerouteScope(business_types=("transfer",)))


def left(room: ControlRoom, submission_id: str, branch_id: str = "b-1") -> Sequence[Message]:
    """Reception tells the book of it. Returns the facts."""
    event = SubmissionSentBack(submission_id=submission_id, branch_id=branch_id, reroute_id="r1", received_at=room.now)
    return room.send(event)


def local() -> ControlRoom:
    """A room with a local order in force, by which three submissions went back."""
    room = bank()
    assert room.ask(ProposeReroute, LIN, terms=LOCAL) == "done"
    assert room.approve(CHEN) == "done"
    for submission_id, branch_id in (("s-1", "b-1"), ("s-2", "b-2"), ("s-3", "b-2")):
        left(room, submission_id, branch_id)
    return room


def test_each_submission_counts_by_branch_and_is_a_fact_of_the_orders_life() -> None:
    """The order itself, which data planes obey, is not told anew for it."""
    room = local()
    assert room.book.sent_back == {"r1": {"b-1": 1, "b-2": 2}}
    facts = left(room, "s-4")
    assert only(facts, RerouteSentBack) == RerouteSentBack(
        reroute_id="r1", at=NOW, submission_id="s-4", branch_id="b-1"
    )
    assert not any(isinstance(fact, RerouteOrder) for fact in facts)


def test_the_facts_and_the_rows_give_the_same_counts() -> None:
    """After a restart, a replay, and once the order is over: what comes late still counts."""
    room = local()
    assert room.ask(CancelReroute, LIN) == "done"
    left(room, "s-4")
    assert room.book.sent_back["r1"]["b-1"] == 2
    assert room.replayed_contents() == room.book.contents() == room.reloaded_contents()


def test_the_counts_go_with_their_order() -> None:
    """Of those that are over the oldest is forgotten: its row, too, and what comes for it counts nowhere."""
    room = local()
    assert room.ask(CancelReroute, LIN) == "done"
    old = room.order()
    for number in range(OVER_KEPT):
        room.wait(1)
        room.book.put(old.model_copy(update={"reroute_id": f"later-{number}", "over_at": room.now}))
    left(room, "s-4")
    room.ask(CancelReroute, LIN, "nothing")
    assert "r1" not in room.book.orders
    assert room.book.sent_back == {}
    assert not any(part.startswith("back/") for part in room.stored)


async def test_the_report_says_how_many_went_back_and_its_life_is_not_flooded() -> None:
    """By branch, those with the most first, also on the page; the life has one line for what people did."""
    desk = FrontDesk(room=local())
    client = desk.client("au", "auditor")
    report = (await client.get("/reroutes/r1")).json()
    assert report["sent_back"] == [{"branch_id": "b-2", "submissions": 2}, {"branch_id": "b-1", "submissions": 1}]
    assert len(report["life"]) == 3
    page = (await client.get("/reroutes/r1/report.html")).text
    assert "<th scope='row'>Sent back</th><td>3 submissions (b-2: 2, b-1: 1)</td>" in page


def test_beyond_twenty_branches_the_rest_is_counted() -> None:
    """A report is read by people."""
    rows = [SentBackView(branch_id=f"b-{n}", submissions=1_000) for n in range(BRANCHES_TOLD + 3)]
    told = sent_back_words(rows)
    assert told.startswith("23,000 submissions (b-0: 1,000, b-1: 1,000,")
    assert told.endswith("b-19: 1,000, 3 other branches: 3,000)")
    assert sent_back_words(()) == "none"


def test_the_command_line_says_it_of_a_local_order_alone(desk: FrontDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A drain sends nothing back, and nobody is told that it did not."""
    monkeypatch.setattr(answers.out, "_width", 200)
    scope = {"business_types": ("corporate-transfer",)}
    assert desk.room.ask(ProposeReroute, LIN, terms=terms(effect="local", scope=RerouteScope(**scope))) == "done"
    assert desk.room.approve(CHEN) == "done"
    assert (
        desk.room.ask(
            ProposeReroute, LIN, "r2", terms=terms(effect="drain", scope=RerouteScope(teams=("north-entry",)))
        )
        == "done"
    )
    left(desk.room, "s-1")
    shown = CliRunner().invoke(app, ["reroute", "show", "r1"]).output
    assert "Sent back: 1 submissions (b-1: 1)" in shown
    assert "Sent back" not in CliRunner().invoke(app, ["reroute", "show", "r2"]).output
