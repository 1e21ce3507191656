"""`opsfloor token`: a bearer token for one of the HTTP faces."""

from __future__ import annotations

from typing import Annotated

import typer

from opsfloor import floor
from opsfloor.answers import out
from shared.http.tokens import Issuer, ensure_key_pair


def token(
    subject: Annotated[str, typer.Argument(help="who: an operator id, or your name")],
    role: Annotated[
        str,
        typer.Option(
            help="operator, team_leader, auditor, vendor_manager, on_call, proposer, approver, viewer, service"
        ),
    ],
    team: Annotated[str | None, typer.Option(help="an operator's team")] = None,
    provider: Annotated[str | None, typer.Option(help="an operator's provider")] = None,
    hours: Annotated[float, typer.Option(help="how long it holds")] = 8.0,
) -> None:
    """Print a bearer token signed with this machine's key pair (made when there is none)."""
    private, _ = ensure_key_pair(floor.home() / "keys")
    out.print(
        Issuer(private).issue(subject=subject, role=role, team_id=team, provider_id=provider, seconds=hours * 3600),
        soft_wrap=True,
    )
