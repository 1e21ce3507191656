"""`opsfloor simulate`: the floor in virtual time."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import track

from opsfloor import oracle_table
from opsfloor.answers import Remedied, err, out
from services.routing.simulator.oracles import ORACLES

app = typer.Typer(no_args_is_help=True)


@app.command()
def oracles(
    effort: Annotated[int, typer.Option(help="how much is simulated; 1 takes seconds, 10 minutes", min=1)] = 10,
    write: Annotated[Path | None, typer.Option(help="write the table as Markdown to this file", dir_okay=False)] = None,
) -> None:
    """Simulate, or compute, what queueing theory and others have published, and hold ours against it."""
    findings = [
        one for name in track(ORACLES, "oracles asked", console=err, transient=True) for one in ORACLES[name](effort)
    ]
    page = oracle_table.page(findings, effort)
    if write is None:
        out.print(oracle_table.rows(findings), markup=False)
    else:
        write.write_text(page, encoding="utf-8")
        out.print(f"{len(findings)} figures written to {write}")
    broken = [one for one in findings if not one.holds]
    if broken:
        names = ", ".join(f"{one.oracle} {one.figure} ({one.how})" for one in broken)
        raise Remedied(f"Expected every figure to hold, found otherwise: {names}", "look at what changed in routing")
