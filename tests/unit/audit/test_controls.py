"""The case process: every phase, every event, every turn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from services.audit.controls import guards
from services.audit.controls.course import Course
from services.audit.controls.decide import RULES
from services.audit.controls.processor import TAKES, case_of, controls
from services.audit.controls.results import REKEY_DISPUTES_MAX
from services.audit.controls.state import Phase, apply, empty
from shared.contracts.audit import (
    Authorised,
    CaseClosed,
    CasePosted,
    EntryArbitrated,
    EntryDiffered,
    EntryMatched,
    KeyingErrorFound,
    PostingAnswerRefused,
    PostingRequested,
    Refused,
    ResultAccepted,
    ResultRefused,
    ReviewFailed,
    ReviewPassed,
    TierApplied,
    WorkCancelled,
    WorkRequested,
    WorkSettled,
)
from shared.contracts.core import PostingConfirmed, PostingFailed
from shared.contracts.intake import CaseOpened
from shared.contracts.message import Message
from shared.contracts.routing import SignOn, WorkCompleted
from shared.contracts.work import ArbitrationRuling, AuthorisationVerdict, InspectionVerdict, KeyedValue, ReviewVerdict
from shared.runtime.errors import InvariantError
from shared.runtime.processor import TimerFired
from tests.unit.audit.floor_of_cases import (
    CASE,
    NOW,
    TRANSFER,
    TRUE_VALUES,
    CaseRun,
    check_promises,
    confirmed,
    failed,
    opened,
    reference,
    result,
    right_outcome,
    run_in,
    started,
    with_amount,
)

EVENTS = (CaseOpened, WorkCompleted, PostingConfirmed, PostingFailed)
STRANGE_ITEM = {"work_item_id": "item-unknown"}


def event_of(kind: type[Message], run: CaseRun) -> Message:
    """An event of this kind as it could reach the case."""
    if kind is WorkCompleted:
        orders = list(run.case.open_items.values()) or [started().order("entry-1", "amount")]
        return result(orders[0], "op-north3")
    build: dict[type[Message], Callable[[], Message]]
    build = {CaseOpened: opened, PostingConfirmed: confirmed, PostingFailed: failed}
    return build[kind]()


def names(facts: list[Message]) -> list[str]:
    return [type(fact).__name__ for fact in facts]


# ------------------------------------------------------------------------------------------------ the table


def test_the_table_is_total() -> None:
    """Every phase has a rule for every event."""
    assert set(RULES) == set(product(Phase, EVENTS))


ANSWERS: dict[tuple[Phase, type[Message]], list[str]] = {
    (Phase.NEW, CaseOpened): ["CaseStarted"] + ["WorkRequested"] * 5,
    (Phase.NEW, WorkCompleted): ["ResultRefused"],
    (Phase.NEW, PostingConfirmed): ["PostingAnswerRefused"],
    (Phase.NEW, PostingFailed): ["PostingAnswerRefused"],
    (Phase.ENTERING, CaseOpened): [],
    (Phase.ENTERING, WorkCompleted): ["ResultAccepted", "WorkSettled"],
    (Phase.ENTERING, PostingConfirmed): ["PostingAnswerRefused"],
    (Phase.ENTERING, PostingFailed): ["PostingAnswerRefused"],
    (Phase.REVIEWING, CaseOpened): [],
    (Phase.REVIEWING, WorkCompleted): [
        "ResultAccepted",
        "WorkSettled",
        "ReviewPassed",
        "TierApplied",
        "PostingRequested",
    ],
    (Phase.REVIEWING, PostingConfirmed): ["PostingAnswerRefused"],
    (Phase.REVIEWING, PostingFailed): ["PostingAnswerRefused"],
    (Phase.AUTHORISING, CaseOpened): [],
    (Phase.AUTHORISING, WorkCompleted): ["ResultAccepted", "WorkSettled", "Authorised", "PostingRequested"],
    (Phase.AUTHORISING, PostingConfirmed): ["PostingAnswerRefused"],
    (Phase.AUTHORISING, PostingFailed): ["PostingAnswerRefused"],
    (Phase.POSTING, CaseOpened): [],
    (Phase.POSTING, WorkCompleted): ["ResultRefused"],
    (Phase.POSTING, PostingConfirmed): ["CasePosted"],
    (Phase.POSTING, PostingFailed): ["CaseClosed"],
    (Phase.POSTED, CaseOpened): [],
    (Phase.POSTED, WorkCompleted): ["ResultRefused"],
    (Phase.POSTED, PostingConfirmed): [],
    (Phase.POSTED, PostingFailed): ["PostingAnswerRefused"],
    (Phase.CLOSED, CaseOpened): [],
    (Phase.CLOSED, WorkCompleted): ["ResultRefused"],
    (Phase.CLOSED, PostingConfirmed): ["PostingAnswerRefused"],
    (Phase.CLOSED, PostingFailed): [],
}


@pytest.mark.parametrize(("phase", "kind"), list(ANSWERS), ids=lambda value: str(getattr(value, "__name__", value)))
def test_every_answer(phase: Phase, kind: type[Message]) -> None:
    """Each phase answers each event with these facts; asking again gives the same; the second time has no effect."""
    run = run_in(phase)
    event = event_of(kind, run)
    if phase is Phase.POSTING and kind is WorkCompleted:
        event = event.model_copy(update=STRANGE_ITEM)
    assert run.answer(event) == run.answer(event)
    assert names(run.take(event)) == ANSWERS[phase, kind]
    if not (phase is Phase.NEW and kind is not CaseOpened and kind is not WorkCompleted):
        check_promises(run)
    assert run.take(event) == [], "Expected the second delivery to have no effect"


@pytest.mark.parametrize("phase", Phase)
def test_what_is_no_event_of_a_case_changes_nothing(phase: Phase) -> None:
    """A timer, which controls never sets, means nothing in any phase."""
    run = run_in(phase)
    assert controls().decide(run.case, TimerFired(CASE, "none", NOW), run.situation()) == ()


@pytest.mark.parametrize("phase", Phase)
def test_replay_gives_the_same_state(phase: Phase) -> None:
    """Folding the published facts, read back from JSON, gives the state; so does reading the stored row."""
    run = run_in(phase)
    replayed = empty(CASE)
    for fact in run.facts:
        replayed = apply(replayed, type(fact).model_validate_json(fact.model_dump_json()))
    assert replayed == run.case
    table = controls().table
    assert table.read(CASE, {part: body or b"" for part, body in table.write(run.case).items()}) == run.case


def test_apply_refuses_what_controls_never_publishes() -> None:
    """Only facts of controls move a case."""
    with pytest.raises(InvariantError, match="Expected a fact of controls"):
        apply(empty(CASE), opened())
    with pytest.raises(InvariantError, match="Expected case case-1 to be running"):
        _ = empty(CASE).template


def test_an_ended_case_is_small() -> None:
    """The row of an ended case stays for ever, so it keeps only what answers late events."""
    table = controls().table
    assert len(table.write(run_in(Phase.POSTED).case)[""] or b"") < 1_200


# ------------------------------------------------------------------------------------------------ entry


def test_matching_keyings_stand() -> None:
    """Keyings that mean the same give one tidy value, and then the case goes to review."""
    run = started().key_all(amount="12500", account="6222-0210-0112")
    assert {fact.field: fact.value for fact in run.of(EntryMatched)} == {
        "amount": "12500.00",
        "account": "622202100112",
        "payee": "Li Ping",
    }
    assert run.case.phase is Phase.REVIEWING


def test_differing_keyings_go_to_arbitration() -> None:
    """An arbitrator, nobody of those who keyed, is shown both values and rules; the wrong keying is attributed."""
    run = started().key_all(amount="12,600.00")
    [differed] = run.of(EntryDiffered)
    assert (differed.values, differed.why) == (("12,600.00", "12,500.00"), "keyings_differ")
    order = run.order("arbitration", "amount")
    assert order.shown[0].values == ("12,600.00", "12,500.00")
    assert order.in_house_only
    assert order.excluded_operators == ("op-north1", "op-south1")
    assert order.slice is not None
    run.do("arbitration", "op-north2", ArbitrationRuling(value="12500"))
    [error] = run.of(KeyingErrorFound)
    assert (error.doer.operator_id, error.keyed, error.right, error.found_by) == (
        "op-north1",
        "12,600.00",
        "12500.00",
        "arbitration",
    )
    assert run.case.phase is Phase.REVIEWING


def test_both_keyings_may_be_wrong() -> None:
    """A ruling that is neither keying finds two errors."""
    run = started().key_all(amount="12,600.00")
    run.do("arbitration", "op-north2", ArbitrationRuling(value="13,000.00"))
    assert {fact.doer.operator_id for fact in run.of(KeyingErrorFound)} == {"op-north1", "op-south1"}


def test_arbitration_does_not_wait_for_other_fields() -> None:
    """A field is ruled on while others are still keyed."""
    run = started()
    run.do("entry-1", "op-north1", KeyedValue(value="1.00"), on="amount")
    facts = run.do("entry-2", "op-south1", KeyedValue(value="2.00"), on="amount")
    assert names(facts)[-2:] == ["EntryDiffered", "WorkRequested"]
    assert len(run.case.open_items) == 4


def keyed_alike(run: CaseRun, **values: str) -> CaseRun:
    """Both keyers read the same in every slice, right or not."""
    for order in list(run.case.open_items.values()):
        outcome = right_outcome(order, {**TRUE_VALUES, **values})
        run.take(result(order, "op-north1" if order.role == "entry-1" else "op-south1", outcome))
    return run


UNREADABLE = ArbitrationRuling(value="", unreadable=True)


@pytest.mark.parametrize(
    ("field", "keyed", "why", "code"),
    [
        ("amount", "smudge", "unreadable_amount", "bad_amount"),
        ("account", "", "blank", "unreadable_field"),
        ("account", "- -", "blank", "unreadable_field"),
        ("payee", " ", "blank", "unreadable_field"),
    ],
)
def test_what_cannot_stand_is_ruled_on(field: str, keyed: str, why: str, code: str) -> None:
    """Keyings that agree on no amount, or on a blank, go to arbitration; what is ruled unreadable ends the case."""
    run = keyed_alike(started(), **{field: keyed})
    assert [(fact.field, fact.why) for fact in run.of(EntryDiffered)] == [(field, why)]
    run.do("arbitration", "op-north2", UNREADABLE)
    assert [fact.code for fact in run.of(CaseClosed)] == [code]
    assert run.of(KeyingErrorFound) == []
    check_promises(run)


def test_a_ruling_that_is_no_amount_ends_nothing_and_blames_nobody() -> None:
    """A slip of the arbitrator's keys does not count: the ruling is asked for again, and who keyed rightly erred in nothing."""
    run = started().key_all(amount="12,600.00")
    facts = run.do("arbitration", "op-north2", ArbitrationRuling(value="12500.00."))
    assert names(facts) == ["ResultRefused", "WorkSettled", "WorkRequested"]
    assert run.of(ResultRefused)[0].code == "wrong_outcome"
    run.do("arbitration", "op-north2", ArbitrationRuling(value="12500.00"))
    assert [fact.keyed for fact in run.of(KeyingErrorFound)] == ["12,600.00"]
    run.do("review-1", "op-south2")
    assert run.of(PostingRequested)


