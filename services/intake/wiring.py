"""Intake's process: reception and its image store, and the receipts over its registry."""

from __future__ import annotations

from services.intake.api import submission_router
from services.intake.reception.metrics import measure
from services.intake.reception.processor import reception
from services.intake.store import PostgresSubmissionReads
from shared.images import ImageStore
from shared.reference.board import REFERENCE_BOARD
from shared.reroutes import REROUTE_BOARD
from shared.runtime.host import Service, ServicePlan, Surroundings


def wire(around: Surroundings) -> Service:
    """Build intake on its surroundings."""
    images = ImageStore.from_url(around.settings.images_url)
    return Service(
        "intake",
        (reception(images, measure),),
        ((submission_router(PostgresSubmissionReads(around.pool)), ("auditor", "on_call", "team_leader")),),
        hindrances=(images.hindrance,),
    )


PLAN = ServicePlan("intake", (REFERENCE_BOARD, REROUTE_BOARD), wire)
