"""The server around an application: who waits when it stops is answered."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import FastAPI

from shared.http import server
from shared.http.server import HttpServer


async def test_who_waits_when_the_server_stops_is_told_to_ask_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """A long poll under way is answered with 503 and when to come back, not with a broken connection."""
    monkeypatch.setattr(server, "GRACE_SECONDS", 0)
    app, asked = FastAPI(), asyncio.Event()

    @app.get("/next")
    async def waits() -> None:
        asked.set()
        await asyncio.Event().wait()

    serving = HttpServer(app, "127.0.0.1", 0)
    port = await serving.start()
    async with httpx.AsyncClient() as client:
        poll = asyncio.create_task(client.get(f"http://127.0.0.1:{port}/next"))
        await asked.wait()
        await serving.stop()
        answer = await poll
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "stopping", "1")
