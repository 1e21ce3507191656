"""`opsfloor stack up|down|status|kafka`: a real Kafka and a real PostgreSQL on this machine, and Kafka's own tools."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, Final

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from deploy.local import Addresses, Stack, StackProblem, jars
from deploy.local.kafka import TOOLS, tool
from deploy.local.stack import home, jars_folder
from deploy.local.watch import Watch, forget_stale_targets
from opsfloor import floor
from opsfloor.answers import Remedied, as_json, err, out, table
from shared.runtime.kafka_access import access_of

app: Final = typer.Typer(
    no_args_is_help=True, add_completion=False, help="The local broker and database: up, down, status."
)
GIVEN: Final = ("OPSFLOOR_KAFKA", "OPSFLOOR_DATABASE_URL")
Json = Annotated[bool, typer.Option("--json", help="one JSON document instead of a table")]


@app.command("up")
def up(
    kafka_port: Annotated[int | None, typer.Option(help="the broker's port; a free one when not given")] = None,
    with_metrics: Annotated[
        bool, typer.Option("--with-metrics", help="Prometheus and Alertmanager too, when they are on this machine")
    ] = False,
    json: Json = False,
) -> None:
    """Start broker and database (the first time it fetches Kafka's jars, 45 MB). They stay until `down`."""
    given = [name for name in GIVEN if name in os.environ]
    addresses = Addresses("", "") if len(given) == len(GIVEN) else _start(kafka_port, given)
    kafka = os.environ.get("OPSFLOOR_KAFKA", addresses.kafka)
    database_url = os.environ.get("OPSFLOOR_DATABASE_URL", addresses.database_url)
    watching = _watch() if with_metrics else {}
    if json:
        as_json({"kafka": kafka, "database_url": database_url, **watching})
        return
    for name, url in watching.items():
        out.print(f"[green]✓[/] {name} at {url}", soft_wrap=True)
    for name in given:
        out.print(f"[green]✓[/] {name} from the environment is used; nothing is started in its place")
    if len(given) == len(GIVEN):
        return
    out.print(f"[green]✓[/] the stack is up; its data and logs are in {home()}", soft_wrap=True)
    out.print("  the command line and the services find it by themselves from this folder")
    out.print(f"  elsewhere: export OPSFLOOR_KAFKA={kafka}", soft_wrap=True)
    out.print(f"             export OPSFLOOR_DATABASE_URL={database_url}", soft_wrap=True)
    out.print("  next: opsfloor reference FOLDER (deploy/reference is an example bank), then")
    out.print("        opsfloor run intake|audit|routing|vendor|balancer; opsfloor stack down ends the stack")


def _start(kafka_port: int | None, given: list[str]) -> Addresses:
    """Start what the environment does not give. Errors: `Remedied`."""
    signal.signal(signal.SIGTERM, _interrupted)  # as Ctrl-C: what was started is ended again
    try:
        with told(), _jars_shown() as tell:
            return Stack(home(), kafka_port).up(
                tell,
                broker="OPSFLOOR_KAFKA" not in given,
                database="OPSFLOOR_DATABASE_URL" not in given,
            )
    except KeyboardInterrupt:
        err.print("stopped; what had been started was ended again")
        raise


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise SystemExit(128 + number)


def _watch() -> dict[str, str]:
    """Start Prometheus and Alertmanager. Errors: `Remedied`, with how to get them."""
    with told():
        forget_stale_targets(home())
        return Watch(home()).up()


@contextmanager
def _jars_shown() -> Iterator[jars.Progress]:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=err, transient=True) as bar:
        line = bar.add_task("Kafka's jars", total=None)
        yield lambda done, total, what: bar.update(line, completed=done, total=total, description=what)


@contextmanager
def told() -> Iterator[None]:
    """What is wrong with the stack, as the command line tells it. Errors: `Remedied`."""
    try:
        yield
    except StackProblem as problem:
        raise Remedied(problem.what, problem.remedy) from problem


@app.command("down")
def down() -> None:
    """End broker and database; their data stays."""
    with told():
        Watch(home()).down()
        Stack(home()).down()
    out.print("[green]✓[/] the stack is down")


@app.command("status")
def status(json: Json = False) -> None:
    """What runs, on which ports, with which data."""
    with told():
        found = Stack(home()).status() | Watch(home()).status()
    if json:
        as_json(found)
    else:
        table("Local stack", ("", ""), found.items())


@app.command("kafka", context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def kafka(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="TOOL", help=", ".join(TOOLS))],
) -> None:
    """One of Kafka's own tools against the floor's broker, with its own options.

    The lag of every reader, as the broker knows it: opsfloor stack kafka consumer-groups --describe --all-groups
    """
    if name not in TOOLS:
        raise Remedied(f"Expected one of {', '.join(TOOLS)}, found {name!r}", "`opsfloor stack kafka --help`")
    access = access_of(floor.settings().kafka)
    with told():
        with _jars_shown() as tell:
            jars.ensure(jars_folder(), tell)
        status = tool(name, access, context.args, home() / "kafka", jars_folder())
    raise typer.Exit(status)
