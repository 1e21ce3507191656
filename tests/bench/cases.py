"""Figures 3 and 4: whole cases through four real service processes, and how soon the first assignment comes."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from deploy.demo.processes import ServiceProcesses
from deploy.local import Addresses
from services.intake.submit import build_submission
from shared.contracts import audit, core, routing
from shared.contracts.message import ImageReference, Money
from shared.contracts.reference import Operator, ReferenceEntry
from shared.contracts.work import (
    ArbitrationRuling,
    AuthorisationVerdict,
    InspectionVerdict,
    KeyedValue,
    Outcome,
    ReviewVerdict,
)
from shared.http.tokens import ensure_key_pair
from shared.images import ImageStore
from shared.runtime.clock import RealClock
from shared.runtime.log import Record
from shared.runtime.processor import derived_id
from tests.bench.looking import between, look
from tests.bench.outside import Outside
from tests.bench.throughput import Tell
from tests.simulation.world import KEY, bank, image

SERVICES: Final = ("intake", "audit", "routing", "vendor")
BUSINESS: Final = "corporate-transfer"
AMOUNT: Final = Money(amount_minor=9_000_000, currency="CNY")  # the tier with one authoriser
VALUES: Final = {"amount": "90000.00", "payee-account": "6222020200011122", "payee-name": "Li Hua", "purpose": "goods"}
CREW: Final = 3  # people for each one of the example bank: with few, the floor would wait for hands
OPEN_MAX: Final = 250  # cases under way at once while the floor is full
WARM_SECONDS: Final = 8.0


def staffed_bank() -> list[ReferenceEntry]:
    """The example bank with more of the same people."""
    return [
        entry if number == 0 else entry.model_copy(update={"id": f"{entry.id}-{number}"})
        for entry in bank()
        for number in range(CREW if isinstance(entry, Operator) else 1)
    ]


@dataclass
class Load(Outside):
    """Branches, operators and a core bank that answer at once, in one process.

    Holds:   `opened_at`, `first_at`, `posted_at` are monotonic seconds by case id.
    """

    image: ImageReference
    opened_at: dict[str, float] = field(default_factory=dict)
    first_at: dict[str, float] = field(default_factory=dict)
    posted_at: dict[str, float] = field(default_factory=dict)
    refused: int = 0
    _fields: dict[str, str | None] = field(default_factory=dict)  # work item → the field that it shows

    topics = (routing.PLACED, routing.ASSIGNMENT, audit.POSTING, audit.CASE)

    @property
    def open_count(self) -> int:
        return len(self.opened_at) - len(self.posted_at)

    def submit(self) -> None:
        """A branch signs and hands in a transfer."""
        submission_id = f"bench-{uuid.uuid4()}"
        message = build_submission(
            submission_id=submission_id,
            branch_id=f"branch-{len(self.opened_at) % 10 + 1:02d}",
            business_type=BUSINESS,
            images=(self.image,),
            key=KEY,
            captured_at=RealClock().now(),
            declared_amount=AMOUNT,
        )
        self.opened_at[derived_id("case", submission_id)] = time.perf_counter()
        self.write(message, f"submission/{submission_id}")

    def sign_on(self) -> None:
        """Everybody comes to work."""
        for entry in staffed_bank():
            if isinstance(entry, Operator):
                self.command(routing.SignOn, entry.team_id, entry.id)

    def take(self, record: Record) -> None:
        kind = dict(record.headers)["ce_type"]
        match kind:
            case b"routing.work-placed.v1":
                order = orjson.loads(record.value or b"")["order"]
                self._fields[order["work_item_id"]] = order["field"]
            case b"routing.work-assigned.v1":
                self._work(orjson.loads(record.value or b""))
            case b"audit.posting-requested.v1":
                self._book(orjson.loads(record.value or b""))
            case b"audit.case-posted.v1":
                self._end(orjson.loads(record.value or b""))
            case b"audit.case-closed.v1":
                self.refused += 1
                self._end(orjson.loads(record.value or b""))
            case _:
                pass

    def _end(self, fact: dict[str, Any]) -> None:
        if fact["case_id"] in self.opened_at:
            self.posted_at[fact["case_id"]] = time.perf_counter()

    def _work(self, assigned: dict[str, Any]) -> None:
        self.first_at.setdefault(assigned["case_id"], time.perf_counter())
        item = assigned["work_item_id"]
        self.command(
            routing.CompleteAssignment,
            assigned["team_id"],
            assigned["operator_id"],
            work_item_id=item,
            attempt=assigned["attempt"],
            outcome=_outcome(assigned["step"], VALUES.get(self._fields.get(item) or "", "")),
            handle_seconds=1.0,
        )

    def _book(self, asked: dict[str, Any]) -> None:
        self.write(
            core.PostingConfirmed(
                posting_id=asked["posting_id"],
                case_id=asked["case_id"],
                core_reference=asked["posting_id"][:8],
                booked_at=RealClock().now(),
            ),
            f"core/{asked['posting_id']}",
        )


def _outcome(step: str, value: str) -> Outcome:
    match step:
        case "entry":
            return KeyedValue(value=value)
        case "arbitration":
            return ArbitrationRuling(value=value)
        case "inspection":
            return InspectionVerdict(value=value)
        case "review":
            return ReviewVerdict(passed=True)
        case _:
            return AuthorisationVerdict(granted=True)


@dataclass
class Cases:
    """What was measured. Units: cases per second; milliseconds; CPU seconds per case by process."""

    per_second: float
    completed: int
    refused: int
    latency_load: float
    latencies_ms: list[float]
    cpu_seconds: dict[str, float]
    processors: dict[str, dict[str, float]]

    def quantile(self, share: float) -> float:
        ordered = sorted(self.latencies_ms)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    def summary(self) -> dict[str, Any]:
        """As it stands in the JSON."""
        return {
            "cases_per_second": round(self.per_second, 1),
            "completed": self.completed,
            "refused": self.refused,
            "first_assignment_load_per_second": round(self.latency_load, 1),
            "first_assignments": len(self.latencies_ms),
            "first_assignment_p50_ms": round(self.quantile(0.5), 1),
            "first_assignment_p99_ms": round(self.quantile(0.99), 1),
            "cpu_ms_per_case": {k: round(1000 * v / self.completed, 2) for k, v in self.cpu_seconds.items()},
            "processors": self.processors,
        }


@asynccontextmanager
async def _floor(home: Path, addresses: Addresses) -> AsyncIterator[ServiceProcesses]:
    ensure_key_pair(home / "keys")
    env = {"OPSFLOOR_KAFKA": addresses.kafka, "OPSFLOOR_DATABASE_URL": addresses.database_url}
    with ServiceProcesses(home, env) as services:
        pids = [services.start(name, name) for name in SERVICES]
        for pid in pids:
            await asyncio.to_thread(services.wait_ready, pid)
        yield services


async def measure_cases(home: Path, addresses: Addresses, seconds: float, tell: Tell) -> Cases:
    """A full floor for so many seconds after a warm-up, then half of its load for as long."""
    load = Load(addresses.kafka, await ImageStore.in_folder(home / "images").put(image()))
    for entry in staffed_bank():
        load.write(entry, f"reference/{entry.key}")
    tasks = [asyncio.create_task(load.publish())]
    try:
        await asyncio.sleep(1.0)
        tell("whole cases: the services start")
        async with _floor(home, addresses) as services:
            tasks.append(asyncio.create_task(load.answer()))
            load.sign_on()
            await asyncio.sleep(2.0)
            tell("whole cases: the floor is full")
            await _keep_full(load, WARM_SECONDS, tasks)
            before, at, done = await look(SERVICES, services, addresses, home), time.perf_counter(), len(load.posted_at)
            await _keep_full(load, seconds, tasks)
            rate = (len(load.posted_at) - done) / (time.perf_counter() - at)
            completed = len(load.posted_at) - done
            after = await look(SERVICES, services, addresses, home)
            await _drain(load, tasks)
            tell("first assignments: half of the load")
            opened = len(load.opened_at)
            await _keep_pace(load, rate / 2, seconds, tasks)
            await _drain(load, tasks)
    finally:
        load.ended = True
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    late = list(load.opened_at.items())[opened:]
    latencies = [1000 * (load.first_at[case_id] - sent) for case_id, sent in late if case_id in load.first_at]
    cpu = {name: after[0][name] - before[0].get(name, 0.0) for name in after[0]}
    return Cases(rate, completed, load.refused, rate / 2, latencies, cpu, between(before[1], after[1]))


def _watch(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done():
            task.result()


async def _keep_full(load: Load, seconds: float, tasks: list[asyncio.Task[None]]) -> None:
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        _watch(tasks)
        for _ in range(OPEN_MAX - load.open_count):
            load.submit()
        await asyncio.sleep(0.01)


async def _keep_pace(load: Load, rate: float, seconds: float, tasks: list[asyncio.Task[None]]) -> None:
    """Hand in at a steady pace, whatever the floor does: a slow floor is not spared."""
    start, sent = time.perf_counter(), 0
    while (passed := time.perf_counter() - start) < seconds:
        _watch(tasks)
        while sent < passed * rate:
            load.submit()
            sent += 1
        await asyncio.sleep(0.002)


async def _drain(load: Load, tasks: list[asyncio.Task[None]]) -> None:
    end = time.perf_counter() + 30.0
    while load.open_count and time.perf_counter() < end:
        _watch(tasks)
        await asyncio.sleep(0.05)
    if load.open_count:
        raise RuntimeError(f"Expected every case to end within 30 s, found {load.open_count} open")
