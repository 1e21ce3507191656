"""What a group has noted at the broker of how far it has read: a hint for lag tools, and a memory beside the database's."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from shared.runtime.errors import TransientError, in_words
from shared.runtime.kafka_access import words_of
from shared.runtime.kafka_leaving import leave
from shared.runtime.log import Place

TRIES: Final = 60
TRY_SECONDS: Final = 0.5  # a process that was killed leaves its group when its session has run out


async def noted(bootstrap: str, group: str) -> Mapping[Place, int]:
    """The offsets that a group has noted, never more than it had committed. Errors: `TransientError`."""
    admin = AIOKafkaAdminClient(**words_of(bootstrap), request_timeout_ms=15_000)
    try:
        await admin.start()
        found = await _patiently(admin, group)
    except (KafkaError, OSError) as error:
        raise TransientError(f"Expected Kafka to tell the offsets of {group}, found {in_words(error)}") from error
    finally:
        await admin.close()
    return {(spot.topic, spot.partition): at.offset for spot, at in found.items() if at.offset >= 0}


async def _patiently(admin: Any, group: str) -> Mapping[TopicPartition, Any]:
    """A broker that has just started makes its groups' coordinator only when asked for it: ask again."""
    for _ in range(TRIES):
        try:
            found: Mapping[TopicPartition, Any] = await admin.list_consumer_group_offsets(group)
            return found
        except KafkaError as error:
            if not error.retriable:
                raise
            await asyncio.sleep(TRY_SECONDS)
    raise TransientError(f"Expected Kafka to have a coordinator for {group}, found none")


async def ends(bootstrap: str, topics: Sequence[str]) -> Mapping[Place, int]:
    """The next offset of each partition of the topics. Errors: `TransientError`, also where a topic is not there yet."""
    consumer = AIOKafkaConsumer(*topics, **words_of(bootstrap), enable_auto_commit=False)
    try:
        await consumer.start()
        spots = consumer.assignment()
        if missing := set(topics) - {spot.topic for spot in spots}:
            raise TransientError(f"Expected the topics {', '.join(sorted(missing))}, found none of that name")
        found = await consumer.end_offsets(list(spots))
    except (KafkaError, OSError) as error:
        raise TransientError(
            f"Expected Kafka to tell where {', '.join(topics)} end, found {in_words(error)}"
        ) from error
    finally:
        await leave(consumer)
    return {(spot.topic, spot.partition): end for spot, end in found.items()}


async def note(bootstrap: str, group: str, offsets: Mapping[Place, int]) -> None:
    """Set a group's offsets while nobody is in it. Errors: `TransientError` when somebody stays."""
    reason = ""
    for _ in range(TRIES):
        consumer = AIOKafkaConsumer(**words_of(bootstrap), group_id=group, enable_auto_commit=False)
        try:
            await consumer.start()
            consumer.assign([TopicPartition(*place) for place in offsets])
            await consumer.commit({TopicPartition(*place): at for place, at in offsets.items()})
            return
        except (KafkaError, OSError) as error:
            reason = in_words(error)
            await asyncio.sleep(TRY_SECONDS)
        finally:
            await leave(consumer)
    raise TransientError(f"Expected nobody in the group {group}, found {reason}")
