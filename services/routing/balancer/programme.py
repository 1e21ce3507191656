"""The plan as a linear programme: shares that keep the fullest team least full, then work least late, then change least.

Columns: a share for each kind of work and team that may do it; how full the fullest team is; for each team the hours of
its work by band of saturation, for each of its scarce skills the hours beyond what its people can do; what each bound
gives way by. Rows: the shares of a kind sum to 1; how full teams and skills are; the bounds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import highspy
import numpy as np
from numpy.typing import NDArray

from services.routing.kinds import Kind, may_see
from services.routing.solver import new_solver

Reason = Literal["centre_maximum", "provider_minimum", "provider_maximum", "nobody_eligible"]
SharesByKind = Mapping[Kind, Mapping[str, float]]
Vector = NDArray[np.float64]

RELAXED_IN_ORDER: Final[tuple[Reason, ...]] = ("centre_maximum", "provider_minimum", "provider_maximum")
"""Which bound gives way first when not all can be kept. Work without an eligible team is named, never forced."""

BANDS: Final[tuple[tuple[float, float], ...]] = ((0.7, 0.0), (0.85, 0.2), (0.95, 1.0), (1.0, 5.0), (float("inf"), 30.0))
"""Up to which saturation of a team a further item expects how much lateness. Units: minutes; beyond an hour's work an
item waits half an hour in the mean of the hour. Queues grow before a team is full, so the last hours cost before that."""

TOLERANCE: Final = 1e-6
SLACK_SHARE: Final = 0.01  # by which a later aim may worsen an earlier one: without it noise in its inputs moves shares
WORTH_SHARE: Final = 1e-4  # smaller shares are dust
MINUTES_WORTH: Final = 0.5  # reliefs below this are not worth a word
INFINITE: Final = highspy.kHighsInf
PRIMAL: Final = 4  # HiGHS's number for the primal simplex


@dataclass(frozen=True, slots=True)
class Demand:
    """What of one kind of work comes in the hour. Units: items per hour; `cost` in points per minute of lateness."""

    kind: Kind
    items: float
    cost: float = 1.0


@dataclass(frozen=True, slots=True)
class Skill:
    """A team's people for one work type, how long they take, and what waits. Units: people, seconds per item, hours."""

    people: float
    seconds: float
    waiting: float = 0.0


@dataclass(frozen=True, slots=True)
class TeamNow:
    """A team that is open. Units: people in the mean of the hour; `waiting` in hours of work that it has already."""

    team_id: str
    provider_id: str
    centre_id: str
    people: float
    skills: Mapping[str, Skill]
    waiting: float = 0.0
    outside: bool = False
    data_classes: frozenset[str] = frozenset({"internal"})
    barred: frozenset[Kind] = frozenset()  # a reroute holds it away

    def may_do(self, kind: Kind) -> bool:
        """Somebody of the team holds the work type, and its provider may see the work."""
        seen = may_see(kind, self.outside, self.data_classes)
        return seen and kind.work_type in self.skills and kind not in self.barred


@dataclass(frozen=True, slots=True)
class Bounds:
    """Shares of all work, counted in items: what contracts promise and what the bank allows. Units: 0 to 1."""

    provider_minimum: Mapping[str, float] = field(default_factory=dict)
    provider_maximum: Mapping[str, float] = field(default_factory=dict)
    centre_maximum: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Relaxed:
    """A bound that could not be kept, and by how much of all work (for `nobody_eligible`: items per hour)."""

    reason: Reason
    name: str
    by: float


@dataclass(frozen=True, slots=True)
class Hurt:
    """What one more person would save. Units: item-minutes of lateness in the hour; `worth` the same in points."""

    team_id: str
    work_type: str | None
    saves: float
    worth: float


@dataclass(frozen=True, slots=True)
class Shares:
    """The answer.

    Holds:   the shares of a kind sum to 1, or it is relaxed as `nobody_eligible` and has none; `saturation` is of the
             fullest team or scarce skill; `hurts` the most first.
    """

    by_kind: SharesByKind
    by_team: Mapping[str, float]
    saturation: float
    tardiness: float
    relaxed: tuple[Relaxed, ...] = ()
    hurts: tuple[Hurt, ...] = ()


