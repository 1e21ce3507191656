"""The choice of a team: hard rules first, then the better of two teams drawn by the plan, by expected finish. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import blake2b
from math import log
from operator import attrgetter
from typing import Any, Final, NamedTuple

from services.routing import eligibility
from services.routing.boards import LoadView, PlanView
from services.routing.delay import slack_of
from services.routing.eligibility import PRECEDENCE, Rulebook, Sort, sort_of
from services.routing.kinds import Kind
from services.routing.orders import StandingOrders
from services.routing.placement.bounds import Groups, groups_of, groups_spared, kept_out
from services.routing.rows import row
from shared.contracts.routing import Candidate, LimitPlanned, LoadSnapshot, UnplaceableReason
from shared.contracts.telling import retold, teller
from shared.contracts.work import WorkOrder
from shared.reference.board import ReferenceView

CONSIDERED_MAX: Final = 12  # candidates that travel in a fact: the drawn, then the nearest to being chosen
REMOVED_TOLD: Final = 3  # of them, removed ones beside a chosen team: each costs every reader of the fact
EXPLORED: Final = 0.05  # added to every open team's share: a plan is never so sure that a team is not looked at at all
NEVER: Final = float("inf")

NOTHING_SENT: Final[Mapping[str, float]] = {}

Sent = Mapping[str, Mapping[str, float]]
"""By team and work type: the standard seconds that this process has sent there and the desk has not told of yet."""

DETAIL: Final[Mapping[UnplaceableReason, str]] = {
    "nobody_qualified": "Expected somebody qualified for {work_type} of grade {grade_min} or above, found nobody.",
    "vendor_barred": "Expected somebody of the bank's own for {work_type}, found only outside vendors.",
    "data_class_barred": "Expected a provider who may see {data_class} data, found nobody qualified there.",
    "all_excluded": "Expected somebody who has not touched the case and is not of its branch, found nobody.",
    "standing": "Expected somebody who is not suspended, found that everybody who could do {work_type} is.",
    "nobody_present": "Expected somebody at a desk who may do {work_type}, found that all of them are away.",
    "rerouted": "Expected a team for {work_type} that no reroute keeps work away from, found none.",
}


class Entrant(NamedTuple):
    """A team that may be drawn, with what is asked of it for every item, worked out once.

    Units:   `ease` divides the time that it takes to arrive: the greater, the sooner; `finish` in seconds.
    """

    team_id: str
    name: bytes
    ease: float
    finish: float
    waits: bool  # it has terms, so that it can be late
    by_wait: tuple[float, float, float, str]

    @classmethod
    def of(cls, candidate: Candidate) -> Entrant:
        ease = 1.0 if candidate.share is None else candidate.share + EXPLORED
        told = candidate.expected_wait_seconds is not None
        name = candidate.team_id.encode()
        return cls(candidate.team_id, name, ease, _finish(candidate), told, _by_wait(candidate))


@row
class Race:
    """Whom one order, or every order like it, may be drawn to. Holds: `first` of them would have it done first."""

    entrants: Sequence[Entrant]
    first: Entrant

    @classmethod
    def of(cls, candidates: Sequence[Candidate], avoid: str | None) -> Race | None:
        """The open teams that no limit keeps the item from, `avoid` only where there is no other; none: no team is open."""
        open_to = [c for c in candidates if c.removed_by is None and c.kept_out_by is None]
        others = [c for c in open_to if c.team_id != avoid] or open_to
        if not others:
            return None
        entrants = [Entrant.of(c) for c in others]
        return cls(entrants, min(entrants, key=_done_first))


@dataclass(slots=True)
class Field:
    """The teams that one order, or every order like it, may be drawn to.

    Holds:   every team with its terms, its share of the plan or what removes it; those in the race may be drawn;
             `planned` by the plan; `told` are those that travel in the fact, by the drawn.
    """

    candidates: Sequence[Candidate]
    race: Race | None
    planned: bool
    told: dict[frozenset[str], tuple[Candidate, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, candidates: Sequence[Candidate], avoid: str | None) -> Field:
        return cls(candidates, Race.of(candidates, avoid), any(c.share is not None for c in candidates))

    def told_of(self, drawn: frozenset[str]) -> tuple[Candidate, ...]:
        """The candidates that a fact tells when these were drawn."""
        known = self.told.get(drawn)
        if known is None:
            known = self.told[drawn] = _told(_marked(self.candidates, drawn))
        return known


@dataclass(slots=True)
class Ground:
    """The teams that one order, or every order like it, may be drawn to before limits keep each item from some of them.

    Holds:   `teams` are those that could be drawn; `fields` by what an item is kept from.
    """

    candidates: Sequence[Candidate]
    avoid: str | None
    teams: Sequence[str]
    groups: Groups
    fields: dict[frozenset[tuple[str, str]], Field] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        candidates: Sequence[Candidate],
        avoid: str | None,
        limits: Sequence[LimitPlanned],
        reference: ReferenceView,
        spared: Mapping[str, str],
    ) -> Ground:
        open_to = [c for c in candidates if c.removed_by is None]
        others = [c for c in open_to if c.team_id != avoid] or open_to
        shares = {c.team_id: c.share for c in others if c.share is not None}
        groups = groups_of(shares, limits, reference) if limits and shares else {}
        if any(c.team_id in spared for c in others):
            could = {c.team_id: c.eligible_present / (c.item_seconds or 1.0) for c in others}
            groups = {**groups, "reroute": groups_spared(spared, shares, could)}
        return cls(candidates, avoid, [c.team_id for c in others], groups)

    def field_of(self, work_item_id: str) -> Field:
        """The field of an item: without those that a limit keeps it from."""
        kept = kept_out(work_item_id, self.groups, self.teams) if self.groups else {}
        key = frozenset(kept.items())
        known = self.fields.get(key)
        if known is None:
            told = [retold(c, kept_out_by=kept[c.team_id]) if c.team_id in kept else c for c in self.candidates]
            known = self.fields[key] = Field.of(told, self.avoid)
        return known


@dataclass(slots=True)
class Found:
    """What one batch of decisions sees besides the boards, and what it has worked out from both.

    Holds:   boards do not move within a batch, so that what was found for one order holds for every order like it:
             `candidates` by sort of work and standard time, `grounds` by the team that gave the item back too, of orders
             with whose case nobody on the floor has anything to do. It is as if every order had been looked at alone.
    """

    sent: Sent
    candidates: dict[tuple[Sort, float], Sequence[Candidate]] = field(default_factory=dict)
    grounds: dict[tuple[Sort, float, str | None], Ground] = field(default_factory=dict)
    alike: dict[str, bool] = field(default_factory=dict)  # by work type: the reroutes in force tell no orders apart


class BatchSight:
    """What is kept for one batch of decisions: what they have found, and the floor as the last of them saw it.

    Why:     the sight knows what was found and not the batch, so that all of it goes with its last user: in a ring it would
             wait for the garbage collector, some hundred objects for each item of a simulated day.
    """

    __slots__ = ("found", "sight")

    def __init__(self, sent: Sent | None = None) -> None:
        self.found: Final = Found(sent or {})
        self.sight: Sight | None = None  # of the batch's instant

    @property
    def sent(self) -> Sent:
        return self.found.sent


@row
class Sight:
    """What placement sees of the floor for one decision. Holds: nothing in it may be newer than the others need."""

    book: Rulebook
    loads: LoadView
    orders: StandingOrders
    now: datetime
    plan: PlanView = field(default_factory=PlanView)
    seen: Found = field(default_factory=lambda: Found({}))

    @classmethod
    def of(cls, boards: Mapping[str, Any], now: datetime, seen: BatchSight | None) -> Sight:
        """The floor as the boards show it, looked at once a batch; with nothing `seen` nothing is known to be under way."""
        seen = seen or BatchSight()
        if seen.sight is None or seen.sight.now is not now:
            orders = StandingOrders.of(boards, now)
            seen.sight = cls(Rulebook.of(boards), boards["load"], orders, now, boards["plan"], seen.found)
        return seen.sight

    def field_of(self, order: WorkOrder, avoid: str | None) -> Field:
        """The teams that the order may be drawn to, with the plan's shares."""
        alike = self._alike(order.work_type) and not eligibility.excludes_somebody(order, self.book)
        key = sort_of(order), order.standard_seconds, avoid
        known = self.seen.grounds.get(key) if alike else None
        if known is None:
            candidates = self.orders.without_held(self.candidates(order), order)
            plan = self.plan.in_force(self.now)
            shared = _with_shares(candidates, avoid, plan.shares.get(Kind.of(order)))
            limits = () if plan.plan is None else plan.plan.limits
            known = Ground.of(shared, avoid, limits, self.book.reference, self._spared(order, shared))
            if alike:
                self.seen.grounds[key] = known
        return known.field_of(order.work_item_id)

    def _spared(self, order: WorkOrder, candidates: Sequence[Candidate]) -> Mapping[str, str]:
        """Of the open teams those that a reroute holds a part of such work away from, with the order's id."""
        if not self.orders:
            return {}
        found = {c.team_id: self.orders.sparing(order, c.team_id) for c in candidates if c.removed_by is None}
        return {team_id: held_by.reroute_id for team_id, held_by in found.items() if held_by is not None}

    def _alike(self, work_type: str) -> bool:
        known = self.seen.alike.get(work_type)
        if known is None:
            known = self.seen.alike[work_type] = self.orders.alike(work_type)
        return known

    def candidates(self, order: WorkOrder) -> Sequence[Candidate]:
        """Every team with its terms, or what removes it, by team id; reroutes are not asked."""
        key = sort_of(order), order.standard_seconds
        alike = not eligibility.excludes_somebody(order, self.book)
        known = self.seen.candidates.get(key) if alike else None
        if known is None:
            sort = sort_of(order)
            known = [assess(order, team_id, self, sort) for team_id in self._team_ids()]
            if alike:
                self.seen.candidates[key] = known
        return known

    def _team_ids(self) -> Sequence[str]:
        """Every team, in the order in which candidates stand."""
        kept = self.book.reference.derived
        known: Sequence[str] | None = kept.get((__name__, "teams"))
        if known is None:
            known = kept[__name__, "teams"] = sorted(self.book.reference.teams)
        return known

    def filled(self, team_id: str) -> Filled:
        """How full the team is; worked out once for each load that it tells and whenever more was sent there."""
        load, sent = self.loads.get(team_id), self.seen.sent.get(team_id, NOTHING_SENT)
        kept, key = self.book.reference.derived, (__name__, team_id)
        known: Filled | None = kept.get(key)
        if known is None or known.load is not load or known.sent is not sent:
            known = kept[key] = Filled.of(load, sent, self.book.reference)
        return known


