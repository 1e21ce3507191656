"""One service process: its processors, boards and HTTP face, started in order and stopped in reverse."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final

import asyncpg
import structlog
from fastapi import APIRouter
from prometheus_client import REGISTRY
from starlette.types import ASGIApp

from shared.contracts.message import Message, Topic
from shared.http.app import build_app, serve
from shared.http.tokens import Verifier
from shared.runtime.boards import BoardKeeper, Boards
from shared.runtime.clock import Clock
from shared.runtime.collector import spare_collector
from shared.runtime.commands import CommandPublisher
from shared.runtime.engine import Limits
from shared.runtime.errors import InvariantError, TransientError
from shared.runtime.house import house_levels, pool_levels
from shared.runtime.kafka_log import KafkaLog
from shared.runtime.levels import Levels, Read
from shared.runtime.log import group_of
from shared.runtime.noted import noted
from shared.runtime.patience import within
from shared.runtime.postgres_store import PostgresStore
from shared.runtime.processor import BoardSpec, Processor, derived_id
from shared.runtime.reads import look
from shared.runtime.runner import Runner, went_back
from shared.runtime.schema import mark, migrate, migrations, taken
from shared.runtime.settings import Settings
from shared.runtime.topics import expect_agreed

if TYPE_CHECKING:
    from shared.runtime.otlp_tracing import Spans

WATCH_SECONDS: Final = 2.0
BUNDLES: Final = "0003_post_bundles.sql"  # the step from which on everybody reads several facts in one record,
COMPRESSED_BUNDLES: Final = "0004_post_compressed_bundles.sql"  # and the one from which on it may be compressed
SILENT_SECONDS: Final = 60.0  # a runner whose loop has not turned for so long is not alive
DRAIN_SECONDS: Final = 15.0  # that a batch under way may take when the process ends; then it is left as by a crash

Publish = Callable[[Message, str], Awaitable[None]]
"""Publishes a command from outside under an event id; raises `TransientError` when the bus is away."""

_log: Final = structlog.get_logger("opsfloor.host")


@dataclass(frozen=True)
class Surroundings:
    """What a service's wiring may build on."""

    settings: Settings
    clock: Clock
    log: KafkaLog
    pool: asyncpg.Pool
    boards: Boards
    publish: Publish


@dataclass(frozen=True)
class Service:
    """What a service's wiring hands to its process.

    Holds:   `routers` pair a router with the roles that may use it; `background` runs until the process stops;
             `levels` are read whenever somebody asks for the metrics; `hindrances` say in words, which anybody may read,
             what cannot be done now for want of something outside, or nothing.
    """

    name: str
    processors: tuple[Processor, ...]
    routers: Sequence[tuple[APIRouter, tuple[str, ...]]] = ()
    background: Sequence[Callable[[], Awaitable[None]]] = ()
    levels: Sequence[Read] = ()
    hindrances: Sequence[Callable[[], str]] = ()


@dataclass(frozen=True)
class ServicePlan:
    """What must be known of a service before anything is connected: its name, boards and how to wire it."""

    name: str
    boards: tuple[BoardSpec, ...]
    wire: Callable[[Surroundings], Service]


@dataclass
class Health:
    """Answers `/health` and `/ready` from what the runners say of themselves, and from looks at what they work on.

    Holds:   `away` says in words what cannot be done now, by what is away; anybody may read them, so they name no address.
    """

    runners: list[Runner] = field(default_factory=list)
    boards_ready: bool = False
    away: dict[str, str] = field(default_factory=dict)

    def live(self) -> bool:
        now = asyncio.get_running_loop().time()
        return all(now - runner.progress.last_cycle < SILENT_SECONDS for runner in self.runners)

    def ready(self) -> tuple[bool, list[str]]:
        reasons = [] if self.boards_ready else ["boards are still being read"]
        reasons += [f"{r.processor.full_name} has not joined its group" for r in self.runners if not r.progress.ready]
        reasons += filter(None, self.away.values())
        reasons += [] if self.live() else [f"it has stood still for {SILENT_SECONDS:.0f} s: it should be started anew"]
        return not reasons, reasons


