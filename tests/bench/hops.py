"""What each hop of an evacuation costs a routing process: CPU time alone, with no broker and no database beside it.

Real processors and the real runtime on a bus in memory; what would be sent to the database is encoded and dropped. Measured in
CPU time of the process, so that what else runs on the machine hardly counts.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from services.routing.boards import LOAD_BOARD, PLAN_BOARD, STANDING_BOARD
from services.routing.desk.processor import desk
from services.routing.placement.processor import placement
from shared.contracts.audit import WorkRequested
from shared.contracts.message import Message, Region
from shared.contracts.reroute import Preview, RerouteOrder, RerouteScope, RerouteTerms
from shared.contracts.routing import SignOn, WorkQueued
from shared.contracts.work import WorkOrder
from shared.reference.board import REFERENCE_BOARD
from shared.reroutes import REROUTE_BOARD
from shared.runtime.boards import BoardKeeper, Boards
from shared.runtime.clock import SetClock
from shared.runtime.collector import spare_collector
from shared.runtime.engine import Limits
from shared.runtime.headers import kind_of, outside_headers
from shared.runtime.log import Outgoing, partition_of
from shared.runtime.logs import configure_logging
from shared.runtime.memory_log import MemoryLog
from shared.runtime.memory_store import MemoryDatabase
from shared.runtime.postgres_store import arguments_of
from shared.runtime.processor import Processor
from shared.runtime.runner import Runner
from shared.runtime.store import Batch, Claim, Store
from tests.bench.evacuation import SOURCE, TAKERS, TEAM_SIZE, bank
from tests.bench.records import PARTITIONS

ITEMS: Final = 3_000
ROUNDS: Final = 5
AT: Final = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
BOARDS: Final = (REFERENCE_BOARD, STANDING_BOARD, LOAD_BOARD, REROUTE_BOARD, PLAN_BOARD)
UNSEEN: Final = Preview(
    taken_at=AT,
    sha256="",
    items_moving=0,
    in_hand_moving=0,
    skills=(),
    dead_ends=(),
    broken_rules=(),
    also_in_force=(),
)
STEP_SECONDS: Final = 0.06  # a little more than the pace of a desk's chunks
QUIET_STEPS: Final = 3


class EncodingStore(Store):
    """Encodes each batch as the real store does, and keeps the rows alone."""

    def __init__(self, processor: str, table: str) -> None:
        self._name: Final = processor, table
        self._rows: Final[dict[tuple[int, str], dict[str, bytes]]] = {}
        self._start: Final = MemoryDatabase().store(processor)

    async def claim(self, shards: Sequence[int]) -> Mapping[int, Claim]:
        return await self._start.claim(shards)

    async def load(self, keys: Sequence[tuple[int, str]]) -> Mapping[tuple[int, str], Mapping[str, bytes]]:
        return {key: self._rows[key] for key in keys if key in self._rows}

    async def load_shard(self, shard: int) -> Mapping[str, Mapping[str, bytes]]:
        return {}

    async def journal_length(self, keys: Sequence[tuple[int, str]]) -> Mapping[tuple[int, str], int]:
        return {}

    async def commit(self, batch: Batch) -> frozenset[int]:
        arguments_of(batch, *self._name)
        for (shard, key, part), body in batch.rows.items():
            if body is not None:
                self._rows.setdefault((shard, key), {})[part] = body
        return frozenset()


class Floor:
    """Placement and desks in one process."""

    def __init__(self) -> None:
        processors = (placement(), desk())
        topics = {t.name for p in processors for t in (*p.inputs, *p.outputs)} | {b.topic.name for b in BOARDS}
        self.log: Final = MemoryLog(PARTITIONS, sorted(topics))
        self.clock: Final = SetClock(AT)
        self.keeper: Final = BoardKeeper(Boards(BOARDS), self.log)
        self.runners: Final = [self._runner(processor) for processor in processors]
        self._told = 0

    def _runner(self, processor: Processor) -> Runner:
        store = EncodingStore(processor.name, processor.table.name)
        return Runner(processor, self.log, store, self.keeper.boards, self.clock, Limits(timer_tick_seconds=0))

    def tell(self, message: Message) -> None:
        """Somebody outside writes a record."""
        self._told += 1
        key = message.key.encode()
        headers = outside_headers(message, "/outside/bench", f"told/{self._told}", self.clock.now())
        record = Outgoing(key, message.model_dump_json().encode(), headers, self.clock.wall_ms())
        self.log.append((message.topic.name, partition_of(key, PARTITIONS)), record)

    def told(self, contract: type[Message]) -> int:
        """How many facts of this kind there are."""
        kind = contract.kind_name().encode()
        places = [rows for (topic, _), rows in self.log.records.items() if topic == contract.topic.name]
        return sum(kind_of(record) == kind for rows in places for record in rows)

    async def start(self) -> None:
        """Read the boards, claim everything."""
        await self.keeper.start()
        for runner in self.runners:
            await runner.start()

    async def settle(self) -> dict[str, float]:
        """Work until nothing comes any more. Returns the CPU seconds of each processor."""
        spent, quiet = {runner.processor.name: 0.0 for runner in self.runners}, 0
        while quiet < QUIET_STEPS:
            self.clock.move(STEP_SECONDS)
            await self.keeper.step(0)
            records = 0
            for runner in self.runners:
                began = time.process_time()
                records += await runner.cycle()
                await runner.flush()
                spent[runner.processor.name] += time.process_time() - began
            quiet = 0 if records else quiet + 1
        return spent


def order_of(number: int) -> WorkOrder:
    """One entry of the evacuated team, as controls ask for it."""
    requested_at = AT + timedelta(seconds=number)
    return WorkOrder(
        work_item_id=f"old-{number:07}",
        case_id=f"case-old-{number:07}",
        business_type="cheque",
        step="entry",
        role="entry-1",
        slice=Region(image_sha256="a" * 64, x=0, y=0, width=10, height=10),
        branch_id="branch",
        standard_seconds=30,
        requested_at=requested_at,
        due_at=requested_at + timedelta(hours=4),
    )


def evacuation(at: datetime) -> RerouteOrder:
    """The order in force that evacuates the team."""
    end = at + timedelta(minutes=30)
    return RerouteOrder(
        reroute_id="evacuation",
        version=1,
        phase="active",
        terms=RerouteTerms(effect="evacuate", scope=RerouteScope(teams=(SOURCE,)), minutes=30, reason="bench"),
        proposed_by="lin",
        proposed_at=at,
        approve_by=end,
        preview=UNSEEN,
        started_at=at,
        ends_at=end,
    )


async def _measured(items: int) -> dict[str, dict[str, int]]:
    floor = Floor()
    for entry in bank():
        floor.tell(entry)
    await floor.start()
    _sign_on(floor, SOURCE)
    await floor.settle()
    for number in range(items):
        order = order_of(number)
        floor.tell(WorkRequested(case_id=order.case_id, at=floor.clock.now(), order=order))
    came = await floor.settle()
    _sign_on(floor, *TAKERS)
    await floor.settle()
    floor.tell(evacuation(floor.clock.now()))
    moved = await floor.settle()
    queued = floor.told(WorkQueued)
    if queued != 2 * items - TEAM_SIZE:
        raise RuntimeError(f"Expected all but the {TEAM_SIZE} items in hand to move, found {queued - items}")
    return {"came": _by_item(came, items), "evacuated": _by_item(moved, items)}


def _sign_on(floor: Floor, *teams: str) -> None:
    for team_id in teams:
        for number in range(TEAM_SIZE):
            name = f"{team_id}-{number:02}"
            floor.tell(SignOn(command_id=f"on-{name}", team_id=team_id, operator_id=name, issued_at=floor.clock.now()))


def _by_item(spent: Mapping[str, float], items: int) -> dict[str, int]:
    """Units: microseconds."""
    return {name: round(1e6 * seconds / items) for name, seconds in spent.items()}


def measure_hops(items: int = ITEMS, rounds: int = ROUNDS) -> dict[str, Any]:
    """Microseconds of CPU per item and processor, of an item that comes and of one that is evacuated: the least of rounds."""
    configure_logging("warning")
    spare_collector()  # as each service does
    found = [asyncio.run(_measured(items)) for _ in range(rounds)]
    return {"items": items} | {way: min((one[way] for one in found), key=_whole) for way in ("came", "evacuated")}


def _whole(by_processor: Mapping[str, int]) -> int:
    return sum(by_processor.values())


def show(found: dict[str, Any], console: Console) -> None:
    """Print the figures."""
    table = Table("µs of CPU per item", "placement", "desk", "both")
    for name in ("came", "evacuated"):
        row = found[name]
        table.add_row(name, *(f"{row[of]:g}" for of in ("placement", "desk")), f"{_whole(row):g}")
    console.print(table)
