"""What comes from outside, on its way to the bus."""

from __future__ import annotations

from typing import cast

import pytest

from shared.contracts.reference import REFERENCE, Centre
from shared.runtime.clock import RealClock
from shared.runtime.commands import CommandPublisher
from shared.runtime.errors import ContractError
from shared.runtime.kafka_log import KafkaLog
from shared.runtime.memory_log import MemoryLog


async def test_what_no_reader_would_take_is_not_published() -> None:
    """A record with U+0000 under a compacted topic's key would stand there, refused by every board, until it is replaced."""
    log = MemoryLog(1, [REFERENCE.name])
    publisher = CommandPublisher(cast(KafkaLog, log), log.publisher(), "/tested/http", RealClock())
    with pytest.raises(ContractError, match=r"centre.*U\+0000"):
        await publisher.publish(Centre(id="n", label="No\0rth", city="-"), "e-1")
    await publisher.publish(Centre(id="n", label="North", city="-"), "e-2")
    tail = log.tail([REFERENCE.name])
    await tail.start()
    (record,) = await tail.fetch(10, 0.0)
    assert record.key == b"centre:n"
