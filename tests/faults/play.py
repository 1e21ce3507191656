"""Throwing real faults at a real floor, one after the other, and judging it from outside."""

from __future__ import annotations

import asyncio
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import asyncpg

from deploy.demo.auditor import Finding
from tests.faults.floor import Floor

PAUSE_SECONDS: Final = 1.5  # of undisturbed work between two faults
FROZEN_SECONDS: Final = 4.0  # longer than the session timeout of two seconds
REST_SECONDS: Final = 120.0


@dataclass
class Report:
    """What was done and what came of it."""

    faults: Counter[str] = field(default_factory=Counter)
    conservation: dict[str, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    duplicates: int = 0


async def kill_service(floor: Floor, name: str) -> None:
    """SIGKILL a service process and start it again."""
    floor.services.kill(floor.pids[name])
    floor.start(name)
    await asyncio.to_thread(floor.services.wait_ready, floor.pids[name])


async def freeze(floor: Floor, name: str) -> None:
    """SIGSTOP past the session timeout, so that another takes over, then SIGCONT: a true zombie."""
    floor.services.kill(floor.pids[name], signal.SIGSTOP)
    await asyncio.sleep(FROZEN_SECONDS)
    floor.services.kill(floor.pids[name], signal.SIGCONT)


async def restart_database(floor: Floor) -> None:
    """Immediate stop, a moment without, start."""
    await asyncio.to_thread(floor.stack.stop_database, immediate=True)
    await asyncio.sleep(1.0)
    floor.stack.start_database()


async def restart_broker(floor: Floor) -> None:
    """SIGKILL, a moment without, start."""
    await asyncio.to_thread(floor.stack.kill_broker)
    await asyncio.sleep(0.5)
    floor.stack.start_broker()


async def end_sessions(floor: Floor) -> None:
    """Every database session of the services is ended by the database."""
    connection = await asyncpg.connect(floor.addresses.database_url)
    try:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
        )
    finally:
        await connection.close()


KINDS: Final[dict[str, Callable[[Floor], Awaitable[None]]]] = {
    "kill intake": lambda floor: kill_service(floor, "intake"),
    "kill audit": lambda floor: kill_service(floor, "audit"),
    "kill routing": lambda floor: kill_service(floor, "routing-1"),
    "kill vendor": lambda floor: kill_service(floor, "vendor"),
    "freeze routing": lambda floor: freeze(floor, "routing-2"),
    "restart database": restart_database,
    "kill broker": restart_broker,
    "end database sessions": end_sessions,
}


async def play(home: Path, count: int, seed: int, tell: Callable[[int, str], None]) -> Report:
    """`count` faults in turn, each kind as often as the next, in an order drawn from the seed; then rest and judgement."""
    report = Report()
    draw = random.Random(seed)
    floor = Floor(home, seed)
    try:
        await floor.open()
        async with floor.living():
            await floor.ready()
            await asyncio.sleep(2 * PAUSE_SECONDS)
            for number in range(count):
                if number % len(KINDS) == 0:
                    order = draw.sample(sorted(KINDS), len(KINDS))
                kind = order[number % len(KINDS)]
                tell(number, kind)
                await KINDS[kind](floor)
                report.faults[kind] += 1
                await asyncio.sleep(PAUSE_SECONDS)
            tell(count, "every submission to its end")
            report.conservation = await floor.rest(REST_SECONDS)
        report.findings = await floor.judge()
        report.duplicates = floor.audit().duplicates
    finally:
        floor.close()
    return report
