"""`opsfloor`: run the services, hand in documents, ask where things are, mend what was parked."""

from __future__ import annotations

import logging

import typer

from opsfloor.answers import Remedied, complain
from opsfloor.commands import CommandsOnDemand
from shared.runtime.errors import ContractError, InvariantError, TransientError

app = typer.Typer(
    name="opsfloor", cls=CommandsOnDemand, no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False
)


@app.callback()
def opsfloor() -> None:
    """The operations floor of a bank.

    A first look: [bold]make demo[/bold] plays a banking day. By hand: [bold]opsfloor stack up[/bold], then
    [bold]opsfloor run intake[/bold] (and audit, routing, vendor), then [bold]opsfloor status[/bold].
    """


def main() -> None:
    """Run the command line; a failure with a known remedy is told in two lines and exits with 1."""
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it retries by itself; what fails in the end is raised
    try:
        app()
    except Remedied as error:
        complain(error)
        raise SystemExit(1) from error
    except TransientError as error:
        complain(Remedied(str(error), "`opsfloor stack status` tells whether broker and database are up"))
        raise SystemExit(1) from error
    except (ContractError, InvariantError) as error:
        complain(Remedied(str(error), "docs/operations.md says what each of these means"))
        raise SystemExit(1) from error
