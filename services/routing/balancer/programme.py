"""The plan as a linear programme: shares that keep the fullest team least full, then work least late, then change least.

Columns: the share of each kind of work and team that may do it, in pieces: cut where the last plan's share ends, so that
what moves is counted, and where the people of a scarce skill have a full hour, so that what is late is. For each team the
hours of its work by band of saturation; what each bound gives way by; what of a kind finds no place, and of a provider's
minimum no work.
Rows: the pieces of a kind sum to 1; the hours of teams, and of scarce skills that several kinds share; the bounds.

How full the fullest may be is no column but a number that bounds columns and rows: that leaves a tenth of the rows, and
the least such number is found in a few steps, each from the basis of the one before.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import highspy
import numpy as np
from numpy.typing import NDArray

from services.routing.balancer.loads import SCARCE, Loads, Numbers, Pairs, Vector
from services.routing.balancer.terms import BANDS, Bounds, Demand, Hurt, Reason, Relaxed, Shares, SharesByKind, TeamNow
from services.routing.solver import new_solver

RELAXED_IN_ORDER: Final[tuple[Reason, ...]] = ("centre_maximum", "provider_minimum", "provider_maximum")
"""Which bound gives way first when not all can be kept. Work without an eligible team is named, never forced."""

TOLERANCE: Final = 1e-6
SLACK_SHARE: Final = 0.01  # by which a later aim may worsen an earlier one: without it noise in its inputs moves shares
PLACED: Final = 1e-7  # of all items: less than this without a place is none
STEPS_MAX: Final = 100  # to the least saturation; a few in practice
WORTH_SHARE: Final = 1e-4  # smaller shares are dust
MINUTES_WORTH: Final = 0.5  # reliefs below this are not worth a word
INFINITE: Final = highspy.kHighsInf

Columns = NDArray[np.int32]


def solve(
    demands: Sequence[Demand], teams: Sequence[TeamNow], bounds: Bounds, last: SharesByKind | None = None
) -> Shares:
    """The shares of each kind of work over the teams, one aim after the other, each kept while the next is sought.

    Holds:   the same inputs give the same shares: columns stand in the order of names, and the solver begins from the
             last shares, never from what it solved before. Bounds give way in the order of `RELAXED_IN_ORDER`; what
             gave way is named. While the last shares are still as good, they stay.
    Source:  architecture, "the plan": largest saturation, then expected tardiness, then change.
    """
    wanted = [demand for demand in sorted(demands, key=lambda demand: demand.kind) if demand.items > 0]
    open_ = sorted(teams, key=lambda team: team.team_id)
    able = [demand for demand in wanted if any(team.may_do(demand.kind) for team in open_)]
    nobody = [Relaxed("nobody_eligible", one.kind.work_type, one.items) for one in wanted if one not in able]
    by_team = {team.team_id: team.waiting / team.people for team in open_}
    if not able:
        return Shares({}, by_team, 0.0, 0.0, tuple(nobody))
    pairs = Pairs.of(able, open_)
    model = _Model(pairs, _bounds_of(bounds, pairs, sum(demand.items for demand in wanted)), last or {})
    relaxed = model.relax()
    saturation = model.fill()
    tardiness = model.hasten(saturation)
    hurts = tuple(model.hurts())
    shares = model.stay_near() if last else model.found
    filled = model.teams.filled(model.teams.hours(pairs, shares))
    by_team |= {open_[team].team_id: float(full) for team, full in zip(model.teams.team, filled, strict=True)}
    return Shares(pairs.by_kind(shares, WORTH_SHARE), by_team, saturation, tardiness, (*nobody, *relaxed), hurts)


@dataclass(frozen=True, slots=True)
class _Bound:
    """One bound: which pairs count for it, and the part of all items that each pair's kind is."""

    reason: Reason
    name: str
    share: float
    covers: NDArray[np.bool_]
    items: Vector

    @property
    def gives(self) -> float:
        """The sign of what it gives way by."""
        return 1.0 if self.reason == "provider_minimum" else -1.0

    @property
    def limits(self) -> tuple[float, float]:
        """At least, at most."""
        return (self.share, INFINITE) if self.gives > 0 else (-INFINITE, self.share)

    def broken_by(self, shares: Vector) -> float:
        """By how much of all work it is broken; negative when there is room."""
        return self.gives * (self.share - float((self.items * shares)[self.covers].sum()))


