"""A team's queue is evacuated, a hundred orders drain teams: real routing processes, and people who work meanwhile."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import orjson
from rich.console import Console
from rich.table import Table

from deploy.demo.processes import ServiceProcesses
from deploy.local import Addresses
from shared.contracts import routing
from shared.contracts.audit import WorkRequested
from shared.contracts.message import Region
from shared.contracts.reference import (
    BusinessType,
    Centre,
    FloorLimits,
    Operator,
    Provider,
    ReferenceEntry,
    RerouteDuty,
    SliceArea,
    StandardTimes,
    Team,
    TemplateField,
)
from shared.contracts.reroute import (
    REROUTE,
    ApproveReroute,
    CancelReroute,
    ProposeReroute,
    RerouteOrder,
    RerouteScope,
    RerouteTerms,
)
from shared.contracts.work import KeyedValue, WorkOrder
from shared.http.tokens import ensure_key_pair
from shared.runtime.clock import RealClock
from shared.runtime.headers import kind_of
from shared.runtime.log import Record
from tests.bench.looking import Look, Sums, between, look, show_profile
from tests.bench.outside import Outside
from tests.bench.throughput import Tell

ITEMS: Final = 100_000
SOURCE: Final = "north"
TAKERS: Final = ("south-1", "south-2", "south-3", "south-4")
OTHERS: Final = "east"
DRAINED: Final = tuple(f"drained-{number}" for number in range(10))
SPARE: Final = ("spare-1", "spare-2")
TEAM_SIZE: Final = 20
NEW_PER_SECOND: Final = 20.0  # of each kind that arrives meanwhile
LOOK_SECONDS: Final = 0.01  # between two looks at whether something is to arrive: more would take from the floor's own
CALM_SECONDS: Final = 10.0
DRAINS: Final = 100
DRAIN_SECONDS: Final = 1.5
DRAIN_LOAD_PER_SECOND: Final = 60.0
WAIT_SECONDS_MAX: Final = 420.0
HOUR_SECONDS: Final = 3_600.0
EVACUATION_SECONDS_MAX: Final = 30.0
DRAIN_SECONDS_MAX: Final = 1.0
SLA_SECONDS: Final = 4 * HOUR_SECONDS


def bank() -> Iterator[ReferenceEntry]:
    """A bank for three kinds of work: what is evacuated, what others do meanwhile, what drained teams do."""
    yield FloorLimits(id="floor", offer_lease_seconds=HOUR_SECONDS, work_lease_seconds_min=HOUR_SECONDS)
    yield Provider(id="bank", label="Bank", outside=False, data_classes=("internal",))
    yield Centre(id="n", label="N", city="Beijing")
    for person in ("lin", "chen"):
        yield RerouteDuty(id=person, name=person.title(), approves=True, breaks_glass=True)
    area = SliceArea(left=0, top=0, width=1, height=0.5)
    for name in ("cheque", "transfer", "loan"):
        yield BusinessType(
            id=name,
            label=name,
            version=1,
            fields=(TemplateField(name="amount", label="Amount", area=area),),
            sla_seconds=SLA_SECONDS,
            standard=StandardTimes(entry=30, arbitration=40, review=45, authorisation=30, inspection=35),
        )
    teams = {SOURCE: "cheque", **dict.fromkeys(TAKERS, "cheque"), OTHERS: "transfer"}
    teams |= dict.fromkeys((*DRAINED, *SPARE), "loan")
    for team_id, name in teams.items():
        yield Team(id=team_id, label=team_id, centre_id="n", provider_id="bank")
        for number in range(TEAM_SIZE):
            yield Operator(
                id=f"{team_id}-{number:02}", name="Somebody", team_id=team_id, work_types=(f"{name}/entry",), grade=1
            )


@dataclass
class Hall(Outside):
    """Controls that ask for work, operators, two people on duty, and somebody who looks at the clock.

    Units:   monotonic seconds by work item in `asked_at`, `assigned_at`, `queued_at`; instants of the floor's facts in
             `last_assigned_at`, by team.
    Holds:   work whose id begins with `old` waits and is evacuated; `new` arrives meanwhile.
    """

    asked_at: dict[str, float] = field(default_factory=dict)
    assigned_at: dict[str, float] = field(default_factory=dict)
    queued_at: dict[str, float] = field(default_factory=dict)
    queued: Counter[str] = field(default_factory=Counter)  # old items, by team
    last_assigned_at: dict[str, datetime] = field(default_factory=dict)
    chunks: dict[str, tuple[str, str]] = field(default_factory=dict)  # first and last old item let go, by instant
    last_released_at: float = 0.0
    last_queued_at: float = 0.0
    orders: dict[str, RerouteOrder] = field(default_factory=dict)
    _commands: int = 0
    _numbers: int = 0

    topics = (routing.ASSIGNMENT, routing.DESK, REROUTE)

    def ask(self, prefix: str, business_type: str, age_seconds: float = 0.0) -> str:
        """Controls ask for one entry."""
        now = RealClock().now()
        self._numbers += 1
        name = f"{prefix}-{self._numbers:07}"
        requested_at = now - timedelta(seconds=age_seconds)
        order = WorkOrder(
            work_item_id=name,
            case_id=f"case-{name}",
            business_type=business_type,
            step="entry",
            role="entry-1",
            slice=Region(image_sha256="a" * 64, x=0, y=0, width=10, height=10),
            branch_id="branch",
            standard_seconds=30,
            requested_at=requested_at,
            due_at=requested_at + timedelta(seconds=SLA_SECONDS),
        )
        self.asked_at[name] = time.perf_counter()
        self.write(WorkRequested(case_id=order.case_id, at=now, order=order), f"ask/{name}")
        return name

    def sign_on(self, *teams: str) -> None:
        """Everybody of these teams comes to work."""
        for team_id in teams:
            for number in range(TEAM_SIZE):
                self.command(routing.SignOn, team_id, f"{team_id}-{number:02}")

    def order(self, form: Any, actor: str, reroute_id: str, **more: Any) -> datetime:
        """Somebody on duty commands something about a reroute. Returns when."""
        self._commands += 1
        now = RealClock().now()
        name = f"bench-{self._commands}"
        command = form(command_id=name, reroute_id=reroute_id, actor=actor, reason="bench", issued_at=now, **more)
        self.write(command, name)
        return now

    # ------------------------------------------------------------------ taking

    def take(self, record: Record) -> None:
        kind = kind_of(record)
        if kind == b"routing.work-assigned.v1":
            self._assigned(orjson.loads(record.value or b""))
        elif kind == b"routing.work-released.v1":
            self._released(orjson.loads(record.value or b""))
        elif kind == b"routing.work-queued.v1":
            self._queued(record.value or b"", record.key or b"")
        elif kind == b"routing.reroute-order.v1":
            order = RerouteOrder.model_validate_json(record.value or b"")
            self.orders[order.reroute_id] = order

    def _assigned(self, fact: dict[str, Any]) -> None:
        item, team_id = fact["work_item_id"], fact["team_id"]
        self.assigned_at.setdefault(item, time.perf_counter())
        self.last_assigned_at[team_id] = datetime.fromisoformat(fact["at"])
        if not item.startswith("old"):
            self.command(
                routing.CompleteAssignment,
                team_id,
                fact["operator_id"],
                work_item_id=item,
                attempt=fact["attempt"],
                outcome=KeyedValue(value="1"),
                handle_seconds=1.0,
            )

    def _released(self, fact: dict[str, Any]) -> None:
        self.last_released_at, item = time.perf_counter(), fact["work_item_id"]
        first, last = self.chunks.get(fact["at"], (item, item))
        self.chunks[fact["at"]] = min(first, item), max(last, item)

    def chunks_out_of_turn(self) -> int:
        """Chunks with an item that is more urgent than one let go before. Holds: old items are numbered by urgency."""
        in_time = [self.chunks[at] for at in sorted(self.chunks)]
        return sum(later[0] < earlier[1] for earlier, later in pairwise(in_time))

    def _queued(self, body: bytes, team_id: bytes) -> None:
        if b'"work_item_id":"old' in body:
            self.queued[team_id.decode()] += 1
            self.last_queued_at = time.perf_counter()
        else:
            self.queued_at.setdefault(orjson.loads(body)["order"]["work_item_id"], time.perf_counter())

    @property
    def moved(self) -> int:
        """Old items that wait at another team now."""
        return sum(self.queued[team_id] for team_id in TAKERS)


@dataclass
class Evacuation:
    """What was measured. Units: seconds, milliseconds, items; `cpu_seconds` by process while items moved: they say more
    than a clock while others use the machine too."""

    items: int
    processes: int
    cpu_seconds: dict[str, float] = field(default_factory=dict)
    processors: Sums = field(default_factory=dict)
    released_seconds: float = 0.0
    moved_seconds: float = 0.0
    out_of_turn: int = 0
    waits_ms: dict[str, list[float]] = field(default_factory=dict)
    drains_seconds: list[float] = field(default_factory=list)

    def worked(self, before: Look, after: Look) -> None:
        """Take what was worked between two looks."""
        self.cpu_seconds = {name: spent - before[0].get(name, 0.0) for name, spent in after[0].items()}
        self.processors = between(before[1], after[1])

    def summary(self) -> dict[str, Any]:
        """As it stands in the JSON."""
        found: dict[str, Any] = {"evacuated_items": self.items, "routing_processes": self.processes}
        if self.moved_seconds:
            found |= {
                "released_seconds": round(self.released_seconds, 1),
                "evacuation_seconds": round(self.moved_seconds, 1),
                "cpu_us_per_item": {name: round(1e6 * spent / self.items) for name, spent in self.cpu_seconds.items()},
                "processors": self.processors,
                "chunks_out_of_turn": self.out_of_turn,
            }
        for name, waits in self.waits_ms.items():
            found |= {f"{name}_{label}_ms": round(quantile(waits, share)) for label, share in SHARES}
        if self.drains_seconds:
            found |= {
                "drains": len(self.drains_seconds),
                "drain_p50_seconds": round(quantile(self.drains_seconds, 0.5), 3),
                "drain_p99_seconds": round(quantile(self.drains_seconds, 0.99), 3),
            }
        return found


SHARES: Final = (("p50", 0.5), ("p99", 0.99))
SECONDS_MAX: Final = {"evacuation_seconds": EVACUATION_SECONDS_MAX, "drain_p99_seconds": DRAIN_SECONDS_MAX}


def show(found: dict[str, Any], console: Console) -> None:
    """Print the figures beside their limits."""
    table = Table("evacuation", "measured", "target", "")
    figures = {name: value for name, value in found.items() if not isinstance(value, dict)}
    for name, value in figures.items():
        limit = SECONDS_MAX.get(name)
        sign = "" if limit is None else "[green]✓[/]" if value <= limit else "[red]missed[/]"
        table.add_row(name.replace("_", " "), f"{value:,g}", "" if limit is None else f"at most {limit:g}", sign)
    console.print(table)
    if "processors" in found:
        show_profile(found["processors"], "CPU µs per item", found["cpu_us_per_item"], console)


def quantile(values: list[float], share: float) -> float:
    """The value below which this share of them lies."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


