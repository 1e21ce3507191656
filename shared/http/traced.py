"""A span for each request that passed the gate; what is published while it is answered belongs to its trace."""

from __future__ import annotations

from typing import Final

from opentelemetry.trace import SpanKind, StatusCode, Tracer
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.runtime.otlp_tracing import context_in, exemplar, traceparent_of, under
from shared.runtime.tracing import REQUEST, REQUEST_EXEMPLAR, from_outside

UNTOLD: Final = frozenset({"/health", "/ready", "/metrics"})  # asked for by machines every few seconds


class TracedRequests:
    """An ASGI layer behind the gate. Holds: `request.state.exemplar` is what a figure about the request may point to."""

    def __init__(self, app: ASGIApp, tracer: Tracer) -> None:
        self._app: Final = app
        self._tracer: Final = tracer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in UNTOLD:
            await self._app(scope, receive, send)
            return
        header = next((value for name, value in scope["headers"] if name == b"traceparent"), b"")
        span = self._tracer.start_span(
            scope["method"], context=under(context_in(from_outside(header))), kind=SpanKind.SERVER
        )

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                span.set_attribute("http.response.status_code", message["status"])
                span.set_status(StatusCode.ERROR if message["status"] >= 500 else StatusCode.UNSET)
            await send(message)

        kept = exemplar(span.get_span_context()) if span.is_recording() else None
        scope.setdefault("state", {})["exemplar"] = kept
        begun, pointed = REQUEST.set(traceparent_of(span.get_span_context())), REQUEST_EXEMPLAR.set(kept)
        try:
            await self._app(scope, receive, noting)
        finally:
            REQUEST.reset(begun)
            REQUEST_EXEMPLAR.reset(pointed)
            # The route's template, never the path: names stay few, and no id of a person becomes one.
            route = getattr(scope.get("route"), "path", "")
            span.update_name(f"{scope['method']} {route}".strip())
            span.set_attributes({"http.request.method": scope["method"], "http.route": route})
            span.end()
