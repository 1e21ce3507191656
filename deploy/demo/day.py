"""One banking day on a real broker and a real database; a centre, a routing process and the balancer fail."""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from deploy.demo.arrivals import CLOSE_MINUTE, OPEN_MINUTE, Arrival, arrivals
from deploy.demo.auditor import Auditor
from deploy.demo.branches import Branches
from deploy.demo.control_room import APPROVER, PROPOSER, ControlRoom, Moved
from deploy.demo.core_bank import Book, CoreBank, Entry
from deploy.demo.judgement import ERROR_RATE, WEAK_ERROR_RATE
from deploy.demo.live import ZONE, Board
from deploy.demo.operators import Person, Shift
from deploy.demo.processes import ServiceProcesses
from deploy.demo.same_day import AtWork, SameDay, play_again
from deploy.demo.summary import Summary, Witness, escaped, summarise
from deploy.demo.truth import Truth
from shared.contracts import audit, branch, core, intake, reroute, routing
from shared.contracts.message import Message
from shared.contracts.reference import Branch, BusinessType, FloorLimits, Operator, ReferenceEntry, Team
from shared.http.tokens import Issuer, ensure_key_pair
from shared.images import ImageStore
from shared.reference import load
from shared.reference.keys import with_local_keys
from shared.runtime.clock import ScaledClock
from shared.runtime.commands import CommandPublisher
from shared.runtime.host import Publish
from shared.runtime.kafka_log import KafkaLog
from shared.runtime.topics import ensure_topics

REFERENCE: Final = Path(__file__).parents[1] / "reference"
PARTITIONS: Final = 4
DAY: Final = datetime(2026, 3, 2, tzinfo=ZONE)
SHARES: Final = {"corporate-transfer": 0.4, "cheque-deposit": 0.3, "account-maintenance": 0.3}
STALLED_SECONDS: Final = 60.0  # real ones: a slow machine is given time, a floor that stands still is not
DARK_CENTRE: Final = "north"
DARK_MINUTE: Final = 10 * 60 + 30
DARK_MINUTES: Final = 60
BALANCER_KILLED_MINUTE: Final = 15 * 60
GATHER_SECONDS: Final = 0.05  # six processes share few cores: larger batches take a seventh less of them
SET_UP_SECONDS: Final = 12.0  # real ones that the services have before the first document comes
WATCHED: Final = (
    branch.SUBMISSION, intake.RECEIPT, intake.CASE, audit.WORK, audit.CASE, audit.POSTING, core.POSTING,
    routing.ASSIGNMENT, routing.DESK, routing.RESULT, routing.LOAD, routing.PLAN,
    reroute.REROUTE, Branch.topic,
)  # fmt: skip
LOOK_SECONDS: Final = 0.25  # from one look at the bus to the next: the onlooker must not keep the broker busy


@dataclass(frozen=True)
class Plan:
    """What kind of day. Units: `seconds` is the real length of the banking day."""

    submissions: int
    seconds: float
    seed: int
    home: Path
    kafka: str
    database_url: str
    interactive: bool

    @property
    def scale(self) -> float:
        """How many banking seconds pass in a real one."""
        return (CLOSE_MINUTE - OPEN_MINUTE) * 60 / self.seconds


