"""Where simulated days come from: a profile, or the log of a real process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from opsfloor.answers import Remedied
from opsfloor.comparing import MakeDay
from opsfloor.event_log import BrokenLogError, Columns, read_log
from opsfloor.log_days import WORKING, LogWorld
from opsfloor.profiles import PROFILE, PROFILE_NAMES, profile_of
from services.routing.simulator.bank import Profile, bank_day
from services.routing.simulator.day import Day

LOG_COLUMNS: Final = Columns("case_id", "activity", "resource", "start_time", "end_time", "role", "enabled_time")

ProfileName = Annotated[str, typer.Option(help=f"a day of this profile: {PROFILE_NAMES}, or a YAML file of yours")]

Seed = Annotated[
    int, typer.Option(help="of the first day; each further day has the next one. Of a log, 1 is the log itself", min=1)
]


def days_of(log: Path | None, profile: str | None, outside: frozenset[str]) -> tuple[MakeDay, str]:
    """How to make the day of a load and a seed, and what to call it.

    Errors:  `Remedied` for both at once, for a log that cannot be played, and, when it is made, for a day without cases.
    """
    if log is None:
        chosen = profile_of(profile or PROFILE)
        return (lambda load, seed: busy_day(chosen, load, seed)), f"profile {chosen.name}"
    if profile is not None:
        raise Remedied(
            f"Expected a log or a profile, found both {log.name} and {profile}", "leave --log or --profile out"
        )
    return _world(log, outside).day, f"log {log.name}"


def busy_day(profile: Profile, load: float, seed: int) -> Day:
    """A day of the profile on which something comes in."""
    day = bank_day(profile, load, seed)
    if not day.cases:
        raise Remedied(f"Expected a day with cases, found none at load {load:g}", "raise --load; 1 fills the paid time")
    return day


def _world(log: Path, outside: frozenset[str]) -> LogWorld:
    try:
        activities = read_log(log, LOG_COLUMNS)
    except BrokenLogError as error:
        raise Remedied(f"Expected a log that can be played, found {error}", error.remedy) from error
    if all(one.role in outside for one in activities):
        raise Remedied("Expected work of the floor's own roles, found none", "name fewer roles with --outside")
    world = LogWorld.of(activities, outside)
    if world.arrivals[-1] <= 0:
        raise Remedied("Expected cases that come one after the other, found all at once", "take a longer log")
    if world.turnaround <= 0:
        raise Remedied(
            f"Expected cases that take working time, found half of them over within no second of {WORKING}",
            "take a log whose cases lie within working time by the clock that it names (UTC where it names none), or name with "
            "--outside the roles that do not work then",
        )
    return world
