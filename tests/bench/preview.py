"""How long the preview of a reroute takes on a large floor: `python -m tests.bench.preview`. The pure core alone.

A floor of 200 teams and 40 work types with everybody present and a good plan; a sixth of it, one centre, is moved.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from pathlib import Path
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from deploy.local.stack import home
from services.routing.balancer.balance import Balance
from services.routing.boards import LOAD_BOARD, PLAN_BOARD
from services.routing.emergency.floor import FloorNow
from services.routing.emergency.preview import preview_of
from shared.contracts.reference import Operator
from shared.contracts.reroute import Effect, RerouteScope, RerouteTerms
from shared.reference.board import REFERENCE_BOARD
from shared.reroutes import REROUTE_BOARD
from shared.standing import STANDING_BOARD
from tests.bench.plan import AT, HELD, boards_of, first_plan

EFFECTS: Final[tuple[Effect, ...]] = ("drain", "evacuate")
TARGET_MS: Final = 3_000.0


def floor_of(held: int) -> FloorNow:
    """The floor, each team's people holding so many work types."""
    views, arrivals = boards_of(held, random.Random(held))
    views |= {spec.name: spec.empty() for spec in (STANDING_BOARD, REROUTE_BOARD) if spec.name not in views}
    for load in views[LOAD_BOARD.name].values():
        names = tuple(part.work_type for part in load.capacity)
        for person in load.present:
            entry = Operator(id=person, name=person, team_id=load.team_id, work_types=names)
            REFERENCE_BOARD.fold(views[REFERENCE_BOARD.name], entry.key, entry)
    PLAN_BOARD.fold(views[PLAN_BOARD.name], "floor", first_plan(arrivals))
    balance = Balance(views, "bench", AT)
    balance.resume(AT)
    PLAN_BOARD.fold(views[PLAN_BOARD.name], "floor", balance.plan(AT, 1.0))
    return FloorNow.of(views, (), AT)


def measure_preview() -> list[dict[str, Any]]:
    """The thread's own time, and how much would move, by work types held and effect. Units: ms, items."""
    found = []
    for held in HELD:
        for effect in EFFECTS:
            floor = floor_of(held)
            terms = RerouteTerms(effect=effect, scope=RerouteScope(centres=("c0",)), minutes=60, reason="bench")
            began = time.thread_time()
            preview = preview_of(terms, floor)
            spent_ms = round((time.thread_time() - began) * 1_000, 1)
            found.append({"held": held, "effect": effect, "ms": spent_ms, "items_moving": preview.items_moving})
    return found


def show(found: list[dict[str, Any]], console: Console) -> None:
    """Print the figures beside their target."""
    table = Table("work types held", "effect", "items that move", "preview ms", "target")
    for row in found:
        table.add_row(
            str(row["held"]), row["effect"], f"{row['items_moving']:,}", f"{row['ms']:g}", f"at most {TARGET_MS:g}"
        )
    console.print(table)


def main() -> int:
    """Measure, print, and write `bench-preview.json`."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.preview", description=__doc__)
    parser.add_argument("--json", type=Path, default=home() / "bench-preview.json")
    given = parser.parse_args()
    found = measure_preview()
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(found, indent=2) + "\n")
    show(found, Console(highlight=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
