"""`python -m tests.simulation --seeds 10000`: many runs with a progress bar; `--seed 17`: one run, told in full."""

from __future__ import annotations

import argparse
import gc
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from os import cpu_count
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tests.simulation.run import KINDS, Outcome, play, silence

FAILURES_SHOWN = 10
GARBAGE_MIN: Final = 100_000  # objects between two looks for cycles: a run is short and keeps nearly all that it makes

Play = Callable[[int], Outcome]


def begin_quietly() -> None:
    """A worker process: no log lines, and no second look at what was there before it."""
    silence()
    gc.freeze()
    gc.set_threshold(GARBAGE_MIN)


@contextmanager
def players() -> Iterator[ProcessPoolExecutor]:
    """A process for each core. Holds: they are copies of this one, so that a guard that was taken out here is out there."""
    pool = ProcessPoolExecutor(cpu_count(), mp_context=get_context("fork"), initializer=begin_quietly)
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


def first_day(seeds: Iterable[int], wanted: Callable[[Outcome], bool], game: Play = play) -> Outcome | None:
    """The first wanted day, played on all cores; none when no seed gives one. No day is played long after it was found."""
    with players() as pool:
        return next(filter(wanted, pool.map(game, seeds)), None)


def play_many(seeds: Iterable[int], show: bool = True) -> list[Outcome]:
    """Every seed, on all cores, with a progress bar on standard error."""
    wanted = list(seeds)
    columns = (TextColumn("simulated days"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    outcomes = []
    with (
        Progress(*columns, console=Console(stderr=True), disable=not show) as bar,
        players() as pool,
    ):
        line = bar.add_task("", total=len(wanted))
        for outcome in pool.map(play, wanted, chunksize=4):
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
        silence()
        return report([play(given.seed)])
    return report(play_many(range(given.first, given.first + given.seeds)))


if __name__ == "__main__":
    sys.exit(main())
