"""Routing's process: placement, desk, emergency, the operators' workbench and the control room."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from services.routing.balancer.metrics import plan_levels
from services.routing.boards import LOAD_BOARD, PLAN_BOARD
from services.routing.desk.processor import desk
from services.routing.emergency.api import Control, reroute_routers
from services.routing.emergency.counter import RerouteCounter
from services.routing.emergency.effects import Effects
from services.routing.emergency.looking import Looker
from services.routing.emergency.metrics import Obeyed, proof_levels, reroute_levels
from services.routing.emergency.opener import CalendarOpener
from services.routing.emergency.postgres_reads import PostgresBookReads
from services.routing.emergency.processor import emergency
from services.routing.metrics import load_levels, measure, pace_levels, shift_levels
from services.routing.placement.processor import placement
from services.routing.placement.store import PostgresWaitingReads
from services.routing.placement.waiting import Waiting
from services.routing.workbench.answers import Answers
from services.routing.workbench.api import Workbench, workbench_routers
from services.routing.workbench.commands import CommandCounter
from services.routing.workbench.slices import SliceCutter
from services.routing.workbench.store import PostgresDeskReads
from services.routing.workbench.tailer import GATHER_SECONDS, KINDS, Tailer
from shared.images import ImageStore, crop
from shared.reference.board import REFERENCE_BOARD
from shared.reroutes import REROUTE_BOARD
from shared.runtime.host import Service, ServicePlan, Surroundings
from shared.runtime.processor import Facts, Processor
from shared.standing import STANDING_BOARD


def wire(around: Surroundings) -> Service:
    """Build routing on its surroundings."""
    reads, answers = PostgresDeskReads(around.pool), Answers()
    bench = Workbench(
        reads=reads,
        boards=around.boards.views,
        answers=answers,
        counter=CommandCounter(reads, answers, around.publish),
        slices=SliceCutter(ImageStore.from_url(around.settings.images_url), crop),
        now=around.clock.now,
    )
    tail = partial(around.log.tail, kinds=KINDS, gather_seconds=GATHER_SECONDS)
    tailer = Tailer(tail, answers, lambda: datetime.fromtimestamp(around.clock.wall_ms() / 1000, UTC))
    processors = tuple(_measured(processor) for processor in (placement(), desk(), emergency()))
    loads = load_levels(around.boards.views[LOAD_BOARD.name], around.clock.now)
    orders, reference = around.boards.views[REROUTE_BOARD.name], around.boards.views[REFERENCE_BOARD.name]
    reroutes = reroute_levels(orders, around.clock.now)
    proofs = proof_levels(orders, reference, around.clock.now)
    book = PostgresBookReads(around.pool)
    waiting, looker = Waiting(PostgresWaitingReads(around.pool), around.clock.now), Looker()
    counter = RerouteCounter(book, around.publish)
    control = Control(book, around.boards.views, counter, around.clock.now, waiting.found, looker)
    routers = (*workbench_routers(bench), *reroute_routers(control))
    plan = plan_levels(around.boards.views[PLAN_BOARD.name], around.clock.now)
    paces = pace_levels(around.boards.views[LOAD_BOARD.name], reference)
    shifts = shift_levels(reference, around.clock.now)
    opener = CalendarOpener(around.publish, around.clock.now)
    effects = Effects(book, orders, waiting.found)
    levels = (loads, paces, shifts, reroutes, proofs, plan, waiting.levels, effects.levels)
    obeyed = Obeyed(orders, around.clock.now)
    duties = (tailer.run, opener.run, waiting.follow, effects.follow, obeyed.follow, looker.run)
    return Service("routing", processors, routers, duties, levels)


def _measured(processor: Processor) -> Processor:
    """The processor with what routing counts, beside what it counts itself."""
    own = processor.measure

    def both(facts: Facts, now: datetime) -> None:
        if own is not None:
            own(facts, now)
        measure(facts, now)

    return replace(processor, measure=both)


PLAN = ServicePlan("routing", (REFERENCE_BOARD, STANDING_BOARD, LOAD_BOARD, REROUTE_BOARD, PLAN_BOARD), wire)
