"""Two commits against each other on a machine that is not at rest: `python -m tests.bench.paired OLDER_CHECKOUT WHAT`.

A process of each takes turns with the other, a few dozen decisions or some minutes of a simulated day at a time, so that both
meet the same neighbours. Told is the median over turns of CPU time here over CPU time there, and the least of either.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Final

from rich.console import Console

HERE: Final = Path(__file__).resolve().parents[2]
TURNS: Final = {"desk": 60, "hops": 30, "plan": 60, "simulator": 100}
DECISIONS: Final = 60  # of a desk in one turn
EVACUATED: Final = 2_000  # items in one turn
OPENS: Final = 8.6 * 3600
MINUTES: Final = 2.0  # of a simulated day in one turn

Turn = Callable[[], dict[str, float]]


def turns_of_desk() -> Turn:
    """Microseconds of choosing alone, of a result with the next assignment, of folding both, and of a placement."""
    from tests.bench.desk import QUEUED, Play  # of whichever checkout this process runs in

    play = Play(QUEUED)

    def turn() -> dict[str, float]:
        found = dict.fromkeys(("choosing", "decision", "folding", "placement"), 0.0)
        for _ in range(DECISIONS):
            play.now += timedelta(milliseconds=200)
            found["choosing"] += play.choosing(play.draw.choice(list(play.state.operators)))
            play.send(play.completed())
            found["decision"] += play.spent_us["decide"][-1]
            found["folding"] += play.spent_us["fold"][-1]
            play.send(play.placed())
            found["placement"] += play.spent_us["decide"][-1]
        return {name: us / DECISIONS for name, us in found.items()}

    return turn


def turns_of_simulator() -> Turn:
    """Microseconds of the next minutes of a bank day at load 0.95."""
    from services.routing.simulator.bank import PROFILES, bank_day
    from services.routing.simulator.floor import Floor
    from services.routing.simulator.real import RealDealing

    floor, until = Floor(bank_day(PROFILES["bank-day"], 0.95, 1), RealDealing()), OPENS
    floor.play(until)

    def turn() -> dict[str, float]:
        nonlocal until
        until += MINUTES * 60
        began = time.thread_time_ns()
        floor.agenda.run(until)
        return {"simulated minutes": (time.thread_time_ns() - began) / 1000}

    return turn


def turns_of_plan() -> Turn:
    """Microseconds of one plan of 200 teams that may do all of 40 work types, made from the one before and written out, by a
    balancer that is new each time."""
    from services.routing.balancer.balance import Balance
    from services.routing.boards import PLAN_BOARD
    from tests.bench.plan import AT, boards_of, first_plan

    draw, number = random.Random(1), 0
    views, arrivals = boards_of(40, draw)
    plan = first_plan(arrivals)

    def turn() -> dict[str, float]:
        nonlocal plan, number
        PLAN_BOARD.fold(views["plan"], plan.key, plan)
        now = AT + timedelta(seconds=number)  # the first one while the plan that it begins from is good
        number += 1
        balance = Balance(views, "bench", now)
        balance.resume(now)
        began = time.thread_time_ns()
        made = balance.plan(now, 1.0)
        if made is None or not any(part.shares for part in made.work):
            raise RuntimeError("Expected a plan that shares work out, found none")
        made.to_json()
        spent = time.thread_time_ns() - began
        wandered = (one.recent_per_hour * draw.uniform(0.999, 1.001) for one in made.work)
        work = [one.model_copy(update={"recent_per_hour": rate}) for one, rate in zip(made.work, wandered, strict=True)]
        plan = made.model_copy(update={"work": tuple(work)})
        return {"plan": spent / 1000}

    return turn


def turns_of_hops() -> Turn:
    """Microseconds that placement and desks take for an item that comes, and for one that is evacuated."""
    from shared.runtime.logs import configure_logging
    from tests.bench.hops import measure_hops

    configure_logging("warning")

    def turn() -> dict[str, float]:
        found = measure_hops(EVACUATED, 1)
        ways = {name: found[name] for name in ("came", "evacuated")}
        parts = {f"{name}, {of}": us for name, way in ways.items() for of, us in way.items()}
        return parts | {name: sum(way.values()) for name, way in ways.items()}

    return turn


TURN: Final = {"desk": turns_of_desk, "hops": turns_of_hops, "plan": turns_of_plan, "simulator": turns_of_simulator}


def work(what: str) -> None:
    """Take a turn for each line that comes in."""
    from shared.runtime.collector import spare_collector

    turn = TURN[what]()
    spare_collector()
    for _ in sys.stdin:
        sys.stdout.write("\t".join(f"{name}={us}" for name, us in turn().items()) + "\n")
        sys.stdout.flush()


def worker(checkout: Path, what: str) -> subprocess.Popen[str]:
    """A process that takes turns with the code of a checkout."""
    command = [sys.executable, __file__, str(checkout), what, "--work"]
    where = os.environ | {"PYTHONPATH": str(checkout)}
    return subprocess.Popen(command, cwd=checkout, env=where, stdin=-1, stdout=-1, text=True)


def asked(process: subprocess.Popen[str]) -> dict[str, float]:
    """One turn of the process."""
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("Expected a process with pipes, found none")
    print(file=process.stdin, flush=True)
    told = (part.rpartition("=") for part in process.stdout.readline().strip().split("\t"))
    return {name: float(us) for name, _, us in told}


def main() -> int:
    """Let both take turns and print the medians."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.paired", description=__doc__)
    parser.add_argument("older", type=Path)
    parser.add_argument("what", choices=sorted(TURNS))
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.work:
        work(given.what)
        return 0
    older, here = worker(given.older.resolve(), given.what), worker(HERE, given.what)
    found = []
    for number in range(TURNS[given.what]):
        first, second = (older, here) if number % 2 else (here, older)
        turn = {first.pid: asked(first), second.pid: asked(second)}
        found.append((turn[older.pid], turn[here.pid]))
    for process in (older, here):
        process.communicate()
    for name in found[0][0]:
        before, now = [a[name] for a, _ in found], [b[name] for _, b in found]
        ratio = median(b / a for a, b in zip(before, now, strict=True))
        told = f"{name}: {median(before):.1f} µs before, {median(now):.1f} µs now, median of ratios {ratio:.2f}"
        told += f", least over least {min(now) / min(before):.2f}"
        Console(highlight=False).print(told)
    return 0


if __name__ == "__main__":
    sys.exit(main())
