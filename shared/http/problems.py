"""Every error answer of the floor: RFC 9457 problem details, with the remedy in `detail`."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from shared.runtime.errors import TransientError

MEDIA_TYPE: Final = "application/problem+json"
RETRY_SECONDS: Final = 2
FAULTS_MAX: Final = 5

_log: Final = structlog.get_logger("opsfloor.http")


class ProblemDetails(BaseModel):
    """What went wrong and what to do about it."""

    model_config = ConfigDict(frozen=True)

    type: str = Field(description="a stable URN that names the kind of problem")
    title: str = Field(description="the status in words")
    status: int
    code: str = Field(description="the last part of `type`: what a program switches on")
    detail: str = Field(description="what was expected and what helps, in a sentence")
    instance: str = Field(description="the path that was asked for")


class Problem(HTTPException):
    """An answer that is not what the client hoped for. `code` is stable, `detail` is a sentence with the remedy."""

    def __init__(self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(status, detail, dict(headers) if headers else None)
        self.code: Final = code


def problem_response(problem: Problem, path: str) -> JSONResponse:
    """The problem as an answer to a request for `path`."""
    details = ProblemDetails(
        type=f"urn:opsfloor:problem:{problem.code}",
        title=HTTPStatus(problem.status_code).phrase,
        status=problem.status_code,
        code=problem.code,
        detail=problem.detail,
        instance=path,
    )
    return JSONResponse(details.model_dump(), problem.status_code, problem.headers, MEDIA_TYPE)


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What an endpoint declares in OpenAPI for the problems that it may answer with."""
    schema = {"schema": {"$ref": "#/components/schemas/ProblemDetails"}}
    return {status: {"description": HTTPStatus(status).phrase, "content": {MEDIA_TYPE: schema}} for status in statuses}


def install_problems(app: FastAPI) -> None:
    """Turn every way in which a request can fail into a problem; nothing of the inside leaks."""
    app.add_exception_handler(HTTPException, _from_http)
    app.add_exception_handler(RequestValidationError, _from_validation)
    app.add_exception_handler(TransientError, _from_transient)
    app.add_exception_handler(Exception, _from_fault)


async def _from_http(request: Request, error: Exception) -> JSONResponse:
    if isinstance(error, Problem):
        return problem_response(error, request.url.path)
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = error.headers if isinstance(error, HTTPException) else None
    sentence = {
        404: "Expected a path of this service; /openapi.json lists them",
        405: "Expected a method that this path has; /openapi.json lists them",
    }.get(status, f"Expected a request that this service can take, found one it answers with {status}")
    code = HTTPStatus(status).phrase.lower().replace(" ", "_").replace("-", "_")
    return problem_response(Problem(status, code, sentence, headers), request.url.path)


async def _from_validation(request: Request, error: Exception) -> JSONResponse:
    # Where and what was expected, never the value: a token or a customer's account may stand in the wrong field.
    faults = error.errors() if isinstance(error, RequestValidationError) else []
    named = "; ".join(
        f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}" for fault in faults[:FAULTS_MAX]
    )
    problem = Problem(422, "invalid_request", f"Expected a request as /openapi.json describes it; mend {named}")
    return problem_response(problem, request.url.path)


async def _from_transient(request: Request, error: Exception) -> JSONResponse:
    _log.warning("a dependency is away", path=request.url.path, reason=str(error))
    problem = Problem(
        503,
        "dependency_away",
        "Expected broker and database to answer, one of them is away; send the same request again in a moment",
        {"Retry-After": str(RETRY_SECONDS)},
    )
    return problem_response(problem, request.url.path)


async def _from_fault(request: Request, error: Exception) -> JSONResponse:
    _log.error("a request failed", path=request.url.path, method=request.method, reason=repr(error))
    problem = Problem(
        500, "fault", "Expected to answer this request and failed; the service's log says why, tell the people on call"
    )
    return problem_response(problem, request.url.path)
