"""Audit's process: controls, and the case API over its journal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from services.audit.api import case_router
from services.audit.controls.metrics import measuring, promise_levels
from services.audit.controls.processor import controls
from services.audit.store import PostgresCaseReads
from shared.reference.board import REFERENCE_BOARD, ReferenceView
from shared.runtime.host import Service, ServicePlan, Surroundings


def names_in(reference: ReferenceView) -> Callable[[str], str]:
    """People by their names; somebody whom the reference data no longer know, by the id."""

    def name_of(operator_id: str) -> str:
        operator = reference.operators.get(operator_id)
        return operator_id if operator is None else operator.name

    return name_of


def wire(around: Surroundings) -> Service:
    """Build audit on its surroundings."""
    reference = around.boards.views[REFERENCE_BOARD.name]
    return Service(
        "audit",
        (replace(controls(), measure=measuring(reference)),),
        ((case_router(PostgresCaseReads(around.pool), names_in(reference)), ("auditor", "on_call", "team_leader")),),
        levels=(promise_levels(reference, around.clock.now),),
    )


PLAN = ServicePlan("audit", (REFERENCE_BOARD,), wire)
