"""`make demo`: a banking day in about three minutes; ends with a summary that proves every submission's one end."""

from __future__ import annotations

import argparse
import asyncio
import logging
import shutil
import sys
from math import inf
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from deploy.demo.day import Demo, Plan, interactive
from deploy.demo.pace import DAY_SECONDS, TURNS_PER_SECOND, day_seconds, turns_per_second
from deploy.demo.processes import NotReady
from deploy.demo.summary import Summary, show, write
from deploy.local import Addresses, Stack, StackProblem
from deploy.local.stack import home

BROKEN: Final = 1
NOT_PLAYED: Final = 2
STOPPED: Final = 130  # as a shell says it of Ctrl-C


def main() -> int:
    """Read the arguments, start the stack, play the day. Returns 0 when every promise was kept."""
    given = _arguments().parse_args()
    console = Console(highlight=False)
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it retries by itself; what fails in the end is raised
    folder = _fresh_folder(home() / "demo")
    stack = Stack(folder, owned=not given.keep)
    try:
        seconds = given.seconds or _seconds(given.submissions, console)
        addresses = _up(stack, console)
        plan = Plan(
            given.submissions, seconds, given.seed, folder, addresses.kafka, addresses.database_url, interactive()
        )
        summary = asyncio.run(Demo(plan, console).play())
    except StackProblem as problem:
        console.print(f"[bold red]✗[/] {problem.what}\n  [bold]Remedy:[/] {problem.remedy}")
        return NOT_PLAYED
    except NotReady as problem:
        console.print(f"[bold red]✗[/] {problem}")
        return NOT_PLAYED
    except KeyboardInterrupt:
        console.print("stopped; nothing was left running")
        return STOPPED
    finally:
        if not given.keep:
            stack.down()
    return _tell(summary, console, given.json or folder / "summary.json", folder, keep=given.keep)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.demo", description=__doc__)
    parser.add_argument(
        "--submissions", type=_some, default=1500, help="documents that branches hand in (default 1500)"
    )
    parser.add_argument(
        "--seconds",
        type=_positive,
        default=None,
        help=f"real length of the banking day (default {DAY_SECONDS:.0f}; longer where the machine is asked and is slower)",
    )
    parser.add_argument("--seed", type=int, default=1, help="draws everything by chance (default 1)")
    parser.add_argument("--keep", action="store_true", help="leave broker and database running, to look around")
    parser.add_argument(
        "--json", type=_writable, default=None, help="where summary.json goes (default: in the demo's folder)"
    )
    return parser


def _positive(text: str) -> float:
    seconds = float(text)
    if not 0.0 < seconds < inf:
        raise argparse.ArgumentTypeError(f"expected seconds above 0, found {text}")
    return seconds


def _some(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"expected at least 1 document, found {text}")
    return count


def _writable(text: str) -> Path:
    """A file's name. Errors: told before the day is played, and not after it."""
    if not (file := Path(text)).absolute().parent.is_dir() or file.is_dir():
        raise argparse.ArgumentTypeError(f"expected a file in a folder that is there, found {text}")
    return file


def _seconds(submissions: int, console: Console) -> float:
    """How long the day will take here; said when that is longer than on a quick machine."""
    found = turns_per_second()
    seconds = day_seconds(submissions, found)
    if seconds > day_seconds(submissions, TURNS_PER_SECOND):
        console.print(
            f"this machine does {found / TURNS_PER_SECOND:.0%} now of what a day of {DAY_SECONDS:.0f} s asks for: it is "
            f"played in {seconds:.0f} s"
        )
    return seconds


def _up(stack: Stack, console: Console) -> Addresses:
    console.print("starting a broker and a database of the demo's own …")
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        line = bar.add_task("Kafka's jars", total=None)
        return stack.up(lambda done, total, what: bar.update(line, completed=done, total=total, description=what))


def _tell(summary: Summary, console: Console, file: Path, folder: Path, *, keep: bool) -> int:
    show(summary, console)
    write(summary, file)
    console.print(f"the same as JSON: {file}", soft_wrap=True)
    if keep:
        console.print("broker and database are still up, with all of the day in them:")
        console.print(f"  export OPSFLOOR_HOME={folder.absolute()}", soft_wrap=True)
        console.print("  opsfloor run audit    (then opsfloor case ID); opsfloor stack down ends them")
    elif summary.kept:
        for part in ("kafka", "postgres"):  # some 200 MB that nobody needs any more
            shutil.rmtree(folder / part, ignore_errors=True)
    return 0 if summary.kept else BROKEN


def _fresh_folder(parent: Path) -> Path:
    """A new folder per day: a demo never reads what an earlier one left."""
    parent.mkdir(parents=True, exist_ok=True)
    number = 1 + max((int(old.name) for old in parent.iterdir() if old.name.isdigit()), default=0)
    folder = parent / str(number)
    folder.mkdir()
    return folder


if __name__ == "__main__":
    sys.exit(main())
