"""Every command of the alerts' pages is typed on a floor that runs, with an id that is there, and ends well.

Commands about reroutes are typed in `tests/unit/emergency/test_runbook.py`, each on the order that it is about.
"""

from __future__ import annotations

import asyncio
import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from aiokafka import AIOKafkaProducer

from deploy.local import Stack
from shared.contracts import branch
from tests.simulation.world import image
from tests.support.terminal import ROOT, SERVICES, Terminal, running_floor, stop, until

PAGES: Final = sorted((ROOT / "docs" / "runbook").glob("*.md"))
COMMANDS: Final = sorted(
    {
        command
        for page in PAGES
        for command in re.findall(r"`opsfloor ([^`]+)`", page.read_text("utf-8"))
        if not command.startswith("reroute ")
    }
)
STAYS: Final = ("run ", "console", "staffing")  # until told to stop; the last one works out a day for many minutes
STOPPED: Final = ("restore",)  # the page says: with every service stopped
STAY_SECONDS: Final = 5.0
pytestmark = [pytest.mark.timeout(600), pytest.mark.early]


@pytest.fixture
def floor(stack_folder: Path) -> Iterator[Terminal]:
    """A stack, the example bank, every service."""
    with running_floor(stack_folder) as terminal:
        yield terminal


async def spoil(kafka: str) -> None:
    """A record that nobody can read."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka)
    await producer.start()
    try:
        await producer.send_and_wait(branch.SUBMISSION.name, b"{", key=b"s-1")
    finally:
        await producer.stop()


def test_every_command_of_a_page_ends_well(floor: Terminal) -> None:
    """Somebody is called at night and types what stands there."""
    scan = floor.home / "scan.png"
    scan.write_bytes(image())
    sent = "--branch branch-01 --type corporate-transfer --amount 1250000 --json"
    case_id = json.loads(floor.type(f"submit {scan} {sent}"))["receipt"]["case_id"]
    asyncio.run(spoil(Stack(floor.home).addresses().kafka))
    ids = {
        "case": case_id,
        "item": until(lambda: _first_item(floor, case_id)),
        "dlq": until(lambda: next((each["parked_id"] for each in json.loads(floor.type("dlq list --json"))), "")),
    }
    typed = []
    for command in (each for each in COMMANDS if not each.startswith(STOPPED)):
        line = re.sub(r"\bID\b", ids.get(command.split()[0], "ID"), command)
        line = re.sub(r"\bFOLDER\b", "deploy/reference", line)
        assert not re.search(r"\bID\b", line), f"Expected to know an id for {command}"
        if line.startswith(STAYS) and "--help" not in line:
            process = floor.start(line)
            time.sleep(STAY_SECONDS)
            assert process.poll() is None, f"opsfloor {line} ended"
            assert stop(process) in (0, -signal.SIGTERM), line
        else:
            floor.type(line)
        typed.append(command)
    assert len(typed) >= 15
    assert [stop(process) for process in floor.running] == [0] * len(SERVICES)
    for command in (each for each in COMMANDS if each.startswith(STOPPED)):
        floor.type(command)


def _first_item(floor: Terminal, case_id: str) -> str:
    told = floor.type(f"case {case_id} --json")
    found = re.search(r'"work_item_id": ?"([^"]+)"', told)
    return found[1] if found else ""
