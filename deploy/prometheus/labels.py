"""The labels that an instrument may have, and how many values each can take on the largest floor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Final

from deploy.prometheus.instruments import Instrument

TEAMS: Final = 200
BUSINESS_TYPES: Final = 40
STEPS: Final = 5
SERIES_MAX: Final = 10_000
"""Series that one process may show on a floor of 200 teams, 40 business types, 10,000 branches, 20,000 operators."""


@dataclass(frozen=True, slots=True)
class Label:
    """How many values a label takes on in one process, and what it says."""

    values_max: int
    meaning: str


LABELS: Final[Mapping[str, Label]] = {
    "board": Label(8, "a board of the process"),
    "bound": Label(20, "the provider or centre whose share of all work is bounded"),
    "business_type": Label(BUSINESS_TYPES, "a business type of the reference data"),
    "code": Label(25, "the reason of a refusal, from its contract"),
    "drill": Label(2, "`yes` or `no`: a drill, or an order for a reason"),
    "effect": Label(5, "what a reroute does: `drain`, `evacuate`, `recall`, `shift`, `local`"),
    "found": Label(2, "`memory` or `store`"),
    "found_by": Label(4, "who found an error: `arbitration`, `review`, `inspection`, or `none`"),
    "kind": Label(40, "a kind of message, from the contracts"),
    "member": Label(1, "a process's OPSFLOOR_INSTANCE"),
    "method": Label(1, "an HTTP method (one per route)"),
    "first_pass": Label(2, "`yes` or `no`: posted without a ruling, a failed review or an amount re-keyed otherwise"),
    "on_time": Label(2, "`yes` or `no`: ended by its due instant"),
    "outcome": Label(17, "how something ended, from its contract"),
    "phase": Label(8, "where a reroute is in its life"),
    "point": Label(2, "what the floor must be able to do without: `centre` or `provider`"),
    "processor": Label(5, "a processor of the process, `service/processor`"),
    "provider": Label(20, "the bank's own department or a vendor"),
    "reason": Label(8, "why something is not possible, from its contract"),
    "reroute": Label(100, "a reroute that is not over; more are not taken at once"),
    "route": Label(40, "an HTTP route's template, never a path"),
    "service": Label(1, "the service"),
    "standing": Label(3, "`probation`, `allowed` or `suspended`"),
    "state": Label(2, "`busy` or `idle`"),
    "status": Label(5, "an HTTP status"),
    "step": Label(STEPS, "a step of a case"),
    "team": Label(TEAMS, "a team of the organisation"),
    "topic": Label(12, "a topic that the processor reads"),
    "verdict": Label(4, "what was judged"),
    "version": Label(1, "the release"),
    "what": Label(4, "what was counted"),
    "work_type": Label(BUSINESS_TYPES * STEPS, "business type and step, `corporate-transfer/entry`"),
}
"""A label that is not here is not bounded: never an operator, a branch, a case or an item."""

TOGETHER: Final[Mapping[frozenset[str], int]] = {
    frozenset({"processor", "topic"}): 24,
    frozenset({"reason", "bound"}): 40,
    frozenset({"team", "work_type"}): 5,  # where it hurts most, and nowhere else
    frozenset({"processor", "kind"}): 120,
    frozenset({"kind", "outcome"}): 60,
}
"""Labels that go together: not every value of the one meets every value of the other."""


def unbounded(instrument: Instrument) -> tuple[str, ...]:
    """The labels whose values nobody has bounded."""
    return tuple(label for label in instrument.labels if label not in LABELS)


def series_max(instrument: Instrument) -> int:
    """The most series of one instrument in one process."""
    together = TOGETHER.get(frozenset(instrument.labels))
    alone = prod(LABELS[label].values_max for label in instrument.labels)
    return (alone if together is None else together) * instrument.series_per_child
