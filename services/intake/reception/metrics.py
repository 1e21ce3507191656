"""What intake counts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final, get_args

import structlog
from prometheus_client import Counter, Histogram

from shared.contracts.intake import CaseOpened, RejectionCode, SubmissionAccepted, SubmissionRejected
from shared.contracts.message import Message
from shared.runtime.tracing import exemplar_of

_log: Final = structlog.get_logger("opsfloor.reception")
RECEIPTS: Final = Counter("opsfloor_intake_receipts_total", "Receipts to branches, said again ones too", ["outcome"])
for _outcome in ("accepted", *get_args(RejectionCode)):
    RECEIPTS.labels(_outcome)  # there from 0 on, so that the first one shows as a rise
OPENED: Final = Counter("opsfloor_intake_cases_total", "Cases opened", ["business_type"])
CAPTURE: Final = Histogram(
    "opsfloor_intake_capture_seconds",
    "From scanned at the branch, by the branch's clock, to received by the bank",
    buckets=(0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400, 86400, 259200),
)


def measure(facts: Sequence[Message], now: datetime) -> None:
    """Count receipts by outcome and cases by business type; what is refused is named in the log, as no label may."""
    for fact in facts:
        match fact:
            case SubmissionAccepted():
                RECEIPTS.labels("accepted").inc()
            case SubmissionRejected():
                RECEIPTS.labels(fact.code).inc()
                _name(fact)
            case CaseOpened(again=False):
                OPENED.labels(fact.business_type).inc()
                age = max(0.0, (fact.received_at - fact.captured_at).total_seconds())
                CAPTURE.observe(age, exemplar_of(fact.case_id))
            case _:
                continue


def _name(fact: SubmissionRejected) -> None:
    if fact.code == "do_locally":  # told by a reroute, and nothing is wrong with it
        return
    _log.warning(
        "submission refused",
        code=fact.code,
        branch=fact.branch_id,
        submission=fact.submission_id,
        content_sha256=fact.content_sha256,
    )
