"""`opsfloor stack up|down|status`: a real Kafka and a real PostgreSQL on this machine."""

from __future__ import annotations

import os
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from deploy.local import Stack, StackProblem
from deploy.local.stack import home
from opsfloor.answers import Remedied, as_json, err, out, table

app: Final = typer.Typer(no_args_is_help=True)
GIVEN: Final = ("OPSFLOOR_KAFKA", "OPSFLOOR_DATABASE_URL")
Json = Annotated[bool, typer.Option("--json", help="one JSON document instead of a table")]


@app.command("up")
def up(
    kafka_port: Annotated[int | None, typer.Option(help="the broker's port; a free one when not given")] = None,
    json: Json = False,
) -> None:
    """Start broker and database (the first time it fetches Kafka's jars, 45 MB). They stay until `down`."""
    if all(name in os.environ for name in GIVEN):
        out.print(f"[green]✓[/] using {' and '.join(GIVEN)} from the environment; nothing is started")
        return
    given = [name for name in GIVEN if name in os.environ]
    stack = Stack(home(), kafka_port)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    try:
        with Progress(*columns, console=err, transient=True) as bar:
            line = bar.add_task("Kafka's jars", total=None)
            addresses = stack.up(
                lambda done, total, what: bar.update(line, completed=done, total=total, description=what),
                broker="OPSFLOOR_KAFKA" not in given,
                database="OPSFLOOR_DATABASE_URL" not in given,
            )
    except StackProblem as problem:
        raise Remedied(problem.what, problem.remedy) from problem
    kafka = os.environ.get("OPSFLOOR_KAFKA", addresses.kafka)
    database_url = os.environ.get("OPSFLOOR_DATABASE_URL", addresses.database_url)
    if json:
        as_json({"kafka": kafka, "database_url": database_url})
        return
    for name in given:
        out.print(f"[green]✓[/] using {name} from the environment; only the other one is started")
    out.print("[green]✓[/] the stack is up; the command line and the services find it by themselves from this folder")
    out.print(f"  elsewhere: export OPSFLOOR_KAFKA={kafka}", soft_wrap=True)
    out.print(f"             export OPSFLOOR_DATABASE_URL={database_url}", soft_wrap=True)
    out.print("  next: opsfloor reference, then opsfloor run intake|audit|routing|vendor; opsfloor stack down ends it")


@app.command("down")
def down() -> None:
    """End broker and database; their data stays."""
    Stack(home()).down()
    out.print("[green]✓[/] the stack is down")


@app.command("status")
def status(json: Json = False) -> None:
    """What runs, on which ports, with which data."""
    found = Stack(home()).status()
    if json:
        as_json(found)
    else:
        table("Local stack", ("", ""), found.items())
