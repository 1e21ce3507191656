"""A real floor under load: the simulator's world, speaking to Kafka."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

import asyncpg

from deploy.demo.auditor import Auditor, Finding
from deploy.demo.processes import ServiceProcesses
from deploy.local import Addresses, Stack
from shared.contracts.reference import FloorLimits
from shared.contracts.registry import TOPICS
from shared.http.tokens import ensure_key_pair
from shared.images import ImageStore
from shared.runtime.clock import RealClock
from shared.runtime.kafka_log import KafkaLog
from shared.runtime.log import Outgoing, Place, Record
from shared.runtime.topics import ensure_topics
from tests.simulation.stage import PARTITIONS, Stage
from tests.simulation.world import World, image, reference

SERVICES: Final = ("intake", "audit", "routing-1", "routing-2", "vendor")
LEASE_SECONDS: Final = 4.0
SUBMISSIONS_MAX: Final = 100_000


class Mirror:
    """The bus as the world sees it: what was read from Kafka, and what it wants written."""

    def __init__(self) -> None:
        self.records: Final[dict[Place, list[Record]]] = {(name, n): [] for name in TOPICS for n in range(PARTITIONS)}
        self.outgoing: Final[list[tuple[Place, Outgoing]]] = []

    def append(self, place: Place, outgoing: Outgoing) -> None:
        self.outgoing.append((place, outgoing))


@dataclass
class MirrorStage:
    """What `World` needs of a stage."""

    log: Mirror = field(default_factory=Mirror)
    clock: RealClock = field(default_factory=RealClock)


class Floor:
    """Stack, processes and world. Holds: only processes started here are ever signalled, by their ids."""

    def __init__(self, home: Path, seed: int) -> None:
        self.home: Final = home
        self.stack: Final = Stack(home, owned=True)
        self.addresses: Final[Addresses] = self.stack.up()
        self.services: Final = ServiceProcesses(
            home,
            {
                "OPSFLOOR_KAFKA": self.addresses.kafka,
                "OPSFLOOR_DATABASE_URL": self.addresses.database_url,
                "OPSFLOOR_SESSION_TIMEOUT_SECONDS": "2",
            },
        )
        self.pids: Final[dict[str, int]] = {}
        self.mirror: Final = MirrorStage()
        self.world: Final = World(cast(Stage, self.mirror), random.Random(seed))
        self._log: Final = KafkaLog(self.addresses.kafka)
        self._loaded = True

    async def open(self) -> None:
        """Topics, reference data with short leases, every service ready, everybody at the desk."""
        ensure_key_pair(self.home / "keys")
        await ImageStore.in_folder(self.home / "images").put(image())
        await ensure_topics(self.addresses.kafka, PARTITIONS)
        leases = {
            "offer_lease_seconds": LEASE_SECONDS,
            "work_lease_seconds_min": LEASE_SECONDS,
            "work_lease_factor": 0.0,
        }
        for entry in reference():
            changed = entry.model_copy(update=leases) if isinstance(entry, FloorLimits) else entry
            self.world.publish(changed, f"reference/{entry.key}")
        for name in SERVICES:
            self.start(name)
        self.world.everybody_signs_on()

    def start(self, name: str) -> None:
        """Start one service process and wait until it is ready."""
        self.pids[name] = self.services.start(name.split("-")[0], name)

    async def ready(self) -> None:
        """Wait until every process is ready."""
        for pid in self.pids.values():
            await asyncio.to_thread(self.services.wait_ready, pid)

    def close(self) -> None:
        """End every process and the stack."""
        self.services.stop_all()
        self.stack.down()

    # ------------------------------------------------------------------ world

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        """The world goes on in the background, whatever happens to the floor."""
        tasks = [
            asyncio.create_task(self._read()),
            asyncio.create_task(self._write()),
            asyncio.create_task(self._live()),
        ]
        try:
            yield
            for task in tasks:
                if task.done():
                    task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self) -> None:
        tail = self._log.tail(list(TOPICS))
        await tail.start()
        try:
            while True:
                for record in await tail.fetch(2_000, 0.1):
                    self.mirror.log.records[(record.topic, record.partition)].append(record)
        finally:
            await tail.stop()

    async def _write(self) -> None:
        publisher = self._log.publisher()
        await publisher.start()
        try:
            while True:
                batch: dict[Place, list[Outgoing]] = {}
                taken = self.mirror.log.outgoing[:500]
                for place, outgoing in taken:
                    batch.setdefault(place, []).append(outgoing)
                failed = await publisher.publish(batch) if batch else {}
                del self.mirror.log.outgoing[: len(taken)]
                self.mirror.log.outgoing[:0] = [(place, row) for place, row in taken if place in failed]
                await asyncio.sleep(0.02 if not failed else 0.3)
        finally:
            await publisher.stop()

    async def _live(self) -> None:
        turn = 0
        while True:
            turn += 1
            if self._loaded and turn % 3 == 0:
                self.world.submit()
            self.world.work(diligent=not self._loaded)
            self.world.book(diligent=not self._loaded)
            if turn % 40 == 0:
                self.world.everybody_signs_on()
            await asyncio.sleep(0.1)

    # ------------------------------------------------------------------ ending

    async def rest(self, seconds: float) -> dict[str, int]:
        """No more submissions; wait until every one has its end, or so long. Returns the conservation figures."""
        self._loaded = False
        self.world.hire()
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while True:
            held = self.audit().conservation()
            if (held["open"] == 0 and not self.mirror.log.outgoing) or loop.time() > end:
                await asyncio.sleep(1.0)
                return self.audit().conservation()
            await asyncio.sleep(0.5)

    def audit(self) -> Auditor:
        """What an auditor makes of everything read so far."""
        auditor = Auditor()
        for place in sorted(self.mirror.log.records):
            auditor.take_all(self.mirror.log.records[place])
        return auditor

    async def judge(self) -> list[Finding]:
        """Read every topic again from the beginning, and the tables; say which promises were broken."""
        self.mirror.log.records.update({place: [] for place in self.mirror.log.records})
        tail = self._log.tail(list(TOPICS))
        await tail.start()
        while not await tail.ready():
            for record in await tail.fetch(5_000, 0.2):
                self.mirror.log.records[(record.topic, record.partition)].append(record)
        await tail.stop()
        found = self.audit().findings()
        found += await self._judge_tables()
        found += [Finding("no process ends by itself", service) for service in self.services.ended()]
        return found

    async def _judge_tables(self) -> list[Finding]:
        connection = await asyncpg.connect(self.addresses.database_url)
        found: list[Finding] = []
        try:
            for schema in ("intake", "audit", "routing", "vendor"):
                left = await _settled(connection, schema)
                if left:
                    found.append(Finding("nothing lost", f"{schema}: {left} facts are still in the outbox"))
            gaps = await connection.fetchval(
                "SELECT count(*) FROM (SELECT max(n) AS last, count(*) AS rows FROM audit.journal "
                "GROUP BY processor, shard, key) AS j WHERE last <> rows"
            )
            if gaps:
                found.append(Finding("journal", f"{gaps} cases have gaps in their journal"))
        finally:
            await connection.close()
        return found


async def _settled(connection: Any, schema: str) -> int:
    """How many facts stay unpublished; what was published is noted within moments."""
    for _ in range(50):
        left = await connection.fetchval(f"SELECT count(*) FROM {schema}.outbox")
        if not left:
            return 0
        await asyncio.sleep(0.2)
    return int(left)