async def _leave_as_it_is(connection: object) -> None:
    """Nothing that the floor runs leaves anything set on a connection, so the round trip of a reset is saved."""


async def spans_of(settings: Settings, service: str, stack: contextlib.AsyncExitStack) -> Spans | None:
    """Where this process's spans go; none, and nothing of OpenTelemetry is loaded, when the environment names no place."""
    if not settings.traces:
        return None
    from shared.runtime.otlp_tracing import Spans

    spans = Spans.over_otlp(service, settings.instance or f"{socket.gethostname()}-{os.getpid()}")
    stack.push_async_callback(asyncio.to_thread, spans.close)
    _log.info("spans are told", service=service, endpoint=settings.traces)
    return spans


def traced_by(spans: Spans | None) -> Callable[[ASGIApp], ASGIApp] | None:
    """The layer of a process's HTTP face that tells a span for each request; none when nobody listens."""
    if spans is None:
        return None
    from shared.http.traced import TracedRequests

    return partial(TracedRequests, tracer=spans.tracer)


def _topics(plan: ServicePlan, service: Service) -> set[Topic]:
    """All that the service reads, writes or has a board of."""
    told = {topic for each in service.processors for topic in (*each.inputs, *each.outputs)}
    return told | {spec.topic for spec in plan.boards}


