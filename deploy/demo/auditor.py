"""An auditor who reads the topics from outside and says whether the promises were kept.

Used on the real bus (the demo, the fault tests) and on the simulator's, so that both are judged by the same eyes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from deploy.demo.handed_in import HandedIn
from shared.contracts import audit, branch, core, intake, routing
from shared.contracts.message import Message
from shared.contracts.reference import Branch
from shared.contracts.work import Draft
from shared.proof.cases import DOUBLED, LOST, CaseSeen, Ended, Finding, book_of
from shared.runtime.errors import ContractError
from shared.runtime.headers import body_of, origin_of
from shared.runtime.log import Record

OUTSIDE: Final = frozenset(
    {branch.SUBMISSION.name, core.POSTING.name, routing.COMMAND.name, routing.PLAN.name, "reference.v1"}
)
"""Topics that no shard of the floor writes: their records have no lane."""


@dataclass(slots=True)
class DraftsSeen:
    """What was seen of one work item's drafts. Holds: `saved` are (author, value, instant); `carried` what moved with it."""

    saved: set[tuple[str, str, datetime]] = field(default_factory=set)
    carried: list[Draft] = field(default_factory=list)
    finished_by: tuple[str, tuple[str, ...]] | None = None  # who, and whose drafts they say they were shown


