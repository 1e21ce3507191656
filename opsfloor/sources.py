"""Where simulated days come from: a profile, or the log of a real process."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from opsfloor.answers import Remedied
from opsfloor.comparing import MakeDay
from opsfloor.event_log import BrokenLogError, Columns, read_log
from opsfloor.log_days import LogWorld
from services.routing.simulator.bank import PROFILES, Profile, bank_day

LOG_COLUMNS: Final = Columns("case_id", "activity", "resource", "start_time", "end_time", "role", "enabled_time")

ProfileName = Annotated[str, typer.Option(help=f"a day of this profile: {', '.join(PROFILES)}")]


def profile_of(name: str) -> Profile:
    """The profile of a name."""
    found = PROFILES.get(name)
    if found is None:
        raise Remedied(f"Expected one of {', '.join(PROFILES)}, found {name!r}", "name one of these profiles")
    return found


def days_of(log: Path | None, profile: str, outside: frozenset[str]) -> tuple[MakeDay, str]:
    """How to make the day of a load and a seed, and what to call it."""
    if log is None:
        chosen = profile_of(profile)
        return (lambda load, seed: bank_day(chosen, load, seed)), f"profile {profile}"
    try:
        world = LogWorld.of(read_log(log, LOG_COLUMNS), outside)
    except BrokenLogError as error:
        raise Remedied(f"Expected a log that can be played, found {error}", "mend these lines") from error
    return world.day, f"log {log.name}"