def test_a_ruling_on_an_older_order_that_cannot_stand_blames_nobody() -> None:
    """An order of an earlier release does not say what is wanted: such a ruling ends the case, as it did."""
    run = started().key_all(amount="12,600.00")
    order = run.order("arbitration")
    older = {**run.case.open_items, order.work_item_id: order.model_copy(update={"wanted": None})}
    run.case = replace(run.case, open_items=older)
    run.do("arbitration", "op-north2", ArbitrationRuling(value="12500.00."))
    assert [fact.code for fact in run.of(CaseClosed)] == ["bad_amount"]
    assert run.of(KeyingErrorFound) == []


def test_an_amount_re_keyed_is_one() -> None:
    """A slip of the authoriser's keys does not bring the case back."""
    run = with_amount("600,000.00")
    run.do("authorisation-1", "op-north3", AuthorisationVerdict(granted=True, rekeyed_amount="600,000.00."))
    assert [fact.code for fact in run.of(ResultRefused)] == ["wrong_outcome"]
    assert run.case.phase is Phase.AUTHORISING


def test_a_blank_stands_where_the_page_may_leave_the_field_so() -> None:
    """The template says which fields; the amount field is never one of them."""
    fields = tuple(field.model_copy(update={"may_be_blank": field.name != "account"}) for field in TRANSFER.fields)
    run = CaseRun(view=reference(TRANSFER.model_copy(update={"fields": fields})))
    run.take(opened())
    keyed_alike(run, payee="", amount="")
    assert [fact.field for fact in run.of(EntryDiffered)] == ["amount"]
    assert run.case.values["payee"] == ""


