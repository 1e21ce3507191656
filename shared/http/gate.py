"""The gate in front of every application: token first, then a bounded body, and a measure of each request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote_plus

from prometheus_client import Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.http.bearer import bearer_claims, refusal_problem
from shared.http.problems import Problem, problem_response
from shared.http.tokens import TokenError, Verifier

BODY_BYTES_MAX: Final = 262_144
BODY_SECONDS_MAX: Final = 15.0
ELSEWHERE: Final = "unmatched"

REQUESTS: Final = Counter("opsfloor_http_requests_total", "Requests answered", ["service", "method", "route", "status"])
REQUEST_SECONDS: Final = Histogram(
    "opsfloor_http_request_seconds",
    "From request to last byte of the answer; a long poll counts its wait",
    ["service", "method", "route"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
)
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Gate:
    """An ASGI layer: no path but `open_paths` is reached without a verified token.

    Holds:   the claims lie in `request.state.claims`; a body is read whole, up to its limit, before anything runs.
    """

    def __init__(
        self, app: ASGIApp, service: str, verifier: Verifier, open_paths: Iterable[str], body_bytes_max: int
    ) -> None:
        self._app: Final = app
        self._service: Final = service
        self._verifier: Final = verifier
        self._open_paths: Final = frozenset(open_paths)
        self._body_bytes_max: Final = body_bytes_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # no websockets, no lifespan: nothing of the floor speaks them
        began, status = time.perf_counter(), 500

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._pass(scope, receive, counted)
        finally:
            self._measure(scope, status, time.perf_counter() - began)

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            if scope["path"] not in self._open_paths:
                scope.setdefault("state", {})["claims"] = self._claims(scope)
            _expect_printable(scope)
            body = await self._body(scope, receive)
        except Problem as problem:
            await problem_response(problem, scope["path"])(scope, receive, send)
            return
        if body is not None:
            await self._app(scope, _replayed(body, receive), send)

    def _claims(self, scope: Scope) -> object:
        header = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        try:
            return bearer_claims(self._verifier, header.decode("latin-1"))
        except TokenError as refused:
            raise refusal_problem(refused) from refused

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """The request's body, or `None` when the client has gone."""
        declared = next((value for name, value in scope["headers"] if name == b"content-length"), b"0")
        if declared.isdigit() and int(declared) > self._body_bytes_max:
            raise self._too_large()
        parts, size, more = [], 0, True
        try:
            async with asyncio.timeout(BODY_SECONDS_MAX):
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > self._body_bytes_max:
                        raise self._too_large()
                    more = message.get("more_body", False)
        except TimeoutError as error:
            raise Problem(408, "body_too_slow", f"Expected the body within {BODY_SECONDS_MAX:.0f} s") from error
        return b"".join(parts)

    def _too_large(self) -> Problem:
        return Problem(413, "body_too_large", f"Expected a body of at most {self._body_bytes_max} bytes; send less")

    def _measure(self, scope: Scope, status: int, seconds: float) -> None:
        # The route's template, never the path: labels stay bounded, whatever a client asks for.
        route = getattr(scope.get("route"), "path", ELSEWHERE)
        method = scope["method"] if scope["method"] in METHODS else ELSEWHERE
        REQUESTS.labels(self._service, method, route, str(status)).inc()
        REQUEST_SECONDS.labels(self._service, method, route).observe(seconds, scope.get("state", {}).get("exemplar"))


def _expect_printable(scope: Scope) -> None:
    """Errors: `Problem` for control characters in the path or the query: no id has any, and PostgreSQL takes no NUL."""
    if not (scope["path"] + unquote_plus(scope["query_string"].decode("latin-1"))).isprintable():
        raise Problem(422, "invalid_request", "Expected a path and a query of printable characters; mend the id in it")


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Hand out the body that was read, then what the connection says."""
    handed_out = False

    async def replay() -> Message:
        nonlocal handed_out
        if handed_out:
            return await receive()
        handed_out = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay
