"""The pages: a board each, the runbook's, and the control room's."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import urlencode

from nicegui import app, ui
from starlette.requests import Request

from deploy.grafana.boards import BOARDS
from deploy.grafana.questions import Board
from opsfloor.console.asking import Prometheus, PrometheusAwayError
from opsfloor.console.control.frame import Room
from opsfloor.console.control.pages import control_pages
from opsfloor.console.control.routing import Routing
from opsfloor.console.screen import STYLE, Screen

RUNBOOK: Final = Path(__file__).resolve().parents[2] / "docs" / "runbook"
RENEW_SECONDS: Final = 5.0
MEASURE_SECONDS: Final = 10.0
RECONNECT_SECONDS: Final = 60.0  # a form half filled in survives a broken connection for so long
EVERYTHING: Final = "all"
MARKDOWN: Final = [
    "fenced-code-blocks",
    "tables",
    "cuddled-lists",
]  # a list may follow on a sentence without a line between
ROOT_PX: Final = "parseFloat(getComputedStyle(document.documentElement).fontSize)"


def serve(host: str, port: int, prometheus: str | None, routing: Callable[[], Sequence[str]]) -> None:
    """Serve the pages until Ctrl-C. `prometheus` is its URL, if there is one; `routing` tells where its processes are."""
    if prometheus is not None:
        _pages(Prometheus(prometheus))
    control_pages(Room(Routing(routing), boards=prometheus is not None))
    ui.run(
        host=host,
        port=port,
        title="Opsfloor",
        show=False,
        reload=False,
        show_welcome_message=False,
        language="en-GB",
        reconnect_timeout=RECONNECT_SECONDS,
        storage_secret=secrets.token_urlsafe(32),
        session_middleware_kwargs={"same_site": "lax"},
    )


def path_of(board: Board) -> str:
    """Where a board is found: the first one is the front page."""
    return "/" if board is BOARDS[0] else f"/boards/{board.uid.removeprefix('opsfloor-')}"


def _pages(prometheus: Prometheus) -> None:
    for board in BOARDS:
        _page(board, prometheus)

    ui.page("/runbook/{name}")(_runbook)
    app.on_shutdown(prometheus.close)


def _page(board: Board, prometheus: Prometheus) -> None:
    @ui.page(path_of(board))
    async def page(request: Request) -> None:
        name = board.variable[0] if board.variable else ""
        chosen = request.query_params.get(name, "")
        screen = Screen(board, BOARDS, path_of)

        async def choose() -> None:
            nonlocal chosen
            if not name or screen.tools.default_slot.children:
                return
            choices = await prometheus.choices(board)
            chosen = chosen or ("" if name == "type" or not choices else choices[0])
            if choices:
                with screen.tools:
                    _offer(board, name, choices, chosen)

        async def renew() -> None:
            try:
                await choose()
                screen.show(await prometheus.board(board, chosen))
            except PrometheusAwayError as error:
                screen.away(str(error))

        await ui.context.client.connected()  # the frame stands at once, however long the figures take
        with contextlib.suppress(TimeoutError):  # a browser that is busy draws charts at a desk's size
            screen.fit(await ui.run_javascript(ROOT_PX, timeout=MEASURE_SECONDS))
        await renew()
        ui.timer(RENEW_SECONDS, renew)


def _offer(board: Board, name: str, choices: list[str], chosen: str) -> None:
    """Links for the reader's choice, which stands in the address: it can be sent to somebody else."""
    with ui.element("nav").props(f'aria-label="{name.capitalize()}"').classes("choices"):
        for value in ([""] if name == "type" else []) + choices:
            link = ui.link(value or EVERYTHING, f"{path_of(board)}?{urlencode({name: value})}")
            if value == chosen:
                link.props('aria-current="true"')


def _runbook(name: str) -> None:
    ui.add_css(STYLE)
    ui.page_title(f"Runbook: {name}")
    with ui.element("nav").props('aria-label="Back"'):
        ui.link("← the floor", "/")
    page = RUNBOOK / f"{name}.md"
    if page.parent != RUNBOOK or not page.is_file():
        ui.label(f"There is no page {name} in docs/runbook.")
        return
    ui.markdown(page.read_text(), extras=MARKDOWN)
