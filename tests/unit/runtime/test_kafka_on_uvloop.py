"""A broker that goes away under a write is Kafka's error on uvloop too."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
import uvloop
from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import KafkaConnectionError
from aiokafka.protocol.metadata import MetadataRequest

from shared.runtime.kafka_on_uvloop import mend_connections


async def _send_after_the_end() -> None:
    """A connection whose transport is gone while nobody has told aiokafka yet."""

    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        host, port = server.sockets[0].getsockname()
        connection: Any = AIOKafkaConnection(host, port)
        connection._versions = {MetadataRequest.API_KEY: (0, 1)}
        connection._reader, connection._writer = await asyncio.open_connection(host, port)
        connection._read_task = asyncio.create_task(asyncio.sleep(0))  # in its place: one that has not heard of the end
        connection._writer.transport.abort()
        await asyncio.sleep(0.05)
        try:
            connection.send(MetadataRequest([]))
        except KafkaConnectionError:
            assert connection._writer is None
            raise
        finally:
            connection.close()


def test_a_write_after_the_end_is_a_connection_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """Mended, aiokafka hears of the end as of any other broken connection, and closes it."""
    monkeypatch.setattr(AIOKafkaConnection, "send", AIOKafkaConnection.send)  # put back afterwards
    mend_connections()
    mend_connections()
    with pytest.raises(KafkaConnectionError, match="handler is closed"):
        uvloop.run(_send_after_the_end())


def test_what_is_mended_is_still_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    """When this fails, aiokafka or uvloop has mended it: `kafka_on_uvloop` may go."""
    unmended = getattr(AIOKafkaConnection.send, "__wrapped__", AIOKafkaConnection.send)
    monkeypatch.setattr(AIOKafkaConnection, "send", unmended)
    with pytest.raises(RuntimeError, match="handler is closed"):
        uvloop.run(_send_after_the_end())
