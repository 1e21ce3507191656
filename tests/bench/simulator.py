"""How fast the simulator plays: `python -m tests.bench --only simulator`. One core, no broker, no database.

A day of 100,000 items, and for comparison one of the bank day's own size, both at load 0.95 with the floor's own placement, desk and
plan, in CPU time of the process.
"""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from services.routing.simulator.bank import PROFILES, Profile, bank_day
from services.routing.simulator.floor import Floor
from services.routing.simulator.real import RealDealing
from shared.runtime.collector import spare_collector

LOAD: Final = 0.95
SEED: Final = 1
ITEMS: Final = 100_000
PEOPLE: Final = 4.4  # times the bank day's, which so many items ask for: 257 of them
TARGET_SECONDS: Final = 60.0


def measure_simulator() -> dict[str, Any]:
    """Items played and the seconds that took, on a floor for so many items and on the bank day's own."""
    spare_collector()  # as the command does
    large = _played(_larger(PROFILES["bank-day"]))
    small = _played(PROFILES["bank-day"])
    return {
        "items": large[0],
        "seconds": round(large[1], 1),
        "seconds_per_100k": round(large[1] / large[0] * ITEMS, 1),
        "small_items": small[0],
        "small_seconds": round(small[1], 1),
    }


def _larger(profile: Profile) -> Profile:
    crews = tuple(
        replace(crew, people=round(PEOPLE * crew.people), specialists=round(PEOPLE * crew.specialists))
        for crew in profile.crews
    )
    return replace(profile, name=f"{profile.name}, {PEOPLE:g} times the people", crews=crews)


def _played(profile: Profile) -> tuple[int, float]:
    """How many items a day of the profile has, and the seconds of CPU time in which it was played."""
    day = bank_day(profile, LOAD, SEED)
    began = time.process_time()
    items = len(Floor(day, RealDealing()).play().items)
    return items, time.process_time() - began


def show(found: dict[str, Any], console: Console) -> None:
    """Print the figures beside their target."""
    table = Table("figure", "measured", "target")
    table.add_row(f"simulated, {found['items']:,} items, s", f"{found['seconds']:g}", "")
    table.add_row(f"that is for {ITEMS:,} items, s", f"{found['seconds_per_100k']:g}", f"≤ {TARGET_SECONDS:g}")
    table.add_row(f"simulated, {found['small_items']:,} items, s", f"{found['small_seconds']:g}", "")
    console.print(table)
