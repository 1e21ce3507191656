"""Fuses that have blown and that nobody has reset, as the tables of a floor tell them."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from opsfloor import floor
from shared.runtime.shard import BLOWN, SPARED

MARKED: Final = (
    "SELECT b.processor, b.topic, b.shard, b.sequence FROM {schema}.lane_in AS b WHERE b.source = $1 AND b.sequence > coalesce(("
    "SELECT s.sequence FROM {schema}.lane_in AS s WHERE s.source = $2 AND s.processor = b.processor AND s.shard = b.shard "
    "AND s.topic = b.topic), 0) ORDER BY b.processor, b.topic, b.shard"
)


class Fuse(NamedTuple):
    """One that has blown, and where: at the record before this offset."""

    service: str
    processor: str
    topic: str
    partition: int
    offset: int

    @property
    def found(self) -> str:
        return (
            f"the fuse of {self.service}/{self.processor} is blown since {self.topic}[{self.partition}] before offset "
            f"{self.offset}: nothing is read"
        )

    @property
    def remedy(self) -> str:
        return (
            f"stop the writer, `opsfloor dlq reset-fuse {self.service}/{self.processor} --actor you --reason why`, then "
            f"`opsfloor run {self.service}` (docs/runbook/FuseBlown.md)"
        )


async def blown(connection: asyncpg.Connection[Any] | PoolConnectionProxy[Any]) -> list[Fuse]:
    """Every blown fuse of the floor; of services that have no tables yet there is none."""
    found: list[Fuse] = []
    for service in floor.SERVICES:
        if await floor.steps(connection, service):
            rows = await connection.fetch(MARKED.format(schema=service), BLOWN, SPARED)
            found += [Fuse(service, *row) for row in rows]
    return found
