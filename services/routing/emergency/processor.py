"""Emergency as the shard runtime runs it."""

from __future__ import annotations

from services.routing.boards import LOAD_BOARD, PLAN_BOARD, STANDING_BOARD
from services.routing.emergency.decide import decide, key, owner, refuse
from services.routing.emergency.state import alarms, apply
from services.routing.emergency.store import BookTable
from shared.contracts import intake, reroute
from shared.reference.board import REFERENCE_BOARD
from shared.runtime.processor import Processor


def emergency() -> Processor:
    """The book of reroutes. It reads no other desk's mind: what it publishes, the data plane obeys by itself."""
    return Processor(
        service="routing",
        name="emergency",
        inputs=(reroute.REROUTE_COMMAND, intake.SENT_BACK),
        outputs=(reroute.REROUTE, reroute.REROUTE_LIFE),
        key=key,
        owner=owner,
        table=BookTable(),
        decide=decide,
        apply=apply,
        refuse=refuse,
        alarms=alarms,
        boards=(REFERENCE_BOARD, STANDING_BOARD, LOAD_BOARD, PLAN_BOARD),
        journal=True,
    )
