"""`python -m tests.bench`: throughput, whole cases, plans, desks, an evacuation, simulated days, tracing; tables, JSON."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shutil
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psutil
import uvloop
from rich.console import Console
from rich.table import Table

from deploy.demo.pace import DAY_SECONDS, TURNS_PER_SECOND, turns_per_second
from deploy.local import Addresses, Stack
from deploy.local.stack import home
from shared.runtime.topics import ensure_topics
from tests.bench import desk, evacuation, hops, plan, preview, simulator
from tests.bench.cases import measure_cases
from tests.bench.desk import measure_desk
from tests.bench.evacuation import ITEMS, measure_evacuation
from tests.bench.hops import measure_hops
from tests.bench.looking import show_profile
from tests.bench.plan import measure_plans
from tests.bench.preview import measure_preview
from tests.bench.records import PARTITIONS
from tests.bench.simulator import measure_simulator
from tests.bench.throughput import Tell, measure_throughput
from tests.bench.tracing import measure_tracing

TARGETS: Final = {
    "runtime_over_aiokafka": 0.5,
    "runtime_over_faust": 4.0,
    "full_over_small_tables": 0.85,
    "cases_per_second": 40.0,
}
FIRST_ASSIGNMENT_MS_MAX: Final = 150.0
TRACING_OFF_MAX: Final = 1.02
PARTS: Final = ("cases", "throughput", "plan", "desk", "preview", "evacuation", "simulator", "tracing", "hops")
BY_THEMSELVES: Final = frozenset({"desk", "preview", "simulator", "tracing", "hops"})
"""What needs no broker and no database: measured without their starting beside it."""


def main() -> int:
    """Measure on a stack of its own, or on the one that the environment names. Returns 0 when it could measure."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=4, help="of the throughput figures (default 4)")
    parser.add_argument("--records", type=int, default=20_000, help="per round and contender (default 20000)")
    parser.add_argument("--seconds", type=float, default=20.0, help="of whole cases, full and half (default 20)")
    parser.add_argument("--only", choices=PARTS, default=None)
    parser.add_argument("--items", type=int, default=ITEMS, help="of the evacuated queue (default 100000)")
    parser.add_argument("--processes", type=int, default=2, help="of routing while it is evacuated (default 2)")
    parser.add_argument("--json", type=Path, default=home() / "bench.json")
    given = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console(highlight=False)
    found = _circumstances() if given.only in BY_THEMSELVES else _on_a_stack(given, console)
    found |= _by_themselves(given.only, lambda what: console.print(f"[dim]{what} …[/]"))
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(found, indent=2) + "\n")
    show(found, console)
    console.print(f"written to {given.json}")
    return 0


def _by_themselves(only: str | None, tell: Tell) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for part, what, measure in (
        ("desk", "decisions of a desk", measure_desk),
        ("preview", "previews of a reroute", measure_preview),
        ("simulator", "a simulated day", measure_simulator),
        ("hops", "hops of an evacuation", measure_hops),
    ):
        if only in (None, part):
            tell(what)
            found[part] = measure()
    if only in (None, "tracing"):
        found["tracing"] = measure_tracing(tell).summary()
    return found


def _on_a_stack(given: argparse.Namespace, console: Console) -> dict[str, Any]:
    folder = Path(tempfile.mkdtemp(prefix="opsfloor-bench-"))
    folder.chmod(0o755)  # the database's own user must reach its data
    stack = Stack(folder, owned=True)
    try:
        addresses = _from_environment() or stack.up()
        return uvloop.run(_measure(given, folder, addresses, lambda what: console.print(f"[dim]{what} …[/]")))
    finally:
        stack.down()
        shutil.rmtree(folder, ignore_errors=True)


def _circumstances() -> dict[str, Any]:
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cores": os.cpu_count(),
        "load_average_before": round(psutil.getloadavg()[0], 2),
        "turns_per_second_before": round(turns_per_second()),
    }


