"""`opsfloor console`."""

from __future__ import annotations

from typing import Annotated

import typer

from deploy.local import children
from deploy.local.stack import home
from deploy.local.watch import Watch
from opsfloor.answers import Remedied, out


def console(
    port: Annotated[int, typer.Option(help="HTTP port; 0 takes a free one")] = 0,
    host: Annotated[str, typer.Option(help="where to listen; the pages ask for no token")] = children.LOOPBACK,
    prometheus: Annotated[
        str,
        typer.Option(
            envvar="OPSFLOOR_PROMETHEUS", help="URL of a Prometheus; else the one of `stack up --with-metrics`"
        ),
    ] = "",
) -> None:
    """The floor in the browser, where there is no Grafana: the dashboards' questions, asked every five seconds.

    Open the address that it prints, on a desk or on the wall. Only sums are shown, nothing of a case or a person.
    """
    url = (prometheus or Watch(home()).prometheus() or "").rstrip("/")
    if not url:
        raise Remedied(
            "Expected a Prometheus that watches the floor, found none",
            "`opsfloor stack up --with-metrics`, or name one: `opsfloor console --prometheus http://…`",
        )
    from opsfloor.console.app import serve  # the browser's side takes most of a second to load: no other command waits

    bound = port or children.free_port()
    out.print(f"[green]✓[/] the floor is at http://{host}:{bound} (figures from {url}); Ctrl-C ends it", soft_wrap=True)
    serve(host, bound, url)
