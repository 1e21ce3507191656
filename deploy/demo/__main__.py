"""`make demo`: a banking day in about three minutes; ends with a summary that proves every submission's one end."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
from pathlib import Path

from rich.console import Console

from deploy.demo.day import Demo, Plan, interactive
from deploy.demo.summary import show, write
from deploy.local import Stack, StackProblem
from deploy.local.stack import home


def main() -> int:
    """Read the arguments, start the stack, play the day. Returns 0 when every promise was kept."""
    parser = argparse.ArgumentParser(prog="python -m deploy.demo", description=__doc__)
    parser.add_argument("--submissions", type=int, default=1500, help="documents that branches hand in (default 1500)")
    parser.add_argument("--seconds", type=float, default=170, help="real length of the banking day (default 170)")
    parser.add_argument("--seed", type=int, default=1, help="draws everything by chance (default 1)")
    parser.add_argument(
        "--json", type=Path, default=None, help="where summary.json goes (default: in the demo's folder)"
    )
    given = parser.parse_args()
    console = Console(highlight=False)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it retries by itself; what fails in the end is raised
    folder = _fresh_folder(home() / "demo")
    stack = Stack(folder, owned=True)
    try:
        console.print("starting a broker and a database of the demo's own …")
        addresses = stack.up()
        plan = Plan(
            given.submissions, given.seconds, given.seed, folder, addresses.kafka, addresses.database_url, interactive()
        )
        summary = asyncio.run(Demo(plan, console).play())
    except StackProblem as problem:
        console.print(f"[bold red]✗[/] {problem.what}\n  [bold]Remedy:[/] {problem.remedy}")
        return 2
    finally:
        stack.down()
    show(summary, console)
    file = given.json or folder / "summary.json"
    write(summary, file)
    console.print(f"the same as JSON: {file}")
    return 0 if summary.kept else 1


def _fresh_folder(parent: Path) -> Path:
    """A new folder per day: a demo never reads what an earlier one left."""
    parent.mkdir(parents=True, exist_ok=True)
    number = 1 + max((int(old.name) for old in parent.iterdir() if old.name.isdigit()), default=0)
    folder = parent / str(number)
    folder.mkdir()
    return folder


if __name__ == "__main__":
    sys.exit(main())
