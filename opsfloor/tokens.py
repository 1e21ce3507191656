"""`opsfloor token`: a bearer token for one of the HTTP faces."""

from __future__ import annotations

from typing import Annotated

import typer

from opsfloor.answers import Remedied, an_id, out
from shared.home import home
from shared.http.tokens import LIFETIME_SECONDS_MAX, ROLES, Issuer, ensure_key_pair


def token(
    subject: Annotated[str, typer.Argument(help="who: an operator id, or your name")],
    role: Annotated[
        str,
        typer.Option(help=", ".join(sorted(ROLES))),
    ],
    team: Annotated[str | None, typer.Option(help="an operator's team")] = None,
    provider: Annotated[str | None, typer.Option(help="an operator's provider")] = None,
    hours: Annotated[float, typer.Option(help="how long it holds")] = 8.0,
) -> None:
    """Print a bearer token signed with this machine's key pair (made when there is none)."""
    private, _ = ensure_key_pair(home() / "keys")
    try:
        made = Issuer(private).issue(
            subject=an_id(subject, "name somebody: an operator by id, or yourself"),
            role=role,
            team_id=team,
            provider_id=provider,
            seconds=hours * 3600,
        )
    except ValueError as error:
        hours_max = LIFETIME_SECONDS_MAX / 3600
        remedy = f"name somebody, a role of `opsfloor token --help`, and more than 0 and at most {hours_max:.0f} hours"
        raise Remedied(str(error), remedy) from error
    out.print(made, soft_wrap=True)
