"""One case, and whether the promises about it were kept: one end, one posting, one result of a task, nobody in two roles."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from shared.contracts import audit, core
from shared.contracts.message import Message

Ended = audit.CasePosted | audit.CaseClosed
LOST: Final = "nothing lost"
DOUBLED: Final = "nothing doubled"
BOOKS: Final = "equal books"


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken promise. `promise` is its short name, `detail` names what and where."""

    promise: str
    detail: str


@dataclass(slots=True)
class CaseSeen:
    """What was seen of one case. Holds: `roles` maps an operator to the roles of their accepted results."""

    started: audit.CaseStarted | None = None
    starts: int = 0
    ends: list[Ended] = field(default_factory=list)
    requested: list[audit.PostingRequested] = field(default_factory=list)
    references: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))  # of confirmations, by posting
    roles: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    accepted_items: Counter[str] = field(default_factory=Counter)

    def take(self, message: Message) -> None:
        """Take what was told about the case, once each, in any order."""
        match message:
            case audit.CaseStarted():
                self.started = message
                self.starts += 1
            case audit.CasePosted() | audit.CaseClosed():
                self.ends.append(message)
            case audit.PostingRequested():
                self.requested.append(message)
            case core.PostingConfirmed():
                self.references[message.posting_id].add(message.core_reference)
            case audit.ResultAccepted():
                for person in (message.doer.operator_id, *message.drafted_by):
                    self.roles[person].add(message.role)
                self.accepted_items[message.work_item_id] += 1
            case _:
                return

    def judge(self, case_id: str) -> Iterator[Finding]:
        """Every broken promise about it."""
        if self.starts > 1:
            yield Finding(DOUBLED, f"case {case_id} was taken up {self.starts} times")
        if len(self.ends) > 1:
            yield Finding("one end", f"case {case_id} has {len(self.ends)} ends")
        if len(self.requested) > 1:
            yield Finding("posted once", f"case {case_id}: posting requested {len(self.requested)} times")
        for end in self.ends:
            yield from self._judge_end(case_id, end)
        for operator, roles in self.roles.items():
            if len(roles) > 1:
                yield Finding("segregation of duties", f"case {case_id}: {operator} was {', '.join(sorted(roles))}")
        for item, count in self.accepted_items.items():
            if count > 1:
                yield Finding("one valid result", f"case {case_id}: item {item} was accepted {count} times")

    def _judge_end(self, case_id: str, end: Ended) -> Iterator[Finding]:
        if isinstance(end, audit.CaseClosed):
            if any(self.references.get(asked.posting_id) for asked in self.requested):
                yield Finding("posted once", f"case {case_id} was closed ({end.code}) and the core bank booked it")
            return
        references = self.references.get(end.posting_id, set())
        if not references:
            yield Finding("posted once", f"case {case_id} was posted and the core bank never confirmed")
        if len(references) > 1:
            yield Finding("posted once", f"case {case_id} was booked as {', '.join(sorted(references))}")
        asked = next((one for one in self.requested if one.posting_id == end.posting_id), None)
        if asked is None or asked.amount != end.amount:
            wanted = "nothing" if asked is None else str(asked.amount)
            yield Finding(BOOKS, f"case {case_id}: {wanted} was requested, {end.amount} posted")


def book_of(ends: Iterable[Ended]) -> Counter[str]:
    """What the floor holds to be booked by these ends: minor units by currency."""
    book: Counter[str] = Counter()
    for end in ends:
        if isinstance(end, audit.CasePosted) and end.amount is not None:
            book[end.amount.currency] += end.amount.amount_minor
    return book


def judge_books(ours: Mapping[str, int], theirs: Mapping[str, int]) -> Iterator[Finding]:
    """Whether the floor and the core bank hold the same to be booked, to the smallest unit of each currency; none is zero."""
    held, told = ({currency: amount for currency, amount in book.items() if amount} for book in (ours, theirs))
    if held != told:
        yield Finding(BOOKS, f"floor {held}, core bank {told}")
