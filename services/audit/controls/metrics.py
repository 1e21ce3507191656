"""What controls counts: cases and items by outcome, turnaround, on time, errors caught."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from prometheus_client import Counter, Histogram

from shared.contracts import audit
from shared.contracts.message import Message

MINUTES: Final = (1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480)
CASES: Final = Counter("opsfloor_cases_total", "Cases ended", ["business_type", "outcome", "on_time"])
STARTED: Final = Counter("opsfloor_cases_started_total", "Cases taken up", ["business_type"])
TURNAROUND: Final = Histogram(
    "opsfloor_case_turnaround_seconds",
    "From received to ended",
    ["business_type"],
    buckets=tuple(minutes * 60 for minutes in MINUTES),
)
RESULTS: Final = Counter("opsfloor_results_total", "Results of work items", ["business_type", "step", "outcome"])
ENTRIES: Final = Counter("opsfloor_entries_total", "Fields compared", ["outcome"])
ERRORS: Final = Counter("opsfloor_keying_errors_total", "Keying errors caught", ["provider", "found_by"])
POSTINGS: Final = Counter("opsfloor_postings_requested_total", "Postings requested of the core bank", ["business_type"])
ANSWERS_REFUSED: Final = Counter("opsfloor_core_answers_refused_total", "Core answers that do not fit", ["code"])


def measure(facts: Sequence[Message], now: datetime) -> None:
    """Count what was decided."""
    for fact in facts:
        match fact:
            case audit.CaseStarted():
                STARTED.labels(fact.business_type).inc()
            case audit.CasePosted():
                _ended(fact, "posted", now)
            case audit.CaseClosed():
                _ended(fact, fact.code, now)
            case audit.ResultAccepted():
                RESULTS.labels(fact.business_type, fact.step, "accepted").inc()
            case audit.ResultRefused():
                RESULTS.labels("", "", fact.code).inc()
            case audit.EntryMatched():
                ENTRIES.labels("matched").inc()
            case audit.EntryDiffered():
                ENTRIES.labels("differed").inc()
            case audit.KeyingErrorFound():
                ERRORS.labels(fact.doer.provider_id, fact.found_by).inc()
            case audit.PostingRequested():
                POSTINGS.labels(fact.business_type).inc()
            case audit.PostingAnswerRefused():
                ANSWERS_REFUSED.labels(fact.code).inc()
            case _:
                continue


def _ended(fact: audit.CaseEnd, outcome: str, now: datetime) -> None:
    CASES.labels(fact.business_type, outcome, "yes" if fact.on_time else "no").inc()
    TURNAROUND.labels(fact.business_type).observe(max(0.0, (fact.at - fact.received_at).total_seconds()))
