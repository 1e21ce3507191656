"""Audit's process: controls, and the case API over its journal."""

from __future__ import annotations

from dataclasses import replace

from services.audit.api import case_router
from services.audit.controls.metrics import measure
from services.audit.controls.processor import controls
from services.audit.store import PostgresCaseReads
from shared.reference.board import REFERENCE_BOARD
from shared.runtime.host import Service, ServicePlan, Surroundings


def wire(around: Surroundings) -> Service:
    """Build audit on its surroundings."""
    router = case_router(PostgresCaseReads(around.pool))
    return Service("audit", (replace(controls(), measure=measure),), ((router, ("auditor", "on_call", "team_leader")),))


PLAN = ServicePlan("audit", (REFERENCE_BOARD,), wire)
