"""What supervision counts: judged keyings, errors, inspections, standing."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from prometheus_client import Counter, Gauge

from shared.contracts import vendor
from shared.contracts.message import Message

JUDGED: Final = Counter(
    "opsfloor_keyings_judged_total", "Keyings judged, per provider", ["provider", "what", "found_by"]
)
INSPECTIONS: Final = Counter("opsfloor_inspections_total", "Inspections by verdict", ["verdict"])
PROVIDER: Final = Gauge(
    "opsfloor_provider_standing", "1 for the standing that a provider has", ["provider", "standing"]
)
CHANGES: Final = Counter(
    "opsfloor_operator_standing_changes_total", "Changes of operators' standing", ["provider", "standing"]
)
STANDINGS: Final = ("probation", "allowed", "suspended")


def measure(facts: Sequence[Message], now: datetime) -> None:
    """Count what was decided."""
    for fact in facts:
        match fact:
            case vendor.KeyingJudged(subject="provider"):
                JUDGED.labels(fact.provider_id, fact.what, fact.found_by).inc()
            case vendor.CaseAppraised():
                INSPECTIONS.labels(fact.verdict).inc()
            case vendor.OperatorStanding():
                CHANGES.labels(fact.provider_id, fact.standing).inc()
            case vendor.ProviderStanding():
                for standing in STANDINGS:
                    PROVIDER.labels(fact.provider_id, standing).set(1 if standing == fact.standing else 0)
            case _:
                continue