async def measure_evacuation(home: Path, addresses: Addresses, items: int, processes: int, tell: Tell) -> Evacuation:
    """Fill one team, evacuate it while other work arrives; then drain ten teams at a time, a hundred times."""
    hall, found = Hall(addresses.kafka), Evacuation(items, processes)
    for entry in bank():
        hall.write(entry, f"reference/{entry.key}")
    tasks = [asyncio.create_task(hall.publish())]
    ensure_key_pair(home / "keys")
    env = {"OPSFLOOR_KAFKA": addresses.kafka, "OPSFLOOR_DATABASE_URL": addresses.database_url}
    try:
        await asyncio.sleep(1.0)
        with ServiceProcesses(home, env | {"OPSFLOOR_HTTP_PORT": "0"}) as services:
            tell("evacuation: routing starts")
            for pid in [services.start("routing", f"routing-{number}") for number in range(processes)]:
                await asyncio.to_thread(services.wait_ready, pid)
            tasks.append(asyncio.create_task(hall.answer()))
            await asyncio.sleep(2.0)
            if items:
                await _evacuate(hall, found, tasks, tell, partial(look, ("routing",), services, addresses, home))
            await _drain_often(hall, found, tasks, tell)
    finally:
        hall.ended = True
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return found


async def _evacuate(
    hall: Hall, found: Evacuation, tasks: list[asyncio.Task[None]], tell: Tell, looked: Callable[[], Awaitable[Look]]
) -> None:
    hall.sign_on(SOURCE, OTHERS)
    await asyncio.sleep(2.0)
    tell(f"evacuation: {found.items:,} items come to one team")
    for number in range(found.items):
        hall.ask("old", "cheque", age_seconds=SLA_SECONDS / 2 * (1 - number / found.items))
        if number % 2_000 == 0:
            await asyncio.sleep(0.01)
    await _until(lambda: hall.queued[SOURCE] >= found.items, tasks)
    hall.sign_on(*TAKERS)
    await asyncio.sleep(3.0)
    tell("evacuation: other work, in calm")
    found.waits_ms |= await _arrivals(hall, tasks, "calm", lambda passed: passed < CALM_SECONDS)
    tell("evacuation: the team is evacuated")
    in_hand = sum(1 for item in hall.assigned_at if item.startswith("old"))
    terms = RerouteTerms(effect="evacuate", scope=RerouteScope(teams=(SOURCE,)), minutes=30, reason="bench")
    before, start = await looked(), time.perf_counter()
    hall.order(ProposeReroute, "lin", "evacuation", terms=terms, break_glass=True)
    end = start + WAIT_SECONDS_MAX
    found.waits_ms |= await _arrivals(
        hall, tasks, "meanwhile", lambda _: hall.moved < found.items - in_hand and time.perf_counter() < end
    )
    found.worked(before, await looked())
    if hall.moved < found.items - in_hand:
        raise RuntimeError(f"Expected {found.items:,} items to move within {WAIT_SECONDS_MAX} s, found {hall.moved:,}")
    found.released_seconds, found.moved_seconds = hall.last_released_at - start, hall.last_queued_at - start
    found.out_of_turn = hall.chunks_out_of_turn()
    hall.order(CancelReroute, "lin", "evacuation")
    await asyncio.sleep(2.0)


