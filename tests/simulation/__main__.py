"""`python -m tests.simulation --seeds 10000`: many runs with a progress bar; `--seed 17`: one run, told in full."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ProcessPoolExecutor
from os import cpu_count

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.simulation.run import KINDS, Outcome, play, silence

FAILURES_SHOWN = 10


def play_quietly(seed: int) -> Outcome:
    """One run in a worker process."""
    silence()
    return play(seed)


def play_many(seeds: Iterable[int], show: bool = True) -> list[Outcome]:
    """Every seed, on all cores, with a progress bar on standard error."""
    wanted = list(seeds)
    columns = (TextColumn("simulated days"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    outcomes = []
    with (
        Progress(*columns, console=Console(stderr=True), disable=not show) as bar,
        ProcessPoolExecutor(cpu_count()) as pool,
    ):
        line = bar.add_task("", total=len(wanted))
        for outcome in pool.map(play_quietly, wanted, chunksize=4):
            outcomes.append(outcome)
            bar.advance(line)
    return outcomes


def report(outcomes: list[Outcome]) -> int:
    """Print faults, what became of the submissions, and every failure with its command. Returns the exit status."""
    console = Console(highlight=False)
    faults: Counter[str] = Counter()
    ends: Counter[str] = Counter()
    for outcome in outcomes:
        faults.update(outcome.faults)
        ends.update(outcome.conservation)
    table = Table("fault", "times", title=f"{len(outcomes)} simulated days", title_justify="left")
    for kind in KINDS:
        table.add_row(kind, f"{faults[kind]:,}")
    console.print(table)
    console.print(", ".join(f"{count:,} {name}" for name, count in ends.items()))
    failed = [outcome for outcome in outcomes if outcome.findings]
    for outcome in failed[:FAILURES_SHOWN]:
        console.print(f"[red]seed {outcome.seed}[/]: {outcome.findings[0].promise}: {outcome.findings[0].detail}")
        console.print(f"  see it again: {outcome.command}", soft_wrap=True)
    missing = [kind for kind in KINDS if not faults[kind]]
    if missing and len(outcomes) > 1:
        console.print(f"[red]never happened[/]: {', '.join(missing)}: use more seeds")
    console.print(f"{len(outcomes) - len(failed)} of {len(outcomes)} days kept every promise")
    return 1 if failed or (missing and len(outcomes) > 1) else 0


def main() -> int:
    """Read the arguments and play."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=200, help="how many runs (default 200)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--seed", type=int, help="play this one run only")
    given = parser.parse_args()
    if given.seeds < 1:
        parser.error("Expected at least one run: --seeds 1 or more")
    if given.seed is not None:
        return report([play_quietly(given.seed)])
    return report(play_many(range(given.first, given.first + given.seeds)))


if __name__ == "__main__":
    sys.exit(main())