def solve(
    demands: Sequence[Demand], teams: Sequence[TeamNow], bounds: Bounds, last: SharesByKind | None = None
) -> Shares:
    """The shares of each kind of work over the teams, one aim after the other, each kept while the next is sought.

    Holds:   the same inputs give the same shares: columns stand in the order of names. Bounds give way in the order of
             `RELAXED_IN_ORDER`; what gave way is named. While the last shares are still as good, they stay.
    Source:  architecture, "the plan": largest saturation, then expected tardiness, then change.
    """
    model = _Model(sorted(demands, key=lambda d: d.kind), sorted(teams, key=lambda t: t.team_id), bounds)
    if not model.pairs:
        return Shares({}, model.saturations(None), 0.0, 0.0, tuple(model.nobody))
    model.load()
    relaxed = model.relax()
    saturation = model.aim(model.fullest_alone())
    tardiness = model.aim(model.lateness())
    hurts = tuple(model.hurts())
    if last:
        model.stay_near(last)
    return Shares(
        model.shares(), model.saturations(model.found), saturation, tardiness, (*model.nobody, *relaxed), hurts
    )


@dataclass(slots=True)
class _Load:
    """How full a team, or one scarce skill of it, is: its row, its hour of people, and its columns by band."""

    team_id: str
    work_type: str | None
    people: float
    waiting: float
    cost: float
    columns: list[int]
    hours: list[float]
    bands: list[int] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    row: int = 0


