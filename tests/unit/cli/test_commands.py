"""What there is to type is told at once, by help and by the shell, without loading what it takes to do it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest
import typer

from opsfloor.cli import app
from opsfloor.commands import COMMANDS
from tests.support.command_line import under

HEAVY = ("opsfloor.simulate", "opsfloor.console.command", "opsfloor.run", "fastapi")
ASK = f"""
import sys
from opsfloor.cli import app
try:
    app(prog_name="opsfloor")
finally:
    print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)
"""


def asked(*words: str, **env: str) -> tuple[str, str]:
    """What the command line prints, and which of the heavy modules it loaded."""
    shell: Mapping[str, str] = {**os.environ, "COLUMNS": "400", **env}
    done = subprocess.run([sys.executable, "-c", ASK, *words], env=shell, capture_output=True, text=True, check=False)
    return done.stdout, done.stderr.splitlines()[-1]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_told_as_its_own_page_begins(name: str) -> None:
    """The list of commands and the page of each say the same."""
    command = (under(typer.main.get_command(app)) or {})[name]
    first, _, _ = (command.help or "").partition("\n\n")
    assert " ".join(first.split()) == COMMANDS[name].words


def test_help_names_every_command_and_loads_none() -> None:
    """Whoever only wants to know what there is does not wait for the simulator's libraries."""
    told, loaded = asked("--help")
    assert [name for name, written in COMMANDS.items() if written.words not in told or name not in told] == []
    assert loaded == "[]"


def test_a_shell_completes_a_command_and_loads_none() -> None:
    """At three in the morning Tab answers."""
    told, loaded = asked(_OPSFLOOR_COMPLETE="complete_bash", COMP_WORDS="opsfloor re", COMP_CWORD="1")
    assert told.split() == [name for name in COMMANDS if name.startswith("re")]
    assert loaded == "[]"
