"""A service's process ends when its service has ended."""

from __future__ import annotations

import subprocess
import sys

import pytest

STORY = """
import asyncio
from opsfloor.run import end_with

async def {name}():
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if "{name}" == "willing":
                raise

async def story():
    kept = asyncio.create_task({name}())
    await asyncio.sleep(0)
    return await end_with(3, lambda: print("forgotten", flush=True))

print(asyncio.run(story()))
"""


@pytest.mark.parametrize(("name", "status", "says"), [("willing", 0, "3"), ("stubborn", 3, "forgotten")])
def test_a_task_that_takes_no_cancellation_does_not_keep_the_process(name: str, status: int, says: str) -> None:
    """As Faust's own futures while the broker is away: the process would have to be killed by hand."""
    ended = subprocess.run(
        [sys.executable, "-c", STORY.format(name=name)], capture_output=True, text=True, timeout=60, check=False
    )
    assert ended.returncode == status, ended.stderr
    assert ended.stdout.splitlines()[-1] == says
