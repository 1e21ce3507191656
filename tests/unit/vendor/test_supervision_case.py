"""What supervision does with a case: judges keying, draws a sample, settles inspections."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.vendor.supervision.appraisal import ROUNDS_MAX, draw_of
from services.vendor.supervision.decide import RULES, decide, key_of
from services.vendor.supervision.state import Case, Phase
from shared.contracts.message import Message
from shared.contracts.vendor import (
    CaseAppraised,
    InspectionRequested,
    InspectionSettled,
    KeyingJudged,
    OperatorStanding,
    SampleDrawn,
)
from shared.contracts.work import InspectionVerdict, KeyedValue, WorkOrder
from shared.outcomes import fault_of
from shared.runtime.errors import InvariantError
from shared.runtime.processor import TimerFired
from shared.standing import StandingView, fold_standing
from tests.support.examples import share_of
from tests.unit.vendor.vendor_floor import (
    NOW,
    SLICE,
    Bench,
    FakeReference,
    accepted,
    doer,
    entry,
    error_found,
    inspected,
    judged,
    posted,
    situation,
)


def _kinds(facts: Sequence[Message]) -> Counter[str]:
    return Counter(type(fact).__name__ for fact in facts)


def _orders(facts: Sequence[Message]) -> list[WorkOrder]:
    return [fact.order for fact in facts if isinstance(fact, InspectionRequested)]


def _verdicts(facts: Sequence[Message]) -> list[str]:
    return [fact.verdict for fact in facts if isinstance(fact, CaseAppraised)]


def _inspecting(*, value: str = "12.50", name: str = "amount") -> tuple[Bench, WorkOrder]:
    bench = Bench("case:c1")
    bench.take(accepted())
    facts = bench.take(posted(entry(value=value, name=name)))
    return bench, _orders(facts)[0]


def test_an_accepted_entry_is_judged_once_for_its_operator_and_once_for_its_provider() -> None:
    """Two judgements, keyed by subject, of one accepted entry."""
    facts = Bench("case:c1").take(accepted())
    assert [fact.key for fact in facts] == ["operator:ada", "provider:swift"]
    assert all(isinstance(fact, KeyingJudged) and fact.what == "keyed" for fact in facts)


def test_only_entries_are_judged() -> None:
    """A review is no keying."""
    assert Bench("case:c1").take(accepted(step="review")) == ()


def test_an_error_found_later_is_attributed_to_who_keyed_it() -> None:
    """The finder travels with the judgement; the next finder of the same error is another judgement."""
    bench = Bench("case:c1")
    facts = bench.take(error_found())
    assert [(f.key, f.what, f.found_by) for f in facts if isinstance(f, KeyingJudged)] == [
        ("operator:ada", "error", "review"),
        ("provider:swift", "error", "review"),
    ]
    assert len(bench.take(error_found(found_by="arbitration"))) == 2
    assert len(bench.take(error_found())) == 0


def test_every_entry_of_an_operator_on_probation_is_inspected() -> None:
    """Probation means a share of one."""
    facts = Bench("case:c1").take(posted(*(entry(f"w{n}") for n in range(20))))
    assert len(_orders(facts)) == 20


def test_of_an_allowed_operator_only_the_share_is_inspected_and_the_draw_is_on_record() -> None:
    """Sampled is what draws below the share; the facts show draw and share of every entry."""
    facts = Bench("case:c1").take(posted(*(entry(f"w{n}", doer("bob")) for n in range(200))))
    drawn = next(fact for fact in facts if isinstance(fact, SampleDrawn)).drawn
    assert {d.share for d in drawn} == {0.05}
    assert [d.sampled for d in drawn] == [draw_of(d.entry.work_item_id) < 0.05 for d in drawn]
    assert 0 < len(_orders(facts)) == sum(d.sampled for d in drawn) < 30


def test_where_the_template_wants_no_inspection_nothing_is_sampled() -> None:
    """Also of somebody on probation; that the draw was held, with a share of nothing, is on record."""
    reference = FakeReference()
    transfer = reference.business_types["corporate-transfer"]
    reference.business_types["corporate-transfer"] = transfer.model_copy(update={"inspection": False})
    facts = Bench("case:c1", situation(reference)).take(posted(*(entry(f"w{n}") for n in range(20))))
    (drawn,) = facts
    assert isinstance(drawn, SampleDrawn)
    assert {(d.share, d.sampled) for d in drawn.drawn} == {(0.0, False)}


def test_the_published_standing_outweighs_the_registered_one() -> None:
    """An operator registered as allowed and now on probation is inspected whole."""
    view = StandingView()
    published = OperatorStanding(
        operator_id="bob",
        provider_id="bank",
        standing="probation",
        inspected_share=1,
        keyed=1,
        errors=0,
        reason="x",
        since=NOW,
    )
    fold_standing(view, published.key, published)
    facts = Bench("case:c1", situation(standing=view)).take(posted(*(entry(f"w{n}", doer("bob")) for n in range(9))))
    assert len(_orders(facts)) == 9


def test_an_unregistered_operator_is_inspected_whole() -> None:
    """Whoever is not in the register gets the strictest share."""
    assert len(_orders(Bench("case:c1").take(posted(entry(who=doer("nobody")))))) == 1


def test_an_inspection_shows_the_slice_alone_and_bars_whoever_touched_the_case() -> None:
    """Blind, in-house, due in a day, with the exclusions of the case."""
    _, order = _inspecting(name="payee")
    assert (order.step, order.role, order.slice, order.whole_images) == ("inspection", "inspection", SLICE, ())
    assert order.shown[0].label == "Payee"
    assert order.shown[0].values == ()
    assert (order.in_house_only, order.data_class, order.branch_id) == (True, "confidential", "br-1")
    assert set(order.excluded_operators) == {"ada", "rex"}
    assert order.due_at - NOW == timedelta(days=1)


def test_who_keyed_is_barred_even_when_the_case_does_not_say_that_they_touched_it() -> None:
    """Exclusions fail closed: the doers of the entries always count as touched."""
    facts = Bench("case:c1").take(posted(entry(), touched=()))
    assert _orders(facts)[0].excluded_operators == ("ada",)


def test_an_entry_without_its_slice_is_refused_visibly() -> None:
    """What an inspector cannot see is not asked for, and the reason is on record."""
    facts = Bench("case:c1").take(posted(entry().model_copy(update={"slice": None})))
    assert _kinds(facts) == {"SampleDrawn": 1, "CaseAppraised": 1}
    assert _verdicts(facts) == ["refused"]


def test_the_same_reading_settles_the_inspection_as_right() -> None:
    """`12.5` and `12.50` are the same amount."""
    bench, order = _inspecting()
    facts = bench.take(inspected(order.work_item_id, "12.5"))
    assert _kinds(facts) == {"CaseAppraised": 1, "InspectionSettled": 1}
    assert _verdicts(facts) == ["right"]


def test_another_reading_counts_as_an_error_of_operator_and_provider() -> None:
    """A wrong entry is judged as an error found by inspection."""
    bench, order = _inspecting()
    facts = bench.take(inspected(order.work_item_id, "12.60"))
    assert _verdicts(facts) == ["wrong"]
    assert [(f.key, f.what, f.found_by) for f in facts if isinstance(f, KeyingJudged)] == [
        ("operator:ada", "error", "inspection"),
        ("provider:swift", "error", "inspection"),
    ]


@pytest.mark.parametrize(
    ("by", "provider"),
    [("ada", "bank"), ("rex", "bank"), ("ida", "swift"), ("ida", "nowhere"), ("kin", "bank"), ("ghost", "bank")],
)
def test_a_result_by_a_barred_person_is_refused_and_the_inspection_asked_for_again(by: str, provider: str) -> None:
    """Touched the case, outside vendor, unknown provider, own branch, unregistered: the result does not count."""
    bench, order = _inspecting()
    facts = bench.take(inspected(order.work_item_id, "99", by=by, provider=provider))
    assert _verdicts(facts) == ["refused", "sampled"]
    again = _orders(facts)[0]
    assert again.work_item_id != order.work_item_id
    assert (again.round, again.excluded_operators) == (2, order.excluded_operators)
    assert "KeyingJudged" not in _kinds(facts)
    assert _verdicts(bench.take(inspected(again.work_item_id))) == ["right"]


def test_a_result_of_the_wrong_form_is_refused_and_asked_for_again() -> None:
    """An inspection is answered by an inspector's reading and nothing else."""
    bench, order = _inspecting()
    facts = bench.take(inspected(order.work_item_id, outcome=KeyedValue(value="12.50")))
    assert _verdicts(facts) == ["refused", "sampled"]


