"""The plan as a linear programme: shares that keep the fullest team least full, then work least late, then change least.

How full the fullest may be is no column but a number that bounds columns and rows (`layout.py`): that leaves a tenth of
the rows, and the least such number is found in a few steps, each from the basis of the one before.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import highspy
import numpy as np

from services.routing.balancer.lateness import Vector
from services.routing.balancer.layout import DUST, INFINITE, Bound, Columns, Joined, Layout, bounds_of
from services.routing.balancer.loads import Loads, Pairs
from services.routing.balancer.terms import WAITS, Bounds, Demand, Hurt, Reason, Relaxed, Shares, SharesByKind, TeamNow
from services.routing.solver import new_solver

RELAXED_IN_ORDER: Final[tuple[Reason, ...]] = ("centre_maximum", "provider_minimum", "provider_maximum")
"""Which bound gives way first when not all can be kept. Work without an eligible team is named, never forced."""

TOLERANCE: Final = 1e-6
SLACK_SHARE: Final = 0.01  # by which a later aim may worsen an earlier one: without it noise in its inputs moves shares
LEAST_ITEMS: Final = 0.001  # an hour: what is expected less of, once in weeks, is planned as so much
LEAST_PART: Final = 1e-5  # of all items: what is expected less of is planned as so much, never as nothing
PLACED: Final = 1e-7  # of all items: less than this without a place is none
STEPS_MAX: Final = 100  # to the least saturation; a few in practice
WORTH_SHARE: Final = 1e-4  # smaller shares are dust
MINUTES_WORTH: Final = 0.5  # reliefs below this are not worth a word
HURTS_MAX: Final = 5  # that are told
TRIED_MAX: Final = 8  # people more whose plans are made, one after the other: each costs time
TRIED_PAIRS: Final = 16_000  # pairs of work and team over all those plans: on the largest floors fewer are tried
DUAL, PRIMAL = 1, 4  # HiGHS's numbers for its ways of the simplex
DEVEX: Final = 1  # HiGHS's number for the edge weights of the dual simplex that cost nothing to begin with
COSTS_BEGIN: Final = WAITS[0][0]  # nobody is expected to be late where all are less full


class Footing:
    """Where the solver stood when it had found the least lateness last: from there it finds the next sooner.

    Holds:   one balancer's, from plan to plan; it moves neither shares nor figures. Where an aim has several best ways and so
             no one price, other places than without it may be looked at for what hurts.
    """

    __slots__ = ("_basis", "_shape")

    def __init__(self) -> None:
        self._shape: tuple[int, int] | None = None
        self._basis: highspy.HighsBasis | None = None

    def of(self, columns: int, rows: int) -> highspy.HighsBasis | None:
        """The basis that was taken of a programme of this shape."""
        return self._basis if self._shape == (columns, rows) else None

    def take(self, columns: int, rows: int, basis: highspy.HighsBasis) -> None:
        """Keep the basis at hand."""
        self._shape, self._basis = (columns, rows), basis


def solve(
    demands: Sequence[Demand],
    teams: Sequence[TeamNow],
    bounds: Bounds,
    last: SharesByKind | None = None,
    hurts_told: bool = True,
    footing: Footing | None = None,
) -> Shares:
    """The shares of each kind of work over the teams, one aim after the other, each kept while the next is sought.

    Holds:   the same inputs give the same shares, whatever the footing: columns stand in the order of names, and what
             moves shares begins from the last ones, never from what was solved before. Bounds give way in the order of
             `RELAXED_IN_ORDER`; what gave way is named. While the last shares are still as good, they stay. What hurts
             costs time, and changes nothing of the shares.
    Source:  architecture, "the plan": largest saturation, then expected tardiness, then change.
    """
    wanted = [
        replace(demand, items=max(demand.items, LEAST_ITEMS))
        for demand in sorted(demands, key=lambda demand: demand.kind)
        if demand.items > 0
    ]
    total = sum(demand.items for demand in wanted)
    there = sorted(teams, key=lambda team: team.team_id)
    served = {demand.kind for demand in wanted if any(team.may_do(demand.kind) for team in there)}
    nobody = [Relaxed("nobody_eligible", one.kind.work_type, one.items) for one in wanted if one.kind not in served]
    able = [replace(one, items=max(one.items, LEAST_PART * total)) for one in wanted if one.kind in served]
    by_team = {team.team_id: team.waiting / team.people for team in there}
    if not able:
        return Shares({}, by_team, 0.0, 0.0, relaxed=tuple(nobody))
    pairs = Pairs.of(able, there)
    model = _Model(pairs, bounds_of(bounds, pairs, total), pairs.shares(last or {}))
    model.relax()
    saturation = model.fill()
    tardiness = model.hasten(saturation, footing if last else None)
    hurts = model.hurts() if hurts_told else []
    shares = model.stay_near() if last else model.found
    by_team |= model.layout.teams_filled(shares)
    relaxed = model.layout.broken(shares, RELAXED_IN_ORDER)
    return Shares(
        pairs.by_kind(shares, WORTH_SHARE),
        by_team,
        saturation,
        tardiness,
        model.layout.late_minutes(shares, model.layout.nobody),
        (*nobody, *relaxed),
        tuple(hurts),
    )


class _Model:
    """The programme in the solver's hands, solved for one aim after the other."""

    def __init__(self, pairs: Pairs, bounds: Sequence[Bound], was: Vector) -> None:
        self.layout: Final = Layout(pairs, bounds, was, _nearly(1.0))
        self._cap = self._lateness_max = INFINITE
        self._full = self._lateness = 0.0
        self._sooner = False
        self._joined = self.layout.nobody
        self._solver: Final = new_solver()
        self._solver.setOptionValue("simplex_dual_edge_weight_strategy", DEVEX)
        self.layout.hand_to(self._solver)
        self._costs, self._uppers = np.zeros(self.layout.count), self.layout.uppers  # as the solver has them
        self._wanted: Final = self._uppers.copy()  # what it is to have when it solves next
        self._values: Vector | None = np.zeros(self.layout.count)  # none: nobody has read yet what was solved last
        self._beginning: tuple[int, highspy.HighsBasis] | None = None  # with so many rows
        self._begin_from_last()

    # ------------------------------------------------------------------ the aims

    def relax(self) -> None:
        """Find whether all bounds can hold; if not, let them give way, as little as possible and in order.

        Holds:   only shares of all the work show that it can be done within the bounds: where a team is gone, or nothing
                 was planned yet, too few are given to break any maximum.
        """
        layout = self.layout
        if layout.whole(layout.was) and layout.keeps_bounds(layout.was, self.values[layout.slack], PLACED / 100):
            return
        if self._left_over(INFINITE) <= PLACED:
            return
        self._set_uppers(layout.unplaced, 0.0)
        self._set_uppers(layout.slack, INFINITE)
        for reason in reversed(RELAXED_IN_ORDER):
            self._give_way(reason)

    def _give_way(self, reason: Reason) -> None:
        """Let the bounds of one kind be broken as little as those kept before allow."""
        mine = [number for number, bound in enumerate(self.layout.bounds) if bound.reason == reason]
        if mine:
            columns, ones = self.layout.slack[mine], np.ones(len(mine))
            self._keep(columns, ones, _nearly(self._minimise(columns, ones)))

    def fill(self) -> float:
        """The first aim: how full the fullest is at least.

        Holds:   what finds no place falls convexly as teams may be fuller, so that a step along its slope from too low a
                 saturation never goes beyond the least one that is enough.
        Errors:  `ArithmeticError` when the solver finds no optimum: each bound can give way, so there always is one.
        """
        self._set_uppers(self.layout.unplaced, 1.0)
        return self._filled(*self._too_low())

    def _filled(self, full: float, left: float) -> float:
        """The least saturation that is enough, from one that is not, or just so, and what is left over at it."""
        for _ in range(STEPS_MAX):
            if left <= PLACED:
                return full
            full += left / self._falls(full)
            left = self._left_over(full)
        raise ArithmeticError(f"Expected all work placed within {STEPS_MAX} steps, found {left:.2%} left")

    def _too_low(self) -> tuple[float, float]:
        """A saturation that is not enough, or just so, and what is left over at it: a little less than the last shares
        make, else what waits makes."""
        layout = self.layout
        least = layout.fullest(np.zeros(len(layout.was)))
        near = layout.fullest(layout.was) / (1.0 + SLACK_SHARE) ** 2
        left = self._left_over(near) if near > least else 0.0
        return (near, left) if left > PLACED else (least, self._left_over(least))

    def _left_over(self, full: float) -> float:
        """What part of all items finds no place when nobody may be fuller than this, or is missing where promised."""
        layout = self.layout
        self._set_room(full * self._people - layout.rows.waiting)
        self._set_uppers(layout.piece, layout.uppers_with(self._joined, full))
        items = np.array([demand.items for demand in layout.pairs.demands])
        promises = np.ones(len(layout.unplaced) - len(items))
        return self._minimise(layout.unplaced, np.concatenate([items / items.sum(), promises]))

    def _falls(self, full: float) -> float:
        """By how much less finds no place per saturation more: by what people are worth, in rows and at limits."""
        layout = self.layout
        worth = np.maximum(-self._reduced[layout.pieces.first[layout.sole]], 0.0)
        limited = layout.limit(full, self._joined.sole)[layout.sole] < 1.0
        people = layout.skills.people[layout.sole_skill] + self._joined.sole
        more = people / layout.pairs.hours[layout.sole]
        falls = float((worth * more)[limited].sum()) - float(self._duals[layout.load_row] @ self._people)
        if falls <= 0.0:
            raise ArithmeticError("Expected fuller teams to take more work, found none that would")
        return falls

    def hasten(self, saturation: float, footing: Footing | None = None) -> float:
        """The second aim: the lateness that the hour's work expects. Units: item-minutes, weighed by cost."""
        self._full, self._cap = saturation, _nearly(saturation)
        shape = self.layout.count, self._solver.getNumRow()
        known = None if footing is None else footing.of(*shape)
        if known is None:
            self._begin_afresh()
        else:
            self._solver.setBasis(known)
        self._sooner = known is not None
        self._lateness = self._late(self._cap)
        self._lateness_max = _nearly(self._lateness)
        if footing is not None and self._cap > COSTS_BEGIN:
            footing.take(*shape, self._solver.getBasis())
        return self._lateness

    def _late(self, cap: float) -> float:
        """The least lateness when nobody may be fuller than this. Units: points."""
        layout = self.layout
        self._allow(cap)
        if cap <= COSTS_BEGIN:
            return 0.0
        late = self._minimise(*layout.lateness(self._joined)) + layout.late_already
        return late - layout.eased(self._joined, self.found) if layout.overdue else late

    def _allow(self, cap: float) -> None:
        layout = self.layout
        self._set_uppers(layout.unplaced, 0.0)
        self._set_uppers(layout.piece, layout.uppers_with(self._joined, cap))
        self._set_uppers(layout.band, layout.band_uppers(cap, self._joined))
        self._set_room(layout.rows.room(cap, self._people))

    @property
    def _people(self) -> Vector:
        """Who is there for each load that is a row, who has joined included."""
        return np.asarray(self.layout.rows.people + self._joined.rows)

    def stay_near(self) -> Vector:
        """The last aim: as few items as possible go elsewhere than by the last plan. Returns the shares."""
        layout = self.layout
        if self._still_good(layout.was):
            return layout.was
        if self._sooner:  # what moves shares follows from the last ones to the last digit
            self.hasten(self._full)
        if self._cap > COSTS_BEGIN:
            self._keep(*layout.lateness(self._joined), self._lateness_max - layout.late_already)
        self._begin_afresh()
        moved = np.flatnonzero(layout.pieces.moved)
        self._minimise(layout.piece[moved], layout.pairs.items[layout.pieces.pair[moved]])
        return self.found

    def _still_good(self, shares: Vector) -> bool:
        """They are shares of this hour's work too, and reach every aim as nearly as is asked."""
        layout = self.layout
        return (
            layout.whole(shares)
            and layout.keeps_bounds(shares, self.values[layout.slack])
            and layout.fullest(shares) <= self._cap + DUST
            and layout.late(shares) <= self._lateness_max + DUST
        )

    # ------------------------------------------------------------------- solving

    def _begin_from_last(self) -> None:
        """Let the solver begin from the last shares. Nothing of that basis costs anything, so that the dual simplex may."""
        rows = self._solver.getNumRow()
        if self._beginning is None or self._beginning[0] != rows:
            self._beginning = rows, self.layout.basis(rows)
        self._solver.setBasis(self._beginning[1])

    def _begin_afresh(self) -> None:
        """The same, with nothing left in the solver of how it came here: what it finds is the same to the last digit."""
        self._solver.clearSolver()
        self._begin_from_last()

    def _keep(self, columns: Columns, cost: Vector, limit: float) -> None:
        self._solver.addRow(-INFINITE, limit, len(columns), columns, cost)

    def _minimise(self, columns: Columns, cost: Vector) -> float:
        """Solve for what these columns cost; the others cost nothing. Returns the least that they can."""
        costs = np.zeros(self.layout.count)
        costs[columns] = cost
        other = np.flatnonzero(costs != self._costs).astype(np.int32)
        if len(other):
            self._solver.changeColsCost(len(other), other, costs[other])
            self._costs = costs
        self._tell_uppers()
        self._run()
        self._solution, self._values = self._solver.getSolution(), None
        return float(self._solver.getInfo().objective_function_value)

    def _run(self) -> None:
        """Solve from the basis at hand; where the solver loses its way from there, from none, then by the primal simplex."""
        status = self._solved()
        for strategy in (DUAL, PRIMAL):
            if status == highspy.HighsModelStatus.kOptimal:
                return
            self._solver.clearSolver()
            self._solver.setOptionValue("simplex_strategy", strategy)
            status = self._solved()
            self._solver.setOptionValue("simplex_strategy", DUAL)
        if status != highspy.HighsModelStatus.kOptimal:
            raise ArithmeticError(f"Expected an optimal plan, found {status}")

    def _solved(self) -> highspy.HighsModelStatus:
        self._solver.run()
        return self._solver.getModelStatus()

    def _set_uppers(self, columns: Columns, uppers: Vector | float) -> None:
        self._wanted[columns] = uppers

    def _tell_uppers(self) -> None:
        """Tell the solver what has become of the bounds since it solved last, all at once."""
        changed = np.flatnonzero(self._wanted != self._uppers).astype(np.int32)
        if len(changed):
            uppers = self._uppers[changed] = self._wanted[changed]
            self._solver.changeColsBounds(len(changed), changed, np.zeros(len(changed)), uppers)

    def _set_room(self, room: Vector) -> None:
        """How many hours of new work the loads that are rows may get."""
        rows, count = self.layout.load_row, len(self.layout.load_row)
        self._solver.changeRowsBounds(  # type: ignore[attr-defined]  # missing in highspy's stubs
            count, rows, np.full(count, -INFINITE), room
        )

    # ------------------------------------------------------------------- reading

    @property
    def values(self) -> Vector:
        """What each column is: read when somebody asks, as it takes as long as a short way of the solver."""
        if self._values is None:
            self._values = np.array(self._solution.col_value)
        return self._values

    @property
    def _reduced(self) -> Vector:
        """What each column would cost more."""
        return np.array(self._solution.col_dual)

    @property
    def _duals(self) -> Vector:
        """What each row is worth."""
        return np.array(self._solution.row_dual)

    @property
    def found(self) -> Vector:
        """The shares that the last aim left, one per pair."""
        layout = self.layout
        found = np.bincount(layout.pieces.pair, self.values[layout.piece], len(layout.pairs))
        return found.astype(np.float64)

    def hurts(self) -> list[Hurt]:
        """Where one more person would save most, the most first.

        Holds:   each is what the plan with that person there would save, reckoned by making it. Prices hold for a person's
                 first minutes only and tell no more than where to look: it is looked where they promise most. Whoever joins
                 for one skill can also do what everybody of the team can.
        """
        if self._cap <= COSTS_BEGIN:
            return []
        tried = min(TRIED_MAX, max(1, TRIED_PAIRS // len(self.layout.pairs)))
        values, basis, found = self.values, self._solver.getBasis(), list[Hurt]()
        late = self.layout.late_minutes(self.found, self._joined)
        for hurt, joined in self._promised()[:tried]:
            try:
                worth = self._saved(joined, basis)
            except ArithmeticError:  # what cannot be reckoned is not told; the plan itself is made already
                continue
            saves = late - self.layout.late_minutes(self.found, joined)
            if worth > 0.0 and saves > MINUTES_WORTH:
                found.append(replace(hurt, saves=saves, worth=worth))
        self._values, self._joined = values, self.layout.nobody
        self._allow(self._cap)
        return sorted(found, key=_most_first)[:HURTS_MAX]

    def _saved(self, joined: Joined, basis: highspy.HighsBasis) -> float:
        """The lateness that is saved when somebody has joined. Units: points.

        Holds:   with one more of so many, the fullest is emptier by no more than what that one is of them all.
        """
        self._joined = joined
        self._begin_from_last()
        self._set_uppers(self.layout.band, 0.0)
        self._set_uppers(self.layout.unplaced, 1.0)
        near, least = self._full / (1.0 + SLACK_SHARE), self.layout.fullest_waiting(joined)
        left = self._left_over(near) if near > least else 0.0
        if left <= PLACED:
            near = max(least, self._full * self.layout.part_before(joined))
            left = self._left_over(near)
        saturation = self._filled(near, left)
        self._solver.setBasis(basis)
        return self._lateness - self._late(_nearly(saturation))

    def _promised(self) -> list[tuple[Hurt, Joined]]:
        """What the prices promise of one more person in each team, for all its work and for each skill, the most first."""
        layout = self.layout
        team_prices, shared_prices = np.split(-self._duals[layout.load_row], [len(layout.teams)])
        skill_prices = np.zeros(len(layout.skills))
        skill_prices[layout.shared] = shared_prices
        skill_prices[layout.sole_skill] = self._sole_prices()
        of_teams, of_skills = self._worth(layout.teams, team_prices), self._worth(layout.skills, skill_prices)
        place = {team: number for number, team in enumerate(layout.teams.team.tolist())}
        team_of = np.array([place[team] for team in layout.skills.team.tolist()], dtype=np.int64)
        each = np.where(of_skills > 0.0, of_skills + of_teams[team_of], 0.0)
        every = np.where(of_teams > 0.0, of_teams + np.bincount(team_of, of_skills, len(of_teams)), 0.0)
        found = [*self._hurts_of(layout.teams, every), *self._hurts_of(layout.skills, each)]
        return sorted(found, key=lambda promised: _most_first(promised[0]))

    def _sole_prices(self) -> Vector:
        """What an hour more of each skill without a row would save: the worth of its pair's limit at the full hour."""
        layout = self.layout
        first = layout.pieces.first[layout.sole]
        prices = -self._reduced[first] / layout.pairs.hours[layout.sole]
        return np.where(layout.pieces.late[first], layout.sole_dearest, prices)

    def _worth(self, loads: Loads, prices: Vector) -> Vector:
        """What another person is worth to each load. Holds: no hour is dearer than in the band that may still be filled."""
        stair = loads.stair
        dearest = (self._cap > stair.ends).sum(axis=1)  # bands that are full at that
        prices = np.minimum(prices, stair.points[np.arange(len(loads)), dearest])
        widths = np.diff(stair.begins, axis=1)
        return np.asarray((np.maximum(prices[:, None] - stair.points[:, :-1], 0.0) * widths).sum(axis=1))

    def _hurts_of(self, loads: Loads, worth: Vector) -> Iterator[tuple[Hurt, Joined]]:
        likely = np.flatnonzero(worth > MINUTES_WORTH * loads.cost)
        for number in likely[np.argsort(-worth[likely], kind="stable")][:TRIED_MAX].tolist():
            team, work_type = int(loads.team[number]), loads.work_type[number]
            saves = float(worth[number] / loads.cost[number])
            hurt = Hurt(self.layout.pairs.teams[team].team_id, work_type, saves, float(worth[number]))
            yield hurt, self.layout.joined(team, work_type)


def _most_first(hurt: Hurt) -> tuple[float, str, str]:
    return -hurt.worth, hurt.team_id, hurt.work_type or ""


def _nearly(reached: float) -> float:
    """What an aim that was reached may be worsened to by the later ones."""
    return reached * (1.0 + SLACK_SHARE) + TOLERANCE