# ------------------------------------------------------------------------------------------------ who may


def refused_for(run: CaseRun, role: str, operator: str, on: str | None = None) -> ResultRefused:
    """The refusal of this operator's result; the item is asked for again without them."""
    order = run.order(role, on)
    facts = run.take(result(order, operator))
    assert names(facts) == ["ResultRefused", "WorkSettled", "WorkRequested"]
    refusal, settled, again = facts
    assert isinstance(refusal, ResultRefused)
    assert isinstance(settled, WorkSettled)
    assert isinstance(again, WorkRequested)
    assert settled.outcome == "refused"
    assert (again.order.round, again.order.role) == (order.round + 1, order.role)
    assert again.order.work_item_id != order.work_item_id
    assert operator in again.order.excluded_operators
    assert refusal.code == "excluded_person"
    return refusal


def test_nobody_keys_twice() -> None:
    """Who did a first keying does no second one, on whatever field; the same keying of other fields is theirs."""
    run = started()
    run.do("entry-1", "op-north1", on="amount")
    run.do("entry-1", "op-north1", on="account")
    assert "one role per person" in refused_for(run, "entry-2", "op-north1", "account").detail
    check_promises(run)


@pytest.mark.parametrize("operator", ["op-north1", "op-south1", "op-south2"])
def test_nobody_who_touched_the_case_authorises(operator: str) -> None:
    """Keyers and reviewers of a case do not authorise it."""
    refused_for(with_amount("60,000.00"), "authorisation-1", operator)


