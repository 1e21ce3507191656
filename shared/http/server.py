"""Serves an application from the running event loop; signals stay with the process that hosts it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final

import structlog
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.problems import Problem, problem_response

GRACE_SECONDS: Final = 3
HEAD_BYTES_MAX: Final = 16_384
CONNECTIONS_MAX: Final = 2_000
KEEP_ALIVE_SECONDS: Final = 75

_log: Final = structlog.get_logger("opsfloor.http")


class PortTakenError(Exception):
    """The address cannot be listened on; the message says what to do."""


class HttpServer:
    """One application on one port. `start` answers once it listens, `stop` once every request has had its grace."""

    def __init__(self, app: ASGIApp, host: str, port: int) -> None:
        self._host: Final = host
        self._port: Final = port
        self._server: Final = _QuietServer(
            uvicorn.Config(
                _LastAnswers(app, self._closing),
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                ws="none",
                limit_concurrency=CONNECTIONS_MAX,
                h11_max_incomplete_event_size=HEAD_BYTES_MAX,
                timeout_keep_alive=KEEP_ALIVE_SECONDS,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._serving: asyncio.Task[None] | None = None

    def _closing(self) -> bool:
        return self._server.should_exit

    async def start(self) -> int:
        """Listen. Returns the bound port, which port 0 leaves to the system. Errors: `PortTakenError`."""
        listener = _listener(self._host, self._port)
        port: int = listener.getsockname()[1]
        self._serving = asyncio.create_task(self._server.serve(sockets=[listener]))
        listening = asyncio.create_task(self._server.listening.wait())
        await asyncio.wait([self._serving, listening], return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if self._serving.done():
            self._serving.result()
        _log.info("listening", host=self._host, port=port)
        return port

    async def wait(self) -> None:
        """Until the server ends, by `stop` or by a failure, which is raised."""
        if self._serving is not None:
            await asyncio.shield(self._serving)

    async def stop(self) -> None:
        """Take no more requests, give those under way their grace, close."""
        self._server.should_exit = True
        if self._serving is not None:
            await self._serving

    async def __aenter__(self) -> int:
        return await self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()


async def serve(app: ASGIApp, host: str, port: int, bound: Callable[[str], None] | None = None) -> None:
    """Serve until cancelled, then stop with grace. `bound` hears the URL once it answers. Errors: `PortTakenError`."""
    server = HttpServer(app, host, port)
    async with server as bound_port:
        if bound is not None:
            bound(f"http://{f'[{host}]' if ':' in host else host}:{bound_port}")
        await server.wait()


class _LastAnswers:
    """Answers 503 to who still waits, as in a long poll, when a server that stops gives up their request."""

    def __init__(self, app: ASGIApp, closing: Callable[[], bool]) -> None:
        self._app: Final = app
        self._closing: Final = closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, noting)
        except asyncio.CancelledError:
            if begun or not self._closing():
                raise
            problem = Problem(
                503, "stopping", "This process stops; ask again, another one answers", {"Retry-After": "1"}
            )
            await problem_response(problem, scope["path"])(scope, receive, send)


class _QuietServer(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening: Final = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # the host process decides what a signal means


def _listener(host: str, port: int) -> socket.socket:
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        listener = socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise PortTakenError(
            f"Expected to listen on {host}:{port}: {error.strerror}; choose another port, 0 takes a free one"
        ) from error
    listener.setblocking(False)
    return listener