class _Model:
    """The programme's columns and rows, put together once and then solved for one aim after the other."""

    def __init__(self, demands: Sequence[Demand], teams: Sequence[TeamNow], bounds: Bounds) -> None:
        self._demands: Final = [demand for demand in demands if demand.items > 0]
        self._teams: Final = teams
        self._solver: Final = new_solver()
        # from one aim to the next only costs change and a row that holds comes in: what was found stays feasible
        self._solver.setOptionValue("simplex_strategy", PRIMAL)
        self._uppers: Final[list[float]] = []
        self._rows: Final[list[tuple[float, float, list[int], list[float]]]] = []
        self.pairs: Final[dict[tuple[Kind, str], int]] = {}
        self.nobody: Final[list[Relaxed]] = []
        self._loads: Final[list[_Load]] = []
        self._kept: Final[list[tuple[Vector, float]]] = []
        self._slacks: Final[dict[Reason, dict[int, str]]] = {reason: {} for reason in RELAXED_IN_ORDER}
        self._by_team: Final[dict[str, list[tuple[Demand, int]]]] = {team.team_id: [] for team in teams}
        for demand in self._demands:
            self._demand(demand)
        self._fullest: Final = self._column()
        for team in teams:
            self._team(team)
        self._bounds(bounds)

    # ------------------------------------------------------------------ building

    def _column(self, upper: float = INFINITE) -> int:
        self._uppers.append(upper)
        return len(self._uppers) - 1

    def _row(self, lower: float, upper: float, columns: list[int], factors: list[float]) -> int:
        self._rows.append((lower, upper, columns, factors))
        return len(self._rows) - 1

    def _demand(self, demand: Demand) -> None:
        able = [team.team_id for team in self._teams if team.may_do(demand.kind)]
        if not able:
            self.nobody.append(Relaxed("nobody_eligible", demand.kind.work_type, demand.items))
            return
        columns = [self._column(1.0) for _ in able]
        for team_id, column in zip(able, columns, strict=True):
            self.pairs[demand.kind, team_id] = column
            self._by_team[team_id].append((demand, column))
        self._row(1.0, 1.0, columns, [1.0] * len(columns))

    def _team(self, team: TeamNow) -> None:
        mine = self._by_team[team.team_id]
        if not mine:
            return
        hours = {column: demand.items * team.skills[demand.kind.work_type].seconds / 3600 for demand, column in mine}
        items = sum(demand.items for demand, _ in mine)
        cost = sum(demand.cost * demand.items for demand, _ in mine) / items
        per_hour = items / max(sum(hours.values()), TOLERANCE)
        whole = _Load(team.team_id, None, team.people, team.waiting, cost, list(hours), list(hours.values()))
        self._banded(whole, per_hour, BANDS)
        for work_type, skill in sorted(team.skills.items()):
            columns = [column for demand, column in mine if demand.kind.work_type == work_type]
            if columns and skill.people < team.people:
                cost = max(demand.cost for demand, _ in mine if demand.kind.work_type == work_type)
                own = [hours[column] for column in columns]
                scarce = _Load(team.team_id, work_type, skill.people, skill.waiting, cost, columns, own)
                self._banded(scarce, 3600 / skill.seconds, ((1.0, 0.0), BANDS[-1]))

    def _banded(self, load: _Load, per_hour: float, bands: Sequence[tuple[float, float]]) -> None:
        """Two rows: how full it is at most, and its hours over the bands of saturation, the cheap ones first.

        Units:   `per_hour` is how many items an hour of work is.
        """
        self._row(-INFINITE, -load.waiting, [*load.columns, self._fullest], [*load.hours, -load.people])
        below = 0.0
        for upto, minutes in bands:
            load.bands.append(self._column((upto - below) * load.people if upto != float("inf") else INFINITE))
            load.costs.append(minutes * per_hour * load.cost)
            below = upto
        load.row = self._row(
            -INFINITE, -load.waiting, [*load.columns, *load.bands], [*load.hours, *([-1.0] * len(load.bands))]
        )
        self._loads.append(load)

    def _bounds(self, bounds: Bounds) -> None:
        provider_of = {team.team_id: team.provider_id for team in self._teams}
        centre_of = {team.team_id: team.centre_id for team in self._teams}
        for reason, shares, place_of in (
            ("provider_minimum", bounds.provider_minimum, provider_of),
            ("provider_maximum", bounds.provider_maximum, provider_of),
            ("centre_maximum", bounds.centre_maximum, centre_of),
        ):
            for name in sorted(shares):
                self._bound(reason, name, shares[name], place_of)  # type: ignore[arg-type]  # the literals of a tuple

    def _bound(self, reason: Reason, name: str, share: float, place_of: Mapping[str, str]) -> None:
        items = {demand.kind: demand.items for demand in self._demands}
        total = sum(items.values())
        there = {column: items[kind] / total for (kind, team), column in self.pairs.items() if place_of[team] == name}
        slack = self._column(0.0)  # kept, until it is found that not all can be
        self._slacks[reason][slack] = name
        if reason == "provider_minimum":
            self._row(share, INFINITE, [*there, slack], [*there.values(), 1.0])
        else:
            self._row(-INFINITE, share, [*there, slack], [*there.values(), -1.0])

    def load(self) -> None:
        """Hand the whole programme to the solver at once."""
        model = highspy.HighsLp()
        model.num_col_, model.num_row_ = len(self._uppers), len(self._rows)
        model.col_cost_ = np.zeros(len(self._uppers))
        model.col_lower_ = np.zeros(len(self._uppers))
        model.col_upper_ = np.array(self._uppers)
        model.row_lower_ = np.array([row[0] for row in self._rows])
        model.row_upper_ = np.array([row[1] for row in self._rows])
        matrix = model.a_matrix_
        matrix.format_ = highspy.MatrixFormat.kRowwise
        matrix.start_ = np.cumsum([0, *(len(row[2]) for row in self._rows)], dtype=np.int32)
        matrix.index_ = np.array([column for row in self._rows for column in row[2]], dtype=np.int32)
        matrix.value_ = np.array([factor for row in self._rows for factor in row[3]])
        self._solver.passModel(model)

    # ------------------------------------------------------------------- solving

    def fullest_alone(self) -> Vector:
        """The first aim: how full the fullest is."""
        cost = np.zeros(len(self._uppers))
        cost[self._fullest] = 1.0
        return cost

    def lateness(self) -> Vector:
        """The second aim: the lateness that the hour's work expects. Units: item-minutes, weighed by cost."""
        cost = np.zeros(len(self._uppers))
        for load in self._loads:
            cost[load.bands] = load.costs
        return cost

    def relax(self) -> list[Relaxed]:
        """Find whether all bounds can hold; if not, what must give way, as little as possible and in order."""
        slacks = [column for columns in self._slacks.values() for column in columns]
        if not slacks or self._feasible():
            return []
        for column in slacks:
            self._uppers[column] = INFINITE
            self._solver.changeColBounds(column, 0.0, INFINITE)
        return [found for reason in reversed(RELAXED_IN_ORDER) for found in self._broken(reason)]

    def _feasible(self) -> bool:
        """Whether the rows can hold as they stand; a basis is left for the first aim."""
        self._solver.changeColsCost(
            len(self._uppers), np.arange(len(self._uppers), dtype=np.int32), self.fullest_alone()
        )
        self._solver.run()
        return bool(self._solver.getModelStatus() == highspy.HighsModelStatus.kOptimal)

    def _broken(self, reason: Reason) -> Iterator[Relaxed]:
        """Break bounds of one kind as little as those kept before allow; yields what is broken."""
        slacks = self._slacks[reason]
        if not slacks:
            return
        cost = np.zeros(len(self._uppers))
        cost[list(slacks)] = 1.0
        self.aim(cost)
        for column, name in slacks.items():
            if self.found[column] > 10 * TOLERANCE:
                yield Relaxed(reason, name, float(self.found[column]))

    def aim(self, cost: Vector) -> float:
        """Minimise, and keep what was reached, with a little slack, as a row. Returns what was reached.

        Errors:  `ArithmeticError` when the solver finds no optimum: each bound can give way, so there always is one.
        """
        reached = self._minimise(cost)
        columns = np.flatnonzero(cost).astype(np.int32)
        if len(columns):
            limit = reached * (1.0 + SLACK_SHARE) + TOLERANCE
            self._kept.append((cost, limit))
            self._solver.addRow(-INFINITE, limit, len(columns), columns, cost[columns])
        return reached

    def _minimise(self, cost: Vector) -> float:
        self._solver.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost)
        self._solver.run()
        status = self._solver.getModelStatus()
        if status != highspy.HighsModelStatus.kOptimal:
            raise ArithmeticError(f"Expected an optimal plan, found {status}")
        solution = self._solver.getSolution()
        self.found = np.array(solution.col_value)
        self._duals = np.array(solution.row_dual)
        return float(self._solver.getInfo().objective_function_value)

    def stay_near(self, last: SharesByKind) -> None:
        """The last aim: as few items as possible go elsewhere than by the last plan."""
        was = np.array([last.get(kind, {}).get(team, 0.0) for kind, team in self.pairs])
        if self._still_good(was):
            self.found = self._as_found(was)
            return
        items = {demand.kind: demand.items for demand in self._demands}
        count, first = len(self.pairs), len(self._uppers)
        more = np.arange(first, first + count, dtype=np.int32)
        fewer = more + np.int32(count)
        ones, nothing = np.ones(2 * count), np.array([], dtype=np.int32)
        self._solver.addCols(
            2 * count, 0 * ones, 0 * ones, ones, 0, np.zeros(2 * count, np.int32), nothing, np.array([])
        )
        mine = np.array(list(self.pairs.values()), dtype=np.int32)
        columns = np.column_stack([mine, more, fewer]).ravel().astype(np.int32)
        factors = np.tile([1.0, -1.0, 1.0], count)
        starts = np.arange(0, 3 * count, 3, dtype=np.int32)
        self._solver.addRows(count, was, was, 3 * count, starts, columns, factors)
        cost = np.zeros(first + 2 * count)
        cost[more] = [items[kind] for kind, _ in self.pairs]
        self._minimise(cost)

    def _still_good(self, was: Vector) -> bool:
        """The last shares are shares of this hour's work too, and reach every aim as nearly as is asked."""
        tried = self._as_found(was)
        for lower, upper, columns, factors in self._rows:
            sum_ = float(np.dot(tried[columns], factors))
            if not lower - 10 * TOLERANCE <= sum_ <= upper + 10 * TOLERANCE:
                return False
        return all(float(np.dot(tried, cost)) <= limit for cost, limit in self._kept)

    def _as_found(self, was: Vector) -> Vector:
        """The columns as they would be with these shares: bands filled from the cheapest, bounds given way as now."""
        tried = self.found.copy()
        tried[list(self.pairs.values())] = was
        fullest = 0.0
        for load in self._loads:
            hours = load.waiting + float(np.dot(tried[load.columns], load.hours))
            fullest = max(fullest, hours / load.people)
            for band in load.bands:
                tried[band] = min(max(hours, 0.0), self._uppers[band])
                hours -= tried[band]
        tried[self._fullest] = fullest
        return tried

    # ------------------------------------------------------------------- reading

    def shares(self) -> SharesByKind:
        """What the last aim left, without dust, summing to 1."""
        found: dict[Kind, dict[str, float]] = {}
        for (kind, team_id), column in self.pairs.items():
            share = float(self.found[column])
            if share > WORTH_SHARE:
                found.setdefault(kind, {})[team_id] = share
        return {
            kind: {team: share / sum(by_team.values()) for team, share in by_team.items()}
            for kind, by_team in found.items()
        }

    def saturations(self, found: Vector | None) -> Mapping[str, float]:
        """How full each team is with what it has and gets. Units: hours of work over hours of people."""
        filled = {team.team_id: team.waiting / team.people for team in self._teams}
        for load in self._loads:
            if load.work_type is None and found is not None:
                hours = load.waiting + float(np.dot(found[load.columns], load.hours))
                filled[load.team_id] = hours / load.people
        return filled

    def hurts(self) -> Iterator[Hurt]:
        """Where one more person would save most: they widen each band that is full by its part of an hour."""
        saved = []
        for load in self._loads:
            price = -float(self._duals[load.row])
            widths = [float(self._uppers[band]) / load.people for band in load.bands[:-1]]
            worth = sum(w * max(0.0, price - cost) for w, cost in zip(widths, load.costs, strict=False))
            if worth > MINUTES_WORTH * load.cost:
                saved.append(Hurt(load.team_id, load.work_type, worth / load.cost, worth))
        yield from sorted(saved, key=lambda hurt: (-hurt.worth, hurt.team_id, hurt.work_type or ""))