@row
class Filled:
    """How full one team is by its load, and by what was sent there since, work of every type at its standard time.

    Units:   seconds of work at the pace of the team's people, rounded as the fact tells them; `paced` what was sent.
    """

    load: LoadSnapshot | None
    sent: Mapping[str, float]
    waiting: Mapping[str, float]
    paced: Mapping[str, float]
    backlog_seconds: float
    sent_since_seconds: float

    @classmethod
    def of(cls, load: LoadSnapshot | None, sent: Mapping[str, float], reference: ReferenceView) -> Filled:
        waiting = NOTHING_SENT if load is None else load.seconds_by_work_type
        paced = sent
        if load is not None and sent:
            learned = load.learned_by_work_type
            paced = {name: _paced(name, sent[name], reference.standard_seconds(name), learned) for name in sent}
        backlog, under_way = round(sum(waiting.values(), 0.0), 1), round(sum(paced.values(), 0.0), 1)
        return cls(load, sent, waiting, paced, backlog, under_way)

    def for_order(self, order: WorkOrder, reference: ReferenceView) -> Filled:
        """As an order sees it: what was sent of its own type is taken to be of its own standard time."""
        work_type, standard = order.work_type, order.standard_seconds
        if self.load is None or work_type not in self.sent or reference.standard_seconds(work_type) == standard:
            return self
        own = _paced(work_type, self.sent[work_type], standard, self.load.learned_by_work_type)
        paced = {**self.paced, work_type: own}
        under_way = round(sum(paced.values(), 0.0), 1)
        return Filled(self.load, self.sent, self.waiting, paced, self.backlog_seconds, under_way)