class Host:
    """Runs one service until it is told to stop or an invariant breaks."""

    def __init__(
        self, plan: ServicePlan, settings: Settings, clock: Clock, serving: Callable[[str], None] | None = None
    ) -> None:
        self._serving: Final = serving
        self._plan: Final = plan
        self._settings: Final = settings
        self._clock: Final = clock
        self._health: Final = Health()
        self._stop: Final = asyncio.Event()

    async def run(self) -> int:
        """Start, work, stop. Returns the exit status: 0 after a stop that was asked for, 1 after a failure."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        settings = self._settings
        log = KafkaLog(
            settings.kafka, session_timeout_seconds=settings.session_timeout_seconds, instance=settings.instance or None
        )
        async with contextlib.AsyncExitStack() as stack:
            pool = await asyncpg.create_pool(
                settings.database_url,
                min_size=1,
                max_size=settings.pool_size_max,
                max_inactive_connection_lifetime=0,  # who is at work stays connected: `opsfloor migrate post` looks
                reset=_leave_as_it_is,
                server_settings={"application_name": mark(self._plan.name, migrations())},
            )
            stack.push_async_callback(pool.close)
            await migrate(pool, self._plan.name)
            boards = Boards(self._plan.boards)
            publisher = log.publisher()
            await publisher.start()
            stack.push_async_callback(publisher.stop)
            publish = CommandPublisher(log, publisher, f"/opsfloor/{self._plan.name}/http", self._clock).publish
            service = self._plan.wire(Surroundings(settings, self._clock, log, pool, boards, publish))
            for read in (house_levels(service.name, boards, settings.instance), pool_levels(pool), *service.levels):
                levels = Levels(read)
                REGISTRY.register(levels)
                stack.callback(REGISTRY.unregister, levels)
            keeper = BoardKeeper(boards, log)
            await keeper.start()
            stack.push_async_callback(keeper.stop)
            self._health.boards_ready = True
            steps = await taken(pool, service.name)
            limits = Limits(
                batch_records_max=settings.batch_records_max,
                gather_seconds=settings.gather_seconds,
                bundles=BUNDLES in steps,
                compressed_bundles=COMPRESSED_BUNDLES in steps,
            )
            spans = await spans_of(settings, service.name, stack)
            runners = [
                Runner(
                    p,
                    log,
                    PostgresStore(pool, service.name, p.name, p.table.name),
                    boards,
                    self._clock,
                    limits,
                    tracing=None if spans is None else spans.tracing(),
                )
                for p in service.processors
            ]
            await expect_agreed(settings.kafka, _topics(self._plan, service))
            for processor in service.processors:
                await self._compare(log, pool, processor)
            spare_collector()
            return await self._work(service, runners, keeper, spans, pool)

    async def _compare(self, log: KafkaLog, pool: asyncpg.Pool, processor: Processor) -> None:
        """Refuse a database that went back while no process of the service was there to notice.

        Holds:   the group's notes are asked for first: another process may be at work, which commits before it notes.
        """
        read = await noted(log.bootstrap, group_of(processor.name))
        store = PostgresStore(pool, processor.service, processor.name, processor.table.name)
        shards = range(await log.partitions(processor.inputs[0].name))
        inlets = {(topic.name, n): 0 for topic in processor.inputs for n in shards} | dict(await store.inlets(shards))
        went_back(processor.full_name, inlets, read)

    async def _work(
        self, service: Service, runners: list[Runner], keeper: BoardKeeper, spans: Spans | None, pool: asyncpg.Pool
    ) -> int:
        verifier = Verifier.from_folder(self._settings.home / "keys")
        app = build_app(service.name, verifier, service.routers, self._health, traced=traced_by(spans))
        self._health.runners = runners
        for runner in runners:
            runner.beside = runners
            await runner.start()
        host, port = self._settings.http_host, self._settings.http_port
        watching = asyncio.create_task(self._watch(runners))
        tasks = [
            asyncio.create_task(self._feed(keeper)),
            watching,
            asyncio.create_task(self._look(pool, service.hindrances)),
            asyncio.create_task(serve(app, host, port, self._serving)),
            *(asyncio.ensure_future(work()) for work in service.background),
        ]
        working = [asyncio.create_task(runner.run()) for runner in runners]
        stopping = asyncio.create_task(self._stop.wait())
        _log.info("running", service=service.name, processors=[p.name for p in service.processors])
        done, _ = await asyncio.wait([*tasks, *working, stopping], return_when=asyncio.FIRST_COMPLETED)
        status = 0 if stopping in done else 1
        for task in done - {stopping}:
            _log.error("stopped by a failure", service=service.name, reason=repr(task.exception()))
        self._health.away["end"] = "it is ending"
        await self._drain(runners, working)
        watching.cancel()  # of a bus that is left on purpose nobody says that it cannot be seen: why it ends is the last word
        if status and not self._stop.is_set():
            await self._last_words()
        for task in (*tasks, stopping):
            task.cancel()
        await asyncio.gather(*tasks, stopping, return_exceptions=True)
        return status

    async def _last_words(self) -> None:
        # What broke is told by the metrics too, and those are only known to somebody who asks: wait to be asked.
        with contextlib.suppress(TimeoutError):
            await within(self._settings.last_words_seconds, self._stop.wait())

    async def _drain(self, runners: list[Runner], working: list[asyncio.Task[None]]) -> None:
        """End the batches under way; one that waits for a bus that is away, or a group that never settles, is left."""
        for runner in runners:
            runner.stop()
        _, waiting = await asyncio.wait(working, timeout=DRAIN_SECONDS)
        for task in waiting:
            _log.warning("left as by a crash", service=self._plan.name, waited_seconds=DRAIN_SECONDS)
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        for runner in runners:
            await runner.close()

    async def _feed(self, keeper: BoardKeeper) -> None:
        while True:
            if not await keeper.step(0.2):
                await asyncio.sleep(0)

    async def _watch(self, runners: list[Runner]) -> None:
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            for runner in runners:
                name = runner.processor.full_name
                try:
                    await runner.watch()
                    self._health.away.pop(name, None)
                except TransientError as error:
                    self._health.away[name] = f"{name} cannot see the bus: it reads and publishes nothing"
                    _log.warning("cannot look at the bus", processor=name, reason=str(error))

    async def _look(self, pool: asyncpg.Pool, hindrances: Sequence[Callable[[], str]] = ()) -> None:
        while True:
            for number, hindered in enumerate(hindrances):
                self._health.away[f"hindrance {number}"] = hindered()
            try:
                await look(pool)
                self._health.away.pop("database", None)
            except TransientError:  # whoever works with it logs it
                self._health.away["database"] = "the database is away: nothing is decided, and nothing can be looked up"
            await asyncio.sleep(WATCH_SECONDS)


__all__ = ["Host", "InvariantError", "Service", "ServicePlan", "Surroundings", "derived_id"]
