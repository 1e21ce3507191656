"""What nobody may ask for: a start out of reach, words that no database reads back, a percentage of a drain."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from services.routing.emergency.bounds import START_DAYS_MAX, start_fault, terms_fault
from services.routing.emergency.report import line_of
from shared.contracts.reference import RerouteRule
from shared.contracts.reroute import (
    MINUTES_MAX,
    ApproveReroute,
    CancelReroute,
    CloseReview,
    EndReroute,
    ExtendReroute,
    HeedCalendar,
    ProposeReroute,
    RefuseReroute,
    RerouteCommand,
    RerouteProposed,
    RerouteScope,
    RerouteTerms,
)
from tests.support.examples import share_of
from tests.unit.emergency.control_room import CHEN, LIN, MO, ControlRoom, terms
from tests.unit.emergency.front_desk import FrontDesk
from tests.unit.emergency.test_reroute_api import ALERT, TERMS, WHY, proposed
from tests.unit.routing.floor import NOW

LAST_SECOND = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)
DRILLS_ONLY = RerouteRule(id="cut", label="cut-off", form="blocked_window", begins="16:30", ends="17:15")
NUL = "nul \u0000 here"

INSTANTS = st.datetimes(
    timezones=st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
) | st.sampled_from((LAST_SECOND, datetime.min.replace(tzinfo=timezone(timedelta(hours=23)))))
NAMES = st.text(
    st.characters(exclude_categories=("C", "Z"), include_characters=" "), min_size=1, max_size=20
)  # printable
SOME = st.lists(NAMES | st.sampled_from(("n", "s", "north", "transfer", "transfer/entry")), max_size=2).map(tuple)
WORDS = st.text(min_size=1, max_size=40)
SCOPES = st.builds(
    RerouteScope,
    centres=SOME,
    teams=SOME,
    providers=SOME,
    work_types=SOME,
    business_types=SOME,
    regions=SOME,
    data_classes=SOME,
) | st.sampled_from((RerouteScope(centres=("n",)), RerouteScope(centres=("s",)), RerouteScope(teams=("north",))))
TERMS_LIKE = st.builds(
    RerouteTerms,
    effect=st.sampled_from(("drain", "evacuate", "recall", "shift", "local")),
    scope=SCOPES,
    percent=st.integers(1, 100),
    minutes=st.integers(1, MINUTES_MAX),
    starts_at=st.none() | INSTANTS,
    drill=st.booleans(),
    reason=WORDS,
)
RULE_NAMES = st.lists(NAMES | st.just("cut"), max_size=3).map(tuple)
FIELDS: dict[type[RerouteCommand], dict[str, st.SearchStrategy[Any]]] = {
    ProposeReroute: {
        "terms": TERMS_LIKE,
        "break_glass": st.booleans(),
        "override_rules": RULE_NAMES,
        "source": st.sampled_from(("person", "alert", "calendar")),
    },
    ApproveReroute: {"preview_sha256": st.just("0" * 64), "override_rules": RULE_NAMES},
    ExtendReroute: {"minutes": st.integers(1, MINUTES_MAX), "override_rules": RULE_NAMES},
    RefuseReroute: {},
    CancelReroute: {},
    EndReroute: {},
    CloseReview: {},
}


def wild(form: type[RerouteCommand]) -> st.SearchStrategy[RerouteCommand]:
    """Any command of the form that the contract lets through."""
    return st.builds(
        form,
        command_id=NAMES,
        reroute_id=st.sampled_from(("r1", "r2")) | NAMES,
        actor=st.sampled_from((LIN, CHEN, MO)) | NAMES,
        reason=WORDS,
        issued_at=INSTANTS,
        **FIELDS[form],
    )


def far(room: ControlRoom, **changes: Any) -> RerouteCommand:
    """Lin proposes to drain centre n in the last second that there is."""
    asked = terms(effect="drain", minutes=5, starts_at=LAST_SECOND, **changes)
    return room.command(ProposeReroute, LIN, terms=asked)


@settings(max_examples=share_of(150))
@given(st.lists(st.one_of([wild(form) for form in FIELDS]), max_size=6), st.booleans())
@example([far(ControlRoom(), drill=True)], True)
@example([far(ControlRoom())], True)
def test_no_command_that_the_contract_lets_through_stops_the_book(commands: list[RerouteCommand], agree: bool) -> None:
    """Decided, folded, woken up again: a command stays on the bus, so that what stops the book once does so for ever."""
    room = ControlRoom(DRILLS_ONLY)
    for command in commands:
        room.send(command)
        if agree and command.reroute_id in room.book.orders:
            room.approve(CHEN, command.reroute_id, override_rules=("cut",))
        room.processor.alarms(room.book)
        room.send(HeedCalendar(issued_at=command.issued_at))
    room.wait(3600)


@pytest.mark.parametrize("drill", [True, False])
def test_a_start_out_of_reach_is_refused(drill: bool) -> None:
    """A week ahead at most; one who means later proposes later."""
    room = ControlRoom(DRILLS_ONLY)
    assert room.send(far(room, drill=drill))[-1].model_dump()["code"] == "start_too_far"
    just = terms(starts_at=NOW + timedelta(days=START_DAYS_MAX))
    assert room.ask(ProposeReroute, LIN, terms=just) == "done"


def test_a_start_is_told_in_utc_whatever_zone_it_was_named_in() -> None:
    """By the answer, by the refusal and on record: what says UTC is UTC."""
    room, shanghai = ControlRoom(), timezone(timedelta(hours=8))
    start = (NOW + timedelta(hours=2)).astimezone(shanghai)
    said = f"{NOW + timedelta(hours=2):%Y-%m-%d %H:%M:%S} UTC"
    assert room.ask(ProposeReroute, LIN, terms=terms(starts_at=start)) == "done"
    assert room.approve(CHEN) == "done"
    assert [answer.detail for answer in room.book.answers.values()][-1] == f"Approved; it starts at {said}."
    (fact,) = (fact for fact in room.facts if isinstance(fact, RerouteProposed))
    line = line_of(fact)
    assert line is not None
    assert f"from {said}" in line.sentence
    for fault in (
        start_fault(terms(starts_at=start), NOW + timedelta(hours=3)),
        terms_fault(terms(starts_at=start), NOW - timedelta(days=START_DAYS_MAX)),
    ):
        assert fault is not None
        assert f"found {said}" in fault[1]


@pytest.mark.parametrize("break_glass", [True, False])
@pytest.mark.parametrize(
    ("start", "code"),
    [
        (datetime.min.replace(tzinfo=timezone(timedelta(hours=23))), "start_past"),
        (LAST_SECOND.replace(tzinfo=timezone(-timedelta(hours=23))), "start_too_far"),
    ],
)
def test_a_start_that_is_none_in_utc_is_refused(start: datetime, code: str, break_glass: bool) -> None:
    """In words, as any other that cannot be."""
    asked = terms(starts_at=start, minutes=5)
    found = ControlRoom().ask(ProposeReroute, LIN, terms=asked, break_glass=break_glass)
    assert found == ("start_too_far" if break_glass else code)


def test_a_proposal_from_before_the_bound_is_refused_when_somebody_approves_it() -> None:
    """Such a book lives on: the proposal is there, is shown, and expires."""
    room = ControlRoom(DRILLS_ONLY)
    assert room.ask(ProposeReroute, LIN, terms=terms()) == "done"
    fact = next(fact for fact in room.facts if isinstance(fact, RerouteProposed))
    old = fact.model_copy(update={"reroute_id": "r2", "terms": terms(starts_at=LAST_SECOND, drill=True)})
    room.state = room.processor.apply(room.state, old)
    assert room.approve(CHEN, "r2") == "start_too_far"
    room.wait(900)
    assert room.order("r2").phase == "expired"


@pytest.mark.parametrize("sign", ["\u0000", "\n", "\u001b", "\u0085", "\u2028", "\u202e"])
def test_words_with_control_characters_are_refused_in_every_command(sign: str) -> None:
    """In what is proposed as in each reason."""
    room = ControlRoom()
    words = f"smoke {sign} here"
    assert room.ask(ProposeReroute, LIN, "r2", terms=terms(reason=words)) == "text_not_plain"
    assert room.ask(ProposeReroute, LIN, terms=terms()) == "done"
    extra: dict[type[RerouteCommand], dict[str, Any]] = {
        ProposeReroute: {"terms": terms()},
        ExtendReroute: {"minutes": 5},
    }
    extra[ApproveReroute] = {"preview_sha256": room.order().preview.sha256}
    for form in FIELDS:
        assert room.ask(form, CHEN, reason=words, **extra.get(form, {})) == "text_not_plain"
    assert room.order().phase == "proposed"


@pytest.mark.parametrize(
    "words", ["烟雾 在 北楼", "d\u2019accord \u2014 sensé", "ideographic\u3000space", "👩\u200d🚒"]
)
def test_words_of_every_language_are_plain(words: str) -> None:
    """Control characters are meant, not the world's letters."""
    assert ControlRoom().ask(ProposeReroute, LIN, terms=terms(reason=words), reason=words) == "done"


