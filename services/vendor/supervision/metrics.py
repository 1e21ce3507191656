"""What supervision counts: judged keyings, errors, inspections, standing."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, get_args

from prometheus_client import Counter

from shared.contracts import vendor
from shared.contracts.message import Message
from shared.reference.board import ReferenceView
from shared.runtime.levels import Level, Read, Reading
from shared.standing import StandingView

JUDGED: Final = Counter(
    "opsfloor_keyings_judged_total", "Keyings judged, per provider", ["provider", "what", "found_by"]
)
INSPECTIONS: Final = Counter("opsfloor_inspections_total", "Inspections by verdict", ["verdict"])
for _verdict in get_args(vendor.CaseAppraised.model_fields["verdict"].annotation):
    INSPECTIONS.labels(_verdict)  # there from 0 on, so that the first one shows as a rise
PROVIDER: Final = Level(
    "opsfloor_provider_standing",
    "1 for the standing that a provider has; the whole floor, the same from every process",
    ("provider", "standing"),
)
OPERATORS: Final = Level(
    "opsfloor_operators_judged",
    "Operators who were judged, by provider and standing; the whole floor, the same from every process",
    ("provider", "standing"),
)
PROVIDER_CHANGES: Final = Counter(
    "opsfloor_provider_standing_changes_total", "Changes of providers' standing", ["provider", "standing"]
)
CHANGES: Final = Counter(
    "opsfloor_operator_standing_changes_total", "Changes of operators' standing", ["provider", "standing"]
)
STANDINGS: Final = ("probation", "allowed", "suspended")
FINDERS: Final = ("arbitration", "review", "inspection")


def measure(facts: Sequence[Message], now: datetime) -> None:
    """Count what was decided."""
    for fact in facts:
        match fact:
            case vendor.KeyingJudged(subject="provider"):
                _begin(fact.provider_id)
                JUDGED.labels(fact.provider_id, fact.what, fact.found_by).inc()
            case vendor.CaseAppraised():
                INSPECTIONS.labels(fact.verdict).inc()
            case vendor.OperatorStanding():
                CHANGES.labels(fact.provider_id, fact.standing).inc()
            case vendor.ProviderStanding():
                PROVIDER_CHANGES.labels(fact.provider_id, fact.standing).inc()
            case _:
                continue


def _begin(provider_id: str) -> None:
    """Show a provider's errors from 0 on, so that the first one shows as a rise."""
    for finder in FINDERS:
        JUDGED.labels(provider_id, "error", finder)


def standing_levels(view: StandingView, reference: ReferenceView) -> Read:
    """Read who stands how: as the standing topic says, and else as the reference data begins.

    Holds:   each provider's errors are counted from 0 on from the first look.
    """

    def read() -> Iterator[Reading]:
        initial_by_provider = {name: provider.initial_standing for name, provider in reference.providers.items()}
        for provider_id in sorted(initial_by_provider.keys() | view.providers.keys()):
            _begin(provider_id)
            found = view.provider(provider_id, initial_by_provider.get(provider_id, "probation"))
            for standing in STANDINGS:
                yield PROVIDER, (provider_id, standing), float(standing == found)
        judged = Tally((found.provider_id, found.standing) for found in view.operators.values())
        for of, count in sorted(judged.items()):
            yield OPERATORS, of, float(count)

    return read
