"""The commands of `opsfloor`, what each is for, and where they are written; each is loaded when somebody asks for it.

Why:    all of them together take seconds to load (charts, the simulator, HTTP), which every process of the floor would
        pay again whenever it is started anew, and everybody who only wants to know what there is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperCommand, TyperGroup

from shared.runtime.collector import without_collector


@dataclass(frozen=True, slots=True)
class Written:
    """Where a command is written, `module:name`, and its first sentence, as in help and on the command's own page."""

    where: str
    words: str


COMMANDS: Final[Mapping[str, Written]] = {
    "stack": Written("opsfloor.stack:app", "The local broker and database: up, down, status."),
    "run": Written(
        "opsfloor.run:run_service",
        "Run one service in the foreground until Ctrl-C; run more of the same to share its shards.",
    ),
    "reference": Written(
        "opsfloor.reference:publish_reference",
        "Validate the bank's reference data and publish it; makes the topics when they are missing.",
    ),
    "submit": Written(
        "opsfloor.submit:submit",
        "Store the images, sign the submission with the branch's key, publish it; exits with 1 when the bank refuses it.",
    ),
    "case": Written(
        "opsfloor.cases:case",
        "The whole timeline of a case: who did what, when, and why. Of a submission that became none, its receipt.",
    ),
    "item": Written("opsfloor.cases:item", "Where a work item is, and why it is there."),
    "why": Written(
        "opsfloor.why:why",
        "Why a work item went where it went: the teams and items weighed, their terms, what removed them.",
    ),
    "status": Written(
        "opsfloor.status:status", "Show what runs, who owns which shards, how far behind it is, and what waits where."
    ),
    "console": Written(
        "opsfloor.console.command:console",
        "The floor in the browser: the control room of reroutes, and the dashboards where there is a Prometheus.",
    ),
    "reroute": Written("opsfloor.reroute:app", "Move people's work in an emergency: propose, approve, end, look."),
    "dlq": Written(
        "opsfloor.dead_letters:app", "Records that a reader could not take: list, show, redrive, reset-fuse."
    ),
    "simulate": Written("opsfloor.simulate:app", "The floor in virtual time, with the real placement and desk."),
    "staffing": Written(
        "opsfloor.staffing:staffing",
        "The people a day needs per half hour, skill and centre, the cheapest shifts for it, and the best single training.",
    ),
    "replay": Written(
        "opsfloor.replay:replay",
        "Play a log's arrivals, work types and handling times through the running floor and compare turnarounds.",
    ),
    "doctor": Written(
        "opsfloor.doctor:doctor", "Look at everything that a service needs; exits with 1 when something is not well."
    ),
    "prove": Written(
        "opsfloor.prove:prove",
        "Prove from tables and bus that nothing is lost or doubled and the books are equal; exit status 1 with what is broken.",
    ),
    "migrate": Written("opsfloor.migrate:app", "The schemas' steps before and after a roll-out: status, pre, post."),
    "restore": Written(
        "opsfloor.restore:restore",
        "Bring restored tables up to the bus, with all services stopped; lists what must be asked of whom, exit status 1.",
    ),
    "token": Written(
        "opsfloor.tokens:token", "Print a bearer token signed with this machine's key pair (made when there is none)."
    ),
}


class CommandsOnDemand(TyperGroup):
    """The whole command line, of which only what is asked for is loaded. Typer does not name the click that it brings."""

    _only_words = False  # while all commands are told, none is loaded

    def list_commands(self, ctx: Any) -> list[str]:
        """All of them, in the order in which help shows them."""
        return list(COMMANDS)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Tell what there is."""
        with self._telling():
            super().format_help(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Tell a shell what there is."""
        with self._telling():
            return super().shell_complete(ctx, incomplete)

    @contextmanager
    def _telling(self) -> Iterator[None]:
        self._only_words = True
        try:
            yield
        finally:
            self._only_words = False

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, loaded now, or while all are told its words alone; `None` when there is none of that name."""
        written = COMMANDS.get(cmd_name)
        if written is None:
            return None
        if self._only_words:
            return TyperCommand(cmd_name, help=written.words)
        module, _, name = written.where.partition(":")
        with without_collector():  # what is loaded stays, and to look through it again and again takes time
            found = getattr(import_module(module), name)
        command = typer.main.get_command(found if isinstance(found, typer.Typer) else _alone(cmd_name, found))
        command.name = cmd_name
        return command


def _alone(name: str, function: Callable[..., Any]) -> typer.Typer:
    app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
    app.command(name)(function)
    return app
