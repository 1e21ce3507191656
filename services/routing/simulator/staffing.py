"""How many people a day needs, by half hour, skill and centre: Erlang C as a first guess, an integer programme for shifts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from math import ceil
from typing import Final, Literal

import highspy
import numpy as np

from services.routing.simulator import formulas
from services.routing.simulator.bank import (
    CLOSES,
    FOREVER,
    HOUR,
    OPENS,
    Post,
    Profile,
    Work,
    last_due,
    posts_of,
    quarters,
)
from services.routing.simulator.day import Stretches
from services.routing.simulator.profile_rules import people_for
from services.routing.solver import new_solver

Role = Literal["entry", "control"]

HALF_HOUR: Final = 1800.0
HALF_HOURS: Final = round((CLOSES - OPENS) / HALF_HOUR)
LUNCH: Final = 0.5 * HOUR
SPECIALIST_COST: Final = 1.1  # of a paid hour of somebody who also does the rare types


@dataclass(frozen=True, slots=True)
class Goal:
    """What the people are for. Units: `wait` in seconds, the other two are shares.

    Holds:   the first guess staffs each half hour so that `answered` of its items wait at most `wait`; the judge asks
             whether `on_time` of the cases are.
    """

    on_time: float = 0.98
    wait: float = 120.0
    answered: float = 0.8


@dataclass(frozen=True, slots=True)
class Need:
    """So many heads in one half hour, at one centre, for one role; `specialists` of them for the rare types."""

    half_hour: int
    team_id: str
    role: Role
    offered: float  # erlangs
    heads: int
    specialists: int


@dataclass(frozen=True, slots=True)
class Shift:
    """A pattern that people can be rostered on. Units: seconds of the day."""

    begins: float
    ends: float
    lunch: float | None = None

    @classmethod
    def of(cls, hours: Stretches) -> Shift:
        """The shift of somebody who is at the desk then."""
        lunch = hours[0][1] if len(hours) > 1 else None
        return cls(hours[0][0], min(hours[-1][1], CLOSES), lunch)

    @property
    def paid(self) -> float:
        """Hours paid."""
        return (self.ends - self.begins - (0.0 if self.lunch is None else LUNCH)) / HOUR

    def covers(self, half_hour: int) -> bool:
        """Whether somebody on it is at the desk for the whole half hour."""
        begin = OPENS + half_hour * HALF_HOUR
        at_lunch = self.lunch is not None and self.lunch < begin + HALF_HOUR and begin < self.lunch + LUNCH
        return self.begins <= begin and begin + HALF_HOUR <= self.ends and not at_lunch

    def hours(self) -> Stretches:
        """When somebody on it is at the desk; who closes sees the day out."""
        until = FOREVER if self.ends >= CLOSES else self.ends
        if self.lunch is None:
            return ((self.begins, until),)
        return ((self.begins, self.lunch), (self.lunch + LUNCH, until))


SHIFTS: Final = (
    *(
        Shift(begins * HOUR, (begins + 8.0) * HOUR, lunch * HOUR)
        for begins in (8.5, 9.0, 9.5)
        for lunch in (11.5, 12.0, 12.5, 13.0, 13.5)
    ),
    *(Shift(begins * HOUR, (begins + 4.0) * HOUR) for begins in (8.5, 9.0, 9.5, 13.0, 13.5)),
)


@dataclass(frozen=True, slots=True)
class Rostered:
    """So many people of one team on one shift; `specialists` of them also do the rare types."""

    team_id: str
    shift: Shift
    people: int
    specialists: int


def needs_of(profile: Profile, cases: int, goal: Goal, scale: float = 1.0) -> list[Need]:
    """The first guess, times `scale`: by half hour, team and role.

    Holds:   both centres share a role's work as their crews' sizes say; what the vendor keys is its own, as far as it may
             do it, its contract lets it, and in the hours in which it has people; work counts in the half hour in which
             its case comes; whatever the scale, as many are there as one case needs of different people, until the last
             that came is due.
    """
    found = []
    for role in ("entry", "control"):
        teams = sorted((crew for crew in profile.crews if crew.role == role), key=lambda crew: -crew.people)
        whole = sum(crew.people for crew in teams)
        for half_hour in range(HALF_HOURS):
            load, service = _offered(profile, cases, role, half_hour, rare=False)
            rare, rare_service = _offered(profile, cases, role, half_hour, rare=True)
            if role == "entry":
                load = max(load - min(_vendor_heads(profile, half_hour), _lent(profile, cases, half_hour)), rare)
            heads = scale * _heads(load, service, goal)
            specialists = scale * _heads(rare, rare_service, goal)
            parts = [crew.people / whole for crew in teams]
            rare_needs = _raised(
                [ceil(specialists * part) for part in parts], _least(profile, role, half_hour, rare=True)
            )
            needs = _raised(
                [max(ceil(heads * part), need) for part, need in zip(parts, rare_needs, strict=True)],
                _least(profile, role, half_hour, rare=False),
            )
            for crew, part, need, rare_need in zip(teams, parts, needs, rare_needs, strict=True):
                found.append(Need(half_hour, crew.team_id, _role(role), load * part, need, rare_need))
    return found


def _role(text: str) -> Role:
    return "entry" if text == "entry" else "control"


def _raised(heads: Sequence[int], least: int) -> list[int]:
    """At least so many in all: one more in each team in turn."""
    raised = list(heads)
    for number in range(least - sum(heads)):
        raised[number % len(raised)] += 1
    return raised


def _least(profile: Profile, role: str, half_hour: int, rare: bool) -> int:
    """How many different people one case may need of a role while it is open: nobody has two parts in it."""
    begin = OPENS + half_hour * HALF_HOUR
    vendor = _vendor_heads(profile, half_hour) >= 1
    return max(
        (
            people_for(work, role) - (role == "entry" and work.vendor and vendor)
            for work in profile.work
            if work.share > 0 and begin < last_due(work) and (work.specialist or not rare)
        ),
        default=0,
    )


def _heads(load: float, service: float, goal: Goal) -> int:
    return formulas.servers_for(load, service, goal.wait, goal.answered) if load > 0 else 0


def _vendor_heads(profile: Profile, half_hour: int) -> float:
    begin = OPENS + half_hour * HALF_HOUR
    vendor = [post for post in posts_of(profile) if post.role == "vendor"]
    return sum(max(min(end, begin + HALF_HOUR) - max(start, begin), 0.0) for p in vendor for start, end in p.shifts) / (
        HALF_HOUR
    )


def _offered(profile: Profile, cases: int, role: str, half_hour: int, rare: bool) -> tuple[float, float]:
    """Erlangs that come in one half hour, and the mean time of an item in seconds."""
    begin, items, seconds = OPENS + half_hour * HALF_HOUR, 0.0, 0.0
    for work in profile.work:
        if rare and not work.specialist:
            continue
        edges, weights = quarters(profile, work)
        coming = cases * work.share * float(weights[(edges >= begin) & (edges < begin + HALF_HOUR)].sum())
        for count, each in _tasks(work, role):
            items += coming * count
            seconds += coming * count * each
    return seconds / HALF_HOUR, seconds / items if items else 0.0


def _lent(profile: Profile, cases: int, half_hour: int) -> float:
    """Erlangs of keying that come in one half hour and that the vendor may do.

    Holds:   of its types the first keying of each, and of all items no more than its contract's maximum.
    """
    works = tuple(replace(work, entries=1) for work in profile.work if work.vendor)
    load, service = _offered(replace(profile, work=works), cases, "entry", half_hour, rare=False)
    if profile.vendor_maximum is None:
        return load
    every = (_offered(profile, cases, role, half_hour, rare=False) for role in ("entry", "control"))
    items = sum(erlangs / each for erlangs, each in every if each > 0)
    return min(load, profile.vendor_maximum * items * service)


def _tasks(work: Work, role: str) -> Iterator[tuple[float, float]]:
    if role == "entry":
        yield work.entries, work.entry
    else:
        yield work.reviews, work.review
        yield work.authorised, work.authorisation


def roster(needs: Sequence[Need]) -> list[Post]:
    """The cheapest shifts that meet every need.

    Holds:   whole people; specialists count for the rare types and for everything else.
    Errors:  `ArithmeticError` when the shifts on offer cannot meet a need.
    """
    posts: list[Post] = []
    for team_id in sorted({need.team_id for need in needs}):
        own = [need for need in needs if need.team_id == team_id]
        counts = _cheapest(own)
        for number, count in enumerate(counts):
            specialist, shift = number >= len(SHIFTS), SHIFTS[number % len(SHIFTS)]
            posts += [Post(team_id, own[0].role, specialist, shift.hours())] * count
    return posts


def _cheapest(needs: Sequence[Need]) -> list[int]:
    """How many on each shift: first those without, then those with the rare types."""
    solver = new_solver()
    columns = 2 * len(SHIFTS)
    for number in range(columns):
        cost = SHIFTS[number % len(SHIFTS)].paid * (SPECIALIST_COST if number >= len(SHIFTS) else 1.0)
        solver.addCol(cost, 0.0, highspy.kHighsInf, 0, np.array([], dtype=np.int32), np.array([]))
        solver.changeColIntegrality(number, highspy.HighsVarType.kInteger)
    for need in needs:
        covering = [number for number, shift in enumerate(SHIFTS) if shift.covers(need.half_hour)]
        rare = np.array([number + len(SHIFTS) for number in covering], dtype=np.int32)
        everybody = np.concatenate([np.array(covering, dtype=np.int32), rare])
        solver.addRow(need.heads, highspy.kHighsInf, len(everybody), everybody, np.ones(len(everybody)))
        solver.addRow(need.specialists, highspy.kHighsInf, len(rare), rare, np.ones(len(rare)))
    solver.run()
    if solver.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise ArithmeticError(f"Expected a roster for {needs[0].team_id}, found {solver.getModelStatus()}")
    return [round(value) for value in solver.getSolution().col_value]


def by_shift(posts: Sequence[Post]) -> list[Rostered]:
    """Who is on which shift: by team, who comes first and goes first before the others. Holds: nobody of a vendor's."""
    own = [(post.team_id, Shift.of(post.shifts), post.specialist) for post in posts if post.role != "vendor"]
    found = []
    for (team_id, shift), on_it in groupby(sorted(own, key=_in_order), key=lambda one: one[:2]):
        specialists = [specialist for _, _, specialist in on_it]
        found.append(Rostered(team_id, shift, len(specialists), sum(specialists)))
    return found


def _in_order(one: tuple[str, Shift, bool]) -> tuple[str, float, float, float]:
    team_id, shift, _ = one
    return team_id, shift.begins, shift.ends, shift.lunch or 0.0


def present(posts: Sequence[Post], team_id: str, half_hour: int, specialists: bool = False) -> int:
    """How many of a team are at the desk for the whole half hour."""
    begin = OPENS + half_hour * HALF_HOUR
    return sum(
        any(start <= begin and begin + HALF_HOUR <= end for start, end in post.shifts)
        for post in posts
        if post.team_id == team_id and (post.specialist or not specialists)
    )


def paid_hours(posts: Sequence[Post]) -> float:
    """Hours at the desk until closing."""
    return sum(post.paid_seconds for post in posts) / HOUR
