"""The truth in PostgreSQL: one schema per service, one statement per batch."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from typing import Any, Final

import asyncpg
from asyncpg.exceptions._base import DataError as UnencodableError  # an InterfaceError that no second try mends

from shared.runtime.errors import InvariantError, TransientError, in_words
from shared.runtime.log import Place
from shared.runtime.outbox import rows_of, runs_of
from shared.runtime.shard import SPARED
from shared.runtime.store import Batch, Claim, TimerRow

_SCHEMA: Final = re.compile(r"^[a-z][a-z0-9_]{0,40}$")
AWAY: Final = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # its own state is upset, as after a pause in the middle of an answer
    asyncpg.OperatorInterventionError,
    asyncpg.TransactionRollbackError,
    asyncpg.InsufficientResourcesError,
    OSError,
    asyncio.TimeoutError,
)
"""What asyncpg raises when the database is away, restarting, full of connections or asks to try again."""
UNFIT: Final = (asyncpg.IntegrityConstraintViolationError, asyncpg.DataError, UnencodableError)
"""What asyncpg raises when a batch cannot be stored as it is, however often it is tried."""
ANSWER_SECONDS: Final = 30.0  # a database that is silent for longer is away: a stopped process answers nothing at all


def statements(schema: str) -> Mapping[str, str]:
    """The named statements of `postgres_store.sql` for one schema."""
    if not _SCHEMA.match(schema):
        raise ValueError(f"Expected a schema name of small letters, found {schema!r}")
    text = files("shared.runtime").joinpath("postgres_store.sql").read_text().replace("{schema}", schema)
    found = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], (body.strip().rstrip(";") for body in found[1::2]), strict=True))


@asynccontextmanager
async def connected(pool: asyncpg.Pool, seconds: float) -> AsyncIterator[Any]:
    """A connection of the pool, waited for at most so long.

    Holds:   one that the database left waiting, or whose caller waits no more, is given to nobody again: to take it back the
             pool would wait until a database that hangs has confirmed that it dropped the statement.
    """
    async with pool.acquire(timeout=seconds) as connection:
        try:
            yield connection
        except (*AWAY, asyncio.CancelledError):
            with suppress(asyncpg.InterfaceError):  # the pool has taken a lost connection back by itself
                connection.terminate()
            raise


@asynccontextmanager
async def _answering(pool: asyncpg.Pool) -> AsyncIterator[Any]:
    """A connection; what says that the database is away, or leaves an outcome unknown, becomes `TransientError`."""
    try:
        async with connected(pool, ANSWER_SECONDS) as connection:
            yield connection
    except UNFIT as error:
        raise InvariantError(f"Expected the batch to fit what is stored, found {in_words(error)}") from error
    except AWAY as error:
        raise TransientError(f"Expected the database to answer, found {in_words(error)}") from error


class PostgresStore:
    """One processor's part of a service's schema."""

    def __init__(self, pool: asyncpg.Pool, schema: str, processor: str, table: str) -> None:
        self._pool: Final = pool
        self._sql: Final = statements(schema)
        self._schema: Final = schema
        self._processor: Final = processor
        self._table: Final = table
        self._made = False

    async def claim(self, shards: Sequence[int]) -> Mapping[int, Claim]:
        numbers = list(shards)
        async with _answering(self._pool) as connection:
            await self._make_table(connection)
            rows = await connection.fetch(self._sql["claim"], self._processor, numbers, timeout=ANSWER_SECONDS)
            return await self._claims(connection, {row["shard"]: row["epoch"] for row in rows})

    async def look(self, shards: Sequence[int]) -> Mapping[int, Claim]:
        """What a claim would find, and nothing is changed: a shard that nobody has claimed yet has epoch 0."""
        async with (
            _answering(self._pool) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            rows = await connection.fetch(self._sql["epochs"], self._processor, list(shards), timeout=ANSWER_SECONDS)
            epochs = dict.fromkeys(shards, 0) | {row["shard"]: row["epoch"] for row in rows}
            return await self._claims(connection, epochs)

    async def _claims(self, connection: Any, epochs: Mapping[int, int]) -> Mapping[int, Claim]:
        found = {
            name: await connection.fetch(self._sql[name], self._processor, list(epochs), timeout=ANSWER_SECONDS)
            for name in ("inlets", "lanes_in", "lanes_out", "unpublished", "timers")
        }
        return {shard: _claim(shard, epoch, found) for shard, epoch in epochs.items()}

    async def spare(self, read_to: Mapping[Place, int]) -> None:
        """Reset the fuse: unreadable records before these offsets do not blow it. Whoever claims next knows."""
        rows = [(number, topic, at) for (topic, number), at in read_to.items()]
        async with _answering(self._pool) as connection:
            await connection.execute(
                self._sql["spare"], self._processor, SPARED, *_columns(rows, 3), timeout=ANSWER_SECONDS
            )

    async def inlets(self, shards: Sequence[int]) -> Mapping[Place, int]:
        """How far each input was read."""
        async with _answering(self._pool) as connection:
            rows = await connection.fetch(self._sql["inlets"], self._processor, list(shards), timeout=ANSWER_SECONDS)
        return {(row["topic"], row["shard"]): row["next_offset"] for row in rows}

    async def outlive(self, epochs: Mapping[int, int]) -> None:
        """Raise the epochs of shards at least to these: the next claim is later than whatever the bus has heard of."""
        async with _answering(self._pool) as connection:
            await connection.execute(
                self._sql["outlive"], self._processor, list(epochs), list(epochs.values()), timeout=ANSWER_SECONDS
            )

    async def _make_table(self, connection: Any) -> None:
        if self._made:
            return
        if not _SCHEMA.match(self._table):
            raise InvariantError(f"Expected a table name of small letters, found {self._table!r}")
        async with connection.transaction():
            await connection.execute(
                "SELECT pg_advisory_xact_lock(hashtext($1))", f"opsfloor/{self._schema}/{self._table}"
            )
            await connection.execute(
                f"CREATE TABLE IF NOT EXISTS {self._schema}.state_{self._table} PARTITION OF {self._schema}.state "
                f"FOR VALUES IN ('{self._table}') WITH (fillfactor = 70)"
            )
        self._made = True

    async def load(self, keys: Sequence[tuple[int, str]]) -> Mapping[tuple[int, str], Mapping[str, bytes]]:
        async with _answering(self._pool) as connection:
            rows = await connection.fetch(
                self._sql["load"], self._table, *_columns(_by_key(keys), 2), timeout=ANSWER_SECONDS
            )
        wanted, found = set(keys), dict[tuple[int, str], dict[str, bytes]]()
        for shard, key, part, body in rows:
            if (shard, key) in wanted:
                found.setdefault((shard, key), {})[part] = body.encode()
        return found

    async def load_shard(self, shard: int) -> Mapping[str, Mapping[str, bytes]]:
        async with _answering(self._pool) as connection:
            rows = await connection.fetch(self._sql["load_shard"], self._table, shard, timeout=ANSWER_SECONDS)
        found: dict[str, dict[str, bytes]] = {}
        for key, part, body in rows:
            found.setdefault(key, {})[part] = body.encode()
        return found

    async def journal_length(self, keys: Sequence[tuple[int, str]]) -> Mapping[tuple[int, str], int]:
        async with _answering(self._pool) as connection:
            rows = await connection.fetch(
                self._sql["journal_length"], self._processor, *_columns(_by_key(keys), 2), timeout=ANSWER_SECONDS
            )
        wanted = set(keys)
        return {of: row["n"] for row in rows if (of := (row["shard"], row["key"])) in wanted}

    async def commit(self, batch: Batch) -> frozenset[int]:
        async with _answering(self._pool) as connection:
            held = await connection.fetch(
                self._sql["commit"], *arguments_of(batch, self._processor, self._table), timeout=ANSWER_SECONDS
            )
        return frozenset(batch.epochs) - {row["shard"] for row in held}


def arguments_of(batch: Batch, processor: str, table: str) -> Iterable[Any]:
    """What the statement that commits a batch is given."""
    put = [(k[0], k[1], k[2], body.decode()) for k, body in batch.rows.items() if body is not None]
    cut = [k for k, body in batch.rows.items() if body is None]
    set_timers = [(*k, t.due_at, ",".join(sorted(t.boards))) for k, t in batch.timers.items() if t is not None]
    cut_timers = [key for key, timer in batch.timers.items() if timer is None]
    told = [(j.shard, j.key, j.number, j.at, j.kind, j.body.decode(), j.cause) for j in batch.journal]
    return (
        processor,
        list(batch.epochs),
        list(batch.epochs.values()),
        table,
        *_columns(put, 4),
        *_columns(cut, 3),
        *_columns(runs_of(batch.outbox), 6),
        *_columns([(*lane, sequence) for lane, sequence in batch.published.items()], 4),
        *_columns([(*inlet, at) for inlet, at in batch.next_offsets.items()], 3),
        *_columns([(*lane, at) for lane, at in batch.lanes_in.items()], 4),
        *_columns([(*lane, at) for lane, at in batch.lanes_out.items()], 4),
        *_columns(set_timers, 5),
        *_columns(cut_timers, 3),
        *_columns(told, 7),
    )


def _columns(rows: Sequence[tuple[Any, ...]], width: int) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)] if rows else [[] for _ in range(width)]


def _by_key(keys: Sequence[tuple[int, str]]) -> list[tuple[str, int]]:
    return [(key, shard) for shard, key in keys]


def _claim(shard: int, epoch: int, found: Mapping[str, Sequence[Any]]) -> Claim:
    def of(name: str) -> Iterable[Any]:
        return (row for row in found[name] if row["shard"] == shard)

    offsets: dict[Place, int] = {(row["topic"], shard): row["next_offset"] for row in of("inlets")}
    return Claim(
        epoch=epoch,
        next_offsets=offsets,
        lanes_in={(row["source"], row["topic"]): row["sequence"] for row in of("lanes_in")},
        lanes_out={(row["topic"], row["partition"]): row["sequence"] for row in of("lanes_out")},
        unpublished=[row for run in of("unpublished") for row in rows_of(tuple(run))],
        timers=[
            TimerRow((shard, row["key"], row["name"]), row["due_at"], frozenset(row["boards"].split(",")) - {""})
            for row in of("timers")
        ],
    )
