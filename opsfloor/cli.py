"""`opsfloor`: run the services, hand in documents, ask where things are, mend what was parked."""

from __future__ import annotations

import errno
import logging
import sys
from typing import Final

import typer
from typer._click.exceptions import ClickException  # Typer brings a click of its own that it does not name

from opsfloor import addresses
from opsfloor.answers import Remedied, complain, remedied
from opsfloor.commands import CommandsOnDemand
from shared.http.keys import KeyPairError
from shared.runtime.errors import ContractError, InvariantError, TransientError
from shared.runtime.loop_errors import tell_clients_in_short

FULL: Final = (errno.ENOSPC, errno.EDQUOT)  # what a disk without room says

LOOKS_ITSELF: Final = "doctor"
"""The command that tells of an address that can be none beside everything else that it finds."""

app = typer.Typer(
    name="opsfloor", cls=CommandsOnDemand, no_args_is_help=True, rich_markup_mode="rich", pretty_exceptions_enable=False
)


@app.callback()
def opsfloor(context: typer.Context) -> None:
    """The operations floor of a bank.

    A first look: [bold]make demo[/bold] plays a banking day. By hand: [bold]opsfloor stack up[/bold], once
    [bold]opsfloor reference deploy/reference[/bold], then [bold]opsfloor run intake[/bold] (and audit, routing, vendor, balancer),
    then [bold]opsfloor status[/bold].
    """
    if context.invoked_subcommand != LOOKS_ITSELF and "--help" not in sys.argv:
        addresses.checked()


def main() -> None:
    """Run the command line; a failure with a known remedy is told in two lines, or as JSON to whoever asked for that."""
    json = "--json" in sys.argv
    _hear_libraries(json)
    try:
        raise SystemExit(app(standalone_mode=not json))
    except ClickException as error:  # without JSON Typer tells it itself, with the usage
        complain(Remedied(error.format_message(), "`--help` says what it takes", "invalid_request"), json)
        raise SystemExit(error.exit_code) from error
    except typer.Abort as error:
        complain(Remedied("Expected an answer, found none", "say `--yes` where nobody can be asked", "aborted"), json)
        raise SystemExit(1) from error
    except Remedied as error:
        complain(error, json)
        raise SystemExit(1) from error
    except TransientError as error:
        remedy = "`opsfloor stack status` tells whether broker and database are up"
        complain(remedied(error, remedy, "dependency_away"), json)
        raise SystemExit(1) from error
    except KeyPairError as error:
        complain(Remedied(str(error), "docs/operations.md, «Keys and tokens»", "keys_unfit"), json)
        raise SystemExit(1) from error
    except OSError as error:
        if error.errno in FULL:
            remedy = "`df` tells which disk is full: free some of it, or set OPSFLOOR_HOME to a folder on another"
            complain(Remedied(f"Expected room on the disk, found: {error.strerror}", remedy, "disk_full"), json)
            raise SystemExit(1) from error
        if error.filename is None:  # no file's: whoever meets it needs to see where it came from
            raise
        what = f"Expected to use {error.filename}, found: {error.strerror}"
        complain(
            Remedied(what, "mend it, or set OPSFLOOR_HOME to a folder that this user may write", "file_unfit"), json
        )
        raise SystemExit(1) from error
    except (ContractError, InvariantError) as error:
        code = "broken_contract" if isinstance(error, ContractError) else "broken_invariant"
        complain(remedied(error, "docs/operations.md says what each of these means", code), json)
        raise SystemExit(1) from error


def _hear_libraries(json: bool) -> None:
    """What libraries say beside a command's own words: to people their errors, to programs nothing, as they read one document.

    Why:     whatever keeps a command from its end is raised, and told as its failure. A client whose server has gone tells
             of it again and again, and once more when it is thrown away, after everything else.
    """
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it retries by itself
    if not json:
        tell_clients_in_short()
        return
    logging.captureWarnings(True)
    logging.disable(logging.CRITICAL)
    import structlog  # takes as long as half of the command line, and who loads nothing of the floor needs it nowhere

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
