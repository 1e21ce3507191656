"""Whole cases through four real services; operators answer at once over Kafka, the core bank says yes at once."""

from __future__ import annotations

import asyncio
import hashlib
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psutil

from services.intake.submit import build_submission
from shared.contracts import audit
from shared.contracts.branch import SubmissionSent
from shared.contracts.message import ImageReference
from tests.faults.floor import Floor
from tests.simulation.world import KEY, image

SIGNED_ON_SECONDS: Final = 3.0
DRAIN_SECONDS_MAX: Final = 120.0


class BenchFloor(Floor):
    """The fault tests' floor without faults: nobody errs, nobody waits, all documents are corporate transfers."""

    async def _live(self) -> None:
        while True:
            self.world.work(diligent=True)
            self.world.book(diligent=True)
            await asyncio.sleep(0.005)


def transfer(number: int) -> SubmissionSent:
    """One signed corporate transfer."""
    content = image()
    return build_submission(
        submission_id=f"bench-{number}",
        branch_id=f"branch-{1 + number % 10:02d}",
        business_type="corporate-transfer",
        images=(
            ImageReference(sha256=hashlib.sha256(content).hexdigest(), media_type="image/png", size_bytes=len(content)),
        ),
        key=KEY,
        captured_at=_now(),
    )


def _now() -> datetime:
    return datetime.now(UTC)


async def measure_floor(home: Path, cases: int) -> dict[str, Any]:
    """Cases per second in a burst, then the latency to the first assignment at half of that rate."""
    floor = BenchFloor(home, seed=1)
    try:
        await floor.open()
        async with floor.living():
            await floor.ready()
            floor.world.hire()
            await asyncio.sleep(SIGNED_ON_SECONDS)
            before = _cpu(floor)
            rate = await _burst(floor, cases)
            cpu = {name: seconds - before.get(name, 0.0) for name, seconds in _cpu(floor).items()}
            latencies = await _paced(floor, cases, rate / 2)
    finally:
        floor.close()
    latencies.sort()
    return {
        "cases": cases,
        "cases_per_second": rate,
        "cpu_seconds": cpu,
        "first_assignment_ms": {"p50": latencies[len(latencies) // 2], "p99": latencies[int(len(latencies) * 0.99)]},
    }


def _cpu(floor: Floor) -> dict[str, float]:
    pids = {**floor.pids, "kafka": floor.stack.kafka_pid or 0, "the world": psutil.Process().pid}
    found = {name: sum(psutil.Process(pid).cpu_times()[:2]) for name, pid in pids.items()}
    postgres = psutil.Process(floor.stack.postgres_pid)
    found["postgres"] = sum(sum(child.cpu_times()[:2]) for child in postgres.children())
    return found


def _ended(floor: Floor) -> int:
    return sum(
        any(
            header == ("ce_type", b"audit.case-posted.v1") or header == ("ce_type", b"audit.case-closed.v1")
            for header in record.headers
        )
        for place, records in floor.mirror.log.records.items()
        if place[0] == audit.CASE.name
        for record in records
    )


async def _burst(floor: Floor, cases: int) -> float:
    messages = [transfer(number) for number in range(cases)]
    started = time.monotonic()
    for message in messages:
        floor.world.publish(message, message.submission_id)
    while _ended(floor) < cases and time.monotonic() < started + DRAIN_SECONDS_MAX:
        await asyncio.sleep(0.1)
    return _ended(floor) / (time.monotonic() - started)


async def _paced(floor: Floor, cases: int, rate: float) -> list[float]:
    """Milliseconds from each submission to the first assignment of its case."""
    sent: dict[str, Any] = {}
    for number in range(cases, 2 * cases):
        message = transfer(number)
        sent[message.submission_id] = message.captured_at
        floor.world.publish(message, message.submission_id)
        await asyncio.sleep(1 / rate)
    await asyncio.sleep(5.0)
    auditor = floor.audit()
    return [
        (auditor.first_assigned[case_id] - at).total_seconds() * 1000
        for submission_id, at in sent.items()
        if (case_id := auditor.case_by_submission.get(submission_id)) in auditor.first_assigned
    ]
