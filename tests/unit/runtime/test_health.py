"""What a process says of itself while something that it works on is away."""

from __future__ import annotations

import asyncio
from typing import Any

import asyncpg
import pytest

from shared.runtime import host as hosting
from shared.runtime.clock import RealClock
from shared.runtime.errors import TransientError
from shared.runtime.host import SILENT_SECONDS, Host, ServicePlan
from shared.runtime.settings import Settings
from tests.support.pool_of_one import Pool


class Runner:
    """A runner as far as its bus goes."""

    def __init__(self) -> None:
        self.processor = self
        self.progress = self
        self.full_name = "intake/reception"
        self.ready = True
        self.blind = False
        self.last_cycle = 0.0
        self.closed = False

    async def watch(self) -> None:
        if self.blind:
            raise TransientError("Expected Kafka at 10.0.0.1 to tell end offsets")

    def stop(self) -> None:
        """It waits for its group, and does not hear."""

    async def close(self) -> None:
        self.closed = True


async def a_few_looks() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    def wire(*_: object) -> Any:
        raise AssertionError("nothing is wired here")

    monkeypatch.setattr(hosting, "WATCH_SECONDS", 0.0)
    found = Host(ServicePlan("intake", (), wire), Settings(kafka="k:1", database_url="postgresql://d"), RealClock())
    found._health.boards_ready = True
    return found


@pytest.mark.parametrize("failure", [ConnectionRefusedError("10.0.0.1"), asyncpg.InvalidPasswordError("secret")])
async def test_a_process_whose_database_is_away_is_not_ready_until_it_is_back(host: Host, failure: Exception) -> None:
    """It says what it cannot do, to anybody who asks, and names no address."""
    pool: Any = Pool()
    looking = asyncio.create_task(host._look(pool))
    await a_few_looks()
    assert host._health.ready() == (True, [])
    pool.failure = failure
    await a_few_looks()
    ready, reasons = host._health.ready()
    assert not ready
    assert reasons == ["the database is away: nothing is decided, and nothing can be looked up"]
    pool.failure = None
    await a_few_looks()
    assert host._health.ready() == (True, [])
    looking.cancel()


async def test_a_process_that_cannot_see_the_bus_is_not_ready(host: Host) -> None:
    """The processor is named whose client sees nothing."""
    runner: Any = Runner()
    runner.blind = True
    watching = asyncio.create_task(host._watch([runner]))
    await a_few_looks()
    assert host._health.ready() == (False, ["intake/reception cannot see the bus: it reads and publishes nothing"])
    runner.blind = False
    await a_few_looks()
    assert host._health.ready() == (True, [])
    watching.cancel()


async def test_a_process_that_stands_still_is_neither_alive_nor_ready(host: Host) -> None:
    """Whoever asks either question hears of it."""
    runner: Any = Runner()
    runner.last_cycle = asyncio.get_running_loop().time()
    host._health.runners = [runner]
    assert (host._health.live(), host._health.ready()) == (True, (True, []))
    runner.last_cycle -= SILENT_SECONDS + 1
    assert (host._health.live(), host._health.ready()[0]) == (False, False)


async def test_a_process_ends_though_a_runner_waits_for_ever(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bus client in a group that never settles hands nothing out and does not return: the end does not wait for it."""
    monkeypatch.setattr(hosting, "DRAIN_SECONDS", 0.01)
    runner: Any = Runner()
    waits, ends = asyncio.create_task(asyncio.Event().wait()), asyncio.create_task(asyncio.sleep(0))
    working: Any = [waits, ends]
    async with asyncio.timeout(5):
        await host._drain([runner], working)
    assert waits.cancelled()
    assert runner.closed
