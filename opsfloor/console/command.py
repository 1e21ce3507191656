"""`opsfloor console`."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from deploy.local import children
from deploy.local.stack import home
from deploy.local.watch import Watch
from opsfloor import floor
from opsfloor.answers import out
from opsfloor.stack import told

NO_PROMETHEUS: Final = "`opsfloor stack up --with-metrics`, or name one: `opsfloor console --prometheus http://…`"


def console(
    port: Annotated[int, typer.Option(help="HTTP port; 0 takes a free one")] = 0,
    host: Annotated[str, typer.Option(help="where to listen; the dashboards ask for no token")] = children.LOOPBACK,
    prometheus: Annotated[
        str,
        typer.Option(
            envvar="OPSFLOOR_PROMETHEUS", help="URL of a Prometheus; else the one of `stack up --with-metrics`"
        ),
    ] = "",
    routing: Annotated[
        str, typer.Option(envvar="OPSFLOOR_ROUTING_URL", help="URL of a routing service; else those of this machine")
    ] = "",
) -> None:
    """The floor in the browser: the control room of reroutes, and the dashboards where there is a Prometheus.

    Open the address that it prints. Under /control: the floor at a glance, propose with a preview, approve, end,
    extend, history, drills; sign in there with a token (`opsfloor token NAME --role proposer`), which says what you
    may do. The dashboards ask for no token: only sums are shown, nothing of a case or a person.
    """
    with told():
        url = (prometheus or Watch(home()).prometheus() or "").rstrip("/")
    from opsfloor.console.app import serve  # the browser's side takes most of a second to load: no other command waits

    bound = port or children.free_port()
    out.print(f"[green]✓[/] the control room is at http://{host}:{bound}/control", soft_wrap=True)
    if url:
        out.print(f"[green]✓[/] the dashboards are at http://{host}:{bound} (figures from {url})", soft_wrap=True)
    else:
        out.print(f"[yellow]▲[/] no dashboards: {NO_PROMETHEUS}", soft_wrap=True)
    out.print("  Ctrl-C ends it")
    serve(host, bound, url or None, lambda: doors(routing))


def doors(named: str) -> list[str]:
    """Where routing answers now: the one that was named, else every process of this machine."""
    return [named.rstrip("/")] if named else [entry.url for entry in floor.running("routing")]
