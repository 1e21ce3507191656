"""Intake says when it can take nothing in."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from typing import Any

import pytest

from services.intake.wiring import PLAN
from shared.runtime import host as hosting
from shared.runtime.clock import RealClock
from shared.runtime.host import Host, Surroundings
from shared.runtime.settings import Settings
from tests.support.pool_of_one import Pool


async def test_intake_is_not_ready_while_its_images_are_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that comes is taken in meanwhile: whoever asks hears why, and that it is over."""
    monkeypatch.setattr(hosting, "WATCH_SECONDS", 0.0)
    folder, pool, nothing = tmp_path / "images", Pool(), None
    settings = Settings(kafka="k:1", database_url="postgresql://d", images=folder.as_uri())
    around: Any = (settings, RealClock(), nothing, pool, nothing, nothing)
    service = PLAN.wire(Surroundings(*around))
    host = Host(PLAN, settings, RealClock())
    host._health.boards_ready = True
    there: Any = pool
    looking = asyncio.create_task(host._look(there, service.hindrances))

    async def told() -> tuple[bool, list[str]]:
        for _ in range(10):
            await asyncio.sleep(0)
        return host._health.ready()

    assert await told() == (True, [])
    shutil.rmtree(folder)
    ready, reasons = await told()
    assert not ready
    assert reasons == ["the image store's folder is gone: what comes with images waits until it is back"]
    folder.mkdir()
    assert await told() == (True, [])
    looking.cancel()
