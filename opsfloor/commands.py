"""The commands of `opsfloor` and where they are written; each is loaded when somebody asks for it.

Why:    all of them together take seconds to load (charts, the simulator, HTTP), which every process of the floor would
        pay again whenever it is started anew.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Final

import typer
from typer.core import TyperGroup

from shared.runtime.collector import without_collector

WRITTEN_IN: Final[Mapping[str, str]] = {
    "stack": "opsfloor.stack:app",
    "run": "opsfloor.run:run_service",
    "reference": "opsfloor.run:publish_reference",
    "submit": "opsfloor.submit:submit",
    "case": "opsfloor.cases:case",
    "item": "opsfloor.cases:item",
    "why": "opsfloor.why:why",
    "status": "opsfloor.status:status",
    "console": "opsfloor.console.command:console",
    "reroute": "opsfloor.reroute:app",
    "dlq": "opsfloor.dead_letters:app",
    "simulate": "opsfloor.simulate:app",
    "staffing": "opsfloor.staffing:staffing",
    "replay": "opsfloor.replay:replay",
    "doctor": "opsfloor.doctor:doctor",
    "migrate": "opsfloor.migrate:app",
    "restore": "opsfloor.restore:restore",
    "token": "opsfloor.tokens:token",
}


class CommandsOnDemand(TyperGroup):
    """The whole command line, of which only what is asked for is loaded. Typer does not name the click that it brings."""

    def list_commands(self, ctx: Any) -> list[str]:
        """All of them, in the order in which help shows them."""
        return list(WRITTEN_IN)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, loaded now; `None` when there is none of that name."""
        where = WRITTEN_IN.get(cmd_name)
        if where is None:
            return None
        module, _, name = where.partition(":")
        with without_collector():  # what is loaded stays, and to look through it again and again takes time
            found = getattr(import_module(module), name)
        command = typer.main.get_command(found if isinstance(found, typer.Typer) else _alone(cmd_name, found))
        command.name = cmd_name
        return command


def _alone(name: str, function: Callable[..., Any]) -> typer.Typer:
    app = typer.Typer(add_completion=False, rich_markup_mode="rich", pretty_exceptions_enable=False)
    app.command(name)(function)
    return app
