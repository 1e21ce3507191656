"""The choice of a team: hard rules first, then the better of two drawn teams by expected finish."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from services.routing import eligibility
from services.routing.boards import LoadView
from services.routing.eligibility import PRECEDENCE, Rulebook
from services.routing.orders import StandingOrders
from shared.contracts.routing import Candidate, LoadSnapshot, UnplaceableReason
from shared.contracts.work import WorkOrder

CONSIDERED_MAX: Final = 12  # candidates that travel in a fact: the drawn, then the nearest to being chosen

DETAIL: Final[Mapping[UnplaceableReason, str]] = {
    "nobody_qualified": "Expected somebody qualified for {work_type} of grade {grade_min} or above, found nobody.",
    "vendor_barred": "Expected somebody of the bank's own for {work_type}, found only outside vendors.",
    "data_class_barred": "Expected a provider who may see {data_class} data, found nobody qualified there.",
    "all_excluded": "Expected somebody who has not touched the case and is not of its branch, found nobody.",
    "standing": "Expected somebody who is not suspended, found that everybody who could do {work_type} is.",
    "nobody_present": "Expected somebody at a desk who may do {work_type}, found that all of them are away.",
    "rerouted": "Expected a team for {work_type} that no reroute keeps work away from, found none.",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """What placement decided, and everything it looked at, bounded to `CONSIDERED_MAX`."""

    team_id: str | None
    reason: UnplaceableReason | None
    considered: tuple[Candidate, ...]
    seed: int


def detail_of(reason: UnplaceableReason, order: WorkOrder) -> str:
    """The reason as a sentence for whoever asks why the item waits."""
    return DETAIL[reason].format(work_type=order.work_type, grade_min=order.grade_min, data_class=order.data_class)


def seed_of(work_item_id: str, placing: int) -> int:
    """The draw's seed: follows from the item and its placing alone, so tonight's replay draws the same teams.

    Units:   below 2**53, so that every reader of JSON sees the same number.
    """
    digest = blake2b(f"{work_item_id}/{placing}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) >> 11


def draw_two(seed: int, count: int) -> tuple[int, ...]:
    """Two different positions below `count` (one, if there is only one), evenly by the seed."""
    if count <= 1:
        return tuple(range(count))
    first = seed % count
    second = (seed // count) % (count - 1)
    return first, second + (second >= first)


def choose(
    order: WorkOrder, placing: int, avoid: str | None, book: Rulebook, loads: LoadView, orders: StandingOrders
) -> Choice:
    """Choose a team for the item.

    Holds:   no team without a present member who may do the work, none that a reroute holds the work away from; `avoid`,
             the team that gave the item back last, is drawn only when there is no other; ties go to the team drawn
             first.
    Errors:  never raises; nobody anywhere gives a choice without a team, with the most telling reason.
    Source:  Mitzenmacher 2001, the power of two choices: load views are always stale, so never a global argmin.
    """
    seed = seed_of(order.work_item_id, placing)
    candidates: Sequence[Candidate] = [
        assess(order, team_id, book, loads.get(team_id)) for team_id in sorted(book.reference.teams)
    ]
    candidates = orders.without_held(candidates, order)
    open_to = [c for c in candidates if c.removed_by is None]
    if not open_to:
        reason = eligibility.most_telling(c.removed_by for c in candidates if c.removed_by is not None)
        return Choice(None, reason, _bounded(candidates), seed)
    field = [c for c in open_to if c.team_id != avoid] or open_to
    drawn = [field[position] for position in draw_two(seed, len(field))]
    best = min(drawn, key=_expected_wait)
    drawn_ids = {c.team_id for c in drawn}
    marked = [c.model_copy(update={"drawn": True}) if c.team_id in drawn_ids else c for c in candidates]
    return Choice(best.team_id, None, _bounded(marked), seed)


def assess(order: WorkOrder, team_id: str, book: Rulebook, load: LoadSnapshot | None) -> Candidate:
    """The terms of one team, or what removes it.

    Units:   expected wait in seconds: the desk's backlog of standard seconds, divided by its members who may do this.
    """
    present = () if load is None else load.present
    able = sum(1 for person in present if eligibility.hindrance(order, person, team_id, book) is None)
    backlog = 0.0 if load is None else sum(part.standard_seconds for part in load.queued)
    if able:
        return Candidate(
            team_id=team_id, eligible_present=able, backlog_seconds=backlog, expected_wait_seconds=backlog / able
        )
    reason = eligibility.team_hindrance(order, team_id, book) or "nobody_present"
    return Candidate(team_id=team_id, removed_by=reason, backlog_seconds=backlog)


def _expected_wait(candidate: Candidate) -> float:
    wait = candidate.expected_wait_seconds
    return float("inf") if wait is None else wait


def _bounded(candidates: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The drawn, then the open by expected wait, then the removed by how near they came. Ties: by team id."""
    return tuple(sorted(candidates, key=_nearness)[:CONSIDERED_MAX])


def _nearness(candidate: Candidate) -> tuple[bool, float, int, str]:
    removed = candidate.removed_by
    missed_by = 0 if removed is None else len(PRECEDENCE) - PRECEDENCE[removed]
    return not candidate.drawn, _expected_wait(candidate), missed_by, candidate.team_id
