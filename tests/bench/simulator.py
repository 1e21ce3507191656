"""How fast the simulator plays: `python -m tests.bench --only simulator`. One core, no broker, no database.

A bank day at load 0.95 with the floor's own placement, desk and plan, in CPU time of the process.
"""

from __future__ import annotations

import time
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from services.routing.simulator.bank import PROFILES, bank_day
from services.routing.simulator.floor import Floor
from services.routing.simulator.real import RealDealing
from shared.runtime.collector import spare_collector

LOAD: Final = 0.95
SEED: Final = 1
ITEMS: Final = 100_000
TARGET_SECONDS: Final = 60.0


def measure_simulator() -> dict[str, Any]:
    """Items played, the seconds that took, and what so many items take at that pace."""
    day = bank_day(PROFILES["bank-day"], LOAD, SEED)
    spare_collector()  # as the command does
    began = time.process_time()
    items = len(Floor(day, RealDealing()).play().items)
    spent = time.process_time() - began
    return {"items": items, "seconds": round(spent, 1), "seconds_per_100k": round(spent / items * ITEMS, 1)}


def show(found: dict[str, Any], console: Console) -> None:
    """Print the figures beside their target."""
    table = Table("figure", "measured", "target")
    table.add_row(f"simulated, {found['items']:,} items, s", f"{found['seconds']:g}", "")
    table.add_row(f"that is for {ITEMS:,} items, s", f"{found['seconds_per_100k']:g}", f"≤ {TARGET_SECONDS:g}")
    console.print(table)
