"""Throwing real faults at a real floor, one after the other, and judging it from outside."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import exp
from pathlib import Path
from typing import Final, TypeVar

import asyncpg

from services.routing.balancer.arrivals import MEMORY_SECONDS
from services.routing.kinds import Kind
from shared.contracts.audit import WORK, WorkRequested
from shared.contracts.routing import ASSIGNMENT, LOAD, PLACED, PLAN, LoadSnapshot, PlanMade, WorkPlaced, WorkReleased
from shared.contracts.vendor import InspectionRequested
from shared.proof.cases import Finding
from shared.runtime.headers import body_of
from shared.runtime.log import Place
from shared.runtime.runner import RECLAIM_SECONDS
from tests.faults.floor import PROCESSORS, Floor
from tests.simulation.control_room import ControlRoom, read
from tests.simulation.stage import PARTITIONS

NAMES: Final = ("intake", "audit-1", "audit-2", "routing-1", "routing-2", "vendor", "balancer")
PAUSE_SECONDS: Final = 0.5  # of undisturbed work between two faults
ZOMBIE_SECONDS: Final = 0.5  # that the new owner works before the frozen one wakes
ANSWER_SECONDS: Final = 30.0  # for another to take over, or for a command to come about
JOIN_SECONDS: Final = 60.0
CANCEL_SECONDS: Final = 2.0  # after which what is still open is cancelled again
CALM_SECONDS: Final = RECLAIM_SECONDS + 1.0  # then nobody claims a shard again that the group has given to another
HEAL_SECONDS: Final = 60.0
REST_SECONDS: Final = 300.0
BACK_SECONDS: Final = 5.0  # after which a killed balancer has told its next plan
WATCHED_PLANS: Final = 10
RATE_OFF: Final = 0.005  # of what comes of a kind: rates are told with two digits, and instants to the microsecond
RATE_OFF_LEAST: Final = 0.1  # an hour
MOVED_MAX: Final = 0.3  # of a kind's work, that they may give to other teams
ALIKE: Final = 0.05  # of how full the fullest is, and of how late work is
TOLD_SECONDS: Final = 4.0  # after which everything that was decided stands on the bus, and has been read here
ASKED_LEAST: Final = 5  # items: fewer say nothing
FLOWS_SHARE: Final = 0.5  # of them
REFUSED: Final = "shards have another owner"
TAKES_OVER: Final = "another takes over"
OBEYS: Final = "the floor obeys a reroute"

T = TypeVar("T")


class NotDoneError(AssertionError):
    """The floor did not do in time what it promises. The message says what, `promise` which promise it broke."""

    def __init__(self, promise: str, detail: str) -> None:
        super().__init__(detail)
        self.promise: Final = promise


@dataclass
class Report:
    """What was done and what came of it. Units: `healed_seconds` by kind, from a fault's end until all shards write."""

    healed_seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    conservation: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    duplicates: int = 0
    refused: int = 0
    reroutes: int = 0  # that came into force meanwhile
    rerouted: int = 0  # items that they moved
    seconds: dict[str, float] = field(default_factory=dict)


async def kill_service(floor: Floor, name: str) -> None:
    """SIGKILL a service process and start it again."""
    floor.services.kill(floor.pids[name])
    floor.start(name)
    await asyncio.to_thread(floor.services.wait_ready, floor.pids[name])


async def kill_balancer(floor: Floor) -> None:
    """SIGKILL the balancer and start it again: soon it goes on with the same plan, and work is given out meanwhile.

    Holds:   where the machine has more to do than it has processors, soon is as much later.
    """
    before = (await _awaited(lambda: _plans(floor)[WATCHED_PLANS:], TAKES_OVER, "plans by the first balancer"))[-1]
    killed = floor.mirror.clock.now()
    await kill_service(floor, "balancer")
    after = await _awaited(lambda: _first_plan_since(floor, killed), TAKES_OVER, "a plan by the new balancer")
    seconds = (after.made_at - killed).total_seconds()
    busy = max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
    if seconds > BACK_SECONDS * busy:
        detail = f"Expected a plan within {BACK_SECONDS:.0f} s of the kill, found one after {seconds:.1f} s"
        raise NotDoneError(TAKES_OVER, f"{detail} on a machine {busy:.1f} times as busy as it can be")
    await asyncio.sleep(TOLD_SECONDS)
    for fault in (*await _otherwise_planned(floor, before, before, after), *_left_lying(floor, killed, after.made_at)):
        raise NotDoneError(TAKES_OVER, fault)


