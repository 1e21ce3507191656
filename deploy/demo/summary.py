"""What the day came to: every submission's one end, in a table and in `summary.json`."""

from __future__ import annotations

import json
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from deploy.demo.auditor import Auditor
from deploy.demo.judgement import plain
from deploy.demo.same_day import SameDay
from deploy.demo.truth import Truth
from shared.contracts import audit
from shared.proof.cases import BOOKS, DOUBLED, LOST, Finding, judge_books


@dataclass(frozen=True)
class TypeSummary:
    """One business type. Units: minutes of the bank's clock; shares from 0 to 1."""

    business_type: str
    ended: int
    on_time_share: float
    turnaround_p50: float
    turnaround_p90: float
    turnaround_p99: float


@dataclass(frozen=True)
class Witness:
    """What the world around the floor saw, to be held against the floor's own records.

    Units:   books in minor units by currency; `keying_errors` and `escaped` in fields.
    """

    sent: int
    sent_twice: int
    receipts: Mapping[str, int]
    unanswered: Sequence[str]  # submissions whose branch never read a receipt
    core_book: Mapping[str, int]
    core_booked: int
    core_refused: int
    core_asked_again: int
    keying_errors: int  # that operators made
    escaped: int  # that stand in the core bank's book
    ended_services: Sequence[str]  # though nobody asked
    given_up: bool = False  # nobody waited for what was still open


@dataclass(frozen=True)
class Summary:
    """The whole day. Holds: submitted = posted + closed + rejected + lost. Units: as in `TypeSummary`."""

    submitted: int
    posted: int
    closed: dict[str, int]
    rejected: dict[str, int]
    unfinished: int
    lost: int
    doubled: int
    sent_twice: int
    receipts: dict[str, int]
    on_time_share: float
    by_type: tuple[TypeSummary, ...]
    items_completed: int
    arbitration_rate: float
    keying_errors: int
    errors_caught: dict[str, int]
    errors_escaped: int
    results_refused: int
    duplicates_dropped: int
    core_asked_again: int
    floor_book: dict[str, int]
    core_book: dict[str, int]
    same_day: SameDay | None
    evacuation: str
    events: tuple[str, ...]
    findings: tuple[dict[str, str], ...]

    @property
    def kept(self) -> bool:
        """Every promise was kept."""
        return (
            not self.findings
            and self.unfinished == 0
            and self.lost == 0
            and self.doubled == 0
            and self.floor_book == self.core_book
        )


FINDINGS_SHOWN: Final = 10
LOSSES: Final = (LOST,)
DOUBLES: Final = ("one end", DOUBLED, "posted once")


def summarise(
    auditor: Auditor, world: Witness, events: Sequence[str], same_day: SameDay | None, evacuation: str = ""
) -> Summary:
    """Judge the day and count it. Of a day that was given up nobody knows whether what is open is lost."""
    unfinished = auditor.conservation()["open"] if world.given_up else 0
    ends, floor_book = auditor.ends(), auditor.floor_book()
    findings = [*auditor.findings(), *_contradictions(auditor, world)]
    return Summary(
        submitted=len(auditor.handed_in.ids()),
        posted=sum(isinstance(end, audit.CasePosted) for end in ends),
        closed=_counted([end.code for end in ends if isinstance(end, audit.CaseClosed)]),
        rejected=_counted(auditor.rejections()),
        unfinished=unfinished,
        lost=0 if unfinished else sum(finding.promise in LOSSES for finding in findings),
        doubled=sum(finding.promise in DOUBLES for finding in findings),
        sent_twice=world.sent_twice,
        receipts=dict(world.receipts),
        on_time_share=sum(end.on_time for end in ends) / len(ends) if ends else 1.0,
        by_type=tuple(_by_type(ends)),
        items_completed=sum(auditor.results.values()),
        arbitration_rate=_rate(auditor.counts["audit.entry-differed.v1"], auditor),
        keying_errors=world.keying_errors,
        errors_caught=dict(auditor.errors),
        errors_escaped=world.escaped,
        results_refused=auditor.counts["audit.result-refused.v1"],
        duplicates_dropped=auditor.duplicates,
        core_asked_again=world.core_asked_again,
        floor_book=floor_book,
        core_book=dict(world.core_book),
        same_day=same_day,
        evacuation=evacuation,
        events=tuple(events),
        findings=tuple(asdict(finding) for finding in findings),
    )


def _contradictions(auditor: Auditor, world: Witness) -> Iterator[Finding]:
    """Where the world's own records and the floor's do not agree."""
    submitted = len(auditor.handed_in.ids())
    if world.sent != submitted:
        yield Finding(LOST, f"branches handed in {world.sent}, the bus holds {submitted}")
    for submission_id in world.unanswered:
        yield Finding(LOST, f"the branch never read a receipt for {submission_id}")
    yield from judge_books(auditor.floor_book(), world.core_book)
    posted = sum(isinstance(end, audit.CasePosted) for end in auditor.ends())
    if world.core_booked != posted:
        yield Finding(BOOKS, f"the floor posted {posted} cases, the core bank booked {world.core_booked}")
    for service in world.ended_services:
        yield Finding("services stay up", f"a process of {service} ended though nobody asked")


