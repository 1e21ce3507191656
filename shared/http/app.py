"""The HTTP application of a service: nothing but health answers without a token, every error is a problem."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol, cast

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.openapi.utils import get_openapi
from prometheus_client import REGISTRY, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from pydantic import BaseModel, ConfigDict
from starlette.types import ASGIApp

from shared.http.bearer import requires
from shared.http.gate import BODY_BYTES_MAX, Gate
from shared.http.problems import MEDIA_TYPE, ProblemDetails, install_problems, problem_responses
from shared.http.server import HttpServer, PortTakenError, serve
from shared.http.tokens import Role, Verifier

OPEN_PATHS: Final = frozenset({"/health", "/ready"})
METRICS_ROLES: Final[tuple[Role, ...]] = ("service", "on_call")


class HealthSource(Protocol):
    """What a process knows of its own health."""

    def live(self) -> bool:
        """The process turns; when not, it should be started anew."""

    def ready(self) -> tuple[bool, list[str]]:
        """The process can do its work; when not, the reasons in words."""


class HealthAnswer(BaseModel):
    """Whether the process lives."""

    model_config = ConfigDict(frozen=True)

    service: str
    live: bool


class ReadyAnswer(BaseModel):
    """Whether the process can do its work, and what it still waits for."""

    model_config = ConfigDict(frozen=True)

    service: str
    ready: bool
    reasons: list[str]


def build_app(
    service: str,
    verifier: Verifier,
    routers: Sequence[tuple[APIRouter, tuple[str, ...]]],
    health: HealthSource,
    body_bytes_max: int = BODY_BYTES_MAX,
    traced: Callable[[ASGIApp], ASGIApp] | None = None,
) -> FastAPI:
    """One service's application; each router is open to the roles beside it and to nobody else.

    Holds:   the gate in front asks for a valid token on every path but the health answers, whether it exists or not;
             `traced` is the layer behind it that tells a span for each request, if somebody listens.
    """
    disable_created_metrics()  # type: ignore[no-untyped-call]  # the instants of creation double the series, nobody reads them
    app = FastAPI(title=f"Opsfloor {service}", version="1", docs_url=None, redoc_url=None, openapi_url=None)
    install_problems(app)
    app.include_router(_health_router(service, health))
    app.include_router(_metrics_router(), dependencies=[Depends(requires(*METRICS_ROLES))])
    for router, roles in routers:
        allowed = requires(*cast(tuple[Role, ...], roles))
        app.include_router(router, dependencies=[Depends(allowed)], responses=problem_responses(401, 403, 503))
    app.openapi = _described(app)  # type: ignore[method-assign]  # FastAPI's documented way to extend the document
    app.get("/openapi.json", include_in_schema=False)(lambda: app.openapi())
    if traced is not None:
        app.add_middleware(traced)
    app.add_middleware(Gate, service=service, verifier=verifier, open_paths=OPEN_PATHS, body_bytes_max=body_bytes_max)
    return app


def _health_router(service: str, health: HealthSource) -> APIRouter:
    router = APIRouter(tags=["health"])

    @router.get("/health", summary="Is the process alive?", responses={503: {"model": HealthAnswer}})
    async def live(response: Response) -> HealthAnswer:
        answer = HealthAnswer(service=service, live=health.live())
        response.status_code = 200 if answer.live else 503
        return answer

    @router.get("/ready", summary="Can the process work, and if not, why?", responses={503: {"model": ReadyAnswer}})
    async def ready(response: Response) -> ReadyAnswer:
        ready, reasons = health.ready()
        response.status_code = 200 if ready else 503
        return ReadyAnswer(service=service, ready=ready, reasons=reasons)

    return router


def _metrics_router() -> APIRouter:
    router = APIRouter(tags=["metrics"])

    @router.get(
        "/metrics",
        summary="Prometheus metrics of this process",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}}, **problem_responses(401, 403)},
    )
    def metrics(request: Request) -> Response:
        encode, media_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(REGISTRY), media_type=media_type)

    return router


def _described(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """The OpenAPI document with the token scheme and the problem's schema, built once."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            found = get_openapi(title=app.title, version=app.version, routes=app.routes)
            components = found.setdefault("components", {})
            components.setdefault("schemas", {})["ProblemDetails"] = ProblemDetails.model_json_schema()
            components["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
            found["security"] = [{"bearer": []}]
            for path in OPEN_PATHS:
                found["paths"][path]["get"]["security"] = []
            _only_problems(found["paths"])
            app.openapi_schema = found
        return app.openapi_schema

    return document


def _only_problems(paths: Mapping[str, Any]) -> None:
    # FastAPI describes 422 by its own form; here every refused request is answered with a problem.
    problem = problem_responses(422)[422]
    for path in paths.values():
        for operation in path.values():
            if "422" in operation["responses"]:
                operation["responses"]["422"] = problem


__all__ = ["MEDIA_TYPE", "HealthSource", "HttpServer", "PortTakenError", "build_app", "serve"]