class Auditor:
    """Takes every record of the floor's topics, in any order of topics, and keeps what the promises are judged by.

    Holds:   a record that its lane has seen already is dropped, as every reader does; a gap on a lane is a finding.
    """

    def __init__(self) -> None:
        self.handed_in: Final = HandedIn()
        self.cases: Final[dict[str, CaseSeen]] = defaultdict(CaseSeen)
        self.opened: Final[Counter[str]] = Counter()
        self.case_by_submission: Final[dict[str, str]] = {}
        self.results: Final[Counter[str]] = Counter()
        self.last_assigned: Final[dict[str, tuple[int, str]]] = {}
        self.completed_by: Final[dict[str, tuple[int, str]]] = {}
        self.drafts: Final[dict[str, DraftsSeen]] = defaultdict(DraftsSeen)
        self.work: Final[dict[str, set[str]]] = defaultdict(set)
        self.failed: Final[set[str]] = set()
        self.requests: Final[dict[str, audit.PostingRequested]] = {}
        self.duplicates = 0
        self.records = 0
        self.counts: Final[Counter[str]] = Counter()
        self.errors: Final[Counter[str]] = Counter()
        self.first_assigned: Final[dict[str, datetime]] = {}
        self._lanes: Final[dict[tuple[str, str, int], int]] = {}
        self._findings: Final[list[Finding]] = []

    def take(self, record: Record) -> Message | None:
        """Take one raw record; returns its message when it is new and readable."""
        self.records += 1
        try:
            origin = origin_of(record)
            message = body_of(record, origin.kind)
        except ContractError:
            return None  # unreadable: the floor parks it, and an auditor cannot judge it
        if origin.sequence == 0 and record.topic not in OUTSIDE:
            return None  # somebody sent an old fact again by hand: no new fact, and the floor must not take it for one
        if origin.sequence and not self._lane(record, origin.source, origin.sequence):
            return None
        self.counts[origin.kind] += 1
        self._see(message)
        return message

    def take_all(self, records: Iterable[Record]) -> None:
        """Take many."""
        for record in records:
            self.take(record)

    def _lane(self, record: Record, source: str, sequence: int) -> bool:
        lane = (source, record.topic, record.partition)
        last = self._lanes.get(lane, 0)
        if sequence <= last:
            self.duplicates += 1
            return False
        if sequence != last + 1:
            self._find("dense lanes", f"{source} → {record.topic}[{record.partition}]: {sequence} after {last}")
        self._lanes[lane] = sequence
        return True

    def _find(self, promise: str, detail: str) -> None:
        self._findings.append(Finding(promise, detail))

    def _see(self, message: Message) -> None:
        match message:
            case Branch() | branch.SubmissionSent() | intake.SubmissionAccepted() | intake.SubmissionRejected():
                self.handed_in.take(message)
            case intake.CaseOpened():
                self.opened[message.case_id] += not message.again
                known = self.case_by_submission.setdefault(message.submission_id, message.case_id)
                if known != message.case_id:
                    self._find(DOUBLED, f"{message.submission_id} opened {known} and {message.case_id}")
            case audit.PostingRequested():
                self.cases[message.case_id].take(message)
                self.requests[message.posting_id] = message
            case core.PostingConfirmed():
                self.cases[message.case_id].take(message)
            case core.PostingFailed():
                self.failed.add(message.posting_id)
            case audit.WorkRequested():
                self.work[message.order.case_id].add(message.order.work_item_id)
            case routing.WorkAssigned():
                self.first_assigned.setdefault(message.case_id, message.at)
                this = (message.attempt, message.operator_id)
                self.last_assigned[message.work_item_id] = max(this, self.last_assigned.get(message.work_item_id, this))
            case routing.WorkCompleted():
                self.results[message.work_item_id] += 1
                self.completed_by[message.work_item_id] = (message.attempt, message.operator_id)
                if message.drafted_by:
                    self.drafts[message.work_item_id].finished_by = (message.operator_id, message.drafted_by)
            case routing.DraftSaved(draft=draft):
                saved = (message.operator_id, draft.value, draft.saved_at)
                self.drafts[message.work_item_id].saved.add(saved)
            case routing.WorkReleased(draft=Draft() as draft):
                self.drafts[message.work_item_id].carried.append(draft)
            case (
                routing.WorkQueued(draft=Draft() as draft)
                | routing.WorkPlaced(draft=Draft() as draft)
                | routing.WorkUnplaceable(draft=Draft() as draft)
            ):
                self.drafts[message.order.work_item_id].carried.append(draft)
            case audit.CaseFact():
                self.cases[message.case_id].take(message)
                if isinstance(message, audit.KeyingErrorFound):
                    self.errors[message.found_by] += 1
            case _:
                return

    # ----------------------------------------------------------------- judging

    def findings(self, *, ended: bool = True) -> list[Finding]:
        """Every broken promise. With `ended`, the floor has come to rest: every submission must have its end."""
        found = list(self._findings)
        found += self._judge_submissions(ended)
        for case_id, case in self.cases.items():
            if self.opened[case_id] != 1:
                found.append(Finding(DOUBLED, f"case {case_id} was opened {self.opened[case_id]} times"))
            found += case.judge(case_id)
        found += [
            Finding("one valid result", f"work item {item} has {count} results")
            for item, count in self.results.items()
            if count > 1
        ]
        found += [
            Finding("one valid result", f"work item {item} was completed as {by}, last assigned as {last}")
            for item, by in self.completed_by.items()
            if (last := self.last_assigned.get(item)) != by
        ]
        for item, seen in self.drafts.items():
            found += self._judge_drafts(item, seen)
        return found

    def _judge_drafts(self, item: str, seen: DraftsSeen) -> Iterable[Finding]:
        """A draft stays with its own item, so with its own keying, and says who keyed it."""
        authors = {author for author, _, _ in seen.saved}
        for draft in seen.carried:
            if (draft.authors[-1], draft.value, draft.saved_at) not in seen.saved or not authors.issuperset(
                draft.authors
            ):
                yield Finding("drafts apart", f"work item {item} came with a draft that nobody saved of it")
        if seen.finished_by is not None:
            doer, drafted_by = seen.finished_by
            if doer in drafted_by or not authors.issuperset(drafted_by):
                yield Finding("drafts apart", f"work item {item} by {doer} names drafts by {', '.join(drafted_by)}")

    def handed_on(self) -> int:
        """Items that somebody finished who was shown a colleague's draft."""
        return sum(seen.finished_by is not None for seen in self.drafts.values())

    def _judge_submissions(self, ended: bool) -> Iterable[Finding]:
        for submission_id in self.handed_in.ids():
            case_id, end = self.case_by_submission.get(submission_id), self.handed_in.seen[submission_id].end
            if ended:
                broken = self.handed_in.broken(submission_id, opened=case_id is not None)
                yield from (Finding(promise, detail) for promise, detail in broken)
            if isinstance(end, intake.SubmissionRejected):
                if case_id is not None:
                    yield Finding("one end", f"submission {submission_id} was rejected and opened a case")
            elif isinstance(end, intake.SubmissionAccepted) and case_id is None:
                yield Finding(LOST, f"submission {submission_id} was accepted and opened no case")
            elif ended and case_id is not None and not self.cases[case_id].ends:
                yield Finding(LOST, f"case {case_id} of {submission_id} has no end")

    # ----------------------------------------------------------------- figures

    def floor_book(self) -> dict[str, int]:
        """What the floor holds to be booked: minor units by currency, over posted cases."""
        return dict(book_of(self.ends()))

    def rejections(self) -> list[str]:
        """The reason code of every submission id that ended at intake."""
        refusals = (self.handed_in.rejection(submission_id) for submission_id in self.handed_in.ids())
        return [refusal.code for refusal in refusals if refusal is not None]

    def ends(self) -> list[Ended]:
        """Every end seen."""
        return [end for case in self.cases.values() for end in case.ends]

    def conservation(self) -> dict[str, int]:
        """In = rejected + posted + closed + open."""
        submitted, rejected = len(self.handed_in.ids()), len(self.rejections())
        posted = sum(isinstance(end, audit.CasePosted) for end in self.ends())
        closed = sum(isinstance(end, audit.CaseClosed) for end in self.ends())
        return {
            "submitted": submitted,
            "rejected": rejected,
            "posted": posted,
            "closed": closed,
            "open": submitted - rejected - posted - closed,
        }


def describe(findings: Iterable[Finding]) -> dict[str, Any]:
    """Findings counted by promise, with the first few of each."""
    grouped: dict[str, list[str]] = defaultdict(list)
    for finding in findings:
        grouped[finding.promise].append(finding.detail)
    return {promise: {"count": len(details), "first": details[:3]} for promise, details in grouped.items()}
