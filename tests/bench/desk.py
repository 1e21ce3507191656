"""How long one decision of a desk takes: `python -m tests.bench.desk`. No broker, no database: the pure core alone.

Measured in CPU time of the thread, so that what else runs on the machine does not count.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from deploy.local.stack import home
from services.routing.desk.dealing import Dealing
from services.routing.desk.processor import desk
from services.routing.desk.state import TeamDesk
from shared.contracts.message import Region
from shared.contracts.reference import (
    BusinessType,
    DelayCost,
    Operator,
    Provider,
    ReferenceEntry,
    SliceArea,
    StandardTimes,
    Team,
    TemplateField,
)
from shared.contracts.routing import Command, CompleteAssignment, SignOn, WorkPlaced
from shared.contracts.work import KeyedValue, WorkOrder
from shared.reference.board import REFERENCE_BOARD
from shared.reroutes import REROUTE_BOARD
from shared.runtime.collector import spare_collector
from shared.runtime.processor import Event, Facts, Rejection, Situation
from shared.standing import STANDING_BOARD

OPERATORS: Final = 200
BUSINESS_TYPES: Final = 40
HELD: Final = 6  # work types that one operator holds
QUEUED: Final = 10_000
QUEUED_LONG: Final = 100_000
DECISIONS: Final = 4_000
TARGET_US: Final = 100.0
AT: Final = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
TEAM: Final = "north"


def bank(draw: random.Random) -> Iterator[ReferenceEntry]:
    """One team of many people, each with some of many work types."""
    area = SliceArea(left=0, top=0, width=1, height=0.5)
    field = TemplateField(name="amount", label="Amount", area=area)
    yield Provider(id="bank", label="Bank", outside=False, data_classes=("internal",))
    yield Team(id=TEAM, label="North", centre_id="n", provider_id="bank")
    for n in range(BUSINESS_TYPES):
        seconds = draw.choice([30.0, 45.0, 90.0, 300.0])
        yield BusinessType(
            id=f"type-{n:02}",
            label=f"Type {n}",
            version=1,
            fields=(field,),
            sla_seconds=seconds * 40,
            cut_off="17:15" if n % 4 == 0 else None,
            standard=StandardTimes(entry=seconds, arbitration=40, review=45, authorisation=30, inspection=35),
            delay=DelayCost(late_per_minute=draw.choice([0.5, 1.0, 3.0])),
        )
    for n in range(OPERATORS):
        held = tuple(f"type-{t:02}/entry" for t in sorted(draw.sample(range(BUSINESS_TYPES), HELD)))
        yield Operator(id=f"op-{n:03}", name=f"Operator {n}", team_id=TEAM, work_types=held)


class Play:
    """A desk that decides and folds, timing its decisions."""

    def __init__(self, queued: int, seed: int = 1) -> None:
        self.draw = random.Random(seed)
        self.boards: dict[str, Any] = {
            spec.name: spec.empty() for spec in (REFERENCE_BOARD, STANDING_BOARD, REROUTE_BOARD)
        }
        for entry in bank(self.draw):
            REFERENCE_BOARD.fold(self.boards["reference"], entry.key, entry)
        self.processor = desk()
        self.state: TeamDesk = self.processor.table.read(TEAM, {})
        self.now = AT
        self.numbers = 0
        self.spent_us: dict[str, list[float]] = {"decide": [], "fold": []}
        for _ in range(queued):
            self.send(self.placed())
        for operator_id in self.boards["reference"].operators:
            self.send(self.command(SignOn, operator_id))

    def placed(self) -> WorkPlaced:
        """A new item of any type, requested within its service level."""
        self.numbers += 1
        reference = self.boards["reference"]
        template = self.draw.choice(list(reference.business_types.values()))
        requested_at = self.now - timedelta(seconds=self.draw.uniform(0, template.sla_seconds * 1.1))
        order = WorkOrder(
            work_item_id=f"item-{self.numbers:07}",
            case_id=f"case-{self.numbers:07}",
            business_type=template.id,
            step="entry",
            role="entry-1",
            slice=Region(image_sha256="a" * 64, x=0, y=0, width=10, height=10),
            branch_id="branch",
            urgent=self.draw.random() < 0.05,
            standard_seconds=template.standard.entry,
            requested_at=requested_at,
            due_at=requested_at + timedelta(seconds=template.sla_seconds),
        )
        return WorkPlaced(
            team_id=TEAM, placing=1, attempt=0, order=order, placed_at=self.now, considered=(), draw_seed=1
        )

    def command(self, form: type[Command], operator_id: str, **rest: Any) -> Command:
        self.numbers += 1
        return form(
            command_id=f"command-{self.numbers}", team_id=TEAM, operator_id=operator_id, issued_at=self.now, **rest
        )

    def completed(self) -> Command:
        """Somebody at work hands in a result."""
        operator = self.state.operators[self.draw.choice(list(self.boards["reference"].operators))]
        return self.command(
            CompleteAssignment,
            operator.operator_id,
            work_item_id=operator.work_item_id,
            attempt=operator.attempt,
            outcome=KeyedValue(value="12.00"),
            handle_seconds=30,
        )

    def choosing(self, operator_id: str) -> float:
        """Choose for somebody, to no effect. Returns the microseconds that it took."""
        dealing = Dealing.of(self.state, Situation(self.now, 0, "event", self.boards))
        began = time.thread_time_ns()
        chosen = dealing.choose(operator_id)
        spent = time.thread_time_ns() - began
        if chosen is None:
            raise RuntimeError(f"Expected something for {operator_id} to do, found nothing")
        return spent / 1000

    def send(self, event: Event) -> Facts:
        """Decide and fold, both timed."""
        situation = Situation(self.now, 0, "event", self.boards)
        began = time.thread_time_ns()
        facts = self.processor.decide(self.state, event, situation)
        decided = time.thread_time_ns()
        if isinstance(facts, Rejection):
            raise RuntimeError(f"Expected a bench without refusals, found {facts.detail}")
        for fact in facts:
            self.state = self.processor.apply(self.state, fact)
        self.spent_us["decide"].append((decided - began) / 1000)
        self.spent_us["fold"].append((time.thread_time_ns() - decided) / 1000)
        return facts


def measure(queued: int, decisions: int = DECISIONS) -> dict[str, float]:
    """Mean microseconds of a result with the next assignment, and of a placement, with so many items queued; apart from
    them, of choosing alone, for somebody whom no decision is about just then."""
    play = Play(queued)
    found: dict[str, float] = {"queued": sum(len(queue) for queue in play.state.queues.values())}
    spare_collector()  # as the process does when it has read its desks
    spent: dict[str, list[float]] = {"result": [], "placement": [], "fold": [], "choosing": []}
    for _ in range(decisions):
        play.now += timedelta(milliseconds=200)
        spent["choosing"].append(play.choosing(play.draw.choice(list(play.state.operators))))
        for name, event in (("result", play.completed()), ("placement", play.placed())):
            play.send(event)
            spent[name].append(play.spent_us["decide"][-1])
            spent["fold"].append(play.spent_us["fold"][-1])
    return found | {f"{name}_us": round(sum(values) / len(values), 1) for name, values in spent.items()}


def measure_desk() -> dict[str, Any]:
    """The figures for both lengths, and their ratio."""
    short, long = measure(QUEUED), measure(QUEUED_LONG)
    return {
        "operators": OPERATORS,
        "work_types": BUSINESS_TYPES,
        "decide_us": short["result_us"],
        "decide_long_us": long["result_us"],
        "long_over_short": round(long["result_us"] / short["result_us"], 2),
        "short": short,
        "long": long,
    }


def show(found: dict[str, Any], console: Console) -> None:
    """Print the figures beside their targets."""
    table = Table("figure", "measured", "target")
    table.add_row(
        f"decision, {QUEUED:,} queued, {OPERATORS} operators, µs", f"{found['decide_us']:g}", f"≤ {TARGET_US:g}"
    )
    table.add_row(f"decision, {QUEUED_LONG:,} queued, µs", f"{found['decide_long_us']:g}", "")
    table.add_row("long over short", f"{found['long_over_short']:g}", "a logarithm: 1.25")
    for name in ("short", "long"):
        choosing, rest = found[name]["choosing_us"], found[name]["result_us"] - found[name]["choosing_us"]
        table.add_row(f"of that choosing, {name} queue, µs", f"{choosing:g}", "")
        table.add_row(f"of that rules and facts, {name} queue, µs", f"{rest:.1f}", "")
        table.add_row(f"placement, {name} queue, µs", f"{found[name]['placement_us']:g}", "")
        table.add_row(f"folding the facts, {name} queue, µs", f"{found[name]['fold_us']:g}", "")
    console.print(table)


def main() -> int:
    """Measure, print, and write `bench-desk.json`."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.desk", description=__doc__)
    parser.add_argument("--json", type=Path, default=home() / "bench-desk.json")
    given = parser.parse_args()
    found = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **measure_desk()}
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(found, indent=2) + "\n")
    console = Console(highlight=False)
    show(found, console)
    console.print(f"written to {given.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
