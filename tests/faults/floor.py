"""A real floor under load: the simulator's world, speaking to Kafka."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, cast

import asyncpg

from deploy.demo.auditor import Auditor
from deploy.demo.processes import ServiceProcesses
from deploy.local import Addresses, Stack
from services.audit.controls.processor import controls
from services.intake.reception.processor import reception
from services.routing.desk.processor import desk
from services.routing.emergency.processor import emergency
from services.routing.placement.processor import placement
from services.vendor.supervision.processor import supervision
from shared.contracts.reference import FloorLimits
from shared.contracts.registry import TOPICS
from shared.http.tokens import Issuer, ensure_key_pair
from shared.images import ImageStore
from shared.proof.cases import Finding
from shared.runtime.clock import RealClock
from shared.runtime.headers import source_of
from shared.runtime.kafka_log import KafkaLog
from shared.runtime.log import Outgoing, Place, Record
from shared.runtime.processor import Processor
from shared.runtime.topics import ensure_topics, wanted
from tests.faults import books
from tests.simulation.decoding import decoded_once
from tests.simulation.planning_room import decided_otherwise
from tests.simulation.stage import PARTITIONS, Stage
from tests.simulation.world import World, image, reference

SERVICES: Final = ("intake", "audit", "routing-1", "routing-2", "vendor")
PROCESSORS: Final[tuple[Processor, ...]] = (
    reception(ImageStore(None)),
    controls(),
    placement(),
    desk(),
    emergency(),
    supervision(),
)
ALWAYS_WRITING: Final = frozenset(
    source_of(processor.service, processor.name, shard)
    for processor in PROCESSORS
    if processor.name not in ("supervision", "emergency")  # samples and people: they may have nothing to say for long
    for shard in range(PARTITIONS)
)
"""Shards that have something to write within moments of load, by source."""

LEASE_SECONDS: Final = 4.0
SUBMISSIONS_MAX: Final = 20_000
TURN_SECONDS: Final = 0.1
TURNS_PER_SUBMISSION: Final = 2
RECRUIT_SECONDS: Final = 12.0
TURNS_PER_REROUTE: Final = 15
STILL_SECONDS: Final = 45.0  # no submission has come to its end for so long: no more will
READ_UP_SECONDS: Final = 30.0
RELIEF_SECONDS: Final = 5.0  # of silence after which the control room stands down: orders may leave nothing to be done
POSTED_SECONDS: Final = 120.0  # that a busy machine may take for the cases that a story needs


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

    def __init__(
        self,
        home: Path,
        seed: int,
        names: Sequence[str] = SERVICES,
        draw: random.Random | None = None,
    ) -> None:
        self.home: Final = home
        self._names: Final = names
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
        self.world: Final = World(cast(Stage, self.mirror), draw or random.Random(seed))
        self.wrote_ms: Final = dict.fromkeys(ALWAYS_WRITING, -1)  # when each shard last wrote
        self._log: Final = KafkaLog(self.addresses.kafka)
        self._seen: Final = Auditor()
        self._taken: Final[dict[Place, int]] = {}
        self._loaded = True
        self._at_rest = False
        self._waves = 0  # of new people
        self._recruited = 0.0  # when the last of them came, on the loop's clock
        self._decoding: Final = ExitStack()

    async def open(self, **limits: float) -> None:
        """Topics, reference data with short leases (or these limits), every service ready, everybody at the desk."""
        self._decoding.enter_context(decoded_once())
        private, _ = ensure_key_pair(self.home / "keys")
        self._token = Issuer(private).issue("faults", "on_call")
        await ImageStore.in_folder(self.home / "images").put(image())
        await ensure_topics(self.addresses.kafka, PARTITIONS)
        leases = {
            "offer_lease_seconds": LEASE_SECONDS,
            "work_lease_seconds_min": LEASE_SECONDS,
            "work_lease_factor": 0.0,
            **limits,
        }
        for entry in reference():
            changed = entry.model_copy(update=leases) if isinstance(entry, FloorLimits) else entry
            self.world.publish(changed, f"reference/{entry.key}")
        for name in self._names:
            self.start(name)
        self.world.everybody_signs_on()

    def start(self, name: str) -> None:
        """Start one service process."""
        self.pids[name] = self.services.start(name.split("-")[0], name)

    async def ready(self) -> None:
        """Wait until every process is ready."""
        for pid in self.pids.values():
            await asyncio.to_thread(self.services.wait_ready, pid)

    def close(self) -> None:
        """End every process and the stack."""
        self._decoding.close()
        self.services.stop_all()
        self.stack.down()

    # ------------------------------------------------------------------ world

    @asynccontextmanager
    async def living(self) -> AsyncIterator[None]:
        """The world goes on in the background, whatever happens to the floor. Errors: those of the world, at once."""
        async with asyncio.TaskGroup() as world:
            tasks = [world.create_task(part) for part in (self._read(), self._write(), self._live())]
            yield
            for task in tasks:
                task.cancel()

    @contextmanager
    def people_at_rest(self) -> Iterator[None]:
        """Meanwhile nobody works or commands reroutes: what is sent in waits at the desks or lies in people's hands."""
        self._at_rest = True
        try:
            yield
        finally:
            self._at_rest = False

    async def _read(self) -> None:
        tail = self._log.tail(list(TOPICS), gather_seconds=TURN_SECONDS)
        await tail.start()
        try:
            while True:
                for record in await tail.fetch(2_000, 0.1):
                    self.mirror.log.records[(record.topic, record.partition)].append(record)
                    self._note(record)
        finally:
            await tail.stop()

    def _note(self, record: Record) -> None:
        source = next((value.decode() for name, value in record.headers if name == "ce_source"), "")
        if source in self.wrote_ms:
            self.wrote_ms[source] = max(record.timestamp_ms, self.wrote_ms[source])

    def silent(self, since_ms: int) -> list[str]:
        """The shards that have written nothing since. Units: the floor's wall clock in milliseconds."""
        return sorted(source for source, wrote_ms in self.wrote_ms.items() if wrote_ms <= since_ms)

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
            if self._loaded and turn % TURNS_PER_SUBMISSION == 0 and turn < SUBMISSIONS_MAX * TURNS_PER_SUBMISSION:
                self.world.submit()
            self.world.book(diligent=not self._loaded)
            if not self._at_rest:
                self.world.work(diligent=not self._loaded)
            if self._loaded and not self._at_rest and turn % TURNS_PER_REROUTE == 0:
                self.world.control_room.command()
            if turn % 40 == 0:
                self.world.everybody_signs_on()
            await asyncio.sleep(TURN_SECONDS)

    async def heal(self, since_ms: int, seconds: float) -> list[str]:
        """Wait until every shard has written since. Returns the shards that have not after so many seconds.

        Units:   the floor's wall clock in milliseconds.
        Holds:   a shard that has nothing to do writes nothing: local orders over most regions and business types send nearly
                 every submission back to its branch. So what is still silent after a while is given work.
        """
        loop = asyncio.get_running_loop()
        end, relief = loop.time() + seconds, loop.time() + RELIEF_SECONDS
        while (silent := self.silent(since_ms)) and loop.time() < end:
            if loop.time() > relief:
                relief = loop.time() + RELIEF_SECONDS
                self.world.control_room.stand_down()
            await asyncio.sleep(0.1)
        return silent

    async def heals(self, seconds: float) -> None:
        """Every shard writes again, from now on. Errors: `AssertionError` when one does not in time."""
        silent = await self.heal(self.mirror.clock.wall_ms(), seconds)
        assert silent == [], f"nothing more from {silent}"

    async def posted(self, count: int) -> None:
        """Wait until so many cases are posted: how many that are after a time is the machine's matter.

        Holds:   when none is posted for a while new people come and reroutes are cancelled, as at the end: everybody may be
                 suspended, or every submission sent back to its branch.
        Errors:  `AssertionError` when they are not in `POSTED_SECONDS`.
        """
        loop = asyncio.get_running_loop()
        end = loop.time() + POSTED_SECONDS
        still_since, last = loop.time(), -1
        while (found := self.audit().conservation()["posted"]) < count:
            assert loop.time() < end, f"Expected {count} cases posted, found {found}"
            if found != last:
                still_since, last = loop.time(), found
            if self._recruit(still_since):
                self.world.control_room.stand_down()
            await asyncio.sleep(0.5)

    def _recruit(self, still_since: float) -> bool:
        """New people in the place of everybody, when for a while nothing has ended nor has anybody come; whether they came."""
        now = asyncio.get_running_loop().time()
        due = now > max(self._recruited, still_since) + RECRUIT_SECONDS
        if due:
            self._waves, self._recruited = self._waves + 1, now
            self.world.recruit(self._waves)
        return due

    # ------------------------------------------------------------------ ending

    async def rest(self, seconds: float) -> dict[str, int]:
        """No more submissions; wait until every one has its end.

        Holds:   it waits so many seconds at most, and no longer when nothing has ended for `STILL_SECONDS`. Operators
                 err so often here that in a long run everybody who may do some work is suspended, as it should be: when
                 nothing has ended for a while, new people come.
        """
        self._loaded = False
        self.world.hire()
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        still_since, opened = loop.time(), -1
        while True:
            self.world.control_room.stand_down()
            held = self.audit().conservation()
            if held["open"] != opened:
                still_since, opened = loop.time(), held["open"]
            self._recruit(still_since)
            at_rest = opened == 0 and not self.mirror.log.outgoing
            if at_rest or loop.time() > min(end, still_since + STILL_SECONDS):
                await asyncio.sleep(1.0)
                return self.audit().conservation()
            await asyncio.sleep(0.5)

    def audit(self) -> Auditor:
        """What an auditor makes of everything read so far."""
        for place, records in self.mirror.log.records.items():
            self._seen.take_all(records[self._taken.get(place, 0) :])
            self._taken[place] = len(records)
        return self._seen

    async def judge(self) -> list[Finding]:
        """Let the services read up and stop, then read every topic from the beginning, and the tables.

        Returns every broken promise. Nobody publishes from outside any more, and this ends the services.
        """
        found = [Finding("no process ends by itself", service) for service in self.services.ended()]
        found += await self._read_up()
        found += await self._stop_services()
        topics = await self._everything()
        auditor = Auditor()
        for place in sorted(topics):
            if place[0] in TOPICS:
                auditor.take_all(topics[place])
        found += auditor.findings()
        found += decided_otherwise(topics)
        tables = await books.read_books(self.addresses.database_url, PROCESSORS)
        found += books.judge(tables, topics, PROCESSORS)
        return found

    async def _read_up(self) -> list[Finding]:
        """Whatever is in the topics now is read by every processor within moments."""
        ends = {place: records[-1].offset + 1 for place, records in (await self._everything()).items() if records}
        left: list[tuple[str, Place, int, int]] = []
        for _ in range(int(READ_UP_SECONDS / 0.5)):
            tables = await books.read_books(self.addresses.database_url, PROCESSORS)
            left = list(books.unread(tables, ends, PROCESSORS))
            if not left:
                break
            await asyncio.sleep(0.5)
        return [
            Finding("nothing lost", f"{name} has read {place[0]}[{place[1]}] to {at}, it goes to {end}")
            for name, place, at, end in left
        ]

    async def _stop_services(self) -> list[Finding]:
        """Asked to stop, a service drains, commits and leaves with status 0."""
        names = {pid: name for name, pid in self.pids.items()}
        statuses = await asyncio.to_thread(self.services.stop_all)
        return [
            Finding("graceful stop", f"{names[pid]} ended with status {status}")
            for pid, status in statuses.items()
            if status != 0
        ]

    async def _everything(self) -> dict[Place, list[Record]]:
        """Every record of every topic, dead letters too, as they stand."""
        names = [want.name for want in wanted(PARTITIONS, TOPICS)]
        topics: dict[Place, list[Record]] = {(name, n): [] for name in names for n in range(PARTITIONS)}
        tail = self._log.tail(names)
        await tail.start()
        try:
            ready = False
            while not ready:
                ready = await tail.ready()
                for record in await tail.fetch(5_000, 0.0 if ready else 0.2):
                    topics[(record.topic, record.partition)].append(record)
        finally:
            await tail.stop()
        return topics

    # ------------------------------------------------------------------ what is looked at from outside

    def owned(self, name: str, processor: str) -> int:
        """How many shards of a processor a process of the floor says it owns."""
        return self.services.owned(self.pids[name], processor, self._token)

    async def epochs(self, processors: Iterable[Processor]) -> dict[tuple[str, int], int]:
        """How often each shard of these processors was claimed: by processor's name and shard."""
        connection = await asyncpg.connect(self.addresses.database_url)
        try:
            found = {}
            for processor in processors:
                rows = await connection.fetch(
                    f"SELECT shard, epoch FROM {processor.service}.shard WHERE processor = $1", processor.name
                )
                found.update({(processor.name, shard): epoch for shard, epoch in rows})
            return found
        finally:
            await connection.close()

    def warnings(self, text: str) -> int:
        """How many lines of the services' logs hold this text."""
        return sum(
            line.count(text) for log in self.home.glob("*.log") for line in log.read_text(errors="replace").splitlines()
        )
