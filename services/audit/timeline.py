"""The life of a case in sentences: who did what, when, and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pydantic import ValidationError

from shared.contracts.audit import (
    Authorised,
    CaseClosed,
    CasePosted,
    CaseStarted,
    Doer,
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
from shared.contracts.message import Message, Money
from shared.contracts.registry import CONTRACTS
from shared.contracts.work import (
    ArbitrationRuling,
    AuthorisationVerdict,
    InspectionVerdict,
    KeyedValue,
    Outcome,
    ReviewVerdict,
)
from shared.keyed_values import amount_text

NameOf = Callable[[str], str]
"""The name of a person by the operator id."""


def sentence(kind: str, body: Mapping[str, Any], name_of: NameOf = str) -> str:
    """One fact of a case in one line.

    Errors:  never raises: a kind or body that this code does not know is named as it is.
    """
    contract = CONTRACTS.get(kind)
    if contract is None:
        return f"something this version does not know happened: {kind}"
    try:
        fact = contract.model_validate(body)
    except ValidationError:
        return f"something this version cannot read happened: {kind}"
    say = _SAYINGS.get(type(fact))
    return kind if say is None else say(fact, name_of)


def _who(doer: Doer, name_of: NameOf) -> str:
    return f"{name_of(doer.operator_id)} ({doer.team_id})"


def _money(amount: Money | None) -> str:
    return "no amount" if amount is None else f"{amount_text(amount.amount_minor, amount.currency)} {amount.currency}"


def _task(step: str, role: str, field: str | None) -> str:
    return f"{step} of {field} ({role})" if field else f"{step} ({role})"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _case_started(fact: CaseStarted, name_of: NameOf) -> str:
    urgency = "urgent, " if fact.urgent else ""
    return (
        f"controls took up submission {fact.submission_id} of {fact.branch_id} as {fact.business_type} "
        f"(template {fact.template_version}), {urgency}due {fact.due_at:%Y-%m-%d %H:%M:%S %Z}"
    )


def _work_requested(fact: WorkRequested, name_of: NameOf) -> str:
    order = fact.order
    again = f", round {order.round}" if order.round > 1 else ""
    besides = f"; not by {', '.join(map(name_of, order.excluded_operators))}" if order.excluded_operators else ""
    teams = f"; not by team {', '.join(order.excluded_teams)}" if order.excluded_teams else ""
    return f"asked for {_task(order.step, order.role, order.field)}{again}{besides}{teams}"


def _work_cancelled(fact: WorkCancelled, name_of: NameOf) -> str:
    return f"item {fact.work_item_id} is no longer needed: {fact.reason}"


def _work_settled(fact: WorkSettled, name_of: NameOf) -> str:
    return f"item {fact.work_item_id} is settled: its result was {fact.outcome}"


def _result_accepted(fact: ResultAccepted, name_of: NameOf) -> str:
    begun = f", begun by {', '.join(map(name_of, fact.drafted_by))} as a draft" if fact.drafted_by else ""
    return f"{_who(fact.doer, name_of)} {_did(fact.outcome, fact)} in {fact.handle_seconds:.0f} s{begun}"


def _did(outcome: Outcome, fact: ResultAccepted) -> str:
    match outcome:
        case KeyedValue():
            return f"keyed {fact.field} ({fact.role})"
        case ArbitrationRuling(unreadable=unreadable):
            return f"ruled {fact.field} unreadable" if unreadable else f"ruled on {fact.field}"
        case ReviewVerdict(passed=passed):
            return f"reviewed the case ({fact.role}): {'agrees with its images' if passed else 'disputed'}"
        case AuthorisationVerdict(granted=granted):
            return f"{'granted' if granted else 'refused'} the case ({fact.role})"
        case InspectionVerdict():
            return f"inspected {fact.field}"


def _result_refused(fact: ResultRefused, name_of: NameOf) -> str:
    return f"a result of {_who(fact.doer, name_of)} does not count ({fact.code}): {fact.detail}"


def _entry_matched(fact: EntryMatched, name_of: NameOf) -> str:
    return f"{fact.field} stands as {fact.value!r}"


def _entry_differed(fact: EntryDiffered, name_of: NameOf) -> str:
    values = " / ".join(repr(value) for value in fact.values)
    match fact.why:
        case "keyings_differ":
            return f"the keyings of {fact.field} differ: {values}"
        case "unreadable_amount":
            return f"{fact.field} is no amount that can be read: {values}"
        case "blank":
            return f"{fact.field} is blank, and its page must name one"
        case "rekeyed_otherwise":
            return f"the authoriser re-keyed another {fact.field}: {values}"


def _entry_arbitrated(fact: EntryArbitrated, name_of: NameOf) -> str:
    return f"{fact.field} stands as {fact.value!r} by arbitration"


def _keying_error(fact: KeyingErrorFound, name_of: NameOf) -> str:
    who = _who(fact.doer, name_of)
    return f"{fact.found_by} found that {who} had keyed {fact.field} wrong: {fact.keyed!r}, right is {fact.right!r}"


def _review_passed(fact: ReviewPassed, name_of: NameOf) -> str:
    return f"the review by {_who(fact.reviewer, name_of)} passed"


def _review_failed(fact: ReviewFailed, name_of: NameOf) -> str:
    remark = f" («{fact.remark}»)" if fact.remark else ""
    return f"the review by {_who(fact.reviewer, name_of)} disputes {', '.join(fact.wrong_fields)}{remark}"


def _tier_applied(fact: TierApplied, name_of: NameOf) -> str:
    amount = _money(fact.amount)
    if fact.authorisers == 0:
        return f"{amount}: no authorisation needed"
    conditions = [f"grade {fact.grade_min} or above"] if fact.grade_min else []
    conditions += ["from different teams"] if fact.distinct_teams else []
    conditions += ["re-keying the amount"] if fact.rekey_amount else []
    return ", ".join([f"{amount}: {_plural(fact.authorisers, 'authoriser')} needed", *conditions])


def _authorised(fact: Authorised, name_of: NameOf) -> str:
    return f"authorised by {_who(fact.authoriser, name_of)}, {fact.granted} of {fact.needed}"


def _refused(fact: Refused, name_of: NameOf) -> str:
    return f"refused by {_who(fact.authoriser, name_of)}: {fact.reason}"


def _posting_requested(fact: PostingRequested, name_of: NameOf) -> str:
    return f"asked the core bank to book {_money(fact.amount)} as posting {fact.posting_id}"


def _answer_refused(fact: PostingAnswerRefused, name_of: NameOf) -> str:
    return f"the core bank's answer ({fact.answer}) does not fit ({fact.code}): {fact.detail}"


def _case_posted(fact: CasePosted, name_of: NameOf) -> str:
    return f"posted: {_money(fact.amount)} booked as {fact.core_reference}, {_punctual(fact.on_time)}"


def _case_closed(fact: CaseClosed, name_of: NameOf) -> str:
    return f"closed without posting ({fact.code}), {_punctual(fact.on_time)}: {fact.detail}"


def _punctual(on_time: bool) -> str:
    return "on time" if on_time else "late"


_SAYINGS: Final[Mapping[type[Message], Callable[[Any, NameOf], str]]] = {
    CaseStarted: _case_started,
    WorkRequested: _work_requested,
    WorkCancelled: _work_cancelled,
    WorkSettled: _work_settled,
    ResultAccepted: _result_accepted,
    ResultRefused: _result_refused,
    EntryMatched: _entry_matched,
    EntryDiffered: _entry_differed,
    EntryArbitrated: _entry_arbitrated,
    KeyingErrorFound: _keying_error,
    ReviewPassed: _review_passed,
    ReviewFailed: _review_failed,
    TierApplied: _tier_applied,
    Authorised: _authorised,
    Refused: _refused,
    PostingRequested: _posting_requested,
    PostingAnswerRefused: _answer_refused,
    CasePosted: _case_posted,
    CaseClosed: _case_closed,
}
