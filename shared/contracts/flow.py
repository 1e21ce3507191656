"""Who reads each topic. The writer stands in the topic itself (`Topic.owner`)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from shared.contracts import audit, branch, core, intake, ops, reference, reroute, routing, vendor

READERS: Final[Mapping[str, tuple[str, ...]]] = {
    branch.SUBMISSION.name: ("intake/reception",),
    intake.RECEIPT.name: ("branch systems",),
    intake.SENT_BACK.name: ("routing/emergency",),
    intake.CASE.name: ("audit/controls",),
    audit.WORK.name: ("routing/balancer", "routing/placement"),
    audit.CASE.name: ("vendor/supervision",),
    audit.POSTING.name: ("core adapter",),
    core.POSTING.name: ("audit/controls",),
    routing.PLACED.name: ("routing/desk",),
    routing.COMMAND.name: ("routing/desk",),
    routing.DESK.name: (),
    routing.ASSIGNMENT.name: ("routing/placement",),
    routing.RESULT.name: ("audit/controls", "vendor/supervision"),
    routing.LOAD.name: ("routing/balancer", "routing/emergency", "routing/placement"),
    routing.PLAN.name: ("routing/balancer", "routing/emergency", "routing/placement"),
    routing.ARRIVALS.name: ("routing/balancer",),
    reroute.REROUTE.name: ("intake/reception", "routing/balancer", "routing/desk", "routing/placement"),
    reroute.REROUTE_LIFE.name: (),
    reroute.REROUTE_COMMAND.name: ("routing/emergency",),
    vendor.FINDING.name: ("vendor/supervision",),
    vendor.SCORE.name: (),
    vendor.INSPECTION.name: ("routing/balancer", "routing/placement"),
    vendor.STANDING.name: (
        "routing/balancer",
        "routing/desk",
        "routing/emergency",
        "routing/placement",
        "vendor/supervision",
    ),
    vendor.APPRAISAL.name: (),
    reference.REFERENCE.name: (
        "audit/controls",
        "intake/reception",
        "routing/balancer",
        "routing/desk",
        "routing/emergency",
        "routing/placement",
        "vendor/supervision",
    ),
    ops.REDRIVE.name: (),
}
"""Readers (`service/processor`, or a name outside the floor) by topic name."""
