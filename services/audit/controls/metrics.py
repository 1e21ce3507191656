"""What controls counts: cases and items by outcome, turnaround, on time, errors caught."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import Final, get_args

import structlog
from prometheus_client import Counter, Gauge, Histogram

from services.audit.controls.due import cut_off_left_seconds
from services.audit.controls.turnaround import PromisedHistogram
from shared.contracts import audit
from shared.contracts.message import Message
from shared.reference.board import ReferenceView
from shared.runtime.levels import Level, Read, Reading
from shared.runtime.processor import Measure
from shared.runtime.tracing import exemplar_of

_log: Final = structlog.get_logger("opsfloor.controls")
MINUTES: Final = (1, 2, 5, 10, 15, 20, 30, 45, 60, 90, 120, 180, 240, 360, 480, 720, 1440, 2880, 4320)
CASES: Final = Counter("opsfloor_cases_total", "Cases ended", ["business_type", "outcome", "on_time"])
STARTED: Final = Counter("opsfloor_cases_started_total", "Cases taken up", ["business_type"])
TURNAROUND: Final = PromisedHistogram(
    "opsfloor_case_turnaround_seconds", "From received to ended", (minutes * 60 for minutes in MINUTES)
)
WITH_BRANCH: Final = PromisedHistogram(
    "opsfloor_case_with_branch_seconds",
    "From scanned, by the branch's clock, to ended: the turnaround with the time that the branch had the case",
    (minutes * 60 for minutes in MINUTES),
)
POSTED: Final = Counter(
    "opsfloor_cases_posted_total",
    "Cases posted; in the first pass: nothing ruled on, no review failed, no amount re-keyed otherwise",
    ["business_type", "first_pass"],
)
RESULTS: Final = Counter("opsfloor_results_total", "Results of work items that count", ["business_type", "step"])
RESULTS_REFUSED: Final = Counter(
    "opsfloor_results_refused_total", "Results that do not count, by who gave them and why", ["provider", "code"]
)
REFUSAL_CODES: Final = get_args(audit.ResultRefused.model_fields["code"].annotation)
REVIEWS: Final = Counter("opsfloor_reviews_total", "Reviews by verdict", ["verdict"])
ENTRIES: Final = Counter("opsfloor_entries_total", "Fields compared", ["outcome"])
ERRORS: Final = Counter("opsfloor_keying_errors_total", "Keying errors caught", ["provider", "found_by"])
POSTINGS: Final = Counter("opsfloor_postings_requested_total", "Postings requested of the core bank", ["business_type"])
CORE_ANSWER: Final = Histogram(
    "opsfloor_core_answer_seconds",
    "From a posting requested to the case ended by the core bank's answer, of postings that this process requested",
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 3600, 14400, 86400),
)
ASKED_AT: Final = Gauge(
    "opsfloor_core_asked_timestamp_seconds",
    "When this process last requested a posting, by the machine's clock; 0 for not yet",
)
ANSWERED_AT: Final = Gauge(
    "opsfloor_core_answered_timestamp_seconds",
    "When this process last heard the core bank's answer, by the machine's clock; 0 for not yet",
)
ANSWERS_REFUSED: Final = Counter("opsfloor_core_answers_refused_total", "Core answers that do not fit", ["code"])
for _code in ("not_requested", "other_posting", "contradiction"):
    ANSWERS_REFUSED.labels(_code)  # there from 0 on, so that the first one shows as a rise
OBJECTIVE: Final = Level(
    "opsfloor_objective_on_time_ratio",
    "Share of cases that the bank promises in time, from the reference data; the same from every process",
    ("business_type",),
)
PROMISE: Final = Level(
    "opsfloor_promise_seconds",
    "The service level from receipt, from the reference data; the same from every process",
    ("business_type",),
)
CUT_OFF_LEFT: Final = Level(
    "opsfloor_cut_off_left_seconds",
    "Until the day's last posting instant, negative after it; the same from every process",
    ("business_type",),
)


Promised = Callable[[str], frozenset[float]]
"""What the bank promises of a business type, in seconds."""


def nothing_promised(business_type: str) -> frozenset[float]:
    """Where there are no reference data."""
    return frozenset()


def measuring(view: ReferenceView) -> Measure:
    """Count by the promises of the reference board."""

    def promised(business_type: str) -> frozenset[float]:
        template = view.business_types.get(business_type)
        if template is None:
            return frozenset()
        return frozenset(float(each) for each in (template.sla_seconds, template.sla_urgent_seconds) if each)

    return partial(measure, promised=promised)


def measure(facts: Sequence[Message], now: datetime, promised: Promised = nothing_promised) -> None:
    """Count what was decided."""
    for fact in facts:
        match fact:
            case audit.CaseStarted():
                _started(fact)
            case audit.CasePosted():
                _ended(fact, "posted", promised)
                ANSWERED_AT.set_to_current_time()
                POSTED.labels(fact.business_type, "yes" if fact.first_pass else "no").inc()
            case audit.CaseClosed():
                _ended(fact, fact.code, promised)
                if fact.code == "refused_by_core":
                    ANSWERED_AT.set_to_current_time()
            case audit.ResultAccepted():
                RESULTS.labels(fact.business_type, fact.step).inc()
            case audit.ResultRefused():
                RESULTS_REFUSED.labels(fact.doer.provider_id, fact.code).inc()
            case audit.ReviewPassed():
                REVIEWS.labels("passed").inc()
            case audit.ReviewFailed():
                REVIEWS.labels("failed").inc()
            case audit.EntryMatched():
                ENTRIES.labels("matched").inc()
            case audit.EntryDiffered():
                ENTRIES.labels("differed").inc()
            case audit.KeyingErrorFound():
                ERRORS.labels(fact.doer.provider_id, fact.found_by).inc()
            case audit.PostingRequested():
                POSTINGS.labels(fact.business_type).inc()
                _asked(fact)
            case audit.PostingAnswerRefused():
                ANSWERS_REFUSED.labels(fact.code).inc()
                _name(fact)
            case _:
                continue


def _started(fact: audit.CaseStarted) -> None:
    STARTED.labels(fact.business_type).inc()
    _begin(fact.business_type)


def _begin(business_type: str) -> None:
    """Show postings and their answers from 0 on, so that the first one shows as a rise."""
    POSTINGS.labels(business_type)
    for answer in ("yes", "no"):
        CASES.labels(business_type, "posted", answer)
        CASES.labels(business_type, "refused_by_core", answer)
        POSTED.labels(business_type, answer)


def _ended(fact: audit.CaseEnd, outcome: str, promised: Promised) -> None:
    CASES.labels(fact.business_type, outcome, "yes" if fact.on_time else "no").inc()
    edges, trace = promised(fact.business_type), exemplar_of(fact.case_id)
    seconds = max(0.0, (fact.at - fact.received_at).total_seconds())
    TURNAROUND.observe(fact.business_type, seconds, edges, {"case_id": fact.case_id[:64], **(trace or {})})
    if fact.captured_at is not None:
        seconds = max(0.0, (fact.at - fact.captured_at).total_seconds())
        WITH_BRANCH.observe(fact.business_type, seconds, edges, trace)
    asked_at = _asked_at.pop(fact.case_id, None)
    if asked_at is not None:
        CORE_ANSWER.observe(max(0.0, (fact.at - asked_at).total_seconds()), exemplar_of(fact.case_id))


def _name(fact: audit.PostingAnswerRefused) -> None:
    """Say in the log which case it was, as no label may: what was expected and what was found stand in the reason."""
    _log.warning(
        "core bank's answer refused",
        case=fact.case_id,
        code=fact.code,
        answer=fact.answer,
        posting=fact.posting_id,
        reason=fact.detail,
    )


ASKED_MAX: Final = 20_000  # postings under way that this process remembers; the oldest is forgotten first
_asked_at: Final[OrderedDict[str, datetime]] = OrderedDict()


def _asked(fact: audit.PostingRequested) -> None:
    ASKED_AT.set_to_current_time()  # the machine's, by which rules look back, not the floor's
    _asked_at[fact.case_id] = fact.requested_at
    if len(_asked_at) > ASKED_MAX:
        _asked_at.popitem(last=False)


def promise_levels(view: ReferenceView, now: Callable[[], datetime]) -> Read:
    """Read what the bank has promised off the reference board.

    Holds:   each business type's answers, and each provider's refused results, are counted from 0 on from the first look:
             after a restart an answer may be the first that is heard of a case.
    """

    def read() -> Iterator[Reading]:
        for provider_id in view.providers:
            for code in REFUSAL_CODES:
                RESULTS_REFUSED.labels(provider_id, code)
        for name, template in sorted(view.business_types.items()):
            _begin(name)
            yield PROMISE, (name,), template.sla_seconds
            if template.on_time_objective is not None:
                yield OBJECTIVE, (name,), template.on_time_objective
            left = cut_off_left_seconds(template, now(), view.limits.time_zone)
            if left is not None:
                yield CUT_OFF_LEFT, (name,), left

    return read