def test_nobody_of_the_branch() -> None:
    """A person who belongs to the branch of the case does nothing on it."""
    assert "branch-1" in refused_for(started(), "entry-1", "op-home", "amount").detail


def test_no_vendor_in_house() -> None:
    """An outside vendor's person may key what is open to vendors, and nothing else."""
    run = started()
    run.do("entry-1", "op-outside1", on="account")
    assert "own staff" in refused_for(run, "entry-1", "op-outside2", "payee").detail


def test_strangers_are_refused() -> None:
    """A person or a provider that the reference data do not know is excluded."""
    run = started()
    assert "reference data" in refused_for(run, "entry-1", "op-northerner", "payee").detail
    facts = run.take(result(run.order("entry-1", "payee"), "op-north1", provider_id="unheard-of"))
    assert names(facts)[0] == "ResultRefused"


def test_excluded_teams_and_low_grades_are_refused() -> None:
    """The second authoriser is of another team; an authoriser has the tier's grade."""
    run = with_amount("6,000,000.00")
    assert "grade 2" in refused_for(run, "authorisation-1", "op-north0").detail
    run.do("authorisation-1", "op-north3", AuthorisationVerdict(granted=True, rekeyed_amount="6000000"))
    assert "does not exclude" in refused_for(run, "authorisation-2", "op-north2").detail


