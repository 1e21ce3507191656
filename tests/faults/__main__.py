"""`python -m tests.faults --count 200`: a long run of real faults, with a progress bar."""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from tests.faults.play import KINDS, Report, play

FINDINGS_SHOWN_MAX: Final = 20


def main() -> int:
    """Read the arguments, play, report. Returns 0 when every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--count", type=int, default=2 * len(KINDS), help=f"how many faults (default {2 * len(KINDS)})")
    parser.add_argument("--seed", type=int, default=1, help="draws their order and the load")
    given = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # the broker is killed on purpose
    home = Path(tempfile.mkdtemp(prefix="opsfloor-faults-"))
    home.chmod(0o755)
    columns = (TextColumn("{task.description:28}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        line = bar.add_task("starting the floor", total=given.count)
        report = asyncio.run(
            play(home, given.count, given.seed, lambda done, what: bar.update(line, completed=done, description=what))
        )
    status = show(report)
    if status == 0:
        shutil.rmtree(home, ignore_errors=True)
    else:
        Console().print(f"logs and data are kept in {home}")
    return status


def show(report: Report) -> int:
    """Print what was done and found."""
    console = Console(highlight=False)
    table = Table("fault", "times", "works again after (median)", "at most")
    for kind, seconds in sorted(report.healed_seconds.items()):
        table.add_row(kind, str(len(seconds)), f"{median(seconds):.1f} s", f"{max(seconds):.1f} s")
    console.print(table)
    console.print(", ".join(f"{count} {name}" for name, count in report.conservation.items()))
    console.print(f"{report.duplicates} records were published twice and dropped by their readers")
    console.print(f"{report.reroutes} reroutes came into force meanwhile and moved {report.rerouted} items")
    console.print(f"{report.refused} batches of an owner that was no longer one were refused by the store")
    console.print(", ".join(f"{part} {seconds:.0f} s" for part, seconds in report.seconds.items()))
    for finding in report.findings[:FINDINGS_SHOWN_MAX]:
        console.print(f"[red]✗ {finding.promise}[/]: {finding.detail}")
    verdict = f"[red]{len(report.findings)} findings: a promise was broken[/]" if report.findings else ""
    console.print(verdict or "[green]✓ 0 findings: every promise was kept[/]")
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
