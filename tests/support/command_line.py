"""The command line as tests walk it: groups load their commands when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import click


@cache
def under(command: Any) -> Mapping[str, Any] | None:
    """A group's commands by name; `None` for a command that is none."""
    if not hasattr(command, "list_commands"):
        return None
    context: Any = click.Context(click.Command("walk"))
    return {name: command.get_command(context, name) for name in command.list_commands(context)}