def test_who_was_refused_stays_refused() -> None:
    """The exclusions of an item grow from round to round."""
    run = started()
    refused_for(run, "entry-1", "op-home", "payee")
    refused_for(run, "entry-1", "op-outside1", "payee")
    assert run.order("entry-1", "payee").excluded_operators == ("op-home", "op-outside1")
    assert run.order("entry-1", "payee").round == 3
    assert "excludes" in refused_for(run, "entry-1", "op-outside1", "payee").detail


def test_without_the_guard_somebody_does_two_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """The segregation guard is what holds: taken out, one person holds two roles."""
    monkeypatch.setattr(guards, "segregation_breach", lambda *_: None)
    run = started()
    run.do("entry-1", "op-north1", on="amount")
    run.do("entry-2", "op-north1", on="amount")
    with pytest.raises(AssertionError, match="Expected one role per person"):
        check_promises(run)


# ------------------------------------------------------------------------------------------------ results out of turn


@pytest.mark.parametrize(
    ("phase", "outcome"),
    [
        (Phase.ENTERING, ReviewVerdict(passed=True)),
        (Phase.REVIEWING, KeyedValue(value="x")),
        (Phase.REVIEWING, ReviewVerdict(passed=False)),
        (Phase.REVIEWING, ReviewVerdict(passed=True, wrong_fields=("amount",))),
        (Phase.REVIEWING, ReviewVerdict(passed=False, wrong_fields=("seal",))),
        (Phase.AUTHORISING, ArbitrationRuling(value="x")),
        (Phase.AUTHORISING, InspectionVerdict(value="x")),
    ],
)
def test_a_wrong_outcome_is_refused_and_the_item_asked_for_again(phase: Phase, outcome: Any) -> None:
    """An outcome that does not fit the step does not count; the person may do the new round."""
    run = run_in(phase)
    order = next(iter(run.case.open_items.values()))
    facts = run.take(result(order, "op-north3", outcome))
    assert names(facts) == ["ResultRefused", "WorkSettled", "WorkRequested"]
    assert run.of(ResultRefused)[0].code == "wrong_outcome"
    again = next(o for o in run.case.open_items.values() if o.round == 2)
    assert again.excluded_operators == order.excluded_operators
    assert names(run.take(result(again, "op-north3")))[0] == "ResultAccepted"


def test_a_grant_without_the_amount_is_refused() -> None:
    """Where the amount must be re-keyed, a grant without it does not count."""
    run = with_amount("600,000.00")
    run.do("authorisation-1", "op-north3", AuthorisationVerdict(granted=True))
    assert run.of(ResultRefused)[0].code == "wrong_outcome"


def test_another_result_for_a_settled_item_is_refused() -> None:
    """The first result counts; the same again is passed over, another command's is refused once."""
    run = started()
    order = run.order("entry-1", "payee")
    first, other = result(order, "op-north1"), result(order, "op-north2")
    run.take(first)
    assert run.take(first) == []
    assert names(run.take(other)) == ["ResultRefused"]
    assert run.of(ResultRefused)[0].code == "not_open"
    assert run.take(other) == []
    assert run.case.roles == {"op-north1": "entry-1"}


# ------------------------------------------------------------------------------------------------ review


def test_a_failed_review_is_ruled_on_and_reviewed_by_somebody_else() -> None:
    """Disputed fields go to a new arbitrator who sees the present value; errors are laid at the keyers' door."""
    run = started().key_all()
    run.do("review-1", "op-south2", ReviewVerdict(passed=False, wrong_fields=("payee", "payee"), remark="smudge"))
    assert run.of(ReviewFailed)[0].wrong_fields == ("payee",)
    order = run.order("arbitration-2", "payee")
    assert order.shown[0].values == ("Li Ping",)
    assert "op-south2" in order.excluded_operators
    run.do("arbitration-2", "op-north2", ArbitrationRuling(value="Li Bing"))
    [error] = run.of(KeyingErrorFound)
    assert (error.doer.operator_id, error.found_by) == ("op-north1", "review")
    refused_for(run, "review-2", "op-south2")
    run.do("review-2", "op-south3")
    assert run.case.phase is Phase.POSTING
    assert run.of(PostingRequested)[0].fields["payee"] == "Li Bing"
    check_promises(run)


