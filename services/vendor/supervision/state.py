"""The two entities of supervision, a case and a score, and the one function that moves them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Literal, NamedTuple, assert_never, cast

from shared.contracts.audit import KeyedEntry
from shared.contracts.vendor import (
    CaseAppraised,
    EntryScored,
    InspectionRequested,
    InspectionSettled,
    KeyingJudged,
    OperatorStanding,
    ProviderStanding,
    SampleDrawn,
    Standing,
)
from shared.contracts.work import WorkOrder
from shared.runtime.processor import Alarm

SubjectNoun = Literal["operator", "provider"]
Fact = (
    KeyingJudged
    | EntryScored
    | SampleDrawn
    | CaseAppraised
    | InspectionRequested
    | InspectionSettled
    | OperatorStanding
    | ProviderStanding
)


class Phase(StrEnum):
    """Where an entity of supervision stands."""

    CASE_OPEN = "case open"
    CASE_DRAWN = "case drawn"
    SCORE_NEW = "score new"
    SCORE_PROBATION = "score on probation"
    SCORE_ALLOWED = "score allowed"
    SCORE_SUSPENDED = "score suspended"


_PHASE_BY_STANDING = {
    None: Phase.SCORE_NEW,
    "probation": Phase.SCORE_PROBATION,
    "allowed": Phase.SCORE_ALLOWED,
    "suspended": Phase.SCORE_SUSPENDED,
}


@dataclass(frozen=True, slots=True)
class Inspection:
    """One sampled entry and what became of it.

    Holds:   `order` is there exactly while the inspection waits for its result.
    """

    entry: KeyedEntry
    inspection_id: str = ""
    order: WorkOrder | None = None
    verdict: Literal["drawn", "sampled", "right", "wrong", "refused"] = "drawn"


@dataclass(frozen=True, slots=True)
class Case:
    """What supervision remembers of one case.

    Holds:   `judged` names what was counted, once per (work item, finder); `settled` the inspections that are over.
    """

    case_id: str
    tag: Literal["case"] = "case"
    drawn: bool = False
    judged: tuple[str, ...] = ()
    inspections: tuple[Inspection, ...] = ()
    settled: tuple[str, ...] = ()

    @property
    def phase(self) -> Phase:
        return Phase.CASE_DRAWN if self.drawn else Phase.CASE_OPEN

    def waiting(self, inspection_id: str) -> Inspection | None:
        """The inspection that waits for this result."""
        return next((i for i in self.inspections if i.inspection_id == inspection_id and i.order is not None), None)


class Judged(NamedTuple):
    """One keyed entry in a score. `wrong` names who found the error, or is `none`."""

    work_item_id: str
    work_type: str
    wrong: str


@dataclass(frozen=True, slots=True)
class Score:
    """The sliding window of judged entries of one operator or provider, and the standing that follows from it.

    Holds:   an entry is in the window once, and wrong at most once; `by_score` says that the standing was earned
             here and not given by the reference data.
    Units:   `judged_in_standing` counts the entries keyed since the standing began.
    """

    subject: SubjectNoun
    subject_id: str
    tag: Literal["score"] = "score"
    provider_id: str = ""
    standing: Standing | None = None
    by_score: bool = False
    reason: str = ""
    since: datetime | None = None
    judged_in_standing: int = 0
    entries: tuple[Judged, ...] = ()

    @property
    def phase(self) -> Phase:
        return _PHASE_BY_STANDING[self.standing]

    @property
    def keyed(self) -> int:
        return len(self.entries)

    @property
    def errors(self) -> int:
        return sum(entry.wrong != "none" for entry in self.entries)

    @property
    def error_rate(self) -> float:
        return self.errors / self.keyed if self.entries else 0.0


State = Case | Score


def empty(key: str) -> State:
    """The entity before its first fact, by its key: `case:<id>`, `operator:<id>` or `provider:<id>`."""
    noun, _, name = key.partition(":")
    return Case(name) if noun == "case" else Score(cast("SubjectNoun", noun), name)


def mark(work_item_id: str, found_by: str) -> str:
    """How a case remembers one judgement."""
    return f"{work_item_id}/{found_by}"


def apply(state: State, fact: Fact) -> State:
    """Fold one fact into the state. The only function that moves a case or a score."""
    match state:
        case Case():
            return apply_to_case(state, fact)
        case Score():
            return apply_to_score(state, fact)
        case _:
            assert_never(state)


def apply_to_case(case: Case, fact: Fact) -> Case:
    """Fold one fact about a case."""
    match fact:
        case KeyingJudged():
            judged = mark(fact.work_item_id, fact.found_by)
            return case if judged in case.judged else replace(case, judged=(*case.judged, judged))
        case SampleDrawn():
            sampled = tuple(Inspection(drawn.entry) for drawn in fact.drawn if drawn.sampled)
            return replace(case, drawn=True, inspections=sampled)
        case CaseAppraised():
            return replace(case, inspections=tuple(_appraised(i, fact) for i in case.inspections))
        case InspectionRequested():
            return replace(case, inspections=tuple(_requested(i, fact.order) for i in case.inspections))
        case InspectionSettled():
            inspections = tuple(_settled(i, fact.work_item_id) for i in case.inspections)
            return replace(case, inspections=inspections, settled=(*case.settled, fact.work_item_id))
        case EntryScored() | OperatorStanding() | ProviderStanding():
            return case
        case _:
            assert_never(fact)


def _appraised(inspection: Inspection, fact: CaseAppraised) -> Inspection:
    if inspection.entry.work_item_id != fact.work_item_id:
        return inspection
    return replace(inspection, inspection_id=fact.inspection_id, verdict=fact.verdict)


def _requested(inspection: Inspection, order: WorkOrder) -> Inspection:
    return replace(inspection, order=order) if inspection.inspection_id == order.work_item_id else inspection


def _settled(inspection: Inspection, inspection_id: str) -> Inspection:
    return replace(inspection, order=None) if inspection.inspection_id == inspection_id else inspection


def apply_to_score(score: Score, fact: Fact) -> Score:
    """Fold one fact about an operator or a provider."""
    match fact:
        case EntryScored():
            return _scored(score, fact)
        case OperatorStanding() | ProviderStanding():
            return replace(
                score,
                provider_id=fact.provider_id,
                standing=fact.standing,
                by_score=score.standing is not None,
                reason=fact.reason,
                since=fact.since,
                judged_in_standing=0,
                entries=() if fact.reinstated else score.entries,
            )
        case KeyingJudged() | SampleDrawn() | CaseAppraised() | InspectionRequested() | InspectionSettled():
            return score
        case _:
            assert_never(fact)


def alarms(state: State) -> Mapping[str, Alarm]:
    """Who is suspended hears when the reference data changes: it may say that they are reinstated."""
    suspended = isinstance(state, Score) and state.standing == "suspended"
    return {"reinstatement": Alarm(boards=frozenset({"reference"}))} if suspended else {}


def _scored(score: Score, fact: EntryScored) -> Score:
    if fact.found_by == "none":
        entries = (*score.entries, Judged(fact.work_item_id, fact.work_type, "none"))
        return replace(
            score,
            provider_id=fact.provider_id,
            entries=entries[-fact.window :],
            judged_in_standing=score.judged_in_standing + 1,
        )
    return replace(
        score,
        entries=tuple(
            entry._replace(wrong=fact.found_by) if entry.work_item_id == fact.work_item_id else entry
            for entry in score.entries
        ),
    )
