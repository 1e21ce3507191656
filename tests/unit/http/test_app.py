"""Nothing but health answers without a token; every error is a problem; nothing of the inside leaks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel

from shared.http.app import HttpServer, PortTakenError, build_app, serve
from shared.http.tokens import Issuer, Verifier
from shared.runtime.errors import TransientError
from shared.runtime.patience import within

KEY = Ed25519PrivateKey.generate()
SECRET = "the inside of the house"


class Health:
    """A process that is told how it feels."""

    def __init__(self) -> None:
        self.alive = True
        self.reasons: list[str] = []

    def live(self) -> bool:
        return self.alive

    def ready(self) -> tuple[bool, list[str]]:
        return not self.reasons, self.reasons


class Note(BaseModel):
    """A body with one field."""

    count: int


def router() -> APIRouter:
    """Endpoints that work, fail and break."""
    found = APIRouter()

    @found.post("/notes")
    async def take(note: Note) -> Note:
        return note

    @found.get("/broken")
    async def broken() -> None:
        raise RuntimeError(SECRET)

    @found.get("/away")
    async def away() -> None:
        raise TransientError(SECRET)

    return found


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
def app(health: Health) -> FastAPI:
    return build_app("tested", Verifier(KEY.public_key()), [(router(), ("auditor",))], health, body_bytes_max=1_000)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://floor") as found:
        yield found


def bearer(role: str = "auditor") -> dict[str, str]:
    return {"Authorization": f"Bearer {Issuer(KEY).issue('somebody', role)}"}


def is_problem(answer: httpx.Response, status: int, code: str) -> None:
    """The answer is a problem of this kind, with a sentence that says what was expected."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["code"] == code
    assert body["type"] == f"urn:opsfloor:problem:{code}"
    assert body["detail"].startswith("Expected ")


@pytest.mark.parametrize("path", ["/metrics", "/docs", "/redoc", "/openapi.json", "/notes", "/broken", "/", "/nowhere"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "HEAD"])
async def test_no_path_but_health_answers_without_a_token(client: httpx.AsyncClient, path: str, method: str) -> None:
    """Whatever the path and method, existing or not, without a token it is a 401."""
    answer = await client.request(method, path)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize("path", ["/health/", "/health/../metrics", "//health", "/ready/x", "/HEALTH"])
async def test_no_spelling_of_health_opens_another_door(client: httpx.AsyncClient, path: str) -> None:
    """Only the two exact paths are open."""
    assert (await client.get(path)).status_code == 401


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic dTpw", "Bearer nonsense", "bearer é", "Token x", "Bearer a.b.c"]
)
async def test_a_header_that_proves_nothing_is_a_401(client: httpx.AsyncClient, header: str) -> None:
    """A header of any other form gets a problem, never an error of the service."""
    answer = await client.get("/metrics", headers={b"Authorization": header.encode("latin-1")})
    assert answer.status_code == 401
    assert answer.json()["detail"].startswith("Expected ")


@pytest.mark.parametrize("path", ["/cases/%00", "/notes/a%0Ab", "/notes?id=%00", "/notes?id=a%1Bb"])
async def test_a_path_with_control_characters_reaches_nothing(client: httpx.AsyncClient, path: str) -> None:
    """No id has any, and the database would refuse a NUL in the middle of a query; without a token it is a 401."""
    is_problem(await client.get(path, headers=bearer()), 422, "invalid_request")
    assert (await client.get(path)).status_code == 401


@pytest.mark.parametrize("path", ["/notes/%C3%A9", "/notes?id=a+b%20c%FF"])
async def test_a_path_in_any_language_is_looked_for(client: httpx.AsyncClient, path: str) -> None:
    """Letters beyond ASCII and spaces are lawful; whether anything is there is the service's to say."""
    assert (await client.get(path, headers=bearer())).status_code in (404, 405)


async def test_health_tells_the_truth(client: httpx.AsyncClient, health: Health) -> None:
    """Both answers are open and change their status with the process."""
    assert (await client.get("/health")).json() == {"service": "tested", "live": True}
    assert (await client.get("/ready")).json() == {"service": "tested", "ready": True, "reasons": []}
    health.alive, health.reasons = False, ["boards are still being read"]
    assert (await client.get("/health")).status_code == 503
    answer = await client.get("/ready")
    assert (answer.status_code, answer.json()["reasons"]) == (503, ["boards are still being read"])