def _plans(floor: Floor) -> list[PlanMade]:
    """Every plan on the bus, in the order in which they were made."""
    records = (record for number in range(PARTITIONS) for record in floor.mirror.log.records[PLAN.name, number])
    found = (body_of(record, PlanMade.kind_name(), PlanMade) for record in records)
    return sorted((plan for plan in found if isinstance(plan, PlanMade)), key=lambda plan: plan.made_at)


def _first_plan_since(floor: Floor, killed: datetime) -> PlanMade | None:
    return next((plan for plan in _plans(floor) if plan.made_at > killed), None)


async def _otherwise_planned(floor: Floor, base: PlanMade, before: PlanMade, after: PlanMade) -> list[str]:
    """What the new balancer plans otherwise than the old one would, given what a plan told that it went on from."""

    def told_here() -> bool:
        records = floor.mirror.log.records
        return all(
            not at or (records[place] and records[place][-1].next_offset >= at)
            for place, at in _heard_to(after).items()
        )

    await _awaited(told_here, TAKES_OVER, "what the balancer had heard")
    return [*_otherwise_counted(floor, base, after), *_otherwise_shared(before, after)]


def _heard_to(plan: PlanMade) -> dict[Place, int]:
    return {(to.topic, number): at for to in plan.heard for number, at in enumerate(to.next_offsets)}


def _otherwise_counted(floor: Floor, base: PlanMade, after: PlanMade) -> Iterator[str]:
    """Where a plan's rates are not those of an earlier plan with all that the bus says came since, each item once.

    Source:  both plans' rates are sums under fading weights, over what the time that was watched weighs (`arrivals.py`).
    """
    if base.counted_since is None or after.counted_since != base.counted_since:
        yield f"Expected a balancer to count on since {base.counted_since}, found {after.counted_since}"
        return
    gone = (after.made_at - base.made_at).total_seconds()
    weights = {
        Kind.told(part): part.recent_per_hour * _watched_hours(base) * exp(-gone / MEMORY_SECONDS) for part in base.work
    }
    for place, end in _heard_to(after).items():
        for record in floor.mirror.log.records[place]:
            if _heard_to(base).get(place, 0) <= record.offset < end:
                asked = body_of(record, dict(record.headers)["ce_type"].decode())
                if isinstance(asked, WorkRequested | InspectionRequested):
                    kind, age = Kind.of(asked.order), (after.made_at - asked.order.requested_at).total_seconds()
                    weights[kind] = weights.get(kind, 0.0) + exp(-age / MEMORY_SECONDS)
    found = {Kind.told(part): part.recent_per_hour for part in after.work}
    if missing := weights.keys() - found.keys():
        yield f"Expected a plan for all that the balancer had heard of, found {missing} missing"
    for kind, weight in weights.items():
        expected = weight / _watched_hours(after)
        if abs(found.get(kind, 0.0) - expected) > RATE_OFF * expected + RATE_OFF_LEAST:
            yield f"Expected {expected:.2f} an hour of {kind}, as the bus says, found {found.get(kind, 0.0)}"


def _watched_hours(plan: PlanMade) -> float:
    watched = (plan.made_at - (plan.counted_since or plan.made_at)).total_seconds()
    return (1.0 - exp(-watched / MEMORY_SECONDS)) * MEMORY_SECONDS / 3600.0


