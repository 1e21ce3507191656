"""Placement as the shard runtime runs it."""

from __future__ import annotations

from services.routing.boards import LOAD_BOARD, PLAN_BOARD, STANDING_BOARD
from services.routing.placement.decide import INTERESTS, decide, key, owner, refuse
from services.routing.placement.sent import SentSince
from services.routing.placement.state import PlacedItem, alarms, apply, new_item, trace
from shared.contracts import audit, routing, vendor
from shared.contracts.message import Message
from shared.reference.board import REFERENCE_BOARD
from shared.reroutes import REROUTE_BOARD
from shared.runtime.processor import DocumentTable, Processor


def placement() -> Processor:
    """Where every work item is: at which team, or waiting and why."""
    sent = SentSince()
    return Processor(
        service="routing",
        name="placement",
        inputs=(audit.WORK, vendor.INSPECTION, routing.ASSIGNMENT),
        outputs=(routing.PLACED, routing.ASSIGNMENT),
        key=key,
        owner=owner,
        table=DocumentTable("placement", PlacedItem, new_item),
        decide=decide,
        apply=apply,
        refuse=refuse,
        alarms=alarms,
        trace=trace,
        boards=(REFERENCE_BOARD, STANDING_BOARD, LOAD_BOARD, REROUTE_BOARD, PLAN_BOARD),
        observe=sent.observe,
        measure=sent.note,
        takes=frozenset(event.kind_name() for event in INTERESTS if issubclass(event, Message)),
    )
