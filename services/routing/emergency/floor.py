"""The floor as emergency sees it: who is present and able, what waits where, what already keeps work away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.routing import eligibility
from services.routing.boards import LoadView, PlanView
from services.routing.eligibility import Rulebook
from shared.contracts.reference import Team
from shared.contracts.reroute import RerouteOrder, RerouteScope, RerouteTerms
from shared.contracts.routing import LoadSnapshot
from shared.reroutes import covers_team, covers_work_type, share_now


@dataclass(frozen=True, slots=True)
class FloorNow:
    """The boards at one instant.

    Holds:   `in_force` are the orders that hold work back now; counts are of people present and allowed to work. The boards
             do not move while it is at hand, so that what is asked of a team for every work type is worked out once.
    """

    book: Rulebook
    loads: LoadView
    in_force: tuple[RerouteOrder, ...]
    now: datetime
    plan: PlanView = field(default_factory=PlanView)
    _able: dict[str, Counter[str]] = field(default_factory=dict, compare=False, repr=False)  # by team, by work type

    @classmethod
    def of(cls, boards: Mapping[str, Any], orders: Iterable[RerouteOrder], now: datetime) -> FloorNow:
        """The floor in a situation's boards, with these orders."""
        holding = tuple(order for order in orders if share_now(order, now) > 0)
        return cls(Rulebook.of(boards), boards["load"], holding, now, boards["plan"])

    def without(self, reroute_id: str) -> FloorNow:
        """The floor as it would be if this order were not in force."""
        return replace(self, in_force=tuple(order for order in self.in_force if order.reroute_id != reroute_id))

    def teams(self) -> list[Team]:
        """Every team, by id."""
        return [self.book.reference.teams[team_id] for team_id in sorted(self.book.reference.teams)]

    def load(self, team_id: str) -> LoadSnapshot | None:
        """How full the desk said that it is."""
        return self.loads.get(team_id)

    def able(self, team: Team, work_type: str) -> int:
        """How many of the team are present and may do the work type."""
        known = self._able.get(team.id)
        if known is None:
            load = self.load(team.id)
            present = () if load is None else load.present
            known = self._able[team.id] = Counter(name for person in present for name in set(self.may_do(team, person)))
        return known[work_type]

    def may_do(self, team: Team, person: str) -> Sequence[str]:
        """The work types that somebody of the team may be given now."""
        operator, provider = self.book.member(team.id, person), self.book.provider_of(team.id)
        if operator is None or provider is None or eligibility.suspended(operator, provider, self.book.standing):
            return ()
        return operator.work_types

    def coming_per_hour(self) -> Mapping[str, float] | None:
        """What the plan expects of the coming hour, in items by work type; `None` without a plan that is still good."""
        plan = self.plan.plan
        if plan is None or self.now > plan.good_until:
            return None
        coming: dict[str, float] = {}
        for part in plan.work:
            coming[part.work_type] = coming.get(part.work_type, 0.0) + part.coming_per_hour
        return coming

    def held_back(self, team: Team, work_type: str) -> float:
        """The greatest share of this work that an order in force keeps away from the team."""
        return max((share_now(o, self.now) for o in self.in_force if holds(o.terms, team, work_type)), default=0.0)


def holds(terms: RerouteTerms, team: Team, work_type: str) -> bool:
    """The terms keep at least some of this work away from the team."""
    return terms.effect != "local" and covers_team(terms.scope, team) and covers_work_type(terms.scope, work_type)


def touched_teams(scope: RerouteScope, teams: Iterable[Team]) -> list[Team]:
    """The teams that lie in the scope."""
    return [team for team in teams if covers_team(scope, team)]