def _otherwise_shared(before: PlanMade, after: PlanMade) -> Iterator[str]:
    """Shares that differ beyond what a few seconds of a busy floor change.

    Holds:   on this floor people come and go so fast that one balancer's own plans differ widely: shares are looked at
             where the later plan has all kinds of the earlier one, and both see the same people equally full and work as late.
    """
    was, now = ({Kind.told(part): part for part in plan.work} for plan in (before, after))
    if was.keys() - now.keys() or not _alike(before, after):
        return
    for kind, part in was.items():
        told = {one.team_id: one.share for one in now[kind].shares}
        moved = sum(abs(one.share - told.get(one.team_id, 0.0)) for one in part.shares) / 2
        if moved > MOVED_MAX:
            yield f"Expected the shares of {kind} as before, found {moved:.0%} of them elsewhere"


def _alike(one: PlanMade, other: PlanMade) -> bool:
    """Both plans see the same people, the fullest equally full and work equally late: what plans weigh before they keep to
    the last one's shares."""
    people, others = ({team.team_id: team.people for team in plan.teams} for plan in (one, other))
    weighed = ((one.saturation, other.saturation), (one.lateness_minutes, other.lateness_minutes))
    return people == others and all(abs(ours - theirs) <= ALIKE * ours for ours, theirs in weighed)


def _left_lying(floor: Floor, killed: datetime, back: datetime) -> Iterator[str]:
    """Whether work waited for a balancer while none lived: of what was asked for in the first half of that time most
    was placed before the next plan came, by the last one or, where a reroute holds or a kind is new, without one.

    Holds:   how much is given out in so short a time says nothing: people here come in bursts. `tests/days` looks at it.
    """
    asked_until = killed + (back - killed) / 2
    asked = {
        message.order.work_item_id
        for message in read(floor.mirror.log.records, WORK.name)
        if isinstance(message, WorkRequested) and killed < message.order.requested_at < asked_until
    }
    first: dict[str, datetime] = {}
    for message in read(floor.mirror.log.records, PLACED.name):
        if isinstance(message, WorkPlaced) and message.order.work_item_id in asked:
            item, at = message.order.work_item_id, message.placed_at
            first[item] = min(at, first.get(item, at))
    in_time = sum(placed_at < back for placed_at in first.values())
    if len(first) >= ASKED_LEAST and in_time < FLOWS_SHARE * len(first):
        yield f"Expected work to be placed before the next plan comes, found {in_time} of {len(first)} items"


async def two_balancers(floor: Floor) -> None:
    """A second balancer beside the first for a while, then killed: both tell plans, and count the same."""
    base = (await _awaited(lambda: _plans(floor)[WATCHED_PLANS:], TAKES_OVER, "plans by the first balancer"))[-1]
    pid = floor.services.start("balancer", "balancer")
    try:
        await asyncio.to_thread(floor.services.wait_ready, pid)

        def both() -> tuple[PlanMade, PlanMade] | None:
            last = {plan.made_by: plan for plan in _plans(floor) if plan.made_at > base.made_at}
            ones, others = last.pop(base.made_by, None), list(last.values())
            return (ones, others[-1]) if ones is not None and others else None

        one, other = await _awaited(both, TAKES_OVER, "plans by two balancers at once")
        for plan in (one, other):
            for fault in await _otherwise_planned(floor, base, one, plan):
                raise NotDoneError(TAKES_OVER, fault)
    finally:
        floor.services.kill(pid)


async def kill_while_recalling(floor: Floor) -> None:
    """SIGKILL a routing process just when a team's work is taken from it: the reroute comes about all the same.

    Holds:   people rest meanwhile, so that there surely is work to move, and nobody else commands reroutes.
    """
    room = floor.world.control_room
    with floor.people_at_rest():
        await _stood_down(room)
        team = await _awaited(lambda: _busiest_team(floor), OBEYS, "a team with work")
        reroute_id = room.recall(team)
        await _awaited(lambda: room.has_started(reroute_id), OBEYS, f"the recall from {team} in force")
        await kill_service(floor, "routing-1")
        await _awaited(lambda: reroute_id in set(_moved_by(floor)), OBEYS, f"work recalled from {team}")


