"""`opsfloor`: run the services, hand in documents, ask where things are, mend what was parked."""

from __future__ import annotations

import logging

import typer

from opsfloor import (
    cases,
    dead_letters,
    doctor,
    migrate,
    replay,
    reroute,
    restore,
    run,
    simulate,
    stack,
    staffing,
    status,
    submit,
    tokens,
    why,
)
from opsfloor.answers import Remedied, complain
from opsfloor.console.command import console
from shared.runtime.errors import ContractError, InvariantError, TransientError

app = typer.Typer(
    name="opsfloor",
    no_args_is_help=True,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    help=(
        "The operations floor of a bank.\n\n"
        "A first look: [bold]make demo[/bold] plays a banking day. By hand: [bold]opsfloor stack up[/bold], then "
        "[bold]opsfloor run intake[/bold] (and audit, routing, vendor), then [bold]opsfloor status[/bold]."
    ),
)
app.add_typer(stack.app, name="stack", help="The local broker and database: up, down, status.")
app.add_typer(dead_letters.app, name="dlq", help="Records that a reader could not take: list, show, redrive.")
app.add_typer(migrate.app, name="migrate", help="The schemas' steps before and after a roll-out: status, pre, post.")
app.add_typer(simulate.app, name="simulate", help="The floor in virtual time, with the real placement and desk.")
app.add_typer(reroute.app, name="reroute", help="Move people's work in an emergency: propose, approve, end, look.")
app.command("run")(run.run_service)
app.command("reference")(run.publish_reference)
app.command("submit")(submit.submit)
app.command("case")(cases.case)
app.command("item")(cases.item)
app.command("why")(why.why)
app.command("status")(status.status)
app.command("console")(console)
app.command("staffing")(staffing.staffing)
app.command("doctor")(doctor.doctor)
app.command("restore")(restore.restore)
app.command("token")(tokens.token)
app.command("replay")(replay.replay)


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
