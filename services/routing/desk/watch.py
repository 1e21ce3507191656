"""What the desk does unasked: leases run out, boards change, the load is told, items nobody is there for leave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from itertools import chain, islice
from typing import Any, Final, NamedTuple

from services.routing import eligibility
from services.routing.desk.choice import SCAN_MAX
from services.routing.desk.dealing import Dealing
from services.routing.desk.expected import expected_capacity, expected_people, quarter_of
from services.routing.desk.obey import obedience
from services.routing.desk.state import DeskItem, Queue, TeamDesk, instant, microseconds
from services.routing.eligibility import Rulebook
from shared.contracts.reference import Operator
from shared.contracts.routing import (
    AssignmentExpired,
    AssignmentRevoked,
    CapacityByWorkType,
    DeskTally,
    LoadSnapshot,
    OperatorAway,
    UnplaceableReason,
    WorkReleased,
)
from shared.contracts.telling import teller
from shared.runtime.processor import Alarm, Facts, Situation, TimerFired

TOLD_AT_LEAST: Final = 10  # every so many intervals, though nothing changed, while somebody is there or something waits
LOOKED_AT_MAX: Final = 32  # items per work type that a look finds well placed before it stops
LOOKS_ROUND: Final = 8  # looks in which every work type that waits has been looked through
RELEASED_MAX: Final = 500  # items given back in one decision; the next look goes on
BOARDS_CHANGE: Final = Alarm(None, frozenset({"reference", "standing", "reroutes"}))


def expire(desk: TeamDesk, fired: TimerFired, situation: Situation) -> Facts:
    """Leases that ran out: the operator counts as away, the item goes to somebody else."""
    dealing = Dealing.of(desk, situation)
    due = [operator_id for _, operator_id in _run_out(desk, situation.now)]
    for operator_id in due:
        item = desk.items[desk.operators[operator_id].work_item_id or ""]
        dealing.facts.append(
            AssignmentExpired(
                work_item_id=item.work_item_id,
                case_id=item.order.case_id,
                at=situation.now,
                team_id=desk.team_id,
                operator_id=operator_id,
                attempt=item.attempt,
            )
        )
        dealing.facts.append(OperatorAway(team_id=desk.team_id, at=situation.now, operator_id=operator_id))
        dealing.deal_out(item)
    return dealing.facts


def _run_out(desk: TeamDesk, now: datetime) -> Iterator[tuple[int, str]]:
    limit = microseconds(now)
    for until, operator_id in desk.leases:
        if until > limit:
            return
        yield until, operator_id


def boards_changed(desk: TeamDesk, fired: TimerFired, situation: Situation) -> Facts:
    """Who may do what has changed: take back what may no longer be done, let go what nobody may do, deal anew."""
    dealing = Dealing.of(desk, situation)
    for operator_id in desk.signed_on():
        _check_presence(dealing, operator_id)
    heed(dealing)
    _release(dealing, sorted(desk.queues), SCAN_MAX)
    dealing.deal_to_all_ready()
    return dealing.facts


def _check_presence(dealing: Dealing, operator_id: str) -> None:
    desk = dealing.desk
    held = desk.operators[operator_id].work_item_id
    stranger = dealing.book.member(desk.team_id, operator_id) is None
    if stranger:
        dealing.busy.add(operator_id)
    if held is not None and dealing.hindrance(desk.items[held].order, operator_id) is not None:
        revoke(dealing, desk.items[held], deal_next=not stranger)
    if stranger:
        dealing.facts.append(OperatorAway(team_id=desk.team_id, at=dealing.situation.now, operator_id=operator_id))


def revoke(dealing: Dealing, item: DeskItem, deal_next: bool = True) -> None:
    """Take the item back from an operator who may no longer do it, and deal both anew."""
    operator_id = item.operator_id
    if operator_id is None:
        return
    reason: UnplaceableReason = dealing.hindrance(item.order, operator_id) or "standing"
    dealing.facts.append(
        AssignmentRevoked(
            work_item_id=item.work_item_id,
            case_id=item.order.case_id,
            at=dealing.situation.now,
            team_id=dealing.desk.team_id,
            operator_id=operator_id,
            attempt=item.attempt,
            reason=reason,
        )
    )
    dealing.deal_out(item)
    if deal_next:
        dealing.deal_to(operator_id)


def look(desk: TeamDesk, fired: TimerFired, situation: Situation) -> Facts:
    """Tell the load, let go what nobody is there for, and look again for everybody who is ready.

    Holds:   the load comes first: what the look itself changes is told by the next one, a second later.
    """
    due = _tell_at(desk)
    if due is None or due > situation.now:
        return ()
    dealing = Dealing.of(desk, situation)
    dealing.facts.append(load_of(desk, dealing.book, situation.now))
    heed(dealing)
    dealing.deal_to_all_ready()
    _release(dealing, _in_turn(desk), LOOKED_AT_MAX)
    return dealing.facts


def heed(dealing: Dealing) -> None:
    """Do what the reroutes in force ask of the queue."""
    situation = dealing.situation
    dealing.facts += obedience(dealing.desk, situation.boards, situation.now, dealing.given)


def go_on(desk: TeamDesk, fired: TimerFired, situation: Situation) -> Facts:
    """The next chunk of what a reroute moves."""
    dealing = Dealing.of(desk, situation)
    heed(dealing)
    return dealing.facts


def _release(dealing: Dealing, work_types: Iterable[str], keepers_max: int) -> None:
    """Give items back to placement, from the head of each queue until `keepers_max` of it are found well placed."""
    queues = dealing.desk.queues
    found = chain.from_iterable(_unserved(dealing, queues[work_type], keepers_max) for work_type in work_types)
    for item, reason in islice(found, RELEASED_MAX):
        dealing.given.add(item.work_item_id)
        dealing.facts.append(_given_up(dealing, item, reason))


def _in_turn(desk: TeamDesk) -> Sequence[str]:
    """The work types that this look goes through: all when nothing has changed since the last, which is long ago; else
    each comes within `LOOKS_ROUND`."""
    if desk.pulse.changed_at is None:
        return sorted(desk.queues)
    turn = desk.pulse.version % LOOKS_ROUND
    return sorted(work_type for work_type in desk.queues if _turn_of(work_type) == turn)


@lru_cache(maxsize=4096)
def _turn_of(work_type: str) -> int:
    return blake2b(work_type.encode(), digest_size=1).digest()[0] % LOOKS_ROUND


def _unserved(dealing: Dealing, queue: Queue, keepers_max: int) -> Iterator[tuple[DeskItem, UnplaceableReason]]:
    keepers = 0
    grace = timedelta(seconds=dealing.book.reference.limits.nobody_present_seconds)
    for turn in queue.turns:
        if keepers >= keepers_max:
            return
        item = dealing.desk.items[turn[2]]
        reason = None if item.work_item_id in dealing.given else dealing.reason_to_release(item, grace)
        if reason is None:
            keepers += 1
        else:
            yield item, reason


def _given_up(dealing: Dealing, item: DeskItem, reason: UnplaceableReason) -> WorkReleased:
    return WorkReleased(
        work_item_id=item.work_item_id,
        case_id=item.order.case_id,
        at=dealing.situation.now,
        team_id=dealing.desk.team_id,
        placing=item.placing,
        attempt=item.attempt,
        declined_by=item.declined_by,
        reason=reason,
        draft=item.draft,
        barred=dealing.with_another_role(item) if reason == "all_excluded" else (),
    )


load_snapshot: Final = teller(LoadSnapshot)
capacity_by_work_type: Final = teller(CapacityByWorkType)
desk_tally: Final = teller(DeskTally)


def load_of(desk: TeamDesk, book: Rulebook, now: datetime) -> LoadSnapshot:
    """How full the desk is, who is there, how fast they are, and how soon a change of it will be told."""
    able, paces, tally = able_by_work_type(desk, book), desk.paces, desk.tally
    expected = tuple(expected_capacity(desk, book, now))
    return load_snapshot(
        team_id=desk.team_id,
        at=now,
        version=desk.pulse.version + 1,
        interval_seconds=book.reference.limits.load_seconds,
        queued=tuple(
            [queue.load(work_type, able.get(work_type, ()), paces) for work_type, queue in sorted(desk.queues.items())]
        ),
        in_hand=desk.in_hand(),
        present=desk.there,
        capacity=_capacity(desk, book, able),
        tally=desk_tally(
            accepted=tally.accepted,
            expired=tally.expired,
            completed=tally.completed,
            late=tally.late,
            declined=tally.declined,
        ),
        expected_from=quarter_of(now) if expected else None,
        expected=expected,
        expected_people_by_hour=tuple(expected_people(desk, book, now)) if expected else (),
    )


class _Able(NamedTuple):
    """Who was able when these were present, of whom those were allowed to work."""

    present: Sequence[str]
    fit: Mapping[str, Operator]
    by_work_type: Mapping[str, Sequence[str]]


def able_by_work_type(desk: TeamDesk, book: Rulebook) -> Mapping[str, Sequence[str]]:
    """Who is present, busy or not, holds the work type and is allowed to work; by work type, in their order.

    Holds:   the same object until somebody comes or goes, or is allowed something else.
    """
    fit, key = eligibility.unsuspended(desk.team_id, book), ("able", desk.team_id)
    found: _Able | None = book.reference.derived.get(key)
    if found is not None and found.present is desk.there and found.fit is fit:
        return found.by_work_type
    able: dict[str, list[str]] = {}
    for operator_id in desk.there:
        if operator_id in fit:
            for work_type in fit[operator_id].work_types:
                able.setdefault(work_type, []).append(operator_id)
    by_work_type: Mapping[str, Sequence[str]] = {name: tuple(able[name]) for name in sorted(able)}
    book.reference.derived[key] = _Able(desk.there, fit, by_work_type)
    return by_work_type


class _Told(NamedTuple):
    """What was told of the capacity of these people, after how much was learned, of each work type too."""

    able: Mapping[str, Sequence[str]]
    learned: int
    capacity: tuple[CapacityByWorkType, ...]
    by_work_type: dict[str, tuple[int, CapacityByWorkType]]


def _capacity(desk: TeamDesk, book: Rulebook, able: Mapping[str, Sequence[str]]) -> tuple[CapacityByWorkType, ...]:
    """Who is there for each work type, and how fast; as it was told last where nobody came and nothing was learned."""
    key, learned = (__name__, desk.team_id), desk.paces.version
    told: _Told | None = book.reference.derived.get(key)
    if told is None or told.able is not able:
        told = _Told(able, -1, (), {})
    if told.learned != learned:
        capacity = tuple(_capacities(desk, book, able, told.by_work_type))
        settled = len(told.by_work_type) == len(able)  # else some of it changes with the queue
        told = _Told(able, learned if settled else -1, capacity, told.by_work_type)
        book.reference.derived[key] = told
    return told.capacity


def _capacities(
    desk: TeamDesk,
    book: Rulebook,
    able: Mapping[str, Sequence[str]],
    told: dict[str, tuple[int, CapacityByWorkType]],
) -> Iterator[CapacityByWorkType]:
    for work_type, people in able.items():
        learned_at, known = desk.paces.learned_at.get(work_type, 0), told.get(work_type)
        if known is not None and known[0] == learned_at:
            yield known[1]
            continue
        standard = _standard_seconds(desk, book, work_type)
        if standard is not None:
            seconds = round(standard * desk.paces.mean(people, work_type), 1)
            capacity = capacity_by_work_type(work_type=work_type, present=len(people), learned_seconds=seconds)
            if standard == book.reference.standard_seconds(work_type):
                told[work_type] = learned_at, capacity
            yield capacity


def _standard_seconds(desk: TeamDesk, book: Rulebook, work_type: str) -> float | None:
    """The work type's standard time: of its template, else of what waits here; of work never heard of there is none."""
    standard = book.reference.standard_seconds(work_type)
    queue = desk.queues.get(work_type)
    if standard is None and queue is not None:
        return queue.standard_ms / 1000 / len(queue)
    return standard