async def _stood_down(room: ControlRoom) -> None:
    """Every reroute is cancelled, also one that was proposed a moment ago and that the world had not heard of yet."""
    asked = time.monotonic()
    room.stand_down()

    def none_open() -> bool:
        nonlocal asked
        if room.still_open() and time.monotonic() - asked > CANCEL_SECONDS:
            asked = time.monotonic()
            room.stand_down()
        return not room.still_open()

    await _awaited(none_open, OBEYS, "every earlier reroute to be over")


def _busiest_team(floor: Floor) -> str | None:
    """The team that, by its last word, has most waiting and in hand; none when no team has anything."""
    told: dict[str, int] = {}
    for message in read(floor.mirror.log.records, LOAD.name):
        if isinstance(message, LoadSnapshot):
            told[message.team_id] = message.in_hand + sum(load.queued for load in message.queued)
    return max((team_id for team_id in sorted(told) if told[team_id]), key=lambda team_id: told[team_id], default=None)


def _moved_by(floor: Floor) -> Iterator[str]:
    """For each item that a desk let go by a reroute's order, that reroute."""
    for number in range(PARTITIONS):
        for record in floor.mirror.log.records[ASSIGNMENT.name, number]:
            if dict(record.headers).get("ce_type") == WorkReleased.kind_name().encode():
                released = body_of(record, WorkReleased.kind_name())
                if isinstance(released, WorkReleased) and released.reroute_id is not None:
                    yield released.reroute_id


async def _awaited(look: Callable[[], T | None], promise: str, what: str) -> T:
    """What the look finds, as soon as it finds something. Errors: `NotDoneError` when it finds nothing in time."""
    end = time.monotonic() + ANSWER_SECONDS
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        await asyncio.sleep(0.2)
    raise NotDoneError(promise, f"Expected {what} within {ANSWER_SECONDS:.0f} s, found none")


async def freeze(floor: Floor, name: str) -> None:
    """SIGSTOP until its session has run out and another has claimed every shard, then SIGCONT: a true zombie."""
    processors = [processor for processor in PROCESSORS if processor.service == name.split("-")[0]]
    await _in_every_group(floor, name, [processor.name for processor in processors])
    before = await floor.epochs(processors)
    floor.services.kill(floor.pids[name], signal.SIGSTOP)
    try:
        end = time.monotonic() + ANSWER_SECONDS
        while kept := [f"{p}/{n}" for (p, n), e in (await floor.epochs(processors)).items() if e <= before[(p, n)]]:
            if time.monotonic() > end:
                detail = f"Expected another process to claim {', '.join(kept)} of the frozen {name}"
                raise NotDoneError(TAKES_OVER, detail)
            await asyncio.sleep(0.2)
        await asyncio.sleep(ZOMBIE_SECONDS)
    finally:
        floor.services.kill(floor.pids[name], signal.SIGCONT)


async def _in_every_group(floor: Floor, name: str, processors: Sequence[str]) -> None:
    """Wait until a process has owned a shard of each processor for a while, and no other process says it owns it too.

    Holds:   only what it owns can be taken over. After a fault it may just be joining a group whose shards all have
             another owner, or believe for a moment that a shard is its own which the group has given away.
    """
    calm = end = time.monotonic()
    end += JOIN_SECONDS
    peers = [peer for peer in floor.pids if peer.split("-")[0] == name.split("-")[0]]
    while time.monotonic() - calm < CALM_SECONDS:
        owned = {p: {n: await asyncio.to_thread(floor.owned, n, p) for n in peers} for p in processors}
        unclear = {p: by for p, by in owned.items() if not by[name] or sum(by.values()) != PARTITIONS}
        if unclear:
            calm = time.monotonic()
        if time.monotonic() > end:
            detail = f"Expected {name} to own shards of every processor before it is frozen: {unclear}"
            raise NotDoneError(TAKES_OVER, detail)
        await asyncio.sleep(0.2)


