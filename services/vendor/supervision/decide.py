"""Supervision's map: which event means what in which phase. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from services.vendor.supervision import appraisal, score
from services.vendor.supervision.state import Case, Phase, State
from shared.contracts.audit import CaseFact, CasePosted, KeyingErrorFound, ResultAccepted
from shared.contracts.message import Message
from shared.contracts.routing import WorkCompleted
from shared.contracts.vendor import (
    CaseAppraised,
    EntryScored,
    InspectionRequested,
    InspectionSettled,
    KeyingJudged,
    OperatorStanding,
    ProviderStanding,
    SampleDrawn,
)
from shared.runtime.errors import InvariantError
from shared.runtime.processor import Event, Rejection, Situation, TimerFired

Rule = Callable[[Any, Any, Situation], Sequence[Message] | Rejection]

RULES: Final[Mapping[tuple[Phase, type[Event]], Rule]] = {
    (Phase.CASE_OPEN, ResultAccepted): appraisal.judge_keying,
    (Phase.CASE_OPEN, KeyingErrorFound): appraisal.judge_error,
    (Phase.CASE_OPEN, CasePosted): appraisal.draw_sample,
    (Phase.CASE_OPEN, WorkCompleted): appraisal.take_result,
    (Phase.CASE_DRAWN, ResultAccepted): appraisal.judge_keying,
    (Phase.CASE_DRAWN, KeyingErrorFound): appraisal.judge_error,
    (Phase.CASE_DRAWN, CasePosted): appraisal.draw_nothing,
    (Phase.CASE_DRAWN, WorkCompleted): appraisal.take_result,
    (Phase.SCORE_NEW, KeyingJudged): score.open_score,
    (Phase.SCORE_PROBATION, KeyingJudged): score.weigh,
    (Phase.SCORE_ALLOWED, KeyingJudged): score.weigh,
    (Phase.SCORE_SUSPENDED, KeyingJudged): score.weigh,
    (Phase.SCORE_SUSPENDED, TimerFired): score.reinstate,
}
"""Every event that supervision takes, in every phase of the entity that it belongs to."""

TAKES: Final = frozenset(event.kind_name() for _, event in RULES if issubclass(event, Message))


def key_of(message: Message) -> str | None:
    """The entity an event belongs to: its case, or the operator or provider that was judged."""
    match message:
        case KeyingJudged():
            return message.key
        case WorkCompleted():
            return f"case:{message.case_id}" if message.step == "inspection" else None
        case CaseFact():
            return f"case:{message.case_id}"
        case _:
            return None


def owner_of(fact: Message) -> str | None:
    """The entity that a fact of supervision has moved: a case, or the operator or provider that was judged."""
    match fact:
        case InspectionRequested():
            return f"case:{fact.order.case_id}"
        case KeyingJudged() | InspectionSettled() | SampleDrawn() | CaseAppraised():
            return f"case:{fact.case_id}"
        case EntryScored() | OperatorStanding() | ProviderStanding():
            return fact.key
        case _:
            return None


def decide(state: State, event: Event, situation: Situation) -> Sequence[Message] | Rejection:
    """Answer one event by the rule of its phase. Errors: `InvariantError` for an event of another entity's kind."""
    rule = RULES.get((state.phase, type(event)))
    if rule is None and isinstance(event, TimerFired):
        return ()  # the suspension ended in the same batch
    if rule is None:
        raise InvariantError(f"Expected an event of a {state.phase.value}, found {type(event).__name__}")
    return rule(state, event, situation)


def refuse(state: State, event: Event, rejection: Rejection, situation: Situation) -> Sequence[Message]:
    """Make a refusal a fact."""
    if isinstance(state, Case) and isinstance(event, WorkCompleted):
        return appraisal.refuse_result(state, event, rejection, situation)
    return ()
