"""Looks ahead with the floor simulator, in a process beside this one, so that no desk waits while it plays."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from multiprocessing import get_context
from typing import Final, Protocol

import structlog
from pydantic import BaseModel, ConfigDict, Field

from services.routing.emergency.floor import FloorNow
from services.routing.simulator.ahead import Ahead, Now, Seen, ahead_of, play
from shared.contracts.reroute import RerouteTerms
from shared.runtime.patience import within

PLAY_SECONDS: Final = 2.5  # for both days; the rest of the three seconds is for the way there and back
ANSWER_SECONDS: Final = 3.0
LARGER: Final = 4  # times, from one day to the next
MINUTES_MIN: Final = 1.0  # in less nothing that is begun comes to its end
SIZES: Final = (1 / LARGER**2, 1 / LARGER, 1.0)
BEGIN_SECONDS: Final = 8.0  # instead, the first time, until the other process has begun
NICENESS: Final = 5
PARENT_SECONDS: Final = 1.0  # between two looks whether the service is still there

_log: Final = structlog.get_logger("opsfloor.emergency")


class TooSlowError(Exception):
    """The days could not be played in the time that there is."""


class Outcome(BaseModel):
    """What a played day came to. Units: items; `late` ended too late, or are overdue and still wait."""

    model_config = ConfigDict(frozen=True)

    done: int
    late: int
    waiting: int


class LookAhead(BaseModel):
    """The next minutes with the reroute and without it, played by the floor's own placement and desks."""

    model_config = ConfigDict(frozen=True)

    minutes: float = Field(
        description="how far it looks: the reroute's own time, half an hour at most, less on a full floor"
    )
    items: int = Field(description="how many items were played")
    left_out: int = Field(description="items that wait and were not played: the most urgent were")
    without: Outcome
    with_it: Outcome
    seconds: float = Field(description="how long playing took")


def look(days: Sequence[Ahead], terms: RerouteTerms, budget_seconds: float = PLAY_SECONDS) -> LookAhead:
    """Play the days, each larger than the one before, without the terms and with them, and tell of the largest that is
    over within the budget of real time: a busy machine sees less, and not nothing.

    Errors:  `TooSlowError` when not even the first is.
    """
    began, seen = time.monotonic(), None

    def tell(done: int) -> None:
        if time.monotonic() - began > budget_seconds:
            raise TooSlowError(f"Expected both days within {budget_seconds} s, found {done} items done")

    for ahead in days:
        try:
            seen = _both(ahead, terms, tell, began)
        except TooSlowError:
            if seen is None:
                raise
            break
        if seen.seconds * LARGER > budget_seconds:
            break  # the next would not be over
    if seen is None:
        raise TooSlowError("Expected a day to play, found none")
    return seen


def _both(ahead: Ahead, terms: RerouteTerms, tell: Callable[[int], None], began: float) -> LookAhead:
    without, with_it = play(ahead, None, tell), play(ahead, terms, tell)
    return LookAhead(
        minutes=round(ahead.minutes, 1),
        items=len(ahead.day.cases),
        left_out=ahead.left_out,
        without=_told(without),
        with_it=_told(with_it),
        seconds=round(time.monotonic() - began, 2),
    )


def _told(seen: Seen) -> Outcome:
    return Outcome(done=seen.done, late=seen.late, waiting=seen.waiting)


def days_ahead(floor: FloorNow, terms: RerouteTerms) -> tuple[Ahead, ...]:
    """The days to play, from the boards as they are, each larger than the one before."""
    mixes = {
        (team.id, part.work_type): floor.mix_at(team, part.work_type)
        for team in floor.teams()
        if (load := floor.load(team.id)) is not None
        for part in load.queued
    }
    now = Now(floor.book.reference, floor.book.standing, floor.loads, mixes, floor.plan, floor.in_force, floor.now)
    *smaller, whole = (ahead_of(now, terms.minutes, size) for size in SIZES)
    return (*(day for day in smaller if day.minutes >= MINUTES_MIN), whole)


class Looks(Protocol):
    """Whoever plays the next minutes."""

    async def look(self, days: Sequence[Ahead], terms: RerouteTerms) -> LookAhead | None:
        """What they see; `None` when it cannot be seen in time."""


@dataclass
class Looker:
    """The process that plays. Holds: one look at a time; it begins with the first and ends with `run`."""

    play_seconds: float = PLAY_SECONDS
    answer_seconds: float = ANSWER_SECONDS
    begin_seconds: float = BEGIN_SECONDS
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    _pool: ProcessPoolExecutor | None = None

    async def look(self, days: Sequence[Ahead], terms: RerouteTerms) -> LookAhead | None:
        """What it sees; `None` when it cannot be seen in time, or another look is under way."""
        if self.turn.locked():
            return None
        async with self.turn:
            seconds = self.answer_seconds if self._pool is not None else self.begin_seconds
            self._pool = self._pool or ProcessPoolExecutor(1, get_context("spawn"), _give_way)
            try:
                playing = asyncio.get_running_loop().run_in_executor(self._pool, look, days, terms, self.play_seconds)
                return await within(seconds, playing)
            except (TooSlowError, TimeoutError):
                return None
            except BrokenProcessPool:
                _log.warning("the process that looks ahead is gone; the next look begins another")
                self.close()
                return None

    async def run(self) -> None:
        """Keep the process until cancelled, then end it."""
        try:
            await asyncio.Event().wait()
        finally:
            self.close()

    def close(self) -> None:
        """End the process; what it plays comes to its end by its own budget."""
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            self._pool = None


def _give_way() -> None:
    """Desks and placements come first; and who plays does not outlive the service, however that ends."""
    os.nice(NICENESS)
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_SECONDS)
    os._exit(0)  # nobody is left to clean up for: the pipe to a parent that was killed never ends by itself