def test_a_confirmed_value_finds_no_error() -> None:
    """When the ruling after a review says what was keyed, nobody made an error."""
    run = started().key_all()
    run.do("review-1", "op-south2", ReviewVerdict(passed=False, wrong_fields=("payee",)))
    run.do("arbitration-2", "op-north2", ArbitrationRuling(value="li ping"))
    assert run.of(KeyingErrorFound) == []


def test_a_keying_error_is_named_once() -> None:
    """A keying that arbitration found wrong is not found wrong again when a review disputes the ruling."""
    run = started().key_all(amount="12,600.00")
    run.do("arbitration", "op-north2", ArbitrationRuling(value="12,500.00"))
    run.do("review-1", "op-south2", ReviewVerdict(passed=False, wrong_fields=("amount",)))
    run.do("arbitration-2", "op-north4", ArbitrationRuling(value="12,700.00"))
    found = [(fact.doer.operator_id, fact.found_by) for fact in run.of(KeyingErrorFound)]
    assert found == [("op-north1", "arbitration"), ("op-south1", "review")]


def test_reviews_run_out() -> None:
    """The last review that the template allows ends the case when it fails."""
    run = started().key_all()
    run.do("review-1", "op-south2", ReviewVerdict(passed=False, wrong_fields=("payee",)))
    run.do("arbitration-2", "op-north2")
    run.do("review-2", "op-south3", ReviewVerdict(passed=False, wrong_fields=("payee",)))
    assert [fact.code for fact in run.of(CaseClosed)] == ["review_exhausted"]
    check_promises(run)


def test_a_case_without_review_and_tiers_goes_straight_to_posting() -> None:
    """The template alone says which steps there are."""
    run = CaseRun()
    run.take(opened("maintenance", declared_amount=None))
    run.do("entry-1", "op-north1")
    assert run.case.phase is Phase.POSTING
    assert run.of(ReviewPassed) == []
    assert run.of(TierApplied)[0].authorisers == 0
    assert run.of(PostingRequested)[0].amount is None


# ------------------------------------------------------------------------------------------------ authorisation


def test_a_refusal_closes_the_case() -> None:
    """An authoriser's no ends the case without a posting."""
    run = with_amount("60,000.00")
    run.do("authorisation-1", "op-north3", AuthorisationVerdict(granted=False, remark="fraud"))
    assert run.of(Refused)[0].reason == "fraud"
    assert [fact.code for fact in run.of(CaseClosed)] == ["refused_by_authoriser"]
    assert run.of(PostingRequested) == []


def test_another_amount_rekeyed_brings_the_case_back() -> None:
    """A grant with another amount does not count as one: the amount is ruled on, reviewed and authorised anew."""
    run = with_amount("600,000.00")
    run.do("authorisation-1", "op-north3", AuthorisationVerdict(granted=True, rekeyed_amount="60,000.00"))
    assert run.of(Authorised) == []
    order = run.order("arbitration-2", "amount")
    assert order.shown[0].values == ("600000.00", "60,000.00")
    run.do("arbitration-2", "op-north2", ArbitrationRuling(value="60,000.00"))
    assert {fact.found_by for fact in run.of(KeyingErrorFound)} == {"review"}
    run.do("review-2", "op-south3")
    assert [fact.authorisers for fact in run.of(TierApplied)] == [1, 1]
    refused_for(run, "authorisation-2", "op-north3")
    run.do("authorisation-2", "op-north7")
    posting = run.of(PostingRequested)[0]
    assert posting.amount is not None
    assert posting.amount.amount_minor == 6_000_000
    check_promises(run)


