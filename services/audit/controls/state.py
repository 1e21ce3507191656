"""A case as controls knows it, and the only function that moves it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, TypeVar

from shared.contracts.audit import (
    Authorised,
    CaseClosed,
    CasePosted,
    CaseStarted,
    EntryArbitrated,
    EntryDiffered,
    EntryMatched,
    KeyedEntry,
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
from shared.contracts.message import Message
from shared.contracts.reference import BusinessType
from shared.contracts.work import KeyedValue, WorkOrder
from shared.runtime.errors import InvariantError

V = TypeVar("V")

HEARD_MAX: Final = 256  # results remembered per case, oldest forgotten first; a long case hears some thirty
ANSWERS_MAX: Final = 16  # refused answers of the core bank remembered per case


class Phase(StrEnum):
    """Where a case is. `ENTERING` includes arbitration, which happens field by field."""

    NEW = "new"
    ENTERING = "entering"
    REVIEWING = "reviewing"
    AUTHORISING = "authorising"
    POSTING = "posting"
    POSTED = "posted"
    CLOSED = "closed"


RUNNING: Final = frozenset({Phase.ENTERING, Phase.REVIEWING, Phase.AUTHORISING, Phase.POSTING})
ENDED: Final = frozenset({Phase.POSTED, Phase.CLOSED})


class Finder(StrEnum):
    """Who found that a value may be wrong, as findings name it."""

    ARBITRATION = "arbitration"
    REVIEW = "review"


@dataclass(frozen=True, slots=True)
class Dispute:
    """A field without a value that stands: what the arbitrator is shown, and who raised it."""

    values: tuple[str, ...]
    finder: Finder


@dataclass(frozen=True)  # no slots: `_moved` copies the whole dictionary at once
class Case:
    """One case. The dictionaries are never changed in place.

    Holds:   `roles` gives the one role that a person holds on the case, as doer or by a draft that was handed on;
             `rounds` the last round asked for per slot; `values` and `disputes` share no field; once ended only what
             answers late events is kept; `heard` are (work item, command) of the results that were answered, `answers`
             core answers refused.
    """

    case_id: str
    phase: Phase = Phase.NEW
    submission_id: str = ""
    start: CaseStarted | None = None
    open_items: dict[str, WorkOrder] = field(default_factory=dict)
    rounds: dict[str, int] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)
    entries: dict[str, tuple[KeyedEntry, ...]] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    disputes: dict[str, Dispute] = field(default_factory=dict)
    ruled_fields: tuple[str, ...] = ()
    faulted: tuple[str, ...] = ()
    reviewed: bool = False
    reviews: int = 0
    reviews_failed: int = 0
    tier: TierApplied | None = None
    granted_teams: tuple[str, ...] = ()
    authorisations: int = 0
    rekey_disputes: int = 0
    posting_id: str | None = None
    core_reference: str | None = None
    heard: tuple[tuple[str, str], ...] = ()
    answers: tuple[str, ...] = ()

    @property
    def started(self) -> CaseStarted:
        """What the case was taken up with. Only a running case has it."""
        if self.start is None:
            raise InvariantError(f"Expected case {self.case_id} to be running, found it {self.phase}")
        return self.start

    @property
    def template(self) -> BusinessType:
        """The process template that the case was taken up under; later changes of the reference do not touch it."""
        template = self.started.template
        if template is None:
            raise InvariantError(f"Expected case {self.case_id} to carry its process template by value")
        return template


def empty(case_id: str) -> Case:
    """A case that nothing is known of."""
    return Case(case_id)


def slot_of(order: WorkOrder) -> str:
    """The place in the process that an order fills; rounds count per slot."""
    match order.step:
        case "entry":
            return f"{order.role}/{order.field}"
        case "arbitration":
            return f"arbitration/{order.field}"
        case _:
            return order.step


def answer_mark(fact: PostingAnswerRefused) -> str:
    """What makes two refused answers of the core bank the same one."""
    return f"{fact.answer}/{fact.posting_id}/{fact.code}"


def _moved(case: Case, **changes: Any) -> Case:
    # `dataclasses.replace` takes several times as long, and every fact is folded twice: while deciding, and by
    # the runtime.
    moved = object.__new__(Case)
    moved.__dict__.update(case.__dict__, **changes)
    return moved


def _started(case: Case, fact: CaseStarted) -> Case:
    return _moved(case, phase=Phase.ENTERING, submission_id=fact.submission_id, start=fact)


def _asked(case: Case, fact: WorkRequested) -> Case:
    order = fact.order
    return _moved(
        case,
        phase=_PHASE_BY_STEP[order.step],
        open_items={**case.open_items, order.work_item_id: order},
        rounds={**case.rounds, slot_of(order): order.round},
    )


def _gone(case: Case, fact: WorkSettled | WorkCancelled) -> Case:
    return _moved(case, open_items=_without(case.open_items, fact.work_item_id))


def _accepted(case: Case, fact: ResultAccepted) -> Case:
    case = _moved(
        case,
        roles={**case.roles, **dict.fromkeys((*fact.drafted_by, fact.doer.operator_id), fact.role)},
        heard=_heard(case, fact.work_item_id, fact.command_id),
        authorisations=case.authorisations + (fact.step == "authorisation"),
    )
    if fact.step != "entry" or fact.field is None or not isinstance(fact.outcome, KeyedValue):
        return case
    entry = KeyedEntry(
        work_item_id=fact.work_item_id,
        field=fact.field,
        keying=keying_of(fact.role),
        value=fact.outcome.value,
        doer=fact.doer,
        slice=case.open_items[fact.work_item_id].slice,
    )
    kept = tuple(sorted((*case.entries.get(fact.field, ()), entry), key=lambda found: found.keying))
    return _moved(case, entries={**case.entries, fact.field: kept})


def _refused_result(case: Case, fact: ResultRefused) -> Case:
    return _moved(case, heard=_heard(case, fact.work_item_id, fact.command_id))


def _stands(case: Case, fact: EntryMatched | EntryArbitrated) -> Case:
    case = _moved(
        case,
        values={**case.values, fact.field: fact.value},
        disputes=_without(case.disputes, fact.field),
    )
    if isinstance(fact, EntryArbitrated) and fact.field not in case.ruled_fields:
        return _moved(case, ruled_fields=(*case.ruled_fields, fact.field))
    return case


def _differed(case: Case, fact: EntryDiffered) -> Case:
    if fact.why != "rekeyed_otherwise":
        return _disputed(case, {fact.field: Dispute(fact.values, Finder.ARBITRATION)})
    case = _disputed(case, {fact.field: Dispute(fact.values, Finder.REVIEW)})
    return _moved(_judged_anew(case), rekey_disputes=case.rekey_disputes + 1)


def _fault(case: Case, fact: KeyingErrorFound) -> Case:
    return _moved(case, faulted=(*case.faulted, fact.work_item_id))


def _review_passed(case: Case, fact: ReviewPassed) -> Case:
    return _moved(case, reviewed=True, reviews=case.reviews + 1)


def _review_failed(case: Case, fact: ReviewFailed) -> Case:
    disputes = {name: Dispute((case.values[name],), Finder.REVIEW) for name in fact.wrong_fields}
    case = _judged_anew(_disputed(case, disputes))
    return _moved(case, reviews=case.reviews + 1, reviews_failed=case.reviews_failed + 1)


def _tier(case: Case, fact: TierApplied) -> Case:
    return _moved(case, tier=fact, granted_teams=())


def _authorised(case: Case, fact: Authorised) -> Case:
    return _moved(case, granted_teams=(*case.granted_teams, fact.authoriser.team_id))


def _refused(case: Case, fact: Refused) -> Case:
    return case


def _posting(case: Case, fact: PostingRequested) -> Case:
    return _moved(case, phase=Phase.POSTING, posting_id=fact.posting_id)


def _answer_refused(case: Case, fact: PostingAnswerRefused) -> Case:
    return _moved(case, answers=(*case.answers, answer_mark(fact))[-ANSWERS_MAX:])


def _posted(case: Case, fact: CasePosted) -> Case:
    return _moved(_ended(case, Phase.POSTED, fact), core_reference=fact.core_reference)


def _closed(case: Case, fact: CaseClosed) -> Case:
    return _ended(case, Phase.CLOSED, fact)


def _ended(case: Case, phase: Phase, fact: CasePosted | CaseClosed) -> Case:
    # The journal keeps the whole life; the row of an ended case stays for ever and is kept small.
    return Case(
        case_id=case.case_id,
        phase=phase,
        submission_id=fact.submission_id,
        posting_id=case.posting_id,
        heard=case.heard,
        answers=case.answers,
    )


def _disputed(case: Case, disputes: Mapping[str, Dispute]) -> Case:
    values = {name: value for name, value in case.values.items() if name not in disputes}
    return _moved(case, phase=Phase.ENTERING, values=values, disputes={**case.disputes, **disputes})


def _judged_anew(case: Case) -> Case:
    return _moved(case, reviewed=False, tier=None, granted_teams=())


def _heard(case: Case, work_item_id: str, command_id: str | None) -> tuple[tuple[str, str], ...]:
    return (*case.heard, (work_item_id, command_id or ""))[-HEARD_MAX:]


def _without(values: Mapping[str, V], gone: str) -> dict[str, V]:
    return {name: value for name, value in values.items() if name != gone}


def keying_of(role: str) -> int:
    """Which keying an entry role stands for: `entry-2` is the second."""
    return int(role.removeprefix("entry-"))


_PHASE_BY_STEP: Final[Mapping[str, Phase]] = {
    "entry": Phase.ENTERING,
    "arbitration": Phase.ENTERING,
    "review": Phase.REVIEWING,
    "authorisation": Phase.AUTHORISING,
}

_MOVES: Final[Mapping[type[Message], Callable[[Case, Any], Case]]] = {
    CaseStarted: _started,
    WorkRequested: _asked,
    WorkSettled: _gone,
    WorkCancelled: _gone,
    ResultAccepted: _accepted,
    ResultRefused: _refused_result,
    EntryMatched: _stands,
    EntryDiffered: _differed,
    EntryArbitrated: _stands,
    KeyingErrorFound: _fault,
    ReviewPassed: _review_passed,
    ReviewFailed: _review_failed,
    TierApplied: _tier,
    Authorised: _authorised,
    Refused: _refused,
    PostingRequested: _posting,
    PostingAnswerRefused: _answer_refused,
    CasePosted: _posted,
    CaseClosed: _closed,
}


UNBEGUN: Final = frozenset({CaseStarted, CaseClosed, ResultRefused, PostingAnswerRefused})
"""Facts about a case that was not taken up: it is, or cannot be, or what somebody says of it is refused."""


def apply(case: Case, fact: Message) -> Case:
    """Fold one published fact into the case. The only function that moves a case.

    Errors:  `InvariantError` for a fact of a running case about one that has not begun: a hollow case decides nothing.
    """
    move = _MOVES.get(type(fact))
    if move is None:
        raise InvariantError(f"Expected a fact of controls, found {type(fact).__name__}")
    if case.start is None and type(fact) not in UNBEGUN:
        raise InvariantError(f"Expected case {case.case_id} to have begun, found {type(fact).__name__} of it")
    return move(case, fact)
