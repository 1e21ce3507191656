"""The desk as the shard runtime runs it."""

from __future__ import annotations

from services.routing.boards import STANDING_BOARD
from services.routing.desk.apply import apply
from services.routing.desk.decide import decide, key, owner, refuse
from services.routing.desk.placings import FORMS
from services.routing.desk.store import DeskTable
from services.routing.desk.trace import trace
from services.routing.desk.watch import alarms
from shared.contracts import routing
from shared.reference.board import REFERENCE_BOARD
from shared.reroutes import REROUTE_BOARD
from shared.runtime.processor import Processor


def desk() -> Processor:
    """The queues and operators of the teams, kept in memory."""
    return Processor(
        service="routing",
        name="desk",
        inputs=(routing.COMMAND, routing.PLACED),
        outputs=(routing.DESK, routing.ASSIGNMENT, routing.RESULT, routing.LOAD),
        key=key,
        owner=owner,
        table=DeskTable(),
        decide=decide,
        apply=apply,
        refuse=refuse,
        alarms=alarms,
        trace=trace,
        boards=(REFERENCE_BOARD, STANDING_BOARD, REROUTE_BOARD),
        keep_in_memory=True,
        forms=FORMS,
    )