async def _arrivals(hall: Hall, tasks: list[asyncio.Task[None]], name: str, goes_on: Any) -> dict[str, list[float]]:
    """Work comes at a steady pace, whatever the floor does. Returns how long it took to hands, and to a queue."""
    start, sent = time.perf_counter(), list[str]()
    same: list[str] = []
    while goes_on(passed := time.perf_counter() - start):
        _watch(tasks)
        while len(sent) < passed * NEW_PER_SECOND:
            sent.append(hall.ask("new", "transfer"))
            same.append(hall.ask("new", "cheque"))
        await asyncio.sleep(LOOK_SECONDS)
    await _until(lambda: all(item in hall.assigned_at for item in sent), tasks)
    await _until(lambda: all(item in hall.queued_at for item in same), tasks)
    return {
        f"others_{name}": [1000 * (hall.assigned_at[item] - hall.asked_at[item]) for item in sent],
        f"same_work_queued_{name}": [1000 * (hall.queued_at[item] - hall.asked_at[item]) for item in same],
    }


async def _drain_often(hall: Hall, found: Evacuation, tasks: list[asyncio.Task[None]], tell: Tell) -> None:
    tell(f"drains: {DRAINS} orders, {len(DRAINED)} at a time, under load")
    hall.sign_on(*DRAINED, *SPARE)
    await asyncio.sleep(3.0)
    load = asyncio.create_task(_steady(hall, "loan", DRAIN_LOAD_PER_SECOND))
    tasks.append(load)
    await asyncio.sleep(3.0)
    for start in range(0, DRAINS, len(DRAINED)):
        names = {team_id: f"drain-{start}-{team_id}" for team_id in DRAINED}
        for team_id, name in names.items():
            terms = RerouteTerms(effect="drain", scope=RerouteScope(teams=(team_id,)), minutes=30, reason="bench")
            hall.order(ProposeReroute, "lin", name, terms=terms)
        await _until(lambda wanted=names: all(name in hall.orders for name in wanted.values()), tasks)
        approved_at = {
            team_id: hall.order(ApproveReroute, "chen", name, preview_sha256=hall.orders[name].preview.sha256)
            for team_id, name in names.items()
        }
        await asyncio.sleep(DRAIN_SECONDS)
        _watch(tasks)
        for team_id, name in names.items():
            if hall.orders[name].phase != "active":
                raise RuntimeError(
                    f"Expected {name} in force within {DRAIN_SECONDS} s, found {hall.orders[name].phase}"
                )
            last = hall.last_assigned_at.get(team_id, approved_at[team_id])
            found.drains_seconds.append(max(0.0, (last - approved_at[team_id]).total_seconds()))
        for name in names.values():
            hall.order(CancelReroute, "lin", name)
        await asyncio.sleep(1.0)
    load.cancel()
    tasks.remove(load)


async def _steady(hall: Hall, business_type: str, per_second: float) -> None:
    start, sent = time.perf_counter(), 0
    while True:
        while sent < (time.perf_counter() - start) * per_second:
            hall.ask("new", business_type)
            sent += 1
        await asyncio.sleep(0.002)


async def _until(done: Any, tasks: list[asyncio.Task[None]]) -> None:
    end = time.perf_counter() + WAIT_SECONDS_MAX
    while not done():
        _watch(tasks)
        if time.perf_counter() > end:
            raise RuntimeError(f"Expected the floor to go on within {WAIT_SECONDS_MAX} s, found it standing")
        await asyncio.sleep(0.02)


def _watch(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done():
            task.result()
