"""A writer breaks and blows intake's fuse: the alert's page, step by step, on a floor that runs."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from subprocess import Popen, TimeoutExpired
from typing import Any, Final

import pytest
from aiokafka import AIOKafkaProducer

from deploy.local import Stack
from shared.contracts import branch
from tests.simulation.world import image
from tests.support.terminal import ROOT, Terminal, running_floor, stop, until

PAGE: Final = (ROOT / "docs" / "runbook" / "FuseBlown.md").read_text("utf-8")
BROKEN: Final = 60  # of one writer, in one partition, and then no more
RESET: Final = "dlq reset-fuse intake/reception"
STAY_SECONDS: Final = 5.0
pytestmark = pytest.mark.timeout(600)


async def write_broken(kafka: str) -> None:
    """What nobody can read: a body that is none, and no headers."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        for _ in range(BROKEN):
            await producer.send_and_wait(branch.SUBMISSION.name, b"{", key=b"s-1", partition=3)
    finally:
        await producer.stop()


def parked(floor: Terminal) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(floor.type("dlq list --json"))
    return found


def told(floor: Terminal, line: str) -> Any:
    """The document of a command that ends badly where anything is not well."""
    return json.loads(floor.answer(line).stdout)


def ended(process: Popen[bytes]) -> bool:
    """Whether intake stops by itself before it has parked all that waits, or at it."""
    try:
        return process.wait(STAY_SECONDS) != 0
    except TimeoutExpired:
        return False


def test_the_page_of_a_blown_fuse_brings_intake_back(stack_folder: Path) -> None:
    """The writer is stopped, the fuse reset with who and why, and intake takes a branch's submission as if nothing had been."""
    with running_floor(stack_folder, ("intake",)) as floor:
        asyncio.run(write_broken(Stack(floor.home).addresses().kafka))
        (process,) = floor.running
        until(lambda: process.poll() is not None)
        first = parked(floor)
        assert 25 <= len(first) <= BROKEN, "Expected what blew the fuse to be parked"
        last = (floor.home / "run-intake.log").read_text().splitlines()[-1]
        assert "FuseBlownError" in last, "Expected the log to end with why, as ServiceAbsent's page says"
        assert "Remedy" in last

        (row,) = [each for each in told(floor, "status --json")["services"] if each["service"] == "intake"]
        assert row["ready"] == "NO"
        assert "branch.submission.v1[3] before offset" in row["reasons"][0]
        assert RESET in row["reasons"][0]
        (fuse,) = [each for each in told(floor, "doctor --json") if each["what"] == "fuse"]
        assert (fuse["well"], RESET in fuse["remedy"]) == (False, True)

        assert "`opsfloor dlq show ID`" in PAGE
        one = first[0]["parked_id"]
        assert "branch.submission.v1" in floor.type(f"dlq show {one}")

        floor.running.append(floor.start("run intake"))
        until(lambda: floor.running[-1].poll() is not None)
        assert len(parked(floor)) == len(first), "Expected a start that nobody thought about to read nothing"
        assert RESET in (floor.home / "run-intake.log").read_text()

        assert f"`opsfloor {RESET} --actor you --reason why`" in PAGE
        asked = floor.type(f"{RESET} --actor you --reason why")
        assert f"{BROKEN - len(first)} records wait" in asked
        assert "`opsfloor run intake`" in PAGE
        floor.running.append(floor.start("run intake"))
        until(lambda: len(parked(floor)) == BROKEN)
        assert not ended(floor.running[-1]), "Expected one reset to do for all that waited"
        assert len({each["parked_id"] for each in parked(floor)}) == BROKEN
        assert "nothing was done" in floor.type(f"{RESET} --actor you --reason why")
        assert not any(
            "fuse" in reason for each in told(floor, "status --json")["services"] for reason in each["reasons"]
        )
        (fuse,) = [each for each in told(floor, "doctor --json") if each["what"] == "fuses"]
        assert fuse["well"]

        scan = floor.home / "scan.png"
        scan.write_bytes(image())
        sent = f"submit {scan} --branch branch-01 --type corporate-transfer --amount 1250000 --json"
        assert json.loads(floor.type(sent))["receipt"]["case_id"]

        assert "`opsfloor dlq redrive ID --actor you --reason why`" in PAGE
        floor.type(f"dlq redrive {one} --actor you --reason why")
        assert not ended(floor.running[-1])
        assert stop(floor.running[-1]) == 0