def _paced(work_type: str, seconds: float, standard: float | None, learned: Mapping[str, float]) -> float:
    """So many standard seconds as the team's people take; of types that the desk does not tell of, at the standard."""
    return seconds * learned.get(work_type, standard) / standard if standard else seconds


@row
class Choice:
    """What placement decided, and everything it looked at, bounded to `CONSIDERED_MAX`.

    Units:   `late_seconds` is by how much the item will be late even there; 0 when it can be in time.
    """

    team_id: str | None
    reason: UnplaceableReason | None
    considered: tuple[Candidate, ...]
    seed: int
    late_seconds: float = 0.0
    plan_made_at: datetime | None = None


def detail_of(reason: UnplaceableReason, order: WorkOrder, barred: Sequence[str] = ()) -> str:
    """The reason in words for whoever asks why the item waits; `barred` are those who have another role on its case."""
    told = DETAIL[reason].format(work_type=order.work_type, grade_min=order.grade_min, data_class=order.data_class)
    return f"{told} Not counted: {len(barred)} with another role on the case." if barred else told


def seed_of(work_item_id: str, placing: int) -> int:
    """The draw's seed: follows from the item and its placing alone, so tonight's replay draws the same teams.

    Units:   below 2**53, so that every reader of JSON sees the same number.
    """
    digest = blake2b(f"{work_item_id}/{placing}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 11


def choose(order: WorkOrder, placing: int, avoid: str | None, sight: Sight) -> Choice:
    """Choose a team for the item.

    Holds:   no team without a present member who may do the work, none that a reroute holds the work away from; a plan
             that is stale, missing or silent about the work changes how teams are drawn, never who is eligible.
    Errors:  never raises; nobody anywhere gives a choice without a team, with the most telling reason.
    """
    seed = seed_of(order.work_item_id, placing)
    seen = sight.field_of(order, avoid)
    if seen.race is None:
        reason = eligibility.most_telling(c.removed_by for c in seen.candidates if c.removed_by is not None)
        return Choice(None, reason, _bounded(seen.candidates), seed)
    best, drawn, late_seconds = draw(seen.race, seed, finish_within(order, sight.now))
    made_at = sight.plan.plan.made_at if seen.planned and sight.plan.plan is not None else None
    return Choice(best, None, seen.told_of(drawn), seed, late_seconds, made_at)


@dataclass(frozen=True, slots=True)
class Picked:
    """A team of several, the candidates with the drawn ones marked."""

    team_id: str
    candidates: Sequence[Candidate]
    late_seconds: float


def finish_within(order: WorkOrder, now: datetime) -> float:
    """How long until the item must be done to be in time, by whomever; later steps at their standard pace. Units: seconds."""
    return slack_of(order, now) + order.standard_seconds


def pick(candidates: Sequence[Candidate], seed: int, avoid: str | None, within_seconds: float) -> Picked:
    """As `draw`, with the drawn marked among the candidates. Errors: `ValueError` when no team is open."""
    race = Race.of(candidates, avoid)
    if race is None:
        raise ValueError("Expected an open team among the candidates, found none")
    best, drawn, late_seconds = draw(race, seed, within_seconds)
    return Picked(best, _marked(candidates, drawn), late_seconds)


def draw(race: Race, seed: int, within_seconds: float) -> tuple[str, frozenset[str], float]:
    """Of the two drawn and in time the one with less work for each person; when neither can be, of all the first done.

    Shape:   its id, the ids of the drawn, and by how many seconds the item will be late even there.
    Holds:   follows from its arguments alone, and gives the same when candidates are left out that were neither drawn
             nor the best: so a decision can be run again from what a fact tells. `avoid`, the team that gave the item
             back last, is drawn only when there is no other. Ties: the larger share, then the first done, then by team id.
    Why:     who is in time anywhere waits where people are least behind, so that the quickest team is not crowded.
    Source:  Mitzenmacher 2001, the power of two choices: load views are always stale, so never a global argmin; but
             what will be late everywhere goes where it will be least late.
    """
    drawn = draw_two(race.entrants, seed)
    in_time = [entrant for entrant in drawn if entrant.finish <= within_seconds]
    best = min(in_time, key=_WAIT) if in_time else race.first
    late = round(max(0.0, best.finish - within_seconds), 1) if best.waits else 0.0
    return best.team_id, frozenset([entrant.team_id for entrant in drawn]), late


_WAIT: Final = attrgetter("by_wait")


def _marked(candidates: Sequence[Candidate], drawn: frozenset[str]) -> Sequence[Candidate]:
    return [retold(c, drawn=True) if c.team_id in drawn else c for c in candidates]


def draw_two(entrants: Sequence[Entrant], seed: int) -> list[Entrant]:
    """Two different teams, drawn by the plan's shares, without a plan evenly; one, if there is only one.

    Holds:   the draw is a race in which a team with twice the share arrives first twice as often, so that leaving out
             who did not arrive first or second changes nothing.
    Source:  exponential races (Efraimidis and Spirakis 2006).
    """
    start = b"%d/" % seed
    arrivals = sorted([(_arrival(start + one.name) / one.ease, one.team_id, one) for one in entrants])
    return [one for _, _, one in arrivals[:2]]


def _arrival(runner: bytes) -> float:
    """When somebody with a share of 1 arrives."""
    even = (int.from_bytes(blake2b(runner, digest_size=8).digest()) + 0.5) / 2**64
    return -log(even)


def _with_shares(
    candidates: Sequence[Candidate], avoid: str | None, shares: Mapping[str, float] | None
) -> Sequence[Candidate]:
    """The plan's shares beside the candidates, unless it gives none to any team that could be drawn."""
    open_to = [c.team_id for c in candidates if c.removed_by is None]
    others = [team_id for team_id in open_to if team_id != avoid] or open_to
    if not shares or not any(shares.get(team_id) for team_id in others):
        return candidates
    return [c if c.removed_by is not None else retold(c, share=shares.get(c.team_id, 0.0)) for c in candidates]


candidate: Final = teller(Candidate)


def assess(order: WorkOrder, team_id: str, sight: Sight, sort: Sort) -> Candidate:
    """The terms of one team, or what removes it. Units: seconds of work at the pace of the team's people.

    Holds:   `sort` is that of the order.
    """
    filled = sight.filled(team_id).for_order(order, sight.book.reference)
    load = filled.load
    able = 0 if load is None else eligibility.able(order, load.present, team_id, sight.book, sort)
    if load is None or not able:
        return candidate(
            team_id=team_id,
            removed_by=eligibility.team_hindrance(order, team_id, sight.book) or "nobody_present",
            backlog_seconds=filled.backlog_seconds,
            sent_since_seconds=filled.sent_since_seconds,
            load_version=None if load is None else load.version,
        )
    work_type, present, standard = order.work_type, len(load.present), order.standard_seconds
    queued = filled.backlog_seconds + filled.sent_since_seconds
    own = round(filled.waiting.get(work_type, 0.0) + filled.paced.get(work_type, 0.0), 1)
    return candidate(
        team_id=team_id,
        eligible_present=able,
        own_seconds=own,
        present=present,
        in_hand=load.in_hand,
        item_seconds=round(load.learned_by_work_type.get(work_type, standard), 1),
        expected_wait_seconds=wait_for(queued, own, load.in_hand, standard, present, able),
        backlog_seconds=filled.backlog_seconds,
        sent_since_seconds=filled.sent_since_seconds,
        load_version=load.version,
    )


def wait_for(queued: float, own: float, in_hand: int, standard_seconds: float, present: int, able: int) -> float:
    """How long an item would wait for somebody at a desk. Units: seconds of work at the pace of the team's people.

    Holds:   what the desk has, half of what is in hand and what was sent to it since, over its people: all of it over
             all who are there, or the item's own type over those who may do it, whichever takes longer. Follows from
             what the fact tells of a candidate, rounded as there, so that it can be made again.
    Why:     what is in hand counts at the standard pace, so that of two desks without a queue the one with more free
             people gets the item; at the learned pace the quickest desk is kept full while others have people free.
    """
    return round(max((queued + in_hand * standard_seconds / 2) / present, own / able), 1)


def _finish(candidate: Candidate) -> float:
    """How long until the item would be done there. Units: seconds."""
    wait = candidate.expected_wait_seconds
    return NEVER if wait is None else wait + (candidate.item_seconds or 0.0)


def _by_wait(candidate: Candidate) -> tuple[float, float, float, str]:
    wait = candidate.expected_wait_seconds
    return NEVER if wait is None else wait, -(candidate.share or 0.0), _finish(candidate), candidate.team_id


def _by_finish(candidate: Candidate) -> tuple[float, float, str]:
    return _finish(candidate), -(candidate.share or 0.0), candidate.team_id


def _done_first(entrant: Entrant) -> tuple[float, float, str]:
    """As `_by_finish`."""
    _, less_share, finish, team_id = entrant.by_wait
    return finish, less_share, team_id


def _bounded(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The drawn, then the open by expected finish, then the removed by how near they came. Ties: as in the choice, so that
    the best of all is among them."""
    return tuple(sorted(candidates, key=_nearness)[:CONSIDERED_MAX])


def _told(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The same beside a chosen team: what could have been chosen, and a few of the removed."""
    nearest = sorted(candidates, key=_nearness)
    removed = [candidate for candidate in nearest if candidate.removed_by is not None]
    untold = {candidate.team_id for candidate in removed[REMOVED_TOLD:]}
    return tuple([candidate for candidate in nearest if candidate.team_id not in untold][:CONSIDERED_MAX])


def _nearness(candidate: Candidate) -> tuple[bool, bool, float, float, int, str]:
    removed, (finish, share, team_id) = candidate.removed_by, _by_finish(candidate)
    missed_by = 0 if removed is None else len(PRECEDENCE) - PRECEDENCE[removed]
    return not candidate.drawn, candidate.kept_out_by is not None, finish, share, missed_by, team_id
