"""What is awaited within so long: results, lateness, and a cancellation that nothing swallows."""

from __future__ import annotations

import asyncio

import pytest

from shared.runtime.patience import within


async def test_a_result_in_time_is_handed_out_and_an_error_raised() -> None:
    assert await within(5, asyncio.sleep(0, "done")) == "done"
    failed = asyncio.get_running_loop().create_future()
    failed.set_exception(KeyError("sequence"))
    with pytest.raises(KeyError, match="sequence"):
        await within(5, failed)


async def test_what_takes_longer_is_ended_first() -> None:
    cleaned: list[str] = []

    async def slow() -> None:
        try:
            await asyncio.sleep(3_600)
        finally:
            await asyncio.sleep(0)
            cleaned.append("slow")

    with pytest.raises(TimeoutError):
        await within(0.01, slow())
    assert cleaned == ["slow"]


@pytest.mark.parametrize("cancelled_first", [True, False])
async def test_a_cancellation_in_the_turn_of_the_result_ends_the_caller(cancelled_first: bool) -> None:
    """As `asyncio.wait_for` of Python 3.11 does not: a loop around it goes on for ever."""
    result = asyncio.get_running_loop().create_future()
    caller = asyncio.create_task(within(5, result))
    await asyncio.sleep(0)
    if cancelled_first:
        caller.cancel()
    result.set_result("written")
    if not cancelled_first:
        caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller


async def test_who_cleans_up_after_a_cancellation_is_told_of_lateness_and_not_cancelled_again() -> None:
    told: list[str] = []

    async def cleaning() -> None:
        try:
            await asyncio.sleep(3_600)
        finally:
            try:
                await within(0.01, asyncio.sleep(3_600))
            except TimeoutError:
                told.append("late")

    caller = asyncio.create_task(cleaning())
    await asyncio.sleep(0)
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert told == ["late"]
