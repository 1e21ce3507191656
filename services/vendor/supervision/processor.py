"""The supervision processor, as the runtime runs it."""

from __future__ import annotations

from typing import Annotated, Any, Final, cast

from pydantic import Field

from services.vendor.supervision.decide import TAKES, decide, key_of, owner_of, refuse
from services.vendor.supervision.state import Case, Score, State, alarms, apply, empty
from shared.contracts import audit, routing, vendor
from shared.reference.board import REFERENCE_BOARD
from shared.runtime.processor import DocumentTable, Processor
from shared.standing import STANDING_BOARD

TABLE: Final = "supervision_subject"
GATHER_SECONDS: Final = 0.05  # nobody waits for a score: larger batches leave the machine to those who are waited for

# A tagged union is no class to the type checker; pydantic takes it as one.
_STATE_FORM: Final = cast("type[State]", Annotated[Case | Score, Field(discriminator="tag")])


def supervision() -> Processor:
    """Judges keying, draws samples, keeps scores and standing. Cases and scores share one table."""
    table: DocumentTable[Any] = DocumentTable(TABLE, _STATE_FORM, empty)
    return Processor(
        service="vendor",
        name="supervision",
        inputs=(audit.CASE, routing.RESULT, vendor.FINDING),
        outputs=(vendor.FINDING, vendor.SCORE, vendor.INSPECTION, vendor.STANDING, vendor.APPRAISAL),
        key=key_of,
        owner=owner_of,
        table=table,
        decide=decide,
        apply=apply,  # type: ignore[arg-type]  # every message of the five outputs is a Fact
        refuse=refuse,
        alarms=alarms,
        boards=(REFERENCE_BOARD, STANDING_BOARD),
        takes=TAKES,
        gather_seconds=GATHER_SECONDS,
    )
