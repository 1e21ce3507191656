"""Reading topics from the beginning without a group, by aiokafka; a client that has died silently is replaced."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError

from shared.runtime.bundles import all_facts
from shared.runtime.errors import ContractError, TransientError, in_words
from shared.runtime.headers import header_of
from shared.runtime.kafka_leaving import leave
from shared.runtime.log import Record

QUIET_SECONDS: Final = 3.0  # without a record: then a look at whether there is none, or whether none arrives
LOOK_SECONDS: Final = 5.0

_log: Final = structlog.get_logger("opsfloor.kafka")


class KafkaTail:
    """Reads all partitions of its topics from the beginning, or from an instant on, without a group.

    Holds:   each fact of the wanted `kinds` (none named: of all) is handed out once, in order, also over a change of
             clients. aiokafka's consumer has been seen to fall silent for ever after a broker was killed: when nothing
             comes, the ends are compared with what was read; a client that cannot tell them, or does not move towards
             them, is replaced and reads on. While records gather the client asks the broker for nothing; they do
             so once what was there at the start is read.
    Units:   `gather_seconds` from one hand-out of all that there was to the next.
    """

    def __init__(
        self,
        client: Callable[[], Any],
        topics: Sequence[str],
        monotonic: Callable[[], float] = time.monotonic,
        since_ms: int | None = None,
        kinds: frozenset[bytes] = frozenset(),
        gather_seconds: float = 0.0,
    ) -> None:
        self._client: Final = client
        self._topics: Final = list(topics)
        self._monotonic: Final = monotonic
        self._since_ms: Final = since_ms
        self._kinds: Final = kinds
        self._gather_seconds: Final = gather_seconds
        self._gathers_until = float("-inf")
        self._caught_up = False
        self._consumer: Any = client()
        self._ends: dict[TopicPartition, int] = {}
        self._next: Final[dict[TopicPartition, int]] = {}  # where to read on, by partition
        self._quiet_since = monotonic()
        self._doubtful: Mapping[TopicPartition, int] | None = None  # where it stood when it was first found behind

    async def start(self) -> None:
        try:
            await self._consumer.start()
            self._ends = await self._consumer.end_offsets(list(self._consumer.assignment()))
            if self._since_ms is not None:
                await self._skip_to(self._since_ms)
        except UnknownTopicOrPartitionError as error:
            await leave(self._consumer)
            raise ContractError(
                f"Expected topics {self._topics}, found one missing: `opsfloor reference FOLDER` makes the floor's topics"
            ) from error
        except (KafkaError, OSError) as error:
            await leave(self._consumer)
            raise TransientError(f"Expected to read {self._topics}, found {in_words(error)}") from error
        self._quiet_since = self._monotonic()

    async def _skip_to(self, since_ms: int) -> None:
        """Begin with the first record stamped then or later; where there is none, at the end."""
        found = await self._consumer.offsets_for_times(dict.fromkeys(self._ends, since_ms))
        for place, end in self._ends.items():
            later = found.get(place)
            self._next[place] = end if later is None else later.offset
            self._consumer.seek(place, self._next[place])

    async def ready(self) -> bool:
        for place, end in self._ends.items():
            if end and await self._consumer.position(place) < end:
                return False
        self._caught_up = True
        return True

    async def fetch(self, records_max: int, wait_seconds: float) -> list[Record]:
        if not await self._gathered(wait_seconds):
            return []
        try:
            found = await self._consumer.getmany(timeout_ms=int(wait_seconds * 1000), max_records=records_max)
        except KafkaError as error:
            _log.warning("tail failed", reason=in_words(error))
            await asyncio.sleep(max(wait_seconds, 0.1))
            found = {}
        for place, rows in found.items():
            if rows:
                self._next[place] = rows[-1].offset + 1
        if found:
            self._quiet_since, self._doubtful = self._monotonic(), None
            self._let_gather(sum(map(len, found.values())) < records_max)
        else:
            self._caught_up = True
            if self._monotonic() - self._quiet_since > QUIET_SECONDS:
                await self._look()
        wanted = (row for rows in found.values() for row in rows if self._wants(row))
        return list(all_facts(map(record_of, wanted)))

    def _let_gather(self, all_that_there_was: bool) -> None:
        if self._gather_seconds and self._caught_up and all_that_there_was:
            self._gathers_until = self._monotonic() + self._gather_seconds
            self._consumer.pause(*self._consumer.assignment())

    async def _gathered(self, wait_seconds: float) -> bool:
        """Wait for as long as records gather, or as the caller would; whether they may be asked for then."""
        if self._gather_seconds == 0:
            return True
        left = self._gathers_until - self._monotonic()
        await asyncio.sleep(max(0.0, min(left, wait_seconds)))
        if left > wait_seconds:
            return False
        self._consumer.resume(*self._consumer.paused())
        return True

    def _wants(self, row: Any) -> bool:
        """Asked of the header alone, so that a bundle which nobody here waits for is not even unpacked."""
        kind = header_of(row.headers, "ce_type") if self._kinds else b""
        return not kind or kind in self._kinds

    async def stop(self) -> None:
        await leave(self._consumer)

    async def _look(self) -> None:
        """Nothing has come for a while: is nothing there? A client that is behind at two looks in a row is replaced."""
        stood = await self._behind()
        self._quiet_since = self._monotonic()
        if stood is None:
            self._doubtful = None
        elif self._doubtful == stood:
            await self._replace()
            self._doubtful = None
        else:
            self._doubtful = stood

    async def _behind(self) -> Mapping[TopicPartition, int] | None:
        """Where the tail stands while the bus has more, or cannot be seen; none when everything was read."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                places = list(self._consumer.assignment())
                ends = await self._consumer.end_offsets(places)
                first = await self._consumer.beginning_offsets(places)
        except (KafkaError, OSError, TimeoutError):
            return dict(self._next)
        behind = any(end > max(self._next.get(place, 0), first[place]) for place, end in ends.items())
        return dict(self._next) if behind or not places else None

    async def _replace(self) -> None:
        """Another client reads on where this one stood; when it cannot start either, this one stays."""
        fresh = self._client()
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                await fresh.start()
        except (KafkaError, OSError, TimeoutError) as error:
            _log.warning("the bus cannot be read", topics=self._topics, reason=in_words(error))
            await leave(fresh)
            return
        for place, offset in self._next.items():
            fresh.seek(place, offset)
        _log.error("the bus client of a tail had died silently: it was replaced", topics=self._topics)
        old, self._consumer = self._consumer, fresh
        await leave(old)


def record_of(row: Any) -> Record:
    """What a client handed out, in our words."""
    headers = tuple(row.headers)
    if None in [value for _, value in headers]:  # Kafka allows it, nobody on the floor writes it
        headers = tuple((name, value or b"") for name, value in headers)
    return Record(row.topic, row.partition, row.offset, row.key, row.value, headers, row.timestamp)