def test_rekeying_disputes_run_out() -> None:
    """Authorisers who keep re-keying another amount end the case."""
    run = with_amount("600,000.00")
    ruling = ArbitrationRuling(value="600,000.00")
    for number, authoriser in enumerate(("op-north3", "op-north7", "op-south7")[: REKEY_DISPUTES_MAX + 1], start=1):
        run.do(f"authorisation-{number}", authoriser, AuthorisationVerdict(granted=True, rekeyed_amount="1.00"))
        if number <= REKEY_DISPUTES_MAX:
            run.do(f"arbitration-{number + 1}", f"op-north{3 + number}", ruling)
            run.do(f"review-{number + 1}", f"op-south{3 + number}")
    assert [fact.code for fact in run.of(CaseClosed)] == ["bad_amount"]
    check_promises(run)


# ------------------------------------------------------------------------------------------------ posting


def test_a_posted_case_tells_who_did_what() -> None:
    """The end names every keying with its doer and slice, and everybody who touched the case."""
    run = with_amount("12,500.00")
    run.take(confirmed())
    [posted] = run.of(CasePosted)
    assert [(entry.field, entry.keying, entry.doer.operator_id) for entry in posted.entries] == [
        ("amount", 1, "op-north1"),
        ("amount", 2, "op-south1"),
        ("account", 1, "op-north1"),
        ("account", 2, "op-south1"),
        ("payee", 1, "op-north1"),
    ]
    assert all(entry.slice is not None for entry in posted.entries)
    assert posted.touched == ("op-north1", "op-south1", "op-south2")
    assert posted.on_time


def test_late_is_what_was_booked_after_due() -> None:
    """On time compares the booking with the due instant, not the hour of the news."""
    run = with_amount("12,500.00")
    run.take(confirmed(booked_at=run.case.started.due_at.replace(hour=23)))
    assert not run.of(CasePosted)[0].on_time


@pytest.mark.parametrize(
    ("phase", "answer", "code"),
    [
        (Phase.POSTING, confirmed(posting_id="other"), "other_posting"),
        (Phase.POSTED, confirmed(posting_id="other"), "other_posting"),
        (Phase.CLOSED, failed(posting_id="other"), "other_posting"),
        (Phase.POSTED, confirmed(core_reference="C-2"), "contradiction"),
        (Phase.POSTED, failed(), "contradiction"),
        (Phase.CLOSED, confirmed(), "contradiction"),
    ],
)
def test_an_answer_that_contradicts_moves_nothing(phase: Phase, answer: Message, code: str) -> None:
    """The core bank's contradiction is told once, as a fact, and the case stays as it is."""
    run = run_in(phase)
    facts = run.take(answer)
    assert [fact.code for fact in facts if isinstance(fact, PostingAnswerRefused)] == [code]
    assert run.case.phase is phase
    assert run.take(answer) == []


def test_an_answer_after_an_early_close_was_never_asked_for() -> None:
    """A case that closed before posting expects no answer of the core bank."""
    run = CaseRun()
    run.take(opened("gone"))
    run.take(confirmed())
    assert run.of(PostingAnswerRefused)[0].code == "not_requested"


def test_without_the_guard_the_posting_is_requested_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The posting guard is what holds: taken out, whatever arrives while posting asks for it again."""
    run = run_in(Phase.POSTING)
    assert run.take(opened()) == []
    monkeypatch.setattr(guards, "posting_due", lambda case: True)
    run.take(opened())
    with pytest.raises(AssertionError, match="Expected the posting requested at most once"):
        check_promises(run)


def test_closing_cancels_what_is_open() -> None:
    """Whatever a case still asks for goes away with it."""
    run = started()
    course = Course(run.case, NOW, run.view, "")
    course.close("bad_amount", "Expected an amount")
    assert names(course.facts) == ["WorkCancelled"] * 5 + ["CaseClosed"]
    cancelled = {fact.work_item_id for fact in course.facts if isinstance(fact, WorkCancelled)}
    assert cancelled == set(run.case.open_items)


# ------------------------------------------------------------------------------------------------ the processor


def test_what_belongs_to_a_case() -> None:
    """Results of inspections are supervision's business; everything else that is read has a case."""
    order = started().order("entry-1", "payee")
    assert case_of(result(order, "op-north1")) == CASE
    assert case_of(result(order, "op-north1", step="inspection")) is None
    assert {case_of(event) for event in (opened(), confirmed(), failed())} == {CASE}
    sign_on = SignOn(command_id="c", operator_id="o", team_id="t", issued_at=NOW)
    assert case_of(sign_on) is None
    assert len(TAKES) == len(EVENTS)


