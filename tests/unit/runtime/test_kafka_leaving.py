"""Leaving a bus that is away: who stops a client goes on, and nothing of it stays connected."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from aiokafka.client import AIOKafkaClient
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.subscription_state import SubscriptionState
from aiokafka.errors import KafkaConnectionError, NodeNotReadyError

from shared.runtime.kafka_leaving import leave
from shared.runtime.kafka_tail import KafkaTail


class AwayClient(AIOKafkaClient):  # type: ignore[misc]  # aiokafka has no types
    """aiokafka's connections to a broker that is gone."""

    closed = False

    async def send(self, node_id: int, request: Any, *, group: Any = None) -> Any:
        raise NodeNotReadyError("gone")

    async def close(self) -> None:
        self.closed = True


class Request:
    topics = ()


async def consumer_about_to_fetch_again() -> tuple[AIOKafkaConsumer, AwayClient]:
    """A real consumer with a real fetcher, whose fetch has failed and waits to be tried again."""
    client = AwayClient()
    consumer = AIOKafkaConsumer("topic", bootstrap_servers="127.0.0.1:1")
    fetcher = Fetcher(client, SubscriptionState(), retry_backoff_ms=60_000)
    consumer._client, consumer._fetcher = client, fetcher
    await asyncio.sleep(0)  # its routine waits for an assignment
    fetcher._pending_tasks.add(asyncio.create_task(fetcher._proc_fetch_request(None, 1, Request())))
    await asyncio.sleep(0)
    return consumer, client


async def test_a_fetch_that_waits_to_be_tried_again_cancels_nobody() -> None:
    """aiokafka's own `stop` would end the process here; its connections are closed all the same."""
    consumer, client = await consumer_about_to_fetch_again()
    await leave(consumer)
    assert client.closed
    with pytest.raises(asyncio.CancelledError):
        await (await consumer_about_to_fetch_again())[0].stop()


async def test_a_tail_stops_while_the_bus_is_away() -> None:
    """The boards of a process are closed in peace."""
    consumer, client = await consumer_about_to_fetch_again()
    await KafkaTail(lambda: consumer, ["topic"]).stop()
    assert client.closed


class Hanging:
    """A client whose `stop` never ends, or fails."""

    def __init__(self, failure: Exception | None = None) -> None:
        self._client, self._failure = AwayClient(), failure

    async def stop(self) -> None:
        if self._failure is not None:
            raise self._failure
        await asyncio.Event().wait()


@pytest.mark.parametrize("failure", [None, KafkaConnectionError("refused"), OSError("reset")])
async def test_a_client_that_cannot_stop_is_torn_down(failure: Exception | None) -> None:
    """In time, or when it fails."""
    consumer = Hanging(failure)
    await leave(consumer, 0.01)
    assert consumer._client.closed


async def test_another_error_is_not_kept_back() -> None:
    """Only what a bus that is away explains is taken."""
    with pytest.raises(ValueError, match="Expected"):
        await leave(Hanging(ValueError("Expected something else")))


async def test_who_is_cancelled_while_leaving_is_cancelled() -> None:
    """The caller's own end is passed on."""
    leaving = asyncio.create_task(leave(Hanging(), 60))
    await asyncio.sleep(0)
    leaving.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await leaving
    assert leaving.cancelled()
