"""Every contract and every topic of the floor, by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from shared.contracts import audit, branch, core, intake, ops, reference, reroute, routing, vendor
from shared.contracts.message import Message, Topic


def _concrete(root: type[Message]) -> Iterator[type[Message]]:
    for child in root.__subclasses__():
        if "kind" in child.model_fields:
            yield child
        yield from _concrete(child)


CONTRACTS: Final[Mapping[str, type[Message]]] = {
    contract.kind_name(): contract
    for contract in sorted(
        (c for c in _concrete(Message) if c.__module__.startswith("shared.contracts.")), key=lambda c: c.kind_name()
    )
}
"""Contract by kind."""

TOPICS: Final[Mapping[str, Topic]] = {
    topic.name: topic
    for topic in (
        branch.SUBMISSION,
        intake.RECEIPT,
        intake.SENT_BACK,
        intake.CASE,
        audit.WORK,
        audit.CASE,
        audit.POSTING,
        core.POSTING,
        routing.PLACED,
        routing.COMMAND,
        routing.DESK,
        routing.ASSIGNMENT,
        routing.RESULT,
        routing.LOAD,
        routing.PLAN,
        routing.ARRIVALS,
        reroute.REROUTE,
        reroute.REROUTE_LIFE,
        reroute.REROUTE_COMMAND,
        vendor.FINDING,
        vendor.SCORE,
        vendor.INSPECTION,
        vendor.STANDING,
        vendor.APPRAISAL,
        reference.REFERENCE,
        ops.REDRIVE,
    )
}
"""Topic by name."""

WITHOUT_LANES: Final = frozenset(name for name, topic in TOPICS.items() if not topic.lanes)
"""Names of the topics that others than shards write: what their records say of a lane, or of a bundle, is nobody's word."""
