"""`make bench`: throughput of the shard runtime against plain aiokafka and Faust, and of the whole floor.

Every ratio is taken within one run, contenders in turn, medians of the rounds: machines are noisy. Prints tables and writes
`.opsfloor/bench.json`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from deploy.local import Stack
from deploy.local.stack import home
from tests.bench.throughput import Throughput, measure_throughput
from tests.bench.whole_floor import measure_floor


def open_folder() -> Path:
    """A new folder that the database's user may walk through."""
    folder = Path(tempfile.mkdtemp(prefix="opsfloor-bench-"))
    folder.chmod(0o755)
    return folder


def throughput(rounds: int, records: int, console: Console) -> Throughput:
    """Figures of the shard runtime on a stack of its own."""
    stack = Stack(open_folder(), owned=True)
    try:
        return asyncio.run(measure_throughput(stack.up(), rounds, records, lambda what: console.print(f"  {what}")))
    finally:
        stack.down()


def show_throughput(found: Throughput, console: Console) -> None:
    """Print the figures of the shard runtime."""
    rates = Table("contender", "records/s, median", title="Read, decide, commit, publish", title_justify="left")
    for name in found.rates:
        rates.add_row(name, f"{found.median(name):,.0f}")
    console.print(rates)
    console.print(f"runtime ÷ aiokafka {found.ratio('runtime', 'aiokafka'):.2f} (wanted: at least 0.5)")
    console.print(f"runtime ÷ faust {found.ratio('runtime', 'faust'):.2f} (wanted: at least 4)")
    console.print(f"1M ÷ 10k finished {found.ratio('runtime, full tables', 'runtime'):.2f} (wanted: at least 0.85)")


def show_floor(floor: dict[str, Any], console: Console) -> None:
    """Print the figures of the whole floor."""
    latency = floor["first_assignment_ms"]
    console.print(f"whole floor: {floor['cases_per_second']:.1f} corporate transfers/s (wanted: at least 40)")
    console.print(
        f"submission → first assignment at half of it: p50 {latency['p50']:.0f} ms, p99 {latency['p99']:.0f} ms (aim: 150)"
    )
    shares = Table(
        "process", "CPU seconds", title=f"Where the time of {floor['cases']} cases goes", title_justify="left"
    )
    for name, cpu in floor["cpu_seconds"].items():
        shares.add_row(name, f"{cpu:.1f}")
    console.print(shares)


def main() -> int:
    """Read the arguments, measure, print, write."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--records", type=int, default=40_000, help="records per contender and round")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cases", type=int, default=400, help="cases through the whole floor")
    given = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    console = Console(highlight=False)
    runtime = throughput(given.rounds, given.records, console)
    show_throughput(runtime, console)
    console.print("  the whole floor")
    floor = asyncio.run(measure_floor(open_folder(), given.cases))
    show_floor(floor, console)
    file = home() / "bench.json"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"runtime": runtime.summary(), "floor": floor}, indent=2) + "\n")
    console.print(f"the same as JSON: {file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
