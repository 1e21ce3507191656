"""Figures 1 and 2: the shard runtime beside plain aiokafka and plain Faust, and beside itself over full tables."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

import asyncpg

from deploy.local import Addresses
from services.routing.placement.processor import placement
from shared.runtime.kafka_log import KafkaLog
from shared.runtime.postgres_store import PostgresStore
from shared.runtime.schema import migrate
from shared.runtime.topics import ensure_topics
from tests.bench.records import PARTITIONS, Writer, begin_at, ensure_bench_topics, settled_ends

SMALL: Final = "bench_small"
LARGE: Final = "bench_large"
FINISHED: Final = {SMALL: 10_000, LARGE: 1_000_000}
RUN_SECONDS_MAX: Final = 120
FAUST: Final = "tests.bench.faust_agent"
FILL: Final = """
INSERT INTO {schema}.state (table_name, shard, key, part, body)
SELECT '{table}', n % {partitions}, id, '', json_build_object(
    'work_item_id', id, 'phase', 'closed', 'order', null, 'team_id', null, 'placing', 1, 'attempt', 0,
    'released_by', null, 'reason', null, 'tries', 0, 'next_try_at', null, 'outcome', 'accepted')
FROM (SELECT n, md5('finished/' || n)::uuid::text AS id FROM generate_series(1, {count}) AS n) AS finished
"""

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Contender:
    """One program that takes part."""

    name: str
    module: str
    arguments: tuple[str, ...] = ()


CONTENDERS: Final = (
    Contender("aiokafka", "tests.bench.contenders", ("raw",)),
    Contender("runtime", "tests.bench.contenders", ("runtime", "--schema", SMALL)),
    Contender("runtime, full tables", "tests.bench.contenders", ("runtime", "--schema", LARGE)),
    Contender("faust", FAUST),
)


@dataclass
class Throughput:
    """What was measured. Units: records per second; `rates` by contender, a rate per round."""

    records: int
    value_bytes: int = 0
    record_bytes: int = 0
    rates: dict[str, list[float]] = field(default_factory=dict)

    def median(self, contender: str) -> float:
        return statistics.median(self.rates[contender])

    def ratio(self, over: str, under: str) -> float:
        return self.median(over) / self.median(under)

    def summary(self) -> dict[str, Any]:
        """As it stands in the JSON."""
        return {
            "records_per_round": self.records,
            "value_bytes": self.value_bytes,
            "record_bytes": self.record_bytes,
            "finished_entities": FINISHED,
            "rates": {name: [round(rate) for rate in rates] for name, rates in self.rates.items()},
            "medians": {name: round(self.median(name)) for name in self.rates},
            "runtime_over_aiokafka": round(self.ratio("runtime", "aiokafka"), 3),
            "runtime_over_faust": round(self.ratio("runtime", "faust"), 2),
            "full_over_small_tables": round(self.ratio("runtime, full tables", "runtime"), 3),
        }


async def measure_throughput(addresses: Addresses, rounds: int, records: int, tell: Tell) -> Throughput:
    """Rounds of all contenders over the same new records, in turning order, after one round that does not count."""
    await ensure_topics(addresses.kafka, PARTITIONS)
    await ensure_bench_topics(addresses.kafka)
    tell("filling the tables")
    await _fill_tables(addresses.database_url)
    writer, found = Writer(KafkaLog(addresses.kafka)), Throughput(records)
    for number in range(-1, rounds):
        count = records if number >= 0 else records // 4
        starts = await settled_ends(addresses.kafka)
        await writer.write(count)
        turn = number % len(CONTENDERS)
        for contender in CONTENDERS[turn:] + CONTENDERS[:turn]:
            tell(f"throughput, round {number + 1} of {rounds}: {contender.name}")
            if contender.module == FAUST:  # a new worker: one that was left may keep its group waiting for a minute
                await begin_at(addresses.kafka, faust_group(number), starts)
            seconds = await asyncio.to_thread(_run, contender, addresses, count, number)
            if number >= 0:
                found.rates.setdefault(contender.name, []).append(count / seconds)
    found.value_bytes, found.record_bytes = writer.value_bytes, writer.bytes_each
    return found


def faust_group(number: int) -> str:
    """The consumer group of the Faust worker of one round."""
    return f"bench-faust-{number + 1}"


def _run(contender: Contender, addresses: Addresses, count: int, number: int) -> float:
    """Run one contender in a process of its own. Errors: `RuntimeError` with what it said."""
    command = [sys.executable, "-m", contender.module, *contender.arguments, "--kafka", addresses.kafka]
    command += ["--count", str(count)]
    if contender.module == "tests.bench.contenders":
        command += ["--database-url", addresses.database_url]
    else:
        command += ["--group", faust_group(number)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=RUN_SECONDS_MAX, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise RuntimeError(f"Expected {contender.name} to measure itself, found {done.stdout} {done.stderr[-2_000:]}")
    return float(json.loads(lines[-1])["seconds"])


async def _fill_tables(database_url: str) -> None:
    processor = placement()
    async with asyncpg.create_pool(database_url, min_size=1, max_size=1) as pool:
        for schema, count in FINISHED.items():
            await migrate(pool, schema)
            await PostgresStore(pool, schema, processor.name, processor.table.name).claim([])  # makes the table
            fill = FILL.format(schema=schema, table=processor.table.name, partitions=PARTITIONS, count=count)
            await pool.execute(fill, timeout=RUN_SECONDS_MAX)
            await pool.execute(f"VACUUM ANALYZE {schema}.state_{processor.table.name}", timeout=RUN_SECONDS_MAX)
        await pool.execute("CHECKPOINT", timeout=RUN_SECONDS_MAX)