def _from_environment() -> Addresses | None:
    """A broker and a database that the bench may fill: nothing else should use them."""
    kafka, database = os.environ.get("OPSFLOOR_KAFKA"), os.environ.get("OPSFLOOR_DATABASE_URL")
    return Addresses(kafka, database) if kafka and database else None


async def _measure(given: argparse.Namespace, folder: Path, addresses: Addresses, tell: Tell) -> dict[str, Any]:
    found = _circumstances()
    await ensure_topics(addresses.kafka, PARTITIONS)
    parts = PARTS if given.only is None else (given.only,)
    if "cases" in parts:
        found["cases"] = (await measure_cases(folder, addresses, given.seconds, tell)).summary()
    if "throughput" in parts:
        found["throughput"] = (await measure_throughput(addresses, given.rounds, given.records, tell)).summary()
    if "plan" in parts:
        tell("plans of 200 teams and 40 work types")
        found["plan"] = [asdict(row) for row in await measure_plans(addresses.kafka)]
    if "evacuation" in parts:
        measured = await measure_evacuation(folder / "evacuation", addresses, given.items, given.processes, tell)
        found["evacuation"] = measured.summary()
    return found


def show(found: dict[str, Any], console: Console) -> None:
    """Print the figures beside their targets, and where the time of whole cases goes."""
    figures = found.get("throughput", {}) | found.get("cases", {})
    table = Table("figure", "measured", "target", "")
    for name, target in TARGETS.items():
        if name in figures:
            _row(table, name, figures[name], f"at least {target:g}", figures[name] >= target)
    if "first_assignment_p99_ms" in figures:
        late = figures["first_assignment_p99_ms"]
        _row(table, "first_assignment_p50_ms", figures["first_assignment_p50_ms"], "", None)
        _row(
            table,
            "first_assignment_p99_ms",
            late,
            f"at most {FIRST_ASSIGNMENT_MS_MAX:g}",
            late <= FIRST_ASSIGNMENT_MS_MAX,
        )
    _show_tracing(table, found.get("tracing", {}))
    for name, median in figures.get("medians", {}).items():
        _row(table, f"{name}, records/s", median, "", None)
    if table.row_count:
        console.print(table)
    if "plan" in found:
        plan.show(found["plan"], console)
    if "desk" in found:
        desk.show(found["desk"], console)
    if "preview" in found:
        preview.show(found["preview"], console)
    if "evacuation" in found:
        evacuation.show(found["evacuation"], console)
    if "hops" in found:
        hops.show(found["hops"], console)
    if "simulator" in found:
        simulator.show(found["simulator"], console)
    turns = found["turns_per_second_before"]
    console.print(
        f"{found['cores']} cores, load average {found['load_average_before']} and {turns:,} turns a second before the run: "
        f"{turns / TURNS_PER_SECOND:.0%} of what a day of {DAY_SECONDS:g} s asks for. Targets are judged as measured."
    )
    if "processors" in figures:
        show_profile(figures["processors"], "CPU ms per case", figures["cpu_ms_per_case"], console)


def _show_tracing(table: Table, figures: dict[str, Any]) -> None:
    for name, ratio in figures.items():
        if name == "tracing_off_over_removed":
            _row(table, name, ratio, f"at most {TRACING_OFF_MAX:g}", ratio <= TRACING_OFF_MAX)
        elif "_over_" in name:
            _row(table, name, ratio, "", None)
    for way, spent_us in figures.get("us_per_record", {}).items():
        _row(table, f"tracing {way}, µs of CPU per record", spent_us, "", None)


def _row(table: Table, name: str, value: float, target: str, held: bool | None) -> None:
    sign = {None: "", True: "[green]✓[/]", False: "[red]missed[/]"}[held]
    table.add_row(name.replace("_", " "), f"{value:g}", target, sign)


if __name__ == "__main__":
    sys.exit(main())