@pytest.mark.parametrize(("role", "status"), [("service", 200), ("on_call", 200), ("operator", 403), ("auditor", 403)])
async def test_metrics_are_for_services_and_people_on_call(client: httpx.AsyncClient, role: str, status: int) -> None:
    """A scraper's token opens /metrics, an operator's does not."""
    await client.get("/nowhere/at/all", headers=bearer())
    answer = await client.get("/metrics", headers=bearer(role))
    assert answer.status_code == status
    if status == 200:
        assert (
            'opsfloor_http_requests_total{method="GET",route="unmatched",service="tested",status="404"}' in answer.text
        )
        assert "nowhere" not in answer.text


@pytest.mark.parametrize("role", ["operator", "team_leader", "vendor_manager", "on_call", "branch", "service"])
async def test_a_router_is_open_to_its_roles_only(client: httpx.AsyncClient, role: str) -> None:
    """Every role but the router's own is refused."""
    is_problem(await client.post("/notes", json={"count": 1}, headers=bearer(role)), 403, "wrong_role")
    assert (await client.post("/notes", json={"count": 1}, headers=bearer("auditor"))).json() == {"count": 1}


def test_a_router_without_roles_is_not_built(health: Health) -> None:
    """Forgetting the roles closes the service, it does not open the router."""
    with pytest.raises(ValueError, match="at least one of the roles"):
        build_app("tested", Verifier(KEY.public_key()), [(router(), ())], health)


async def test_a_fault_leaks_nothing(client: httpx.AsyncClient) -> None:
    """An error of the service is a problem without a word of what broke."""
    answer = await client.get("/broken", headers=bearer())
    is_problem(answer, 500, "fault")
    assert SECRET not in answer.text
    assert "Traceback" not in answer.text


async def test_a_dependency_that_is_away_asks_to_come_again(client: httpx.AsyncClient) -> None:
    """A transient error is a 503 with the time to wait."""
    answer = await client.get("/away", headers=bearer())
    is_problem(answer, 503, "dependency_away")
    assert answer.headers["retry-after"] == "2"
    assert SECRET not in answer.text


async def test_a_wrong_request_is_told_where_and_not_what(client: httpx.AsyncClient) -> None:
    """A value of the wrong form is named by its place; the value itself is not sent back."""
    answer = await client.post("/notes", json={"count": "6222020200112233"}, headers=bearer())
    assert answer.status_code == 200  # a number in quotes is a number to pydantic
    answer = await client.post("/notes", json={"count": "account 6222"}, headers=bearer())
    is_problem(answer, 422, "invalid_request")
    assert "body.count" in answer.json()["detail"]
    assert "6222" not in answer.text


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nowhere", 404), ("DELETE", "/notes", 405)])
async def test_wrong_paths_and_methods_are_problems(
    client: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    """With a token one learns what is not there."""
    answer = await client.request(method, path, headers=bearer())
    is_problem(answer, status, {404: "not_found", 405: "method_not_allowed"}[status])


async def test_a_large_body_is_refused_before_anything_runs(client: httpx.AsyncClient) -> None:
    """Beyond the limit it is a 413, whether the length was declared or the body just keeps coming."""
    is_problem(await client.post("/notes", content=b"x" * 1_001, headers=bearer()), 413, "body_too_large")

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * 100

    is_problem(await client.post("/notes", content=endless(), headers=bearer()), 413, "body_too_large")


async def test_openapi_describes_tokens_and_problems(client: httpx.AsyncClient) -> None:
    """The document names the scheme, the problem's form, and that health is open."""
    document = (await client.get("/openapi.json", headers=bearer())).json()
    assert document["security"] == [{"bearer": []}]
    assert document["paths"]["/health"]["get"]["security"] == []
    assert "security" not in document["paths"]["/notes"]["post"]
    assert "ProblemDetails" in document["components"]["schemas"]
    answers = document["paths"]["/notes"]["post"]["responses"]
    assert {"200", "401", "403", "422", "503"} <= answers.keys()
    assert all("application/problem+json" in answers[status]["content"] for status in ("401", "403", "422", "503"))


async def test_the_server_tells_its_port_and_stops_with_grace(app: FastAPI) -> None:
    """Port 0 takes a free one; cancelling lets go of it, and another server can have it."""
    bound: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve(app, "127.0.0.1", 0, bound.set_result))
    url = await within(10, bound)
    async with httpx.AsyncClient() as client:
        assert (await client.get(f"{url}/health")).status_code == 200
        assert (await client.get(f"{url}/metrics")).status_code == 401
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    async with HttpServer(app, "127.0.0.1", int(url.rsplit(":", 1)[1])) as port:
        with pytest.raises(PortTakenError, match=f"127.0.0.1:{port}.*another port"):
            await HttpServer(app, "127.0.0.1", port).start()