@pytest.mark.parametrize("reading", ["", "n/a", "12.5.0", "12.505"])
def test_a_reading_that_is_no_amount_blames_nobody_and_is_asked_for_again(reading: str) -> None:
    """The inspector could not read it, or mistyped: the desk refuses it in hand, and here it does not count."""
    bench, order = _inspecting()
    assert fault_of(order, InspectionVerdict(value=reading)) is not None
    facts = bench.take(inspected(order.work_item_id, reading))
    assert _verdicts(facts) == ["refused", "sampled"]
    assert "KeyingJudged" not in _kinds(facts)
    assert _verdicts(bench.take(inspected(_orders(facts)[0].work_item_id))) == ["right"]


def test_an_inspection_is_asked_for_a_bounded_number_of_times() -> None:
    """A router that ignores exclusions does not keep the case busy for ever."""
    bench, order = _inspecting()
    orders = [order]
    while len(orders) < 50:
        more = _orders(bench.take(inspected(orders[-1].work_item_id, by="ada")))
        if not more:
            break
        orders += more
    assert len(orders) == ROUNDS_MAX


def test_a_result_nobody_asked_for_is_refused_on_record_once() -> None:
    """The refusal leaves routing, and coming again changes nothing."""
    bench = Bench("case:c1")
    assert _kinds(bench.take(inspected("stray"))) == {"CaseAppraised": 1, "InspectionSettled": 1}
    assert bench.take(inspected("stray")) == ()