def test_a_drill_is_neither_over_at_once_nor_held_for_days() -> None:
    """A minute would be a proof for two weeks; and who keeps one for longer keeps to the same bound."""
    room = ControlRoom(queued=0)
    for minutes, code in ((9, "drill_minutes"), (241, "drill_minutes"), (240, "done")):
        drill = terms(effect="drain", drill=True, minutes=minutes)
        assert room.ask(ProposeReroute, LIN, f"d{minutes}", terms=drill) == code
    assert room.ask(ProposeReroute, LIN, terms=terms(effect="drain", drill=True, minutes=200)) == "done"
    assert room.approve(CHEN) == "done"
    assert room.ask(ExtendReroute, CHEN, minutes=41) == "drill_minutes"
    assert room.ask(ExtendReroute, CHEN, minutes=40) == "done"


@pytest.mark.parametrize("effect", ["drain", "evacuate", "recall", "local"])
def test_a_percentage_is_for_a_shift_alone(effect: str) -> None:
    """Nothing else shows it, and 99 % would pass by the rules that count who is left."""
    room = ControlRoom()
    assert room.ask(ProposeReroute, LIN, terms=terms(effect=effect, percent=99)) == "percent_not_taken"
    assert room.ask(ProposeReroute, LIN, terms=terms(effect="shift", percent=99)) == "done"


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"starts_at": "9999-12-31T23:59:59Z", "drill": True}, "start_too_far"),
        ({"starts_at": "9999-12-31T23:59:59Z"}, "start_too_far"),
        ({"reason": NUL}, "text_not_plain"),
        ({"percent": 99}, "percent_not_taken"),
        ({"minutes": 9, "drill": True}, "drill_minutes"),
        ({"minutes": 241, "drill": True}, "drill_minutes"),
    ],
)
async def test_the_face_tells_what_nobody_may_ask_for(changes: dict[str, Any], code: str) -> None:
    """422 with the code, for a proposal and for its preview; the book hears nothing of it."""
    desk = FrontDesk(DRILLS_ONLY)
    lin, asked = desk.client(LIN, "proposer"), {**TERMS, **changes}
    for path, body in (("/reroutes", {"terms": asked}), ("/reroutes/preview", asked)):
        answer = await lin.post(path, json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, code)
        assert answer.headers["content-type"] == "application/problem+json"
    assert not desk.room.facts


@pytest.mark.parametrize("verb", ["approve", "refuse", "extend", "end", "cancel", "review"])
async def test_every_reason_must_be_plain(verb: str) -> None:
    """422 by every path that takes words."""
    desk = FrontDesk()
    reroute_id = await proposed(desk)
    bodies: dict[str, dict[str, Any]] = {"approve": {"preview_sha256": "0" * 64}, "extend": {"minutes": 5}}
    client = desk.client(CHEN, "approver")
    answer = await client.post(f"/reroutes/{reroute_id}/{verb}", json={**WHY, **bodies.get(verb, {}), "reason": NUL})
    assert answer.status_code == 422
    assert "U+0000" in answer.json()["detail"]


async def test_an_alert_with_line_breaks_is_a_proposal_in_plain_words() -> None:
    """A machine that knows no better is not turned away at night."""
    desk = FrontDesk()
    told = {**ALERT, "annotations": {"summary": "Centre N\nanswers \u0000 no more"}}
    await desk.client("alertmanager", "service").post("/reroutes/alerts", json={"alerts": [told]})
    assert [order.terms.reason for order in desk.room.book.orders.values()] == ["Centre N answers   no more"]
