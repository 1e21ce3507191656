"""Every command of the alerts' pages is typed on a floor that runs, with an id that is there, and ends well.

Commands about reroutes are typed in `tests/unit/emergency/test_runbook.py`, each on the order that it is about.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from aiokafka import AIOKafkaProducer

from deploy.local import Stack
from shared.contracts import branch
from tests.simulation.world import image

ROOT: Final = Path(__file__).parents[2]
PAGES: Final = sorted((ROOT / "docs" / "runbook").glob("*.md"))
COMMANDS: Final = sorted(
    {
        command
        for page in PAGES
        for command in re.findall(r"`opsfloor ([^`]+)`", page.read_text("utf-8"))
        if not command.startswith("reroute ")
    }
)
SERVICES: Final = ("intake", "audit", "routing", "vendor", "balancer")
STAYS: Final = ("run ", "console", "staffing")  # until told to stop; the last one works out a day for many minutes
STOPPED: Final = ("restore",)  # the page says: with every service stopped
WAIT_SECONDS: Final = 60.0
STAY_SECONDS: Final = 5.0
YES: Final = "y\n"  # to a command that asks first
pytestmark = pytest.mark.timeout(600)


class Terminal:
    """A shell in the repository's folder, with a floor of its own."""

    def __init__(self, home: Path) -> None:
        self.home: Final = home
        self.running: Final[list[subprocess.Popen[bytes]]] = []
        self._env: Final = {**os.environ, "OPSFLOOR_HOME": str(home)}
        for name in (
            "OPSFLOOR_KAFKA",
            "OPSFLOOR_DATABASE_URL",
            "PYTEST_CURRENT_TEST",
        ):  # the last one NiceGUI looks for
            self._env.pop(name, None)

    def type(self, line: str) -> str:
        """Run a command and return what it prints. Errors: `AssertionError` when it does not end well."""
        done = subprocess.run(
            self._words(line),
            cwd=ROOT,
            env=self._env,
            input=YES,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"opsfloor {line}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def start(self, line: str) -> subprocess.Popen[bytes]:
        """Run a command that stays."""
        with (self.home / f"{line.replace(' ', '-')}.log").open("ab") as log:
            return subprocess.Popen(self._words(line), cwd=ROOT, env=self._env, stdout=log, stderr=log)

    def _words(self, line: str) -> list[str]:
        return [sys.executable, "-m", "opsfloor", *shlex.split(line)]


def stop(process: subprocess.Popen[bytes]) -> int:
    """Ask a process to end; its status."""
    process.send_signal(signal.SIGTERM)
    return process.wait(30)


def until(look: Callable[[], Any]) -> Any:
    """Look again until there is something to see."""
    end = time.monotonic() + WAIT_SECONDS
    while not (found := look()):
        assert time.monotonic() < end, "Expected it within a minute"
        time.sleep(0.5)
    return found


@pytest.fixture
def floor(stack_folder: Path) -> Iterator[Terminal]:
    """A stack, the example bank, every service."""
    stack = Stack(stack_folder, owned=True)
    stack.up()
    terminal = Terminal(stack_folder)
    try:
        terminal.type("reference deploy/reference")
        terminal.running.extend(terminal.start(f"run {name}") for name in SERVICES)
        until(lambda: len(list((stack_folder / "run").glob("*.json"))) == len(SERVICES))
        yield terminal
    finally:
        for process in terminal.running:
            process.terminate()
        for process in terminal.running:
            process.wait(30)
        stack.down()


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
