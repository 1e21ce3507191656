"""Every fact of a simulated day, a line each, to show that two commits decide alike: `python -m tests.bench.facts FILE`.

Write one file by each commit, with `PYTHONHASHSEED=0`, and compare them: `cmp`. Placement's facts, the desks' and the plans are
told as they lie on the bus, the desks at the end as they lie in memory.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from services.routing.desk import decide as desk_rules
from services.routing.placement import decide as placement_rules
from services.routing.simulator import real
from services.routing.simulator.bank import PROFILES, bank_day
from services.routing.simulator.floor import Floor
from services.routing.simulator.real import RealDealing
from shared.contracts.message import Message


def written(decide: Callable[..., Any], out: BinaryIO) -> Callable[..., Any]:
    """The same function, that writes down what it gives."""

    def deciding(*given: Any, **named: Any) -> Any:
        found = decide(*given, **named)
        for fact in (found,) if isinstance(found, Message) else found:
            out.write(fact.kind_name().encode() + b" " + fact.to_json() + b"\n")
        return found

    return deciding


def write_day(out: BinaryIO, profile: str, load: float, seed: int, until_hours: float) -> None:
    """Play the day and write its facts, then what the desks hold."""
    for module, name in ((desk_rules, "decide"), (placement_rules, "decide"), (real, "make_plan")):
        setattr(module, name, written(getattr(module, name), out))
    dealing = RealDealing()
    Floor(bank_day(PROFILES[profile], load, seed), dealing).play(until_hours * 3600)
    for team_id, desk in sorted(dealing.desks.items()):
        for part in desk.contents():
            rows = sorted(part.items()) if isinstance(part, dict) else [part]
            out.writelines(f"{team_id} {row!r}\n".encode() for row in rows)


def main() -> int:
    """Write the file."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.facts", description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--profile", choices=sorted(PROFILES), default="bank-day")
    parser.add_argument("--load", type=float, default=0.95)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--until", type=float, default=float("inf"), help="hour of the day")
    given = parser.parse_args()
    with given.file.open("wb") as out:
        write_day(out, given.profile, given.load, given.seed, given.until)
    return 0


if __name__ == "__main__":
    sys.exit(main())
