"""The balancer's process: a Faust application that hears of arrivals, makes a plan each second and tells it.

Faust's acknowledgements are not safe enough to own work, so that nothing here may be lost with it: bodies never raise,
agents run one at a time, values are raw and decoded by our contracts, no table and no window holds anything.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import faust
import structlog
from prometheus_client import REGISTRY
from starlette.types import ASGIApp

from services.routing.balancer import metrics
from services.routing.balancer.balance import Balance
from services.routing.balancer.turn import PLAN_SECONDS, Turn
from services.routing.boards import ARRIVALS_BOARD, LOAD_BOARD, PLAN_BOARD, STANDING_BOARD
from shared.contracts import audit, vendor
from shared.contracts.message import Topic
from shared.http.app import build_app, serve
from shared.http.tokens import Verifier
from shared.reference.board import REFERENCE_BOARD
from shared.reroutes import REROUTE_BOARD
from shared.runtime.boards import BoardKeeper, Boards
from shared.runtime.clock import Clock
from shared.runtime.commands import CommandPublisher
from shared.runtime.errors import TransientError
from shared.runtime.host import spans_of, traced_by
from shared.runtime.house import house_levels
from shared.runtime.kafka_access import KafkaAccess, access_of
from shared.runtime.kafka_log import KafkaLog
from shared.runtime.levels import Levels
from shared.runtime.log import Record
from shared.runtime.noted import ends, note
from shared.runtime.pieces import unheard
from shared.runtime.settings import Settings
from shared.runtime.topics import expect_agreed

BOARDS: Final = (REFERENCE_BOARD, STANDING_BOARD, LOAD_BOARD, REROUTE_BOARD, PLAN_BOARD, ARRIVALS_BOARD)
ASKED_ON: Final[tuple[Topic, ...]] = (audit.WORK, vendor.INSPECTION)
SOURCE: Final = "/opsfloor/routing/balancer"
ANEW_SECONDS: Final = 1.0  # until a Faust application that gave up is followed by the next
JOIN_SECONDS: Final = 15.0  # that joining its group may take a Faust application
JOINED_LOOK_SECONDS: Final = 0.2
STOP_SECONDS: Final = 10.0  # that one which gave up may take to stop
SILENT_SECONDS: Final = 60.0  # a balancer that has not turned for so long is not alive

_log: Final = structlog.get_logger("opsfloor.balancer")


def faust_app(kafka: str, instance: str, hear: Callable[[Record], None], folder: Path) -> Any:
    """The Faust application: one agent per topic on which work is asked for. Faust wants a folder, and writes nothing in it.

    Holds:   every balancer is a group of its own and hears everything: two at once make the same plan, and a new one
             need not wait until the group has given up on the one that was killed. It begins at what its group has
             noted: where the last plan ends. What came before stands in that plan.
    """
    access = access_of(kafka)
    app = faust.App(
        group_of(instance),
        broker=f"kafka://{access.bootstrap}",
        broker_credentials=credentials_of(access),
        datadir=folder,
        store="memory://",
        web_enabled=False,
        stream_wait_empty=False,
        topic_disable_leader=True,
        topic_allow_declare=False,
        consumer_auto_offset_reset="latest",
    )
    for topic in ASKED_ON:
        stream = app.topic(topic.name, value_serializer="raw", key_serializer="raw", value_type=bytes)
        app.agent(stream, concurrency=1, name=f"hears-{topic.name}")(agent_of(hear))
    return app


def credentials_of(access: KafkaAccess) -> Any:
    """What Faust is to show the brokers; none in the clear. Errors: `TransientError` for files that cannot be used."""
    if access.user:
        return faust.SASLCredentials(
            username=access.user,
            password=access.password(),
            mechanism=access.mechanism,
            ssl_context=access.context(),
        )
    return faust.SSLCredentials(access.context()) if access.encrypted else None


def group_of(instance: str) -> str:
    """The group of one balancer."""
    return f"opsfloor-balancer-{instance}"


async def heard_out(app: Any) -> None:
    """A Faust application's life, from start to stop. Errors: what it crashed of; `TimeoutError` when it never joins.

    Why:     a broker that goes away while Faust joins its group may leave it waiting for ever, without a word.
    """
    lives, joined = asyncio.create_task(_lives(app)), asyncio.create_task(_joined(app))
    try:
        done, _ = await asyncio.wait((lives, joined), timeout=JOIN_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not done:
            raise TimeoutError(f"Expected Faust to join its group within {JOIN_SECONDS:.0f} s, found it waiting")
        await lives
    finally:
        lives.cancel()
        joined.cancel()
        stopping = asyncio.ensure_future(app.stop())
        await asyncio.wait([stopping], timeout=STOP_SECONDS)
        stopping.cancel()  # Faust may wait for its own futures whatever cancels it: it is left to the process's end


async def _lives(app: Any) -> None:
    await app.start()
    await app.wait_until_stopped()
    if app.crash_reason is not None:
        raise app.crash_reason


async def _joined(app: Any) -> None:
    while not app.assignor.assigned_actives():
        await asyncio.sleep(JOINED_LOOK_SECONDS)


def agent_of(hear: Callable[[Record], None]) -> Callable[[Any], Any]:
    """The body of an agent. Holds: never raises, whatever a message is: Faust would acknowledge it and lose the rest."""

    async def listen(stream: Any) -> None:
        async for event in stream.events():
            try:
                record = record_of(event.message)
            except (AttributeError, TypeError, ValueError):  # not as Kafka's client hands it over
                metrics.REFUSED.inc()
                continue
            hear(record)

    return listen


def record_of(message: Any) -> Record:
    """Faust's message as a record of our log."""
    headers = message.headers or ()
    pairs = headers.items() if isinstance(headers, dict) else headers
    return Record(
        topic=message.topic,
        partition=message.partition,
        offset=message.offset,
        key=message.key,
        value=message.value,
        headers=tuple((str(name), bytes(value or b"")) for name, value in pairs),  # Kafka allows a value to be null
        timestamp_ms=int((message.timestamp or 0.0) * 1000),
    )