def _bounds_of(bounds: Bounds, pairs: Pairs, items: float) -> list[_Bound]:
    providers = np.array([team.provider_id for team in pairs.teams])[pairs.team]
    centres = np.array([team.centre_id for team in pairs.teams])[pairs.team]
    kinds: tuple[tuple[Reason, Mapping[str, float], NDArray[np.str_]], ...] = (
        ("provider_minimum", bounds.provider_minimum, providers),
        ("provider_maximum", bounds.provider_maximum, providers),
        ("centre_maximum", bounds.centre_maximum, centres),
    )
    return [
        _Bound(reason, name, shares[name], places == name, pairs.items / items)
        for reason, shares, places in kinds
        for name in sorted(shares)
    ]


class _Pieces:
    """The pieces of the pairs' shares, in the order of the pairs.

    Shape:   one entry per piece.
    Holds:   a pair's pieces follow each other from 0 to 1 and cost the more the further up they are, whatever is aimed
             at, so that the lower ones are filled first. `late` is beyond what a scarce skill's people do in the hour,
             `moved` beyond the last plan's share.
    """

    def __init__(self, full_hour: Vector, was: Vector) -> None:
        edges = np.sort(np.column_stack([np.zeros_like(was), full_hour, was, np.ones_like(was)]))
        widths = np.diff(edges)
        real = widths > 0
        self.pair: Final = np.nonzero(real)[0]
        self.begin: Final = edges[:, :-1][real]
        self.width: Final = widths[real]
        self.late: Final = self.begin >= full_hour[self.pair]
        self.moved: Final = self.begin >= was[self.pair]
        self.first: Final = np.flatnonzero(np.diff(self.pair, prepend=-1))  # of each pair

    def __len__(self) -> int:
        return len(self.pair)

    def uppers(self, limit: Vector) -> Vector:
        """How much of each piece may be filled when each pair may have so much."""
        return np.asarray(np.clip(limit[self.pair] - self.begin, 0.0, self.width))


class _Rows:
    """The loads that are rows of the programme: all teams, and the scarce skills that several kinds share.

    Shape:   `band_…` one entry per band of a load but the first, which costs nothing and is the room that the row has.
    """

    def __init__(self, teams: Loads, skills: Loads, shared: Numbers) -> None:
        self.people: Final = np.concatenate([teams.people, skills.people[shared]])
        self.waiting: Final = np.concatenate([teams.waiting, skills.waiting[shared]])
        self._first: Final = np.repeat([teams.bands[0][0], skills.bands[0][0]], [len(teams), len(shared)])
        bands = [
            (row, below, upto, minutes * late)
            for loads, numbers, begin in ((teams, range(len(teams)), 0), (skills, shared.tolist(), len(teams)))
            for row, late in enumerate(loads.hour_late[numbers], begin)
            for (below, _), (upto, minutes) in pairwise(loads.bands)
        ]
        rows, below, upto, cost = zip(*bands, strict=True)
        self.band_row: Final = np.array(rows, dtype=np.int64)
        self._below, self._upto, self.band_cost = np.array(below), np.array(upto), np.array(cost)

    def __len__(self) -> int:
        return len(self.people)

    def room(self, cap: float) -> Vector:
        """The hours of new work that cost nothing when nobody may be fuller than `cap`."""
        return np.asarray(np.minimum(self._first, cap) * self.people - self.waiting)

    def band_uppers(self, cap: float) -> Vector:
        """The hours of the bands that cost, when nobody may be fuller than `cap`."""
        widths = np.maximum(np.minimum(self._upto, cap) - self._below, 0.0)
        return np.asarray(widths * self.people[self.band_row])


