"""`opsfloor migrate pre|post|status`: the schemas' steps around a roll-out."""

from __future__ import annotations

import asyncio
from typing import Annotated, Final

import asyncpg
import typer

from opsfloor import database, floor
from opsfloor.answers import as_json, out, table
from shared.runtime.schema import When, migrate, migrations, newer

app: Final = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="The schemas' steps before and after a roll-out: status, pre, post.",
)


@app.command("pre")
def pre() -> None:
    """Before a roll-out: take the steps that add. The running release works on; services take them too as they start."""
    _tell(asyncio.run(_take("pre")))


@app.command("post")
def post() -> None:
    """After a roll-out: take the steps that remove. Refused while a process of an older release is connected."""
    _tell(asyncio.run(_take("post")))


@app.command("status")
def status(json: Annotated[bool, typer.Option("--json", help="one JSON document instead of a table")] = False) -> None:
    """Which steps each service's schema has taken, and which are left."""
    found = asyncio.run(_status())
    if json:
        as_json(found)
        return
    rows = [
        (service, *(", ".join(found[service][part]) or "–" for part in ("done", "left", "newer"))) for service in found
    ]
    table("Schemas", ("service", "done", "left", "not known to this code"), rows)


def _tell(taken: dict[str, int]) -> None:
    for service, steps in taken.items():
        out.print(f"[green]✓[/] {service}: {steps} steps taken" if steps else f"[green]✓[/] {service}: nothing left")


async def _take(when: When) -> dict[str, int]:
    url = floor.settings().database_url
    with database.told():
        async with asyncpg.create_pool(url, min_size=1, max_size=1) as pool:
            return {service: await migrate(pool, service, when) for service in floor.SERVICES}


async def _status() -> dict[str, dict[str, list[str]]]:
    known = migrations()
    with database.told():
        connection = await asyncpg.connect(floor.settings().database_url, timeout=5)
        try:
            done = {service: await floor.steps(connection, service) for service in floor.SERVICES}
        finally:
            await connection.close()
    return {
        service: {
            "done": sorted(names or ()),
            "left": [step.name for step in known if step.name not in (names or ())],
            "newer": [name for names_of in newer(names or (), known) for name in names_of],
        }
        for service, names in done.items()
    }