def test_facts_of_a_running_case_are_accounted_for() -> None:
    """Every item asked for is settled, cancelled or still open."""
    run = with_amount("600,000.00")
    asked = {fact.order.work_item_id for fact in run.of(WorkRequested)}
    settled = {fact.work_item_id for fact in run.of(WorkSettled)}
    assert asked == settled | set(run.case.open_items)
    assert {fact.work_item_id for fact in run.of(ResultAccepted)} == settled
    assert run.of(EntryArbitrated) == []


# ----------------------------------------------------------------------------------------------- drafts


def begun(run: CaseRun, role: str, by: str, drafted_by: str, value: str | None = None) -> list[Message]:
    """Somebody finishes what somebody else began."""
    order = run.order(role, "amount")
    outcome = None if value is None else KeyedValue(value=value)
    return run.take(result(order, by, outcome, drafted_by=(drafted_by,)))


def test_who_began_an_entry_counts_as_having_done_it_and_who_finished_it_answers_for_it() -> None:
    """Nobody asks the author for another step of the case; an error in the entry is the doer's alone."""
    run = started()
    begun(run, "entry-1", "op-north1", "op-south3", "12,600.00")
    [accepted] = run.of(ResultAccepted)
    assert (accepted.doer.operator_id, accepted.drafted_by) == ("op-north1", ("op-south3",))
    assert run.case.roles == {"op-north1": "entry-1", "op-south3": "entry-1"}
    run.do("entry-2", "op-south1", on="amount")
    assert {"op-north1", "op-south3"} <= set(run.order("arbitration", "amount").excluded_operators)
    run.do("arbitration", "op-north2", ArbitrationRuling(value="12500"))
    assert [error.doer.operator_id for error in run.of(KeyingErrorFound)] == ["op-north1"]


def test_an_author_keys_nothing_a_second_time() -> None:
    """A second keying by whoever drafted the first is refused: the two would not be two people's."""
    run = started()
    begun(run, "entry-1", "op-north1", "op-south3")
    facts = run.do("entry-2", "op-south3", on="amount")
    assert names(facts)[0] == "ResultRefused"


def test_a_result_begun_by_somebody_with_another_role_does_not_count() -> None:
    """Whichever comes first: the author's own second keying, or the first keying that somebody finished for them."""
    run = started()
    run.do("entry-2", "op-south3", on="amount")
    facts = begun(run, "entry-1", "op-north1", "op-south3")
    [refused] = [fact for fact in facts if isinstance(fact, ResultRefused)]
    assert refused.code == "excluded_person"
    again = run.order("entry-1", "amount")
    assert again.round == 2
    assert {"op-north1", "op-south3"} <= set(again.excluded_operators)


def test_the_template_says_which_steps_keep_drafts() -> None:
    """Entries do, unless it says otherwise; a review and an authorisation never."""
    run = started()
    assert all(order.keeps_draft for order in run.case.open_items.values())
    run.key_all(amount="12,600.00")
    assert not run.order("arbitration", "amount").keeps_draft
    run.do("arbitration", "op-north2", ArbitrationRuling(value="12500"))
    assert not run.order("review-1").keeps_draft
    with_none = CaseRun(view=reference(TRANSFER.model_copy(update={"draft_steps": ("arbitration",)})))
    with_none.take(opened())
    assert not any(order.keeps_draft for order in with_none.case.open_items.values())
    with_none.key_all(amount="12,600.00")
    assert with_none.order("arbitration", "amount").keeps_draft
