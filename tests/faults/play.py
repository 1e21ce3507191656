"""Throwing real faults at a real floor, one after the other, and judging it from outside."""

from __future__ import annotations

import asyncio
import random
import signal
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg

from deploy.demo.auditor import Finding
from shared.runtime.runner import RECLAIM_SECONDS
from tests.faults.floor import PROCESSORS, Floor
from tests.simulation.stage import PARTITIONS

NAMES: Final = ("intake", "audit-1", "audit-2", "routing-1", "routing-2", "vendor")
PAUSE_SECONDS: Final = 0.5  # of undisturbed work between two faults
ZOMBIE_SECONDS: Final = 0.5  # that the new owner works before the frozen one wakes
TAKE_OVER_SECONDS: Final = 30.0
JOIN_SECONDS: Final = 60.0
CALM_SECONDS: Final = RECLAIM_SECONDS + 1.0  # then nobody claims a shard again that the group has given to another
HEAL_SECONDS: Final = 60.0
REST_SECONDS: Final = 300.0
REFUSED: Final = "shards have another owner"


class NotTakenOverError(AssertionError):
    """A frozen process kept its shards, or had none. The message names them."""


@dataclass
class Report:
    """What was done and what came of it. Units: `healed_seconds` by kind, from a fault's end until all shards write."""

    healed_seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    conservation: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    duplicates: int = 0
    refused: int = 0
    seconds: dict[str, float] = field(default_factory=dict)


async def kill_service(floor: Floor, name: str) -> None:
    """SIGKILL a service process and start it again."""
    floor.services.kill(floor.pids[name])
    floor.start(name)
    await asyncio.to_thread(floor.services.wait_ready, floor.pids[name])


async def freeze(floor: Floor, name: str) -> None:
    """SIGSTOP until its session has run out and another has claimed every shard, then SIGCONT: a true zombie."""
    processors = [processor for processor in PROCESSORS if processor.service == name.split("-")[0]]
    await _in_every_group(floor, name, [processor.name for processor in processors])
    before = await floor.epochs(processors)
    floor.services.kill(floor.pids[name], signal.SIGSTOP)
    try:
        end = time.monotonic() + TAKE_OVER_SECONDS
        while kept := [f"{p}/{n}" for (p, n), e in (await floor.epochs(processors)).items() if e <= before[(p, n)]]:
            if time.monotonic() > end:
                raise NotTakenOverError(f"Expected another process to claim {', '.join(kept)} of the frozen {name}")
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
            raise NotTakenOverError(f"Expected {name} to own shards of every processor before it is frozen: {unclear}")
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
    "kill vendor": lambda floor: kill_service(floor, "vendor"),
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
        report.refused = floor.warnings(REFUSED)
        clock.lap("judging")
    finally:
        floor.close()
    return report


async def strike(floor: Floor, kind: str, report: Report) -> None:
    """One fault, until the floor works again everywhere."""
    try:
        await KINDS[kind](floor)
    except NotTakenOverError as error:
        report.findings.append(Finding("a silent owner is replaced", str(error)))
    seconds = await _healed(floor, kind, floor.mirror.clock.wall_ms(), report)
    report.healed_seconds[kind].append(seconds)
    await asyncio.sleep(PAUSE_SECONDS)


async def _healed(floor: Floor, kind: str, since_ms: int, report: Report) -> float:
    """Wait until every shard has written since, or so long that it is a finding. Returns the seconds."""
    started = time.monotonic()
    while silent := floor.silent(since_ms):
        if time.monotonic() > started + HEAL_SECONDS:
            report.findings.append(Finding("the floor heals", f"{kind}: nothing more from {', '.join(silent)}"))
            break
        await asyncio.sleep(0.1)
    return time.monotonic() - started


class _Stopwatch:
    """Notes in the report how long each part took."""

    def __init__(self, report: Report) -> None:
        self._report: Final = report
        self._since = time.monotonic()

    def lap(self, part: str) -> None:
        now = time.monotonic()
        self._report.seconds[part], self._since = now - self._since, now
