"""How long a plan takes, from the boards to the bus's acknowledgement: `python -m tests.bench.plan`.

A floor of 200 teams and 40 work types, arrivals at 80 % of what its people can do, each plan made from the last. Time is
wall time: solved and published; beside it the thread's own time, in which what else runs on the machine does not count.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from deploy.local import Stack
from deploy.local.stack import home
from services.routing.balancer.app import BOARDS, SOURCE
from services.routing.balancer.balance import Balance
from services.routing.balancer.programme import Footing
from services.routing.boards import LOAD_BOARD, PLAN_BOARD
from shared.contracts.reference import Centre, Provider, Team
from shared.contracts.routing import CapacityByWorkType, LoadByWorkType, LoadSnapshot, PlanMade, PlannedWork
from shared.reference.board import REFERENCE_BOARD
from shared.runtime.clock import RealClock
from shared.runtime.commands import CommandPublisher
from shared.runtime.host import Publish
from shared.runtime.kafka_log import KafkaLog
from shared.runtime.topics import ensure_topics
from tests.bench.records import PARTITIONS

TEAMS: Final = 200
WORK_TYPES: Final = 40
HELD: Final = (8, 15, 40)  # work types that a team holds: some, many, all
PLANS: Final = 30
LOAD: Final = 0.8
SLACKS: Final = (5.0, 20.0, 30.0, 240.0, 1_440.0)  # minutes, of the work types in turn
TARGET_MS: Final = 100.0
AT: Final = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
NAMES: Final = tuple(f"type-{n:02}/entry" for n in range(WORK_TYPES))


def boards_of(held: int, draw: random.Random) -> tuple[dict[str, Any], dict[str, float]]:
    """The boards of such a floor, and its steady arrivals per hour by work type."""
    views = {spec.name: spec.empty() for spec in BOARDS}
    hours = 0.0
    for entry in (
        *(Provider(id=f"p{n}", label="p", outside=False, data_classes=("internal",)) for n in range(3)),
        Provider(id="p3", label="p", outside=False, data_classes=("internal",), share_minimum=0.1, share_maximum=0.3),
        *(Centre(id=f"c{n}", label="c", city="-", share_maximum=0.3) for n in range(6)),
    ):
        REFERENCE_BOARD.fold(views["reference"], entry.key, entry)
    for n in range(TEAMS):
        team = Team(id=f"team-{n:03}", label=f"Team {n}", centre_id=f"c{n % 6}", provider_id=f"p{n % 4}")
        REFERENCE_BOARD.fold(views["reference"], team.key, team)
        people = draw.randint(5, 30)
        hours += people
        mine = sorted(draw.sample(NAMES, held))
        snapshot = LoadSnapshot(
            team_id=team.id,
            at=AT,
            version=1,
            queued=tuple(
                LoadByWorkType(work_type=name, queued=3, standard_seconds=draw.uniform(0, 900), oldest_requested_at=AT)
                for name in mine
            ),
            in_hand=0,
            present=tuple(f"{team.id}-{person}" for person in range(people)),
            capacity=tuple(
                CapacityByWorkType(
                    work_type=name,
                    present=max(1, round(people * draw.uniform(0.3, 1))),
                    learned_seconds=draw.uniform(30, 120),
                )
                for name in mine
            ),
        )
        LOAD_BOARD.fold(views["load"], snapshot.key, snapshot)
    per_hour = LOAD * hours * 3600 / 75 / WORK_TYPES
    return views, {name: per_hour * draw.uniform(0.5, 1.5) for name in NAMES}


def first_plan(arrivals: dict[str, float]) -> PlanMade:
    """A plan that tells the arrivals and nothing else: what a new balancer resumes from."""
    work = tuple(
        PlannedWork(
            work_type=name,
            recent_per_hour=rate,
            coming_per_hour=rate,
            recent_slack_minutes=SLACKS[number % len(SLACKS)],
        )
        for number, (name, rate) in enumerate(arrivals.items())
    )
    return PlanMade(
        made_at=AT - timedelta(seconds=1),
        made_by="none",
        good_until=AT,
        work=work,
        teams=(),
        saturation=0,
        lateness_minutes=0,
    )


@dataclass(frozen=True, slots=True)
class PlanTimes:
    """Units: ms, of `PLANS` plans. `moved_max` is the largest change of a share from the tenth plan on."""

    held: int
    wall_p50: float
    wall_p95: float
    own_p50: float
    bytes: int
    moved_max: float


async def measure(held: int, publish: Publish) -> PlanTimes:
    """Make and publish plans, each from the last, with arrivals that wander by a percent."""
    draw = random.Random(held)
    views, arrivals = boards_of(held, draw)
    plan = first_plan(arrivals)
    gc.freeze()  # as the process does when it has read its boards
    footing = Footing()  # as one balancer goes on
    wall, own, moved, size = [], [], 0.0, 0
    for number in range(PLANS):
        PLAN_BOARD.fold(views["plan"], plan.key, plan)
        now = AT + timedelta(seconds=number)
        balance = Balance(views, "bench", now, footing)
        balance.resume(now)
        began, own_began = time.perf_counter(), time.thread_time()
        made = balance.plan(now, 1.0)
        if made is None:
            raise RuntimeError("Expected a plan, found none")
        await publish(made, f"plan-{held}-{number}")
        wall.append((time.perf_counter() - began) * 1000)
        own.append((time.thread_time() - own_began) * 1000)
        if number >= 10:
            moved = max(moved, _moved(plan, made))
        size = len(made.model_dump_json())
        wandered = tuple(
            part.model_copy(update={"recent_per_hour": part.recent_per_hour * draw.uniform(0.999, 1.001)})
            for part in made.work
        )
        plan = made.model_copy(update={"work": wandered})
    cuts = statistics.quantiles(wall, n=20, method="inclusive")
    return PlanTimes(
        held,
        round(statistics.median(wall), 1),
        round(cuts[18], 1),
        round(statistics.median(own), 1),
        size,
        round(moved, 4),
    )


def _moved(before: PlanMade, after: PlanMade) -> float:
    def by_pair(plan: PlanMade) -> dict[tuple[str, str], float]:
        return {(part.work_type, one.team_id): one.share for part in plan.work for one in part.shares}

    was, now = by_pair(before), by_pair(after)
    return max(abs(was.get(pair, 0.0) - now.get(pair, 0.0)) for pair in {*was, *now})


async def measure_plans(kafka: str) -> list[PlanTimes]:
    """With some, many and all work types at each team."""
    await ensure_topics(kafka, PARTITIONS)
    log = KafkaLog(kafka)
    publisher = log.publisher()
    await publisher.start()
    try:
        publish = CommandPublisher(log, publisher, SOURCE, RealClock()).publish
        return [await measure(held, publish) for held in HELD]
    finally:
        await publisher.stop()


def show(found: Sequence[Mapping[str, Any]], console: Console) -> None:
    """Print the figures beside their target."""
    table = Table("work types per team", "p50 ms", "p95 ms", "own p50 ms", "KB", "share moved at most", "")
    for row in found:
        held = "[green]✓[/]" if row["wall_p50"] <= TARGET_MS else f"[red]beyond {TARGET_MS:g} ms[/]"
        table.add_row(
            f"{row['held']} of {WORK_TYPES}", f"{row['wall_p50']:g}", f"{row['wall_p95']:g}", f"{row['own_p50']:g}",
            f"{row['bytes'] / 1000:.0f}", f"{row['moved_max']:.2%}", held,
        )  # fmt: skip
    console.print(table)


def main() -> int:
    """Measure on a stack of its own, print, and write `bench-plan.json`."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.plan", description=__doc__)
    parser.add_argument("--json", type=Path, default=home() / "bench-plan.json")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="opsfloor-bench-"))
    folder.chmod(0o755)  # the database's own user must reach its data
    stack = Stack(folder, owned=True)
    try:
        found = asyncio.run(measure_plans(stack.up().kafka))
    finally:
        stack.down()
        shutil.rmtree(folder, ignore_errors=True)
    console = Console(highlight=False)
    show([asdict(row) for row in found], console)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps([asdict(row) for row in found], indent=2) + "\n")
    console.print(f"written to {given.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
