"""The floor as emergency sees it: who is present and able, what waits where, what already keeps work away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from services.routing import eligibility
from services.routing.boards import LoadView, PlanView
from services.routing.eligibility import Rulebook
from services.routing.emergency.sorts import Mix, mix_of_template, mixed, scaled, unheard_of
from services.routing.kinds import Kind, provider_may_see
from shared.contracts.reference import Provider, Team
from shared.contracts.reroute import RerouteOrder, RerouteScope, RerouteTerms
from shared.contracts.routing import LoadSnapshot, PlannedWork
from shared.reroutes import covers_team, covers_work_type, share_at, share_now


@dataclass(frozen=True, slots=True)
class FloorNow:
    """The boards at one instant.

    Holds:   `in_force` are the orders that hold work back now, or, when what is asked about `begins` later, then; counts
             are of people present and allowed to work now. The boards do not move while it is at hand, so that what is
             asked of a team for every work type is worked out once.
    """

    book: Rulebook
    loads: LoadView
    in_force: tuple[RerouteOrder, ...]
    now: datetime
    plan: PlanView = field(default_factory=PlanView)
    begins: datetime | None = None
    _able: dict[str, Counter[str]] = field(default_factory=dict, compare=False, repr=False)  # by team, by work type
    _grades: dict[str, dict[str, int]] = field(default_factory=dict, compare=False, repr=False)  # by team, by work type
    _planned: dict[str, list[PlannedWork]] = field(default_factory=dict, compare=False, repr=False)  # by work type
    _mixes: dict[tuple[str, str], Mix] = field(default_factory=dict, compare=False, repr=False)  # by team, work type
    _seen: dict[tuple[str, str], bool] = field(
        default_factory=dict, compare=False, repr=False
    )  # by provider, work type

    @classmethod
    def of(
        cls, boards: Mapping[str, Any], orders: Iterable[RerouteOrder], now: datetime, begins: datetime | None = None
    ) -> FloorNow:
        """The floor in a situation's boards, with these orders, for something that begins now or later."""
        later = begins if begins is not None and begins > now else None
        floor = cls(Rulebook.of(boards), boards["load"], (), now, boards["plan"], later)
        return replace(floor, in_force=tuple(order for order in orders if floor.share_held(order) > 0))

    def share_held(self, order: RerouteOrder) -> float:
        """The share that the order holds when what is asked about begins."""
        return share_now(order, self.now) if self.begins is None else share_at(order, self.begins)

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
        """How many of the team are present and may do some sort of the work type."""
        if team.id not in self._able:
            self._count(team)
        return self._able[team.id][work_type]

    def highest_grade(self, team: Team, work_type: str) -> int:
        """The highest grade among those; below 0 where there is nobody."""
        if team.id not in self._grades:
            self._count(team)
        return self._grades[team.id].get(work_type, -1)

    def _count(self, team: Team) -> None:
        load, counts, grades = self.load(team.id), Counter[str](), dict[str, int]()
        for person in () if load is None else load.present:
            operator = self.book.member(team.id, person)
            grade = -1 if operator is None else operator.grade
            for name in set(self.may_do(team, person)):
                counts[name] += 1
                grades[name] = max(grade, grades.get(name, -1))
        self._able[team.id], self._grades[team.id] = counts, grades

    def able_for(self, team: Team, kind: Kind) -> int:
        """How many of the team are present and may be given this sort of work: the one place where previews ask it."""
        provider = self.book.provider_of(team.id)
        return self.able(team, kind.work_type) if provider is not None and provider_may_see(kind, provider) else 0

    def may_do(self, team: Team, person: str) -> Sequence[str]:
        """The work types of which somebody of the team may be given some sort now."""
        operator, provider = self.book.member(team.id, person), self.book.provider_of(team.id)
        if operator is None or provider is None or eligibility.suspended(operator, provider, self.book.standing):
            return ()
        return [work_type for work_type in operator.work_types if self._sees_some(provider, work_type)]

    def _sees_some(self, provider: Provider, work_type: str) -> bool:
        known = self._seen.get((provider.id, work_type))
        if known is None:
            known = any(provider_may_see(kind, provider) for kind in self.mix(work_type))
            self._seen[provider.id, work_type] = known
        return known

    def mix(self, work_type: str) -> Mix:
        """The sorts of a work type, as they come to the floor."""
        known = self._mixes.get(("", work_type))
        if known is None:
            coming = {Kind.told(part): part.coming_per_hour for part in self._parts(work_type)}
            known = mixed(mix_of_template(self.book.reference, work_type), coming) or unheard_of(work_type)
            self._mixes["", work_type] = known
        return known

    def mix_at(self, team: Team, work_type: str) -> Mix:
        """The sorts of what waits of a work type at a team, as far as the plan's shares and the template tell.

        Holds:   none that the team's provider may not see, unless it may see none.
        """
        known = self._mixes.get((team.id, work_type))
        if known is None:
            known = self._mixes[team.id, work_type] = self._mix_at(team, work_type)
        return known

    def _mix_at(self, team: Team, work_type: str) -> Mix:
        provider, overall = self.book.provider_of(team.id), self.mix(work_type)
        seen = {k: v for k, v in overall.items() if provider is not None and provider_may_see(k, provider)}
        planned = {kind: part * self._given(team, kind) for kind, part in seen.items()}
        return scaled(planned) or scaled(seen) or overall

    def _given(self, team: Team, kind: Kind) -> float:
        """The part of it that the plan gives to the team; what the plan has not heard of may lie anywhere."""
        shares = self.plan.shares_for(kind, self.now)
        return 1.0 if shares is None else shares.get(team.id, 0.0)

    def _parts(self, work_type: str) -> Sequence[PlannedWork]:
        """What the plan says of the work type."""
        if not self._planned:
            for part in self.planned():
                self._planned.setdefault(part.work_type, []).append(part)
        return self._planned.get(work_type, ())

    def planned(self) -> Sequence[PlannedWork]:
        """What the plan says of each kind of work; nothing without a plan that is still good."""
        plan = self.plan.plan
        return () if plan is None or self.now > plan.good_until else plan.work

    def coming_per_hour(self) -> Mapping[str, float] | None:
        """What the plan expects of the coming hour, in items by work type; `None` without a plan that is still good."""
        coming = self.coming_by_kind()
        if coming is None:
            return None
        by_type: dict[str, float] = {}
        for kind, per_hour in coming.items():
            by_type[kind.work_type] = by_type.get(kind.work_type, 0.0) + per_hour
        return by_type

    def coming_by_kind(self) -> Mapping[Kind, float] | None:
        """The same by kind of work."""
        plan = self.plan.plan
        if plan is None or self.now > plan.good_until:
            return None
        return {Kind.told(part): part.coming_per_hour for part in plan.work}

    def held_back(self, team: Team, kind: Kind, regions: Collection[str] = ()) -> float:
        """The greatest share of this sort of work, of these regions where some are named, that an order in force keeps
        away from the team."""
        held = (o for o in self.in_force if holds(o.terms, team, kind))
        return max((self.share_held(o) * self._common(o.terms.scope.regions, regions) for o in held), default=0.0)

    def region_share(self, regions: Collection[str]) -> float:
        """What part of the work comes from these regions, as far as the number of their branches tells; none named: all."""
        branches = self.book.reference.branches.values()
        if not regions:
            return 1.0
        return sum(branch.region in regions for branch in branches) / max(1, len(branches))

    def _common(self, held: Collection[str], regions: Collection[str]) -> float:
        """What part of the work of `regions` is of the regions that are `held`: all, where no branch is left in them."""
        if not held:
            return 1.0
        if not regions:
            return self.region_share(held)
        both, of_all = set(held) & set(regions), self.region_share(regions)
        return self.region_share(both) / of_all if both and of_all else float(bool(both))


def holds(terms: RerouteTerms, team: Team, kind: Kind) -> bool:
    """The terms keep at least some of this sort of work away from the team: that of the regions that they name."""
    return of_class(terms.scope, kind) and may_hold(terms, team, kind.work_type)


def of_class(scope: RerouteScope, kind: Kind) -> bool:
    """The sort is of a data class that the scope means; one that names none means all."""
    return not scope.data_classes or kind.data_class in scope.data_classes


def may_hold(terms: RerouteTerms, team: Team, work_type: str) -> bool:
    """The terms may keep work of this type away from the team, as far as the type tells."""
    return terms.effect != "local" and covers_team(terms.scope, team) and covers_work_type(terms.scope, work_type)


def touched_teams(scope: RerouteScope, teams: Iterable[Team]) -> list[Team]:
    """The teams that lie in the scope."""
    return [team for team in teams if covers_team(scope, team)]
