"""Vendor's process: supervision, and the scorecards."""

from __future__ import annotations

from dataclasses import replace

from services.vendor.api import scorecard_router
from services.vendor.store import PostgresScores
from services.vendor.supervision.metrics import measure, standing_levels
from services.vendor.supervision.processor import supervision
from shared.reference.board import REFERENCE_BOARD
from shared.runtime.host import Service, ServicePlan, Surroundings
from shared.standing import STANDING_BOARD


def wire(around: Surroundings) -> Service:
    """Build vendor on its surroundings."""
    views = around.boards.views
    router = scorecard_router(PostgresScores(around.pool), views[REFERENCE_BOARD.name])
    return Service(
        "vendor",
        (replace(supervision(), measure=measure),),
        ((router, ("vendor_manager", "auditor", "on_call")),),
        levels=(standing_levels(views[STANDING_BOARD.name], views[REFERENCE_BOARD.name]),),
    )


PLAN = ServicePlan("vendor", (REFERENCE_BOARD, STANDING_BOARD), wire)