ALARM_RULES: Final[Mapping[str, Callable[[TeamDesk, Any, Situation], Facts]]] = {
    "lease": expire,
    "boards": boards_changed,
    "load": look,
    "reroutes": go_on,
}


def alarms(desk: TeamDesk) -> Mapping[str, Alarm]:
    """The next lease to run out, the next load to tell, and the boards while anything depends on them."""
    wanted = {name: Alarm(due, patient=name == "reroutes") for name, due in dues(desk).items()}
    if desk.items or desk.present:
        wanted["boards"] = BOARDS_CHANGE
    return wanted


def dues(desk: TeamDesk) -> Mapping[str, datetime]:
    """When the desk's alarms ring that wait for an instant."""
    found: dict[str, datetime] = {}
    if desk.leases:
        found["lease"] = instant(desk.leases[0][0])
    tell_at = _tell_at(desk)
    if tell_at is not None:
        found["load"] = tell_at
    if desk.heed.next_at is not None:
        found["reroutes"] = desk.heed.next_at
    return found


def next_due(desk: TeamDesk) -> datetime | None:
    """The soonest of `dues`."""
    found = _tell_at(desk)
    if desk.leases:
        until = instant(desk.leases[0][0])
        found = until if found is None else min(found, until)
    next_at = desk.heed.next_at
    return found if next_at is None else next_at if found is None else min(found, next_at)


def _tell_at(desk: TeamDesk) -> datetime | None:
    told_at, changed_at = desk.pulse.told_at, desk.pulse.changed_at
    interval = _seconds(desk.pulse.interval_seconds)
    if changed_at is not None:
        return changed_at if told_at is None else max(changed_at, told_at + interval)
    if told_at is not None and (desk.present or desk.items):
        kept_free = desk.ready and desk.queues and desk.urgent_in_hand  # maybe: who is, must not be for too long
        return told_at + (1 if kept_free else TOLD_AT_LEAST) * interval
    return None


@lru_cache(maxsize=64)
def _seconds(seconds: float) -> timedelta:
    return timedelta(seconds=seconds)