def test_every_phase_answers_every_event_and_foreign_events_stop_the_process() -> None:
    """Totality: a case takes its four events in both phases, a score its one in all four, and suspended it may be woken."""
    case_events = [accepted(), error_found(), posted(entry()), inspected("x")]
    for phase in (Phase.CASE_OPEN, Phase.CASE_DRAWN):
        assert {event for p, event in RULES if p is phase} == {type(event) for event in case_events}
    for phase in set(Phase) - {Phase.CASE_OPEN, Phase.CASE_DRAWN}:
        woken = {TimerFired} if phase is Phase.SCORE_SUSPENDED else set()
        assert {event for p, event in RULES if p is phase} == {KeyingJudged} | woken
    for drawn in (False, True):
        for event in case_events:
            decide(Case("c1", drawn=drawn), event, situation())
    with pytest.raises(InvariantError, match="Expected an event of a case open"):
        decide(Case("c1"), judged("w1"), situation())


def test_results_of_other_steps_are_not_supervisions_business() -> None:
    """Only inspections belong to a case here; findings belong to their subject."""
    assert key_of(inspected("x", step="review")) is None
    assert key_of(inspected("x")) == "case:c1"
    assert key_of(accepted()) == "case:c1"
    assert key_of(judged("w1")) == "operator:ada"
    assert key_of(InspectionSettled(work_item_id="x", case_id="c1")) is None


_ITEMS = st.sampled_from(["w1", "w2", "w3"])
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("accepted"), _ITEMS),
        st.tuples(st.just("error"), _ITEMS),
        st.tuples(st.just("posted"), st.just("")),
        st.tuples(st.sampled_from(["right", "wrong", "barred"]), _ITEMS),
    ),
    max_size=14,
)


def _event(bench: Bench, what: str, item: str) -> Message:
    if what == "accepted":
        return accepted(item)
    if what == "error":
        return error_found(item)
    if what == "posted":
        return posted(entry("w1"), entry("w2", doer("bob")), entry("w3"))
    assert isinstance(bench.state, Case)
    waiting = [i for i in bench.state.inspections if i.entry.work_item_id == item and i.order is not None]
    inspection_id = waiting[0].inspection_id if waiting else f"stray-{item}"
    return inspected(inspection_id, "1" if what == "wrong" else "12.50", by="ada" if what == "barred" else "ida")


@settings(max_examples=share_of(60))
@given(_STEPS)
def test_a_case_is_the_fold_of_its_facts_and_no_event_has_a_second_effect(steps: list[tuple[str, str]]) -> None:
    """Replay, determinism, idempotence and conservation over any order of events."""
    bench = Bench("case:c1")
    for what, item in steps:
        event = _event(bench, what, item)
        before = bench.state
        bench.take(event)
        assert decide(before, event, bench.at) == decide(before, event, bench.at)
        after = bench.state
        assert list(bench.take(event)) == []
        assert bench.state == after
    assert bench.replayed() == bench.state
    requested = {order.work_item_id for order in _orders(bench.facts)}
    settled = {fact.work_item_id for fact in bench.facts if isinstance(fact, InspectionSettled)}
    assert isinstance(bench.state, Case)
    waiting = {i.inspection_id for i in bench.state.inspections if i.order is not None}
    assert requested == waiting | {i for i in settled if not i.startswith("stray")}
    assert not waiting & settled


def test_a_template_that_left_the_reference_data_makes_the_inspection_wait_visibly() -> None:
    """No provider holds the data class of an unknown field: the item waits at placement, with its reason."""
    bench = Bench("case:c1", situation(FakeReference(business_types={})))
    order = _orders(bench.take(posted(entry())))[0]
    assert order.data_class == "unregistered"


@pytest.mark.parametrize(
    ("name", "keyed", "read", "verdict"),
    [
        ("amount", "1,234.50", "1234.5", "right"),
        ("amount", "CNY 12", "12.00", "right"),
        ("amount", "12.05", "12.50", "wrong"),
        ("payee", "ACME  Ltd", "Acme ltd ", "right"),
        ("payee", "ＡＣＭＥ", "ACME", "right"),
        ("payee", "ACME", "ACNE", "wrong"),
        ("unknown", "12", "12.00", "wrong"),
    ],
)
def test_readings_are_compared_in_the_form_of_their_field(name: str, keyed: str, read: str, verdict: str) -> None:
    """Spacing, width, case and marks between digits do not make an error; another figure does."""
    bench, order = _inspecting(value=keyed, name=name)
    assert _verdicts(bench.take(inspected(order.work_item_id, read))) == [verdict]


@given(st.text(max_size=40))
@settings(max_examples=share_of(100))
def test_the_draw_lies_in_the_unit_interval_and_follows_from_the_id(item: str) -> None:
    """A draw is a function of the work item's id."""
    assert 0 <= draw_of(item) < 1
    assert draw_of(item) == draw_of(item)