async def restart_database(floor: Floor) -> None:
    """Immediate stop, a moment without, start."""
    await asyncio.to_thread(floor.stack.stop_database, immediate=True)
    await asyncio.sleep(1.0)
    await asyncio.to_thread(floor.stack.start_database)


async def restart_broker(floor: Floor) -> None:
    """SIGKILL, a moment without, start."""
    await asyncio.to_thread(floor.stack.kill_broker)
    await asyncio.sleep(0.5)
    await asyncio.to_thread(floor.stack.start_broker)


async def end_sessions(floor: Floor) -> None:
    """Every database session of the services is ended by the database."""
    connection = await asyncpg.connect(floor.addresses.database_url)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
    finally:
        await connection.close()


KINDS: Final[dict[str, Callable[[Floor], Awaitable[None]]]] = {
    "kill intake": lambda floor: kill_service(floor, "intake"),
    "kill audit": lambda floor: kill_service(floor, "audit-1"),
    "kill routing": lambda floor: kill_service(floor, "routing-1"),
    "kill routing in a recall": kill_while_recalling,
    "kill vendor": lambda floor: kill_service(floor, "vendor"),
    "kill balancer": kill_balancer,
    "two balancers": two_balancers,
    "freeze audit": lambda floor: freeze(floor, "audit-2"),
    "freeze routing": lambda floor: freeze(floor, "routing-2"),
    "restart database": restart_database,
    "kill broker": restart_broker,
    "end database sessions": end_sessions,
}


async def play(home: Path, count: int, seed: int, tell: Callable[[int, str], None]) -> Report:
    """`count` faults in turn, each kind as often as the next, in an order drawn from the seed; then rest and judgement."""
    report = Report()
    draw = random.Random(seed)
    clock = _Stopwatch(report)
    floor = Floor(home, seed, NAMES)
    try:
        await floor.open()
        async with floor.living():
            await floor.ready()
            await _healed(floor, "start", 0, report)
            clock.lap("starting")
            order: list[str] = []
            for number in range(count):
                order = order or draw.sample(sorted(KINDS), len(KINDS))
                kind = order.pop()
                tell(number, kind)
                await strike(floor, kind, report)
            clock.lap("faults")
            tell(count, "every submission to its end")
            report.conservation = await floor.rest(REST_SECONDS)
            clock.lap("coming to rest")
        tell(count, "judging")
        report.findings += await floor.judge()
        report.duplicates = floor.audit().duplicates
        report.reroutes = floor.audit().counts["routing.reroute-started.v1"]
        report.rerouted = sum(1 for _ in _moved_by(floor))
        report.refused = floor.warnings(REFUSED)
        clock.lap("judging")
    finally:
        floor.close()
    return report


async def strike(floor: Floor, kind: str, report: Report) -> None:
    """One fault, until the floor works again everywhere."""
    try:
        await KINDS[kind](floor)
    except NotDoneError as error:
        report.findings.append(Finding(error.promise, str(error)))
    seconds = await _healed(floor, kind, floor.mirror.clock.wall_ms(), report)
    report.healed_seconds[kind].append(seconds)
    await asyncio.sleep(PAUSE_SECONDS)


async def _healed(floor: Floor, kind: str, since_ms: int, report: Report) -> float:
    """Wait until every shard has written since, or so long that it is a finding. Returns the seconds."""
    started = time.monotonic()
    silent = await floor.heal(since_ms, HEAL_SECONDS)
    if silent:
        report.findings.append(Finding("the floor heals", f"{kind}: nothing more from {', '.join(silent)}"))
    return time.monotonic() - started


class _Stopwatch:
    """Notes in the report how long each part took."""

    def __init__(self, report: Report) -> None:
        self._report: Final = report
        self._since = time.monotonic()

    def lap(self, part: str) -> None:
        now = time.monotonic()
        self._report.seconds[part], self._since = now - self._since, now