@dataclass
class Turning:
    """What the balancer knows of its own health."""

    boards_ready: bool = False
    turned_at: float = field(default_factory=time.monotonic)
    hindered: str = ""  # what kept the last plan from being made or told

    def live(self) -> bool:
        return time.monotonic() - self.turned_at < SILENT_SECONDS

    def ready(self) -> tuple[bool, list[str]]:
        reasons = [] if self.boards_ready else ["boards are still being read"]
        reasons += [self.hindered] if self.hindered else []
        return not reasons, reasons


class BalancerHost:
    """Runs one balancer until it is told to stop or something breaks."""

    def __init__(self, settings: Settings, clock: Clock, serving: Callable[[str], None] | None = None) -> None:
        self._settings: Final = settings
        self._clock: Final = clock
        self._serving: Final = serving
        self._turning: Final = Turning()
        self._instance: Final = uuid.uuid4().hex[:8]
        self._log: Final = KafkaLog(settings.kafka)
        self._boards: Final = Boards(BOARDS)
        self._balance: Final = Balance(self._boards.views, f"balancer-{self._instance}", clock.now())
        self._stop: Final = asyncio.Event()

    async def run(self) -> int:
        """Start, plan, stop. Returns the exit status: 0 after a stop that was asked for, 1 after a failure."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._stop.set)
        await expect_agreed(self._settings.kafka, {*ASKED_ON, *(spec.topic for spec in BOARDS)})
        reads = (
            house_levels("balancer", self._boards),
            metrics.plan_levels(self._boards.views[PLAN_BOARD.name], self._clock.now),
        )
        keeper, publisher = BoardKeeper(self._boards, self._log), self._log.publisher()
        async with contextlib.AsyncExitStack() as stack:
            for levels in map(Levels, reads):
                REGISTRY.register(levels)
                stack.callback(REGISTRY.unregister, levels)
            await publisher.start()
            stack.push_async_callback(publisher.stop)
            await keeper.start()
            stack.push_async_callback(keeper.stop)
            self._balance.resume(self._clock.now())
            gc.freeze()  # what the boards hold stays: looking through it again and again took as long as a plan
            self._turning.boards_ready = True
            publish = CommandPublisher(self._log, publisher, SOURCE, self._clock).publish
            verifier = Verifier.from_folder(self._settings.home / "keys")
            spans = await spans_of(self._settings, "balancer", stack)
            pieces = unheard if spans is None else spans.piece
            turn = Turn(self._balance, self._clock, self._instance, pieces)
            face = build_app("balancer", verifier, (), self._turning, traced=traced_by(spans))
            return await self._work(keeper, face, partial(turn.plan, publish))

    async def _work(self, keeper: BoardKeeper, face: ASGIApp, plan: Callable[[], Awaitable[str]]) -> int:
        working = [
            asyncio.create_task(self._feed(keeper)),
            asyncio.create_task(self._listen()),
            asyncio.create_task(self._turn(plan)),
            asyncio.create_task(serve(face, self._settings.http_host, self._settings.http_port, self._serving)),
        ]
        stopping = asyncio.create_task(self._stop.wait())
        _log.info("running", service="balancer", instance=self._instance)
        done, _ = await asyncio.wait([*working, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopping}:
            _log.error("stopped by a failure", service="balancer", reason=repr(task.exception()))
        for task in (*working, stopping):
            task.cancel()
        await asyncio.gather(*working, stopping, return_exceptions=True)
        return 0 if stopping in done else 1

    async def _feed(self, keeper: BoardKeeper) -> None:
        while True:
            if not await keeper.step(0.2):
                await asyncio.sleep(0)

    async def _listen(self) -> None:
        """Hear of arrivals. Whatever makes Faust give up, it begins anew: what is missed meanwhile is little."""
        folder = self._settings.home / "faust"
        folder.mkdir(parents=True, exist_ok=True)
        while not await self._begun():
            await asyncio.sleep(ANEW_SECONDS)
        while True:
            (ended,) = await asyncio.gather(self._hear_out(folder), return_exceptions=True)
            metrics.LISTENERS.inc()
            _log.warning("Faust gave up, begun anew", reason=repr(ended))
            await asyncio.sleep(ANEW_SECONDS)

    async def _hear_out(self, folder: Path) -> None:
        """One Faust application from making to its end: a secret that is being renewed may keep it from being made."""
        await heard_out(faust_app(self._settings.kafka, self._instance, self._hear, folder))

    async def _begun(self) -> bool:
        """Note in the balancer's own group where it begins to hear; told in the log while the bus does not take it."""
        kafka = self._settings.kafka
        try:
            starts = self._balance.begin(await ends(kafka, [topic.name for topic in ASKED_ON]))
            await note(kafka, group_of(self._instance), starts)
        except TransientError as error:
            _log.warning("cannot hear of arrivals yet", reason=str(error))
            return False
        return True

    def _hear(self, record: Record) -> None:
        refused, heard = self._balance.refused, self._balance.heard
        self._balance.hear(record)
        metrics.REFUSED.inc(self._balance.refused - refused)
        metrics.HEARD.inc(self._balance.heard - heard)

    async def _turn(self, plan: Callable[[], Awaitable[str]]) -> None:
        loop = asyncio.get_running_loop()
        while True:
            begun = loop.time()
            self._turning.hindered = await plan()
            self._turning.turned_at = time.monotonic()
            await asyncio.sleep(max(0.0, begun + PLAN_SECONDS - loop.time()))