class Demo:
    """The floor and the world around it for one day."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self._plan: Final = plan
        self._console: Final = console
        self._draw: Final = random.Random(plan.seed)
        self._truth: Final = Truth()
        self._auditor: Final = Auditor()
        self._board: Final = Board(self._auditor, plan.submissions)
        self._log: Final = KafkaLog(plan.kafka)
        self._moved: Moved | None = None
        self._given_up = False

    async def play(self) -> Summary:
        """Open, work, lose a process, heal, close, judge."""
        reference = self._reference()
        await ensure_topics(self._plan.kafka, PARTITIONS)
        async with self._publishing(ScaledClock(datetime.now(UTC), time.time(), 1.0)) as publish:
            for entry in reference:
                await publish(entry, f"reference/{entry.key}")
        opening = (DAY + timedelta(minutes=OPEN_MINUTE)).astimezone(UTC)
        before = timedelta(seconds=SET_UP_SECONDS * self._plan.scale)
        clock = ScaledClock(opening - before, time.time(), self._plan.scale)
        with ServiceProcesses(self._plan.home, self._environment(clock)) as services:
            pids = {name: services.start(name.split("-")[0], name) for name in SERVICES}
            for pid in pids.values():
                await asyncio.to_thread(services.wait_ready, pid)
            # the services are up: now the day begins, for them as well, since all share one clock
            self._console.print(f"{len(pids)} service processes are ready; the bank opens at 08:30")
            async with self._publishing(clock) as publish:
                witness, at_work = await self._work(reference, services, pids, clock, publish)
        again = await self._play_again(reference, at_work)
        evacuation = "" if self._moved is None else self._moved.told(self._auditor)
        return summarise(self._auditor, witness, self._board.events, again, evacuation)

    def _reference(self) -> tuple[ReferenceEntry, ...]:
        """The example bank, its floor's intervals drawn out: at this speed a second on the wire is minutes of the bank."""
        entries = with_local_keys(load(REFERENCE), self._plan.home / "keys")
        scale = self._plan.scale
        intervals = {
            "offer_lease_seconds": scale * 10,
            "work_lease_seconds_min": scale * 20,
            "load_seconds": scale * 0.25,
            "nobody_present_seconds": scale * 1.0,
            "retry_seconds_min": scale * 0.25,
            "retry_seconds_max": scale * 2.0,
            "reroute_approval_seconds": scale * 30.0,
            "reroute_execution_seconds": scale * 30.0,
            "reroute_return_step_seconds": scale * 1.0,
            "reroute_fall_back_seconds": scale * 3.0,
        }
        return tuple(
            entry.model_copy(update=intervals) if isinstance(entry, FloorLimits) else entry for entry in entries
        )

    def _environment(self, clock: ScaledClock) -> dict[str, str]:
        return {
            "OPSFLOOR_KAFKA": self._plan.kafka,
            "OPSFLOOR_DATABASE_URL": self._plan.database_url,
            "OPSFLOOR_CLOCK_SCALE": str(clock.scale),
            "OPSFLOOR_CLOCK_START": clock.start.isoformat(),
            "OPSFLOOR_CLOCK_ANCHOR": str(clock.anchor),
            "OPSFLOOR_SESSION_TIMEOUT_SECONDS": "4",
            "OPSFLOOR_GATHER_SECONDS": str(GATHER_SECONDS),
        }

    @asynccontextmanager
    async def _publishing(self, clock: ScaledClock) -> AsyncIterator[Publish]:
        publisher = self._log.publisher()
        await publisher.start()
        try:
            yield CommandPublisher(self._log, publisher, "/opsfloor/outside/http", clock).publish
        finally:
            await publisher.stop()

    # --------------------------------------------------------------- the day

    async def _work(
        self,
        reference: Sequence[ReferenceEntry],
        services: ServiceProcesses,
        pids: dict[str, int],
        clock: ScaledClock,
        publish: Publish,
    ) -> tuple[Witness, list[AtWork]]:
        """The day, what the world saw of it, and who was at work."""
        images = ImageStore.in_folder(self._plan.home / "images")
        templates = {entry.id: entry for entry in reference if isinstance(entry, BusinessType)}
        branches = Branches(templates, images, self._plan.home / "keys", clock, publish, self._truth, self._plan.seed)
        book = Book(self._plan.home / "core-bank.sqlite")
        core_bank = CoreBank(book, self._log.tail([audit.POSTING.name]), clock, publish, self._plan.seed)
        people = self._people(reference)
        at_work = [AtWork(one.operator.id, one.pace, one.lunch_at) for one in people]
        self._shift = shift = Shift(
            people,
            lambda: list(services.urls("routing").values()),
            self._truth,
            clock,
            self._plan.seed,
        )
        tasks = [
            asyncio.create_task(self._watch(branches)),
            asyncio.create_task(core_bank.work()),
            asyncio.create_task(shift.work()),
            asyncio.create_task(self._show(clock)),
        ]
        sending = asyncio.create_task(branches.work(self._arrivals(reference)))
        breaks = [
            asyncio.create_task(self._lose_balancer(services, pids, clock)),
            asyncio.create_task(self._lose_centre(reference, services, clock)),
            asyncio.create_task(self._break(services, pids, clock)),
        ]
        try:
            await _unless_one_fails([sending, *breaks], tasks)
            await _unless_one_fails([asyncio.create_task(self._drain(branches.sent, clock))], tasks)
        finally:
            for task in (*tasks, sending, *breaks):
                task.cancel()
            await asyncio.gather(*tasks, sending, *breaks, return_exceptions=True)
        witness = Witness(
            sent=branches.sent,
            sent_twice=branches.repeats,
            receipts=branches.receipts,
            unanswered=sorted(branches.unanswered),
            core_book=book.total(),
            core_booked=book.count(Entry.BOOKED),
            core_refused=book.count(Entry.REFUSED),
            core_asked_again=core_bank.repeated,
            keying_errors=shift.counts["erred at entry"],
            escaped=escaped(self._auditor, self._truth),
            ended_services=services.ended(),
            given_up=self._given_up,
        )
        book.close()
        return witness, at_work

    async def _play_again(self, reference: Sequence[ReferenceEntry], at_work: Sequence[AtWork]) -> SameDay | None:
        """The same day in virtual time, with the services ended; none of a day that was given up, which nobody compares."""
        if self._auditor.conservation()["open"]:
            return None
        started = [case.started for case in self._auditor.cases.values() if case.started is not None]
        opens = DAY + timedelta(minutes=OPEN_MINUTE)
        self._console.print("the services have ended; the same day again in virtual time, also dealt by round robin …")
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        with Progress(*columns, console=self._console, transient=True) as bar:
            line = bar.add_task("played again", total=1.0)
            return await asyncio.to_thread(
                play_again,
                started,
                reference,
                at_work,
                opens,
                self._plan.seed,
                lambda done: bar.update(line, completed=done),
            )

    def _people(self, reference: Sequence[ReferenceEntry]) -> list[Person]:
        private, _ = ensure_key_pair(self._plan.home / "keys")
        issuer = Issuer(private)
        provider = {entry.id: entry.provider_id for entry in reference if isinstance(entry, Team)}
        people = []
        for entry in reference:
            if isinstance(entry, Operator):
                outside = provider[entry.team_id] != "house"
                weak = outside and self._draw.random() < 0.25
                token = issuer.issue(
                    subject=entry.id,
                    role="operator",
                    team_id=entry.team_id,
                    provider_id=provider[entry.team_id],
                    seconds=7200,
                )
                pace = self._draw.lognormvariate(0, 0.2)
                people.append(Person(entry, token, pace, WEAK_ERROR_RATE if weak else ERROR_RATE, self._lunch()))
        return people

    def _lunch(self) -> datetime:
        return DAY + timedelta(minutes=self._draw.uniform(11.5 * 60, 13.5 * 60))

    def _arrivals(self, reference: Sequence[ReferenceEntry]) -> list[Arrival]:
        ids = [entry.id for entry in reference if isinstance(entry, Branch)]
        return arrivals(self._plan.submissions, DAY, ids, SHARES, self._draw)

    async def _watch(self, branches: Branches) -> None:
        """Feed the auditor with everything that is on the bus, and the branches with their receipts."""
        tail = self._log.tail([topic.name for topic in WATCHED], gather_seconds=LOOK_SECONDS)
        await tail.start()
        try:
            while True:
                for record in await tail.fetch(2_000, 0.2):
                    self._look(self._auditor.take(record), branches)
        finally:
            await tail.stop()

    def _look(self, message: Message | None, branches: Branches) -> None:
        branches.hear(message)
        if self._moved is not None and message is not None:
            self._moved.hear(message, time.monotonic())
        if isinstance(message, routing.LoadSnapshot):
            self._board.loads[message.team_id] = message
        elif isinstance(message, routing.PlanMade):
            self._board.plan = message
        elif isinstance(message, routing.WorkAssigned):
            self._board.assigned += 1

    async def _show(self, clock: ScaledClock) -> None:
        if not self._plan.interactive:
            while True:
                await asyncio.sleep(10)
                self._console.print(self._board.line(clock.now()))
        with Live(console=self._console, auto_refresh=False, transient=True) as live:
            while True:
                await asyncio.sleep(1)
                self._board.tick()
                live.update(self._board.render(clock.now()), refresh=True)

    async def _break(self, services: ServiceProcesses, pids: dict[str, int], clock: ScaledClock) -> None:
        """In the middle of the day one routing process is killed; its shards move, and it comes back."""
        await self._until((OPEN_MINUTE + CLOSE_MINUTE) / 2, clock)
        completed = sum(self._auditor.results.values())
        self._tell(clock, f"routing process {pids['routing-1']} killed with SIGKILL")
        services.kill(pids["routing-1"])
        killed = time.monotonic()
        pid = services.start("routing", "routing-1")
        await asyncio.to_thread(services.wait_ready, pid)
        while sum(self._auditor.results.values()) < completed + 20 and self._auditor.conservation()["open"]:
            await asyncio.sleep(0.1)
        self._tell(
            clock,
            f"routing is back as process {pid}; work flows again {time.monotonic() - killed:.1f} s after the kill",
        )

    async def _lose_balancer(self, services: ServiceProcesses, pids: dict[str, int], clock: ScaledClock) -> None:
        """Early in the afternoon's peak the balancer is killed: work goes on by the last plan until it is back."""
        await self._until(BALANCER_KILLED_MINUTE, clock)
        last, assigned, killed = self._board.plan, self._board.assigned, time.monotonic()
        self._tell(clock, f"balancer process {pids['balancer']} killed with SIGKILL")
        services.kill(pids["balancer"])
        pid = services.start("balancer", "balancer")
        while self._board.plan is None or (last is not None and self._board.plan.made_by == last.made_by):
            if time.monotonic() - killed > STALLED_SECONDS:
                raise RuntimeError(
                    f"Expected a plan of the new balancer, found none: see {self._plan.home}/balancer.log"
                )
            await asyncio.sleep(0.05)
        self._tell(
            clock,
            f"balancer is back as process {pid} with a plan {time.monotonic() - killed:.1f} s after the kill; "
            f"{self._board.assigned - assigned} items were assigned meanwhile",
        )

    async def _lose_centre(
        self, reference: Sequence[ReferenceEntry], services: ServiceProcesses, clock: ScaledClock
    ) -> None:
        """In the morning's peak a centre has no power for an hour; two people move its work, and it comes back."""
        await self._until(DARK_MINUTE, clock)
        back = DAY + timedelta(minutes=DARK_MINUTE + DARK_MINUTES)
        teams = [entry.id for entry in reference if isinstance(entry, Team) and entry.centre_id == DARK_CENTRE]
        self._shift.dark.update(dict.fromkeys(teams, back))
        self._tell(clock, f"centre {DARK_CENTRE} has no power; {PROPOSER} proposes to move its work")
        room = ControlRoom(
            Issuer(ensure_key_pair(self._plan.home / "keys")[0]), lambda: list(services.urls("routing").values())
        )
        terms = {
            "effect": "recall",
            "scope": {"centres": [DARK_CENTRE]},
            "minutes": DARK_MINUTES,
            "reason": f"no power at centre {DARK_CENTRE}",
        }
        identity = await room.propose(terms)
        self._moved = moved = Moved(identity)
        await room.agree(identity)
        moved.agreed_at = time.monotonic()
        self._tell(clock, f"{APPROVER} agreed to what the preview said: reroute {identity[:8]} is in force")
        while not moved.over:
            await asyncio.sleep(0.2)
        self._tell(clock, f"reroute {identity[:8]} is over ({moved.over}): {DARK_CENTRE} has its work again")

    async def _until(self, minute: float, clock: ScaledClock) -> None:
        at = DAY + timedelta(minutes=minute)
        await asyncio.sleep(max(0.0, clock.real_seconds((at - clock.now()).total_seconds())))

    def _tell(self, clock: ScaledClock, what: str) -> None:
        line = self._board.tell(clock.now(), what)
        if not self._plan.interactive:
            self._console.print(line)

    async def _drain(self, sent: int, clock: ScaledClock) -> None:
        """Everybody stays until what was handed in today has its end, or nothing has ended for a long time."""
        ended, moved_at = -1, time.monotonic()
        while time.monotonic() - moved_at < STALLED_SECONDS:
            held = self._auditor.conservation()
            if held["submitted"] == sent and held["open"] == 0:
                await asyncio.sleep(1.0)  # what is still on the wire: second confirmations, late duplicates
                return
            if held["submitted"] - held["open"] != ended:
                ended, moved_at = held["submitted"] - held["open"], time.monotonic()
            await asyncio.sleep(0.2)
        self._given_up = True
        self._tell(
            clock,
            f"the day is given up: for {STALLED_SECONDS:.0f} s nothing has ended, and {held['open']:,} are open; "
            "this machine may be too busy with other things",
        )


SERVICES: Final = ("intake", "audit", "routing-1", "routing-2", "vendor", "balancer")


async def _unless_one_fails(work: Sequence[asyncio.Task[None]], others: Sequence[asyncio.Task[None]]) -> None:
    """Wait for the work; when one of the others ends before it, its failure is raised."""
    waiting = set(work)
    while waiting:
        done, _ = await asyncio.wait({*waiting, *others}, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
            if task in others:
                raise RuntimeError("Expected the world to go on until the day is over, found a part of it ended")
        waiting -= done


def interactive() -> bool:
    """Whether a screen is there to be redrawn."""
    return Console().is_terminal and "CI" not in os.environ
