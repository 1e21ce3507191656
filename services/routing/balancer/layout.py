"""The plan's columns and rows: shares in pieces, bands of saturation, bounds. Arrays for the solver; nothing is solved here.

Columns: the share of each kind of work and team that may do it, in pieces: cut where the last plan's share ends, so that
what moves is counted, and where the people of a scarce skill have a full hour, so that what is late is. For each team the
hours of its work by band of saturation; what each bound gives way by; what of a kind finds no place, and of a provider's
minimum no work.
Rows: the pieces of a kind sum to 1; the hours of teams, and of scarce skills that several kinds share; the bounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Final

import highspy
import numpy as np
from numpy.typing import NDArray

from services.routing.balancer.lateness import SKILL_FULL, Numbers, Vector, Work, stair_of_teams
from services.routing.balancer.loads import Loads, Pairs
from services.routing.balancer.terms import Bounds, Reason, Relaxed

INFINITE: Final = highspy.kHighsInf
DUST: Final = 1e-5  # shares and saturations that differ by less are the same
NAMED: Final = 2 * DUST  # a bound that is broken by more is named: more than shares that stay may be off
FULL_WITHIN: Final = 0.03  # of the fullest: teams that are expected to be as full as may be again

Columns = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Bound:
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


def bounds_of(bounds: Bounds, pairs: Pairs, items: float) -> list[Bound]:
    """The bounds on so many items in all, those that are promised first."""
    providers = np.array([team.provider_id for team in pairs.teams])[pairs.team]
    centres = np.array([team.centre_id for team in pairs.teams])[pairs.team]
    kinds: tuple[tuple[Reason, Mapping[str, float], NDArray[np.str_]], ...] = (
        ("provider_minimum", bounds.provider_minimum, providers),
        ("provider_maximum", bounds.provider_maximum, providers),
        ("centre_maximum", bounds.centre_maximum, centres),
    )
    return [
        Bound(reason, name, shares[name], places == name, pairs.items / items)
        for reason, shares, places in kinds
        for name in sorted(shares)
    ]


class Pieces:
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


class Rows:
    """The loads that are rows of the programme: all teams, and the scarce skills that several kinds share.

    Shape:   `band_…` one entry per band of a load but the first, which costs nothing and is the room that the row has.
    """

    def __init__(self, teams: Loads, skills: Loads, shared: Numbers) -> None:
        self.people: Final = np.concatenate([teams.people, skills.people[shared]])
        self.waiting: Final = np.concatenate([teams.waiting, skills.waiting[shared]])
        begins = teams.stair.begins, skills.stair.begins[shared]
        self._first: Final = np.concatenate([of[:, 1] for of in begins])
        bands = np.repeat([of.shape[1] - 1 for of in begins], [len(of) for of in begins])
        self.band_row: Final = np.repeat(np.arange(len(self.people)), bands)

    def __len__(self) -> int:
        return len(self.people)

    def room(self, cap: float, people: Vector) -> Vector:
        """The hours of new work that cost nothing when so many are there and nobody may be fuller than `cap`."""
        return np.asarray(np.minimum(self._first, cap) * people - self.waiting)


@dataclass(frozen=True, slots=True)
class Joined:
    """Who has joined a team. Shape: people more, an entry per load that is a row, and per sole pair."""

    rows: Vector
    sole: Vector


class Layout:
    """Where everything of one programme stands.

    Shape:   `piece`, `band`, `slack`, `unplaced` are numbers of columns, `…_row` of rows; `was` the last share of each
             pair. `sole` are the pairs that alone need a scarce skill, `sole_skill`: it bounds their pieces and needs no
             row.
    """

    def __init__(self, pairs: Pairs, bounds: Sequence[Bound], was: Vector, near: float) -> None:
        """`near` is by how many times the last shares' saturation the coming one may be exceeded at most."""
        self.pairs: Final = pairs
        self.bounds: Final = bounds
        self.was: Final = was
        self.teams: Final = pairs.whole_teams()
        self.skills: Final = pairs.scarce_skills()
        users = np.bincount(self.skills.of_pair + 1, minlength=len(self.skills) + 1)[1:]
        self.shared: Final = np.flatnonzero(users > 1)
        self.sole: Final = np.flatnonzero(np.append(users == 1, [False])[self.skills.of_pair])
        self.sole_skill: Final = self.skills.of_pair[self.sole]
        self.rows: Final = Rows(self.teams, self.skills, self.shared)
        self._joined_last: tuple[Joined, tuple[Loads, Loads]] | None = None
        self.pieces: Final = Pieces(self._full_hour(near), was)
        self.demand_row, self.load_row, self.bound_row = _following(len(pairs.demands), len(self.rows), len(bounds))
        promised = np.array([bound.reason == "provider_minimum" for bound in bounds], dtype=bool)
        self._unplaced_row: Final = np.concatenate([self.demand_row, self.bound_row[promised]])
        groups = len(self.pieces), len(self.rows.band_row), len(bounds), len(self._unplaced_row)
        self.piece, self.band, self.slack, self.unplaced = _following(*groups)
        self.count: Final = sum(groups)

    def limit(self, cap: float, joined: Vector | float = 0.0) -> Vector:
        """What each pair may have so that no skill that it alone needs is fuller than `cap`."""
        limit = np.full(len(self.pairs), INFINITE)
        people, waiting = self.skills.people[self.sole_skill] + joined, self.skills.waiting[self.sole_skill]
        limit[self.sole] = (cap * people - waiting) / self.pairs.hours[self.sole]
        return limit

    @property
    def nobody(self) -> Joined:
        """Nobody has joined."""
        return Joined(np.zeros(len(self.rows)), np.zeros(len(self.sole)))

    def joined(self, team: int, work_type: str | None) -> Joined:
        """One person more in a team, for one work type or for all that it does."""

        def more(loads: Loads) -> Vector:
            found = np.zeros(len(loads))
            mine = np.flatnonzero(loads.team == team).tolist()
            found[[one for one in mine if work_type is None or loads.work_type[one] in (None, work_type)]] = 1.0
            return found

        skills = more(self.skills)
        return Joined(np.concatenate([more(self.teams), skills[self.shared]]), skills[self.sole_skill])

    def fullest_waiting(self, joined: Joined) -> float:
        """How full the fullest is with what waits alone, when somebody has joined."""
        rows = self.rows.waiting / (self.rows.people + joined.rows)
        sole = self.skills.waiting[self.sole_skill] / (self.skills.people[self.sole_skill] + joined.sole)
        return float(max(rows.max(initial=0.0), sole.max(initial=0.0)))

    def part_before(self, joined: Joined) -> float:
        """What part the smallest load that somebody has joined was of what it is with them."""
        rows = self.rows.people / (self.rows.people + joined.rows)
        sole = self.skills.people[self.sole_skill]
        return float(min(rows.min(initial=1.0), (sole / (sole + joined.sole)).min(initial=1.0)))

    def uppers_with(self, joined: Joined, cap: float) -> Vector:
        """How much of each piece may be filled when nobody may be fuller than `cap`, with who has joined.

        Holds:   by what they do, more of a sole pair is done in the hour, and as much less is late. Where as much waits that
                 nothing of it is done in the hour, `eased` tells what they save: at least that.
        """
        pieces = self.pieces
        full, fuller = (np.clip(self.limit(SKILL_FULL, more), 0.0, 1.0) for more in (0.0, joined.sole))
        more = np.where(pieces.late[pieces.first], 0.0, fuller - full)[pieces.pair]
        limit = self.limit(cap, joined.sole)
        first = np.zeros(len(pieces), dtype=bool)
        first[pieces.first] = True
        uppers = np.clip(limit[pieces.pair] - pieces.begin - np.where(pieces.late, more, 0.0), 0.0, pieces.width)
        return np.asarray(uppers + np.where(first, more, 0.0))

    @property
    def sole_dearest(self) -> Vector:
        """What an hour costs that the people of a skill without a row do not do. Units: points."""
        return np.asarray(self.skills.stair.points[self.sole_skill, -1])

    @property
    def overdue(self) -> bool:
        """Some skill without a row has more waiting than its people do in the hour."""
        return bool((self.skills.waiting[self.sole_skill] >= self.skills.people[self.sole_skill]).any())

    def eased(self, joined: Joined, shares: Vector) -> float:
        """What those who have joined save where more waits for a skill than its people do in the hour. Units: points."""
        hours = self.skills.waiting[self.sole_skill] - self.skills.people[self.sole_skill]
        late = np.where(hours < 0.0, 0.0, hours + (self.pairs.hours * shares)[self.sole])
        return float((np.minimum(joined.sole, late) * self.sole_dearest).sum())

    def _full_hour(self, near: float) -> Vector:
        """Up to which share each pair's people do the work within the hour; all of it, when nobody will be so full."""
        may_stay = self.whole(self.was) and self.keeps_bounds(self.was, np.zeros(len(self.bounds)))
        if may_stay and self.fullest(self.was) * near < SKILL_FULL:
            return np.ones(len(self.pairs))
        return np.asarray(np.clip(self.limit(SKILL_FULL), 0.0, 1.0))

    # ----------------------------------------------------------------- the solver's

    def hand_to(self, solver: highspy.Highs) -> None:
        """Pass all columns and rows, column by column: the pieces, then those that stand in one row only."""
        row, factor = self._entries()
        real = row >= 0
        ends = np.concatenate([self.load_row[self.rows.band_row], self.bound_row, self._unplaced_row])
        gives = [bound.gives for bound in self.bounds]
        lower, upper = [bound.limits[0] for bound in self.bounds], [bound.limits[1] for bound in self.bounds]
        demands, loads = np.ones(len(self.demand_row)), np.full(len(self.load_row), INFINITE)
        nothing = np.zeros(self.count)
        start = np.r_[0, np.cumsum(np.r_[real.sum(axis=1), np.ones(len(ends), dtype=int)])]
        solver.passModel(
            self.count,
            len(demands) + len(loads) + len(gives),
            int(start[-1]),
            int(highspy.MatrixFormat.kColwise),
            int(highspy.ObjSense.kMinimize),
            0.0,
            nothing,
            nothing,
            self.uppers,
            np.r_[demands, -loads, lower],
            np.r_[demands, loads, upper],
            start.astype(np.int32),
            np.r_[row[real], ends].astype(np.int32),
            np.r_[factor[real], np.full(len(self.band), -1.0), gives, np.ones(len(self.unplaced))],
            np.zeros(self.count, dtype=np.int32),  # every column takes any number, not only whole ones
        )

    @property
    def uppers(self) -> Vector:
        """What each column may be at most before any aim: bands and bounds are closed."""
        closed = np.zeros(len(self.band) + len(self.slack))
        return np.concatenate([self.pieces.width, closed, np.ones(len(self.unplaced))])

    def _entries(self) -> tuple[Numbers, Vector]:
        """Rows and factors of each piece; row -1 where there is none."""
        pairs = self.pairs
        shared_row = np.full(len(self.skills) + 1, -1)  # the last one for pairs without a scarce skill
        shared_row[self.shared] = self.load_row[len(self.teams) :]
        entries = [
            (pairs.demand, np.ones(len(pairs))),
            (self.load_row[self.teams.of_pair], pairs.hours),
            (shared_row[self.skills.of_pair], pairs.hours),
        ]
        for bound, row in zip(self.bounds, self.bound_row, strict=True):
            entries.append((np.where(bound.covers, row, -1), bound.items))
        rows, factors = zip(*entries, strict=True)
        return np.column_stack(rows)[self.pieces.pair], np.column_stack(factors)[self.pieces.pair]

    def basis(self, rows: int) -> highspy.HighsBasis:
        """The last shares as the solver's beginning: what they filled stays full, what they broke is there to be mended.

        Holds:   as many columns as rows are basic, and they are independent: the pairs of a tree, the rows beside it.
        """
        status = highspy.HighsBasisStatus
        pairs, tight = self._tree()
        columns = [status.kLower] * self.count
        for piece in np.flatnonzero(~self.pieces.moved).tolist():
            columns[piece] = status.kUpper
        for piece in self.pieces.first[pairs].tolist():
            columns[piece] = status.kBasic
        of_rows = [status.kBasic] * rows
        for row in tight:
            of_rows[row] = status.kUpper
        basis = highspy.HighsBasis()
        basis.col_status, basis.row_status, basis.valid = columns, of_rows, True
        return basis

    def _tree(self) -> tuple[list[int], list[int]]:
        """Pairs that the last plan gave work to, and as many rows that this leaves no room: each pair can mend a row.

        Holds:   pairs tie kinds to teams, the largest first, without a ring. Teams with room are tied together from the
                 beginning; what is tied to none of them leaves one row out.
        """
        kinds = len(self.demand_row)
        filled = self.teams.filled(self.teams.hours(self.pairs, self.was))
        roomy = [False] * kinds + (filled < filled.max() * (1.0 - FULL_WITHIN)).tolist()
        ground = len(roomy)
        tied_to = [ground if room else row for row, room in enumerate(roomy)] + [ground]

        def end(row: int) -> int:
            while tied_to[row] != row:
                tied_to[row] = tied_to[tied_to[row]]
                row = tied_to[row]
            return row

        given = self.was * self.pairs.items
        largest = np.argsort(-given, kind="stable")[: np.count_nonzero(given)]
        pairs = []
        for pair, kind, team in np.column_stack(
            [largest, self.pairs.demand[largest], self.teams.of_pair[largest]]
        ).tolist():
            one, other = sorted((end(kind), end(kinds + team)))
            if one != other:
                tied_to[one] = other
                pairs.append(pair)
        return pairs, [row for row in range(ground) if tied_to[row] != row and not roomy[row]]

    def band_uppers(self, cap: float, joined: Joined) -> Vector:
        """The hours of the bands that cost, when somebody has joined and nobody may be fuller than `cap`."""
        teams, skills = (loads.stair for loads in self._loads(joined))
        below, upto = (
            np.concatenate([of_teams[:, 1:].ravel(), of_skills[self.shared, 1:].ravel()])
            for of_teams, of_skills in ((teams.begins, skills.begins), (teams.ends, skills.ends))
        )
        people = self.rows.people + joined.rows
        return np.asarray(np.maximum(np.minimum(upto, cap) - below, 0.0) * people[self.rows.band_row])

    def lateness(self, joined: Joined) -> tuple[Columns, Vector]:
        """The columns that are late, and what each costs, when somebody has joined. Units: points."""
        teams, _ = self._loads(joined)
        bands = [teams.stair.points[:, 1:].ravel(), self.skills.stair.points[self.shared, 1:].ravel()]
        late = np.flatnonzero(self.pieces.late)
        pair = self.pieces.pair[late]
        cost = self.pairs.hours[pair] * self.skills.stair.points[self.skills.of_pair[pair], -1]
        return np.concatenate([self.piece[late], self.band]), np.concatenate([cost, *bands])

    @cached_property
    def late_already(self) -> float:
        """The hour's lateness of what waits already beyond what the people of skills without a row do in the hour."""
        return float(self.skills.late(self.skills.waiting)[self.sole_skill].sum())

    # -------------------------------------------------------------------- any shares

    def fullest(self, shares: Vector) -> float:
        """How full the fullest team or scarce skill is with these shares."""
        loads = (self.teams, self.skills)
        return max(float(one.filled(one.hours(self.pairs, shares)).max(initial=0.0)) for one in loads)

    def teams_filled(self, shares: Vector) -> dict[str, float]:
        """How full each team that may do any of the work is with these shares."""
        filled = self.teams.filled(self.teams.hours(self.pairs, shares)).tolist()
        return {
            self.pairs.teams[team].team_id: full for team, full in zip(self.teams.team.tolist(), filled, strict=True)
        }

    def late(self, shares: Vector) -> float:
        """The lateness that these shares make in the hour. Units: points."""
        return sum(float(one.late(one.hours(self.pairs, shares)).sum()) for one in (self.teams, self.skills))

    def late_minutes(self, shares: Vector, joined: Joined) -> float:
        """The same whatever it costs, and without what waits and is in time; when somebody has joined. Units: item-minutes."""
        return sum(float(one.late_minutes(one.hours(self.pairs, shares)).sum()) for one in self._loads(joined))

    def _loads(self, joined: Joined) -> tuple[Loads, Loads]:
        """Teams and scarce skills when somebody has joined."""
        if not joined.rows.any():
            return self.teams, self.skills
        known = self._joined_last
        if known is None or known[0] is not joined:
            known = self._joined_last = joined, self._with(joined)
        return known[1]

    def _with(self, joined: Joined) -> tuple[Loads, Loads]:
        more, shared = np.split(joined.rows, [len(self.teams)])
        people, stair = self.teams.people + more, self.teams.stair
        for team in np.flatnonzero(more).tolist():
            stair = stair.but(team, stair_of_teams(self._work.of_load(team), people[[team]]))
        skilled = self.skills.people.copy()
        skilled[self.shared] += shared
        skilled[self.sole_skill] += joined.sole
        return replace(self.teams, people=people, stair=stair), replace(self.skills, people=skilled)

    @cached_property
    def _work(self) -> Work:
        """What may come to each team, and what waits there."""
        return self.pairs.work_of(self.teams.of_pair)

    def whole(self, shares: Vector) -> bool:
        """The shares of each kind sum to 1."""
        sums = np.bincount(self.pairs.demand, shares, len(self.pairs.demands))
        return bool(np.abs(sums - 1.0).max() <= DUST)

    def keeps_bounds(self, shares: Vector, gives: Vector, within: float = DUST) -> bool:
        """No bound is broken by more than it gives way by."""
        return all(
            bound.broken_by(shares) <= by + within for bound, by in zip(self.bounds, gives.tolist(), strict=True)
        )

    def broken(self, shares: Vector, in_order: Sequence[Reason]) -> list[Relaxed]:
        """The bounds that these shares break, and by how much."""
        bounds = sorted(self.bounds, key=lambda bound: (in_order.index(bound.reason), bound.name))
        found = [Relaxed(bound.reason, bound.name, bound.broken_by(shares)) for bound in bounds]
        return [one for one in found if one.by > NAMED]


def _following(*counts: int) -> tuple[Columns, ...]:
    """Numbers from 0 on, in groups of so many."""
    return tuple(np.split(np.arange(sum(counts), dtype=np.int32), np.cumsum(counts)[:-1]))
