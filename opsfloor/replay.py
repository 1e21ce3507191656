"""`opsfloor replay LOG.csv`: a real event log through the running floor."""

from __future__ import annotations

import asyncio
import shlex
import statistics
import sys
from collections.abc import Mapping
from math import ceil, isfinite
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from opsfloor import floor
from opsfloor.answers import Remedied, as_json, complain, err, out, table
from opsfloor.event_log import MEND, Activity, BrokenLogError, Columns, by_case, read_log
from opsfloor.replaying import DAY_SECONDS, Replay, Turnarounds

PLAYED_SECONDS_MAX: Final = 7 * DAY_SECONDS  # of our own time
STOPPED: Final = 130  # as a shell says it of Ctrl-C


def replay(
    log: Annotated[Path, typer.Argument(help="CSV, also gzipped", exists=True, dir_okay=False)],
    case: Annotated[str, typer.Option(help="column with the case's id")] = "case_id",
    activity: Annotated[str, typer.Option(help="column with the activity: becomes a work type")] = "activity",
    resource: Annotated[str, typer.Option(help="column with who did it: becomes an operator")] = "resource",
    start: Annotated[str, typer.Option(help="column with the start, ISO 8601")] = "start_time",
    end: Annotated[str, typer.Option(help="column with the end, ISO 8601")] = "end_time",
    role: Annotated[str | None, typer.Option(help="column with the role: becomes a team")] = None,
    enabled: Annotated[str | None, typer.Option(help="column with when it could have begun")] = None,
    speed: Annotated[float, typer.Option(help="seconds of the log in a real second")] = 30_000.0,
    cases: Annotated[int | None, typer.Option(help="only the first so many cases")] = None,
    json: Annotated[bool, typer.Option("--json", help="one JSON document instead of a table")] = False,
) -> None:
    """Play a log's arrivals, work types and handling times through the running floor and compare turnarounds.

    Each activity becomes a document of a business type of its own, keyed once by an operator who did that activity in
    the log, for as long as it took there. An activity is handed in when those it followed in the log are done here.
    """
    try:
        activities = read_log(log, Columns(case, activity, resource, start, end, role, enabled))
    except BrokenLogError as error:
        remedy = f"{error.remedy}, or name the columns" if error.remedy == MEND else error.remedy
        raise Remedied(f"Expected a log that can be played, found {error}", remedy) from error
    if not (isfinite(speed) and speed > 0):
        raise Remedied(f"Expected a speed above 0, found {speed:g}", "write it as in --speed 300")
    if cases is not None and cases < 1:
        raise Remedied(f"Expected at least 1 case, found {cases}", "leave --cases out for the whole log")
    chosen = dict(list(by_case(activities).items())[:cases])
    _expect_an_end(chosen, speed)
    if not floor.running("routing"):
        raise Remedied("Expected a running floor, found no routing service", floor.to_start("routing"))
    total = sum(len(case_) for case_ in chosen.values())
    columns = (TextColumn("activities played"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        line = bar.add_task("", total=total)
        played = Replay(chosen, speed, lambda done: bar.update(line, completed=done))
        try:
            turnarounds = asyncio.run(played.play())
        except KeyboardInterrupt:
            bar.stop()
            complain(_stopped(played), json)
            raise typer.Exit(STOPPED) from None
    _report(turnarounds, speed, json)


def _stopped(played: Replay) -> Remedied:
    """What a replay that was broken off leaves on the floor, and how it comes to its end there."""
    left = played.open_lines()
    if not left:
        return Remedied("Stopped: nothing of it is open on the floor", "play it again when you like", "stopped")
    return Remedied(
        f"Stopped: {len(left)} of its submissions are open on the floor, as case {played.case_of(left[0])}; the log's people have "
        "left, so that those wait as unplaceable",
        f"`{shlex.join(['opsfloor', *sys.argv[1:]])}` brings the people back, who do first and at once what is left",
        "stopped",
    )


def _expect_an_end(chosen: Mapping[str, list[Activity]], speed: float) -> None:
    """Errors: `Remedied` when playing the log would go on for longer than anybody watches."""
    activities = [activity for case in chosen.values() for activity in case]
    first = min(activity.enabled_at for activity in activities)
    seconds = (max(activity.end_at for activity in activities) - first).total_seconds()
    if seconds / speed > PLAYED_SECONDS_MAX:
        raise Remedied(
            f"Expected to play at most {PLAYED_SECONDS_MAX / DAY_SECONDS:.0f} days, found {seconds / DAY_SECONDS:,.0f} days "
            f"of the log, at speed {speed:g} {seconds / speed / DAY_SECONDS:,.1f} of ours",
            f"raise --speed, from {ceil(seconds / PLAYED_SECONDS_MAX)} on, or play fewer --cases",
        )


def _report(turnarounds: Turnarounds, speed: float, json: bool) -> None:
    rows = {
        name: _figures(seconds) for name, seconds in (("the log", turnarounds.log), ("the floor", turnarounds.floor))
    }
    overhead = statistics.median(turnarounds.latencies) * speed / 60
    if json:
        as_json(
            {
                "cases": len(turnarounds.floor),
                "turnaround_minutes": rows,
                "speed": speed,
                "floor_minutes_per_activity": overhead,
            }
        )
        return
    out.print(f"{len(turnarounds.floor):,} cases, {len(turnarounds.latencies):,} activities, every one of them ended")
    table(
        "Turnaround in minutes of the log",
        ("", "p50", "p90", "p99", "mean"),
        [(name, *figures.values()) for name, figures in rows.items()],
    )
    out.print(
        f"At {speed:,.0f}× the floor's own {statistics.median(turnarounds.latencies) * 1000:.0f} ms per activity "
        f"(hand-in to assignment) count as {overhead:,.0f} minutes each; a lower --speed shrinks them."
    )


def _figures(seconds: list[float]) -> dict[str, float]:
    cuts = statistics.quantiles(seconds, n=100, method="inclusive") if len(seconds) > 1 else seconds * 99
    return {"p50": cuts[49] / 60, "p90": cuts[89] / 60, "p99": cuts[98] / 60, "mean": statistics.fmean(seconds) / 60}