class _Model:
    """The programme, put together once and then solved for one aim after the other."""

    def __init__(self, pairs: Pairs, bounds: Sequence[_Bound], last: SharesByKind) -> None:
        self._pairs: Final = pairs
        self._bounds: Final = bounds
        self._was: Final = pairs.shares(last)
        self.teams: Final = pairs.whole_teams()
        self._skills: Final = pairs.scarce_skills()
        users = np.bincount(self._skills.of_pair + 1, minlength=len(self._skills) + 1)[1:]
        self._shared: Final = np.flatnonzero(users > 1)
        self._sole: Final = np.flatnonzero(np.append(users == 1, [False])[self._skills.of_pair])
        self._sole_skill: Final = self._skills.of_pair[self._sole]
        self._rows: Final = _Rows(self.teams, self._skills, self._shared)
        self._pieces: Final = _Pieces(np.clip(self._limit(1.0), 0.0, 1.0), self._was)
        self._demand_row, self._load_row, self._bound_row = _following(len(pairs.demands), len(self._rows), len(bounds))
        promised = np.array([bound.reason == "provider_minimum" for bound in bounds], dtype=bool)
        self._unplaced_row: Final = np.concatenate([self._demand_row, self._bound_row[promised]])
        groups = len(self._pieces), len(self._rows.band_row), len(bounds), len(self._unplaced_row)
        self._piece, self._band, self._slack, self._unplaced = _following(*groups)
        self._count: Final = sum(groups)
        self._values = np.zeros(self._count)
        self._cap = self._lateness_max = INFINITE
        self._solver: Final = new_solver()
        self._solver.passModel(self._programme())
        self._solver.setBasis(self._as_last())

    # ------------------------------------------------------------------ building

    def _limit(self, cap: float) -> Vector:
        """What each pair may have so that no skill that it alone needs is fuller than `cap`."""
        limit = np.full(len(self._pairs), INFINITE)
        skills, skill = self._skills, self._sole_skill
        limit[self._sole] = (cap * skills.people[skill] - skills.waiting[skill]) / self._pairs.hours[self._sole]
        return limit

    def _programme(self) -> highspy.HighsLp:
        """All columns and rows, column by column: the pieces, then those that stand in one row only."""
        row, factor = self._entries()
        real = row >= 0
        ends = np.concatenate([self._load_row[self._rows.band_row], self._bound_row, self._unplaced_row])
        gives = [bound.gives for bound in self._bounds]
        lower, upper = [bound.limits[0] for bound in self._bounds], [bound.limits[1] for bound in self._bounds]
        demands, loads = np.ones(len(self._demand_row)), np.full(len(self._load_row), INFINITE)
        closed = np.zeros(len(self._band) + len(self._slack))
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = self._count, len(demands) + len(loads) + len(gives)
        model.col_cost_ = model.col_lower_ = np.zeros(self._count)
        model.col_upper_ = np.concatenate([self._pieces.width, closed, np.ones(len(self._unplaced))])
        model.row_lower_, model.row_upper_ = np.r_[demands, -loads, lower], np.r_[demands, loads, upper]
        matrix = model.a_matrix_
        matrix.format_ = highspy.MatrixFormat.kColwise
        matrix.start_ = np.r_[0, np.cumsum(np.r_[real.sum(axis=1), np.ones(len(ends), dtype=int)])].astype(np.int32)
        matrix.index_ = np.r_[row[real], ends].astype(np.int32)
        matrix.value_ = np.r_[factor[real], np.full(len(self._band), -1.0), gives, np.ones(len(self._unplaced))]
        return model

    def _entries(self) -> tuple[Numbers, Vector]:
        """Rows and factors of each piece; row -1 where there is none."""
        pairs = self._pairs
        shared_row = np.full(len(self._skills) + 1, -1)  # the last one for pairs without a scarce skill
        shared_row[self._shared] = self._load_row[len(self.teams) :]
        entries = [
            (pairs.demand, np.ones(len(pairs))),
            (self._load_row[self.teams.of_pair], pairs.hours),
            (shared_row[self._skills.of_pair], pairs.hours),
        ]
        for bound, row in zip(self._bounds, self._bound_row, strict=True):
            entries.append((np.where(bound.covers, row, -1), bound.items))
        rows, factors = zip(*entries, strict=True)
        return np.column_stack(rows)[self._pieces.pair], np.column_stack(factors)[self._pieces.pair]

    def _as_last(self) -> highspy.HighsBasis:
        """The last shares as a basis: with them most rows hold already, and the solver has only the others to mend."""
        status = highspy.HighsBasisStatus
        filled = [status.kLower if moved else status.kUpper for moved in self._pieces.moved.tolist()]
        basis = highspy.HighsBasis()
        basis.col_status = filled + [status.kLower] * (self._count - len(filled))
        basis.row_status = [status.kBasic] * (len(self._demand_row) + len(self._load_row) + len(self._bound_row))
        basis.valid = True
        return basis

    # ------------------------------------------------------------------- solving

    def relax(self) -> list[Relaxed]:
        """Find whether all bounds can hold; if not, what must give way, as little as possible and in order."""
        if self._keeps_bounds(self._was) or self._left_over(INFINITE) <= PLACED:
            return []
        self._set_uppers(self._unplaced, 0.0)
        self._set_uppers(self._slack, INFINITE)
        return [found for reason in reversed(RELAXED_IN_ORDER) for found in self._broken(reason)]

    def _broken(self, reason: Reason) -> Iterator[Relaxed]:
        """Break bounds of one kind as little as those kept before allow; yields what is broken."""
        mine = [number for number, bound in enumerate(self._bounds) if bound.reason == reason]
        if not mine:
            return
        columns = self._slack[mine]
        self._keep(columns, np.ones(len(mine)), _nearly(self._minimise(columns, np.ones(len(mine)))))
        for number, by in zip(mine, self._values[columns].tolist(), strict=True):
            if by > 10 * TOLERANCE:
                yield Relaxed(reason, self._bounds[number].name, by)

    def fill(self) -> float:
        """The first aim: how full the fullest is at least.

        Holds:   what finds no place falls convexly as teams may be fuller, so that a step along its slope from too low a
                 saturation never goes beyond the least one that is enough.
        Errors:  `ArithmeticError` when the solver finds no optimum: each bound can give way, so there always is one.
        """
        self._set_uppers(self._unplaced, 1.0)
        full = self._lowest()
        for _ in range(STEPS_MAX):
            left = self._left_over(full)
            if left <= PLACED:
                return full
            full += left / self._falls(full)
        raise ArithmeticError(f"Expected all work placed within {STEPS_MAX} steps, found {left:.2%} left")

    def _lowest(self) -> float:
        """A saturation that is not enough, or just so: a little less than the last shares make, else what waits makes."""
        least = max(float(loads.filled(loads.waiting).max(initial=0.0)) for loads in (self.teams, self._skills))
        near = self._fullest(self._was) / (1.0 + SLACK_SHARE) ** 2 if self._was.any() else 0.0
        return near if near > least and self._left_over(near) > PLACED else least

    def _fullest(self, shares: Vector) -> float:
        """How full the fullest team or scarce skill is with these shares."""
        loads = (self.teams, self._skills)
        return max(float(one.filled(one.hours(self._pairs, shares)).max(initial=0.0)) for one in loads)

    def _left_over(self, full: float) -> float:
        """What part of all items finds no place when nobody may be fuller than this, or is missing where it is promised."""
        self._set_room(full * self._rows.people - self._rows.waiting)
        self._set_uppers(self._piece, self._pieces.uppers(self._limit(full)))
        items = np.array([demand.items for demand in self._pairs.demands])
        promises = np.ones(len(self._unplaced) - len(items))
        return self._minimise(self._unplaced, np.concatenate([items / items.sum(), promises]))

    def _falls(self, full: float) -> float:
        """By how much less finds no place per saturation more: by what people are worth, in rows and at limits."""
        worth = np.maximum(-self._reduced[self._pieces.first[self._sole]], 0.0)
        limited = self._limit(full)[self._sole] < 1.0
        more = self._skills.people[self._sole_skill] / self._pairs.hours[self._sole]
        falls = float((worth * more)[limited].sum()) - float(self._duals[self._load_row] @ self._rows.people)
        if falls <= 0.0:
            raise ArithmeticError("Expected fuller teams to take more work, found none that would")
        return falls

    def hasten(self, saturation: float) -> float:
        """The second aim: the lateness that the hour's work expects. Units: item-minutes, weighed by cost."""
        self._cap = _nearly(saturation)
        self._set_uppers(self._unplaced, 0.0)
        self._set_uppers(self._piece, self._pieces.uppers(self._limit(self._cap)))
        self._set_uppers(self._band, self._rows.band_uppers(self._cap))
        self._set_room(self._rows.room(self._cap))
        found = 0.0
        if self._costs_begin < self._cap:
            found = self._minimise(*self._lateness()) + self._late_already()
        self._lateness_max = _nearly(found)
        return found

    @property
    def _costs_begin(self) -> float:
        """The saturation below which nothing is expected to be late."""
        return BANDS[0][0]

    def _lateness(self) -> tuple[Columns, Vector]:
        """The columns that are lateness, and what each costs."""
        late = np.flatnonzero(self._pieces.late)
        skill = self._skills.of_pair[self._pieces.pair[late]]
        cost = self._pairs.hours[self._pieces.pair[late]] * self._skills.hour_late[skill] * SCARCE[-1][1]
        return np.concatenate([self._piece[late], self._band]), np.concatenate([cost, self._rows.band_cost])

    def _late_already(self) -> float:
        """The lateness of what waits already beyond what the people of skills without a row do in the hour."""
        return float(self._skills.late(self._skills.waiting)[self._sole_skill].sum())

    def _keep(self, columns: Columns, cost: Vector, limit: float) -> None:
        self._solver.addRow(-INFINITE, limit, len(columns), columns, cost)

    def _minimise(self, columns: Columns, cost: Vector) -> float:
        """Solve for what these columns cost; the others cost nothing. Returns the least that they can."""
        costs = np.zeros(self._count)
        costs[columns] = cost
        self._solver.changeColsCost(self._count, np.arange(self._count, dtype=np.int32), costs)
        self._solver.run()
        status = self._solver.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            raise ArithmeticError(f"Expected an optimal plan, found {status}")
        solution = self._solver.getSolution()
        self._values = np.array(solution.col_value)
        self._reduced, self._duals = np.array(solution.col_dual), np.array(solution.row_dual)
        return float(self._solver.getInfo().objective_function_value)

    def _set_uppers(self, columns: Columns, uppers: Vector | float) -> None:
        count = len(columns)
        if count:
            self._solver.changeColsBounds(count, columns, np.zeros(count), np.broadcast_to(uppers, count).astype(float))

    def _set_room(self, room: Vector) -> None:
        """How many hours of new work the loads that are rows may get."""
        count = len(self._load_row)
        self._solver.changeRowsBounds(  # type: ignore[attr-defined]  # missing in highspy's stubs
            count, self._load_row, np.full(count, -INFINITE), room
        )

    def stay_near(self) -> Vector:
        """The last aim: as few items as possible go elsewhere than by the last plan. Returns the shares."""
        if self._still_good(self._was):
            return self._was
        if self._costs_begin < self._cap:
            self._keep(*self._lateness(), self._lateness_max - self._late_already())
        moved = np.flatnonzero(self._pieces.moved)
        self._minimise(self._piece[moved], self._pairs.items[self._pieces.pair[moved]])
        return self.found

    def _still_good(self, shares: Vector) -> bool:
        """The last shares are shares of this hour's work too, and reach every aim as nearly as is asked."""
        dust = 10 * TOLERANCE
        if np.abs(np.bincount(self._pairs.demand, shares) - 1.0).max() > dust or not self._keeps_bounds(shares):
            return False
        late = sum(float(loads.late(loads.hours(self._pairs, shares)).sum()) for loads in (self.teams, self._skills))
        return self._fullest(shares) <= self._cap + dust and late <= self._lateness_max + dust

    def _keeps_bounds(self, shares: Vector) -> bool:
        """No bound is broken by more than it gives way by now."""
        return all(
            bound.broken_by(shares) <= gives + 10 * TOLERANCE
            for bound, gives in zip(self._bounds, self._values[self._slack].tolist(), strict=True)
        )

    # ------------------------------------------------------------------- reading

    @property
    def found(self) -> Vector:
        """The shares that the last aim left, one per pair."""
        return np.bincount(self._pieces.pair, self._values[self._piece], len(self._pairs)).astype(np.float64)

    def hurts(self) -> Iterator[Hurt]:
        """Where one more person would save most: they widen each band that is full by their part of an hour."""
        if self._cap <= self._costs_begin:
            return
        team_prices, shared_prices = np.split(-self._duals[self._load_row], [len(self.teams)])
        skill_prices = np.zeros(len(self._skills))
        skill_prices[self._shared] = shared_prices
        skill_prices[self._sole_skill] = self._sole_prices()
        found = [*self._worth(self.teams, team_prices), *self._worth(self._skills, skill_prices)]
        yield from sorted(found, key=lambda hurt: (-hurt.worth, hurt.team_id, hurt.work_type or ""))

    def _sole_prices(self) -> Vector:
        """What an hour more of each skill without a row would save: the worth of its pair's limit at the full hour."""
        first = self._pieces.first[self._sole]
        most = SCARCE[-1][1] * self._skills.hour_late[self._sole_skill]
        prices = -self._reduced[first] / self._pairs.hours[self._sole]
        return np.where(self._pieces.late[first], most, prices)

    def _worth(self, loads: Loads, prices: Vector) -> Iterator[Hurt]:
        """Which loads are worth another person. Holds: no hour is dearer than in the band that may still be filled."""
        dearest = next(minutes for upto, minutes in loads.bands if self._cap <= upto)
        for number, price in enumerate(prices.tolist()):
            late = float(loads.hour_late[number])
            worth, below = 0.0, 0.0
            for upto, minutes in loads.bands[:-1]:
                worth += (upto - below) * max(0.0, min(price, dearest * late) - minutes * late)
                below = upto
            cost = float(loads.cost[number])
            if worth > MINUTES_WORTH * cost:
                team = self._pairs.teams[int(loads.team[number])].team_id
                yield Hurt(team, loads.work_type[number], worth / cost, worth)


def _nearly(reached: float) -> float:
    """What an aim that was reached may be worsened to by the later ones."""
    return reached * (1.0 + SLACK_SHARE) + TOLERANCE


def _following(*counts: int) -> tuple[Columns, ...]:
    """Numbers from 0 on, in groups of so many."""
    return tuple(np.split(np.arange(sum(counts), dtype=np.int32), np.cumsum(counts)[:-1]))
