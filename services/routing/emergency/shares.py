"""What a reroute would make of contracts' shares and of what one site may carry. Pure.

What waits now is done where it waits or where it would move; what comes until the reroute ends is shared out as the plan
says, and what the reroute holds away from a team goes to the others by the plan's own proportions.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from services.routing.emergency.floor import FloorNow, holds
from services.routing.kinds import Kind
from services.routing.limits import ShareLimit, share_limits
from shared.contracts.reference import Team
from shared.contracts.reroute import LimitForecast, LimitKind, RerouteTerms
from shared.reroutes import MOVES_QUEUE, covers_work_type

WHOSE: Final[Mapping[LimitKind, str]] = {
    "provider_minimum": "provider",
    "provider_maximum": "provider",
    "centre_maximum": "centre",
}
SHARE_DIGITS: Final = 4  # of a share between 0 and 1; a percentage has two places less


@dataclass(frozen=True, slots=True)
class Flow:
    """Items of one kind that teams are to do until the reroute ends.

    Units:   `items` a count without the reroute, `left` with it; `without` and `with_it` the teams' parts of them, 0 to 1,
             together less than 1 where there is nobody for them.
    Holds:   `choice` are the teams among which a plan could share them with the reroute; none: they lie where they do.
    """

    items: float
    left: float
    without: Mapping[str, float]
    with_it: Mapping[str, float]
    choice: frozenset[str] = frozenset()


def limit_forecasts(terms: RerouteTerms, floor: FloorNow) -> Iterator[LimitForecast]:
    """Every limit of the reference data, without and with the reroute, in their order.

    Holds:   the coming hour's mix of work is taken to go on for as long as the reroute does, and a scope that narrows by
             region takes as much of it as its part of the branches.
    Errors:  never raises; where nothing waits and no plan is good, shares are unknown and nothing is broken.
    """
    limits = share_limits(floor.book.reference)
    flows = list(Sharing(terms, floor).flows()) if limits else []
    for limit in limits:
        mine = frozenset(team.id for team in floor.teams() if limit.counts(team))
        yield _forecast(limit, mine, flows)


def _forecast(limit: ShareLimit, mine: frozenset[str], flows: Sequence[Flow]) -> LimitForecast:
    without = _share((flow.items, _part(flow.without, mine)) for flow in flows)
    with_it = _share((flow.left, _part(flow.with_it, mine)) for flow in flows)
    extreme = _at_most if limit.kind == "provider_minimum" else _at_least
    best = _share((flow.left, extreme(flow, mine)) for flow in flows)
    found = LimitForecast(
        limit=limit.kind,
        name=limit.name,
        bound=limit.bound,
        share_without=without,
        share_with=with_it,
        broken_without=without is not None and limit.broken_by(without),
        broken=with_it is not None and limit.broken_by(with_it),
        avoidable=best is None or not limit.broken_by(best),
        words="",
    )
    return found.model_copy(update={"words": limit_words(found)})


def limit_words(found: LimitForecast) -> str:
    """One limit in a sentence: what is agreed, what the share is without and with the reroute, what can be done."""
    who = f"{WHOSE[found.limit]} {found.name}"
    digits = _digits(found)
    agreed = (
        f"at least {found.bound:.{digits}%} is promised"
        if found.limit == "provider_minimum"
        else f"at most {found.bound:.{digits}%}"
    )
    if found.share_with is None or found.share_without is None:
        return f"{who}: {agreed} of all work; nothing waits and no plan says what comes."
    shares = f"{found.share_with:.{digits}%} of all work, {found.share_without:.{digits}%} without it, {agreed}"
    if not found.broken:
        return f"{who} would have {shares}."
    already = " It is broken without it, too." if found.broken_without else ""
    way = (
        "The plan can still keep it by sharing work otherwise."
        if found.avoidable
        else "No sharing of the work can keep it."
    )
    return f"{who} would have {shares}: broken.{already} {way}"


def _digits(found: LimitForecast) -> int:
    """How many places after the point show that a share lies outside its bound: as few as do."""
    told = ((found.share_with, found.broken), (found.share_without, found.broken_without))
    outside = [share for share, broken in told if broken and share is not None]
    return next(
        (n for n in range(SHARE_DIGITS - 2) if all(f"{s:.{n}%}" != f"{found.bound:.{n}%}" for s in outside)),
        SHARE_DIGITS - 2,
    )


def _share(parts: Iterable[tuple[float, float]]) -> float | None:
    """What part of all items, given how many there are of each flow and what part of them."""
    told = list(parts)
    total = sum(items for items, _ in told)
    return round(sum(items * part for items, part in told) / total, SHARE_DIGITS) if total > 0 else None


def _at_least(flow: Flow, mine: frozenset[str]) -> float:
    """What part of the flow these teams do however a plan shares it out."""
    return float(flow.choice <= mine) if flow.choice else _part(flow.with_it, mine)


def _at_most(flow: Flow, mine: frozenset[str]) -> float:
    """What part of the flow a plan could give to these teams."""
    return float(bool(flow.choice & mine)) if flow.choice else _part(flow.with_it, mine)


def _part(shares: Mapping[str, float], mine: frozenset[str]) -> float:
    return sum(share for team_id, share in shares.items() if team_id in mine)


# ----------------------------------------------------------------- what is to be done, and by whom


@dataclass(frozen=True, slots=True)
class Work:
    """A kind of work, and how the plan shares out what comes of it."""

    kind: Kind
    per_hour: float = 0.0
    shares: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Sharing:
    """How the floor's work is shared out without and with the terms."""

    terms: RerouteTerms
    floor: FloorNow

    def flows(self) -> Iterator[Flow]:
        """What comes until the reroute ends, then what waits."""
        planned = list(self._planned())
        for work in planned:
            takers = self._takers(work)
            items = work.per_hour * self.terms.minutes / 60
            left = items * self._handed_in(work)
            yield Flow(items, left, work.shares, self._after(work, work.shares, takers), frozenset(takers))
        takers_of: dict[Kind, tuple[Work, Mapping[str, int]]] = {}  # alike wherever it lies
        for team in self.floor.teams():
            load = self.floor.load(team.id)
            for part in () if load is None else load.queued:
                for kind, share in self.floor.mix_at(team, part.work_type).items():
                    if kind not in takers_of:
                        work = Work(kind, shares=_usual(kind, planned))
                        takers_of[kind] = work, self._takers(work)
                    yield self._lying(team, part.queued * share, *takers_of[kind])

    def _planned(self) -> Iterator[Work]:
        for part in self.floor.planned():
            shares = {share.team_id: share.share for share in part.shares}
            yield Work(Kind.told(part), part.coming_per_hour, shares)

    def _handed_in(self, work: Work) -> float:
        """What part of it still comes: branches do themselves what a local order sends back."""
        local = self.terms.effect == "local" and covers_work_type(self.terms.scope, work.kind.work_type)
        return 1 - self._taken if local else 1.0

    def _lying(self, team: Team, items: float, work: Work, takers: Mapping[str, int]) -> Flow:
        here = {team.id: 1.0}
        if self.terms.effect not in MOVES_QUEUE or not self._held(team, work):
            return Flow(items, items, here, here)
        return Flow(items, items, here, self._after(work, here, takers), frozenset(takers))

    @property
    def _taken(self) -> float:
        return self.terms.percent / 100 * self.floor.region_share(self.terms.scope.regions)

    def _held(self, team: Team, work: Work) -> bool:
        return holds(self.terms, team, work.kind)

    def _takers(self, work: Work) -> Mapping[str, int]:
        """Who may be given some of it with the reroute: teams with people for it, by how many."""
        found = {}
        for team in self.floor.teams():
            shut = self._taken == 1 and self._held(team, work)
            people = 0 if shut else self.floor.able_for(team, work.kind)
            if people and self.floor.held_back(team, work.kind) < 1:
                found[team.id] = people
        return found

    def _after(self, work: Work, before: Mapping[str, float], takers: Mapping[str, int]) -> Mapping[str, float]:
        """The parts with the reroute: what it takes from a team goes to those that it does not touch, by the plan's own
        proportions, else by their people; with nobody left it goes nowhere."""
        held = {team.id for team in self.floor.teams() if self._held(team, work)}
        after = {one: share * (1 - self._taken) if one in held else share for one, share in before.items()}
        free = sum(before.values()) - sum(after.values())
        others: Mapping[str, float] = {one: work.shares.get(one, 0.0) for one in takers if one not in held}
        if not sum(others.values()):
            others = {one: people for one, people in takers.items() if one not in held}
        weight = sum(others.values())
        for one, part in others.items():
            after[one] = after.get(one, 0.0) + free * part / weight
        return after


def _usual(kind: Kind, planned: Sequence[Work]) -> Mapping[str, float]:
    """How what comes of a kind is shared, in items per hour; of one that the plan has not heard of, as its work type is."""
    alike = [work for work in planned if work.kind == kind]
    usual: dict[str, float] = {}
    for work in alike or (work for work in planned if work.kind.work_type == kind.work_type):
        for team_id, share in work.shares.items():
            usual[team_id] = usual.get(team_id, 0.0) + work.per_hour * share
    return usual
