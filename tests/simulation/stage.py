"""The stage of a simulated run: processes as coroutines that a scheduler holds at every seam."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final

from services.audit.controls.processor import controls
from services.intake.reception.processor import reception
from services.routing.boards import LOAD_BOARD, PLAN_BOARD
from services.routing.desk.processor import desk
from services.routing.emergency.processor import emergency
from services.routing.placement.processor import placement
from services.vendor.supervision.processor import supervision
from shared.contracts.branch import SubmissionSent
from shared.contracts.message import Message
from shared.contracts.registry import TOPICS
from shared.images import ImageStore, inspect
from shared.reference.board import REFERENCE_BOARD
from shared.reroutes import REROUTE_BOARD
from shared.runtime.boards import BoardKeeper, Boards
from shared.runtime.clock import SetClock
from shared.runtime.engine import Limits
from shared.runtime.memory_log import MemoryLog, MemoryReader
from shared.runtime.memory_store import MemoryDatabase
from shared.runtime.processor import Processor
from shared.runtime.runner import Runner
from shared.runtime.tracing import Tracing
from shared.standing import STANDING_BOARD

PARTITIONS: Final = 2
BOARDS: Final = (REFERENCE_BOARD, STANDING_BOARD, LOAD_BOARD, REROUTE_BOARD, PLAN_BOARD)


class Seam:
    """Where a coroutine stands still until the scheduler moves it on."""

    def __init__(self, name: str) -> None:
        self.name: Final = name

    def __await__(self) -> Generator[str, None, None]:
        yield self.name


async def at_seam(name: str) -> None:
    """Stand still here."""
    await Seam(name)


def topics() -> list[str]:
    """Every topic and its dead letters."""
    return [name for topic in TOPICS.values() for name in (topic.name, topic.dead_letters)]


def real_processors(image: bytes) -> dict[str, tuple[Processor, ...]]:
    """The real processors by service. Only the images come from memory: there is no event loop to fetch them with."""

    async def observe(messages: Sequence[Message], boards: Any) -> Sequence[Any]:
        limits = boards["reference"].limits
        return [
            [inspect(reference, image, limits) for reference in message.images]
            for message in messages
            if isinstance(message, SubmissionSent)
        ]

    taken_in = replace(reception(ImageStore(None)), observe=observe, records_max=0)
    floor = {
        "intake": (taken_in,),
        "audit": (controls(),),
        "routing": (placement(), desk(), emergency()),
        "vendor": (supervision(),),
    }
    return {
        service: tuple(replace(processor, journal=True) for processor in processors)
        for service, processors in floor.items()
    }


@dataclass
class Process:
    """One service process: its runners, and where each of their coroutines stands.

    Holds:   a runner has at most one turn, one publication and one look ahead under way; they overlap as in life.
    """

    service: str
    runners: list[Runner]
    keeper: BoardKeeper
    zombie: bool = False
    under_way: dict[str, Coroutine[Any, Any, Any]] = field(default_factory=dict)
    stands_at: dict[str, str] = field(default_factory=dict)
    started: set[str] = field(default_factory=set)

    def readers(self) -> list[MemoryReader]:
        """The group members of its runners."""
        return [runner._reader for runner in self.runners if isinstance(runner._reader, MemoryReader)]

    def die(self) -> None:
        """End at once, wherever it stands: nothing is finished, nobody is told; its sessions time out."""
        for coroutine in self.under_way.values():
            coroutine.close()
        self.under_way.clear()
        for reader in self.readers():
            reader.vanish()

    def moves(self) -> list[tuple[str, Callable[[], Awaitable[Any]]]]:
        """What it could begin now: a turn or a publication of each runner, reading its boards."""
        found: list[tuple[str, Callable[[], Awaitable[Any]]]] = [("boards", lambda: self.keeper.step(0))]
        for runner in self.runners:
            name = runner.processor.name
            if name not in self.started:
                found.append((f"{name}.turn", runner.start))
                continue
            if f"{name}.ahead" not in self.under_way:
                found.append((f"{name}.turn", runner.cycle))
            if runner.progress.at_work and not runner._ahead:
                found.append((f"{name}.ahead", runner.look_ahead))  # beside a batch, never beside its fetch
            if runner._pending:
                found.append((f"{name}.flush", runner.flush))
        return [(name, begin) for name, begin in found if name not in self.under_way]

    def advance(self, name: str, begin: Callable[[], Awaitable[Any]] | None) -> None:
        """Move one coroutine on to its next seam, beginning it when it is new."""
        coroutine = self.under_way.get(name)
        if coroutine is None:
            assert begin is not None
            coroutine = _as_coroutine(begin)
            self.under_way[name] = coroutine
        try:
            self.stands_at[name] = coroutine.send(None)
        except StopIteration:
            del self.under_way[name]
            self.stands_at.pop(name, None)
            if name.endswith(".turn"):
                self.started.add(name.removesuffix(".turn"))

    def complete(self) -> int:
        """Bring everything under way to its end, then every runner through one turn and publication. Returns steps."""
        steps = 0
        for name in sorted(self.under_way):
            steps += self._to_the_end(name, None)
        for name, begin in self.moves():
            steps += self._to_the_end(name, begin)
        for name, begin in self.moves():
            if name.endswith(".flush"):
                steps += self._to_the_end(name, begin)
        return steps

    def _to_the_end(self, name: str, begin: Callable[[], Awaitable[Any]] | None) -> int:
        steps = 0
        while name in self.under_way or steps == 0:
            self.advance(name, begin)
            steps += 1
        return steps


async def _as_coroutine(begin: Callable[[], Awaitable[Any]]) -> Any:
    return await begin()


def _without_a_pause(coroutine: Coroutine[str, None, None]) -> None:
    """Bring a coroutine to its end past all its seams."""
    with suppress(StopIteration):
        while True:
            coroutine.send(None)


class Stage:
    """Bus, store, clock and the processes on them."""

    def __init__(
        self,
        clock: SetClock,
        image: bytes,
        records_max: Callable[[], int],
        listen: Callable[[str], Tracing] | None = None,
    ) -> None:
        self.clock: Final = clock
        self.log: Final = MemoryLog(PARTITIONS, topics(), at_seam)
        self.database: Final = MemoryDatabase(at_seam)
        self.processors: Final = real_processors(image)
        self.processes: Final[list[Process]] = []
        self._records_max: Final = records_max
        self._listen: Final = listen  # to a service's processors
        self._ticks = 0.0

    def spawn(self, service: str) -> Process:
        """Start a process of a service; its boards are ready before its first turn."""
        boards = Boards(BOARDS)
        keeper = BoardKeeper(boards, self.log)
        _without_a_pause(keeper.start())
        limits = Limits(
            batch_records_max=self._records_max(),
            ahead_records_min=1,
            slice_records=2,
            fuse_parked_min=10_000,
            timer_tick_seconds=0,
        )
        runners = [
            Runner(
                p,
                self.log,
                self.database.store(p.name),
                boards,
                self.clock,
                limits,
                self._monotonic,
                None if self._listen is None else self._listen(service),
            )
            for p in self.processors[service]
        ]
        process = Process(service, runners, keeper)
        self.processes.append(process)
        return process

    def _monotonic(self) -> float:
        self._ticks += 0.01
        return self._ticks

    def kill(self, process: Process) -> None:
        """End a process without a word."""
        process.die()
        self.processes.remove(process)

    def owners(self, service: str) -> list[Process]:
        """The processes of a service."""
        return [process for process in self.processes if process.service == service]