def escaped(auditor: Auditor, truth: Truth) -> int:
    """Fields that were posted with another value than the document has: errors that nobody caught."""
    posted = (end.posting_id for end in auditor.ends() if isinstance(end, audit.CasePosted))
    requests = [auditor.requests[posting_id] for posting_id in posted if posting_id in auditor.requests]
    return sum(
        plain(request.fields.get(name, "")) != plain(value)
        for request in requests
        for name, value in truth.of(request.case_id).values.items()
    )


def _counted(codes: Sequence[str]) -> dict[str, int]:
    return {code: codes.count(code) for code in sorted(set(codes))}


def _rate(differed: int, auditor: Auditor) -> float:
    fields = differed + auditor.counts["audit.entry-matched.v1"]
    return differed / fields if fields else 0.0


def _by_type(ends: Sequence[audit.CasePosted | audit.CaseClosed]) -> list[TypeSummary]:
    groups: dict[str, list[audit.CasePosted | audit.CaseClosed]] = defaultdict(list)
    for end in ends:
        groups[end.business_type].append(end)
    return [_type(name, group) for name, group in sorted(groups.items())]


def _type(name: str, ends: Sequence[audit.CasePosted | audit.CaseClosed]) -> TypeSummary:
    minutes = sorted((end.at - end.received_at).total_seconds() / 60 for end in ends)
    cuts = statistics.quantiles(minutes, n=100, method="inclusive") if len(minutes) > 1 else minutes * 99
    return TypeSummary(
        name,
        len(ends),
        sum(end.on_time for end in ends) / len(ends),
        round(cuts[49], 1),
        round(cuts[89], 1),
        round(cuts[98], 1),
    )


def show(summary: Summary, console: Console) -> None:
    """Print the summary for people."""
    ends = Table(
        "what became of them", "count", title="The day's submissions", title_justify="left", title_style="bold"
    )
    ends.add_row("submitted by branches", f"{summary.submitted:,}")
    ends.add_row("posted by the core bank", f"{summary.posted:,}")
    for code, count in summary.closed.items():
        ends.add_row(f"closed: {code}", f"{count:,}")
    for code, count in summary.rejected.items():
        ends.add_row(f"rejected at intake: {code}", f"{count:,}")
    if summary.unfinished:
        ends.add_row("still open when the day was given up", _judged(summary.unfinished))
    ends.add_row("lost", "not known" if summary.unfinished else _judged(summary.lost))
    ends.add_row("doubled", _judged(summary.doubled))
    console.print(ends)
    types = Table(
        "business type",
        "ended",
        "on time",
        "p50 min",
        "p90 min",
        "p99 min",
        title="Turnaround",
        title_justify="left",
        title_style="bold",
    )
    for row in summary.by_type:
        types.add_row(
            row.business_type, f"{row.ended:,}", f"{row.on_time_share:.1%}", f"{row.turnaround_p50:.1f}",
            f"{row.turnaround_p90:.1f}", f"{row.turnaround_p99:.1f}",
        )  # fmt: skip
    console.print(types)
    caught = ", ".join(f"{count} by {by}" for by, count in sorted(summary.errors_caught.items())) or "none"
    console.print(
        f"{summary.on_time_share:.1%} on time; {summary.items_completed:,} items completed, "
        f"arbitration {summary.arbitration_rate:.2%} of fields"
    )
    if summary.same_day is not None:
        console.print(
            f"the same day in virtual time: {summary.same_day.ours:.1%} on time, dealt by round robin "
            f"{summary.same_day.round_robin:.1%}"
        )
    if summary.evacuation:
        console.print(summary.evacuation)
    console.print(
        f"{summary.keying_errors} keying errors made; wrong keyings caught: {caught}; "
        f"fields posted wrong: {summary.errors_escaped}"
    )
    console.print(
        f"{summary.sent_twice} submissions arrived again and opened nothing; {summary.results_refused} results refused; "
        f"{summary.duplicates_dropped} records published twice and dropped by every reader"
    )
    for currency in sorted({*summary.floor_book, *summary.core_book}):
        floor, core = summary.floor_book.get(currency, 0), summary.core_book.get(currency, 0)
        sign = "[green]=[/]" if floor == core else "[red]≠[/]"
        console.print(
            f"floor's book {floor / 100:,.2f} {currency} {sign} core bank's book {core / 100:,.2f} {currency}"
        )
    for finding in summary.findings[:FINDINGS_SHOWN]:
        console.print(f"[red]✗ {finding['promise']}[/]: {finding['detail']}")
    if len(summary.findings) > FINDINGS_SHOWN:
        console.print(f"  and {len(summary.findings) - FINDINGS_SHOWN:,} more findings, all in the JSON file")
    console.print(_verdict(summary))


def _verdict(summary: Summary) -> str:
    if summary.kept:
        return "[bold green]✓ every submission had exactly one end[/]"
    if summary.unfinished:
        return "[bold red]✗ the day was not finished[/]: what was open had no end yet, so nothing is proved of it"
    return "[bold red]✗ a promise was broken[/]"


def _judged(count: int) -> str:
    return "[green]0[/]" if count == 0 else f"[bold red]{count:,}[/]"


def write(summary: Summary, file: Path) -> None:
    """Write `summary.json`."""
    content: dict[str, Any] = asdict(summary) | {"kept": summary.kept}
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(content, indent=2) + "\n")
