"""One turn of the balancer: a plan is made of what the boards say, and told; figures and a span say how it went."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from services.routing.balancer import metrics
from services.routing.balancer.balance import Balance
from shared.contracts.message import Message
from shared.contracts.routing import PlanMade
from shared.runtime.clock import Clock
from shared.runtime.errors import TransientError
from shared.runtime.host import Publish
from shared.runtime.pieces import Piece, Pieces, Said, unheard
from shared.runtime.processor import derived_id
from shared.runtime.tracing import Exemplar

PLAN_SECONDS: Final = 1.0  # of real time between two plans
NAME: Final = "plan routing/balancer"

_log: Final = structlog.get_logger("opsfloor.balancer")


class Turn:
    """Makes a plan and tells it, whenever it is asked to.

    Holds:   a plan that cannot be made or told is counted, and the last one stays in force; a turn that tells
             nothing has no span.
    """

    def __init__(self, balance: Balance, clock: Clock, instance: str, pieces: Pieces = unheard) -> None:
        self._balance: Final = balance
        self._clock: Final = clock
        self._instance: Final = instance
        self._pieces: Final = pieces

    async def plan(self, publish: Publish) -> str:
        """One plan, from the boards to the bus. Returns what kept it from being made or told, in words; else nothing."""
        with self._pieces(NAME) as piece:
            now, begun = self._clock.now(), time.perf_counter()
            try:
                made = self._balance.plan(now, PLAN_SECONDS / self._clock.real_seconds(1.0))
            except ArithmeticError as error:  # the last plan stays in force, and its age tells
                metrics.FAILED.labels("solver").inc()
                metrics.SOLVED.observe(time.perf_counter() - begun, piece.says("solver", {"reason": str(error)}))
                _log.error("no plan", reason=str(error))
                return "the solver has no plan: the last one stays in force"
            seconds = time.perf_counter() - begun
            told: list[Message] = [*self._balance.learned(now), *([made] if made is not None else [])]
            metrics.SOLVED.observe(seconds, self._say(piece, told, made, seconds))
            try:
                for message in told:
                    await publish(
                        message, derived_id(self._instance, message.kind_name(), now.isoformat(), message.key)
                    )
            except TransientError as error:
                metrics.FAILED.labels("bus").inc()
                piece.says("bus", {"reason": str(error)})
                _log.warning("plan not told", reason=str(error))
                return "the bus is away: plans are not told"
        if made is None:
            metrics.NOT_DUE.set_to_current_time()
        else:
            metrics.MADE.inc()
            _log.info("plan", **about(made))
        return ""

    def _say(self, piece: Piece, told: Sequence[Message], made: PlanMade | None, seconds: float) -> Exemplar | None:
        if not told:
            return None
        facts = [message.kind_name() for message in told]
        said: dict[str, Said] = {"facts": facts, "solve_seconds": seconds, "heard": self._balance.heard}
        return piece.says("decided", {**said, **(about(made) if made is not None else {})})


def about(made: PlanMade) -> Mapping[str, Said]:
    """What a plan says in short, for the log and for its span."""
    return {
        "saturation": made.saturation,
        "lateness_minutes": made.lateness_minutes,
        "kinds": len(made.work),
        "teams": len(made.teams),
        "relaxed": [bound.reason for bound in made.relaxed],
        "hurts": made.reliefs[0].words if made.reliefs else "",
    }
