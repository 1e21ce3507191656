"""The reroutes in force, asked by placement and desk: does one hold this work away from this team now?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from services.routing.rows import row
from shared.contracts.reroute import RerouteOrder
from shared.contracts.routing import Candidate
from shared.contracts.work import WorkOrder
from shared.reference.board import ReferenceView
from shared.reroutes import (
    MOVES_QUEUE,
    RerouteView,
    at_point,
    covers_team,
    covers_work_type,
    over_team,
    reaches,
    resolve,
    share_now,
)


@row
class StandingOrders:
    """The orders on the board at one instant. Holds: nothing is in force that its own clock says is over."""

    view: RerouteView
    reference: ReferenceView
    now: datetime

    @classmethod
    def of(cls, boards: Mapping[str, Any], now: datetime) -> StandingOrders:
        """The orders in a situation's boards."""
        return cls(boards["reroutes"], boards["reference"], now)

    def __bool__(self) -> bool:
        return bool(self.view.acting)

    def against(self, work: WorkOrder, team_id: str) -> RerouteOrder | None:
        """The order that applies to this work at this team; `None` when it may go and stay there."""
        team = self.reference.teams.get(team_id)
        if team is None or not over_team(self.view, team):
            return None
        return at_point(self.view, team, work, self.reference.branches, self.now).applied

    def sparing(self, work: WorkOrder, team_id: str) -> RerouteOrder | None:
        """The order that holds a part of such work away from this team; `None` when none does, or one holds all of it."""
        team = self.reference.teams.get(team_id)
        if team is None:
            return None
        over = (order for order in over_team(self.view, team) if reaches(order, team, work, self.reference.branches))
        held = [order for order in over if share_now(order, self.now) > 0.0]
        whole = any(share_now(order, self.now) == 1.0 for order in held)
        return None if whole else resolve(held).applied

    def moving(self, work: WorkOrder, team_id: str) -> RerouteOrder | None:
        """The order by which work that waits at the team leaves it; `None` when it may stay in the queue."""
        order = self.against(work, team_id)
        return order if order is not None and order.terms.effect in MOVES_QUEUE else None

    def may_move(self, work_type: str, team_id: str) -> bool:
        """Whether some order may make work of this type leave the team."""
        team = self.reference.teams.get(team_id)
        return team is not None and any(
            order.terms.effect in MOVES_QUEUE
            and covers_team(order.terms.scope, team)
            and covers_work_type(order.terms.scope, work_type)
            for order in self.view.acting.values()
        )

    def alike(self, work_type: str) -> bool:
        """Whether what is in force asks nothing of work of this type but its type and data class."""
        return all(
            not order.terms.scope.regions and share_now(order, self.now) in (0.0, 1.0)
            for order in self.view.acting.values()
            if covers_work_type(order.terms.scope, work_type)
        )

    def recalling(self, work: WorkOrder, team_id: str) -> RerouteOrder | None:
        """The order by which even what is in hand there comes back."""
        order = self.against(work, team_id)
        return order if order is not None and order.terms.effect == "recall" else None

    def without_held(self, candidates: Sequence[Candidate], work: WorkOrder) -> Sequence[Candidate]:
        """The candidates, those removed that an order holds the work away from: only who could take it is asked."""
        return [self._held(candidate, work) for candidate in candidates] if self else candidates

    def _held(self, candidate: Candidate, work: WorkOrder) -> Candidate:
        order = None if candidate.removed_by is not None else self.against(work, candidate.team_id)
        if order is None:
            return candidate
        return candidate.model_copy(
            update={"removed_by": "rerouted", "reroute_id": order.reroute_id, "expected_wait_seconds": None}
        )
