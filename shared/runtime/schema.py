"""The steps of a service's schema: `pre` steps add before a release rolls out, `post` steps remove once it has.

A `stop` step is for what two releases cannot share: it comes before the roll-out, and only once the old release has ended.

Holds:   old code works on a schema with later `pre` steps, since they only add; it refuses one with any other later step.
         Every step is taken once, under a lock, in the order of its number.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final, Literal, cast

import asyncpg

from shared.runtime.errors import InvariantError, TransientError, in_words
from shared.runtime.postgres_store import AWAY, statements

When = Literal["pre", "stop", "post"]
NAME: Final = re.compile(r"^(?P<number>\d{4})_(?P<when>pre|stop|post)_[a-z0-9_]+\.sql$")
LOCK_SECONDS: Final = 2  # a step that waits for a table makes everybody else wait behind it: rather give way, try again
LOCK_TRIES: Final = 15


@dataclass(frozen=True, slots=True, order=True)
class Step:
    """One step: its number orders it, `when` says whether before a roll-out, between two releases or after it."""

    name: str
    when: When
    text: str

    @property
    def number(self) -> str:
        return self.name[:4]


def migrations(folder: Traversable | None = None) -> tuple[Step, ...]:
    """The steps that this code knows, in their order. Errors: `InvariantError` for a name that says no order."""
    folder = folder or files("shared.runtime").joinpath("migrations")
    return tuple(sorted(_step(file) for file in folder.iterdir() if file.name.endswith(".sql")))


def _step(file: Traversable) -> Step:
    found = NAME.match(file.name)
    if found is None:
        raise InvariantError(f"Expected a step to be called NNNN_pre_what.sql or NNNN_post_what.sql, found {file.name}")
    return Step(file.name, cast(When, found["when"]), file.read_text(encoding="utf-8"))


def newer(done: Iterable[str], known: Sequence[Step]) -> tuple[list[str], list[str]]:
    """The `pre` and the other steps of a schema that this code does not know."""
    unknown = sorted(set(done) - {step.name for step in known})
    return [name for name in unknown if "_pre_" in name], [name for name in unknown if "_pre_" not in name]


def todo(done: frozenset[str], known: Sequence[Step], when: When) -> list[Step]:
    """What is left to do before (`pre`, with the `stop` steps among them) or after (`post`) a roll-out.

    Holds:   a schema without any step has nobody who works on it, and takes all of them.
    Errors:  `InvariantError` when this code is older than the schema, or a release between the two was passed over.
    """
    _, removed = newer(done, known)
    if removed:
        raise InvariantError(f"Expected a database that is not newer than this code, found {removed}")
    left = [step for step in known if step.name not in done]
    if not done or when == "post":
        return left
    first_post = next((at for at, step in enumerate(left) if step.when == "post"), len(left))
    beyond = [step.name for step in left[first_post:] if step.when != "post"]
    if beyond:
        raise InvariantError(
            f"Expected {left[first_post].name} to be taken before {beyond[0]}. Remedy: a release was passed over; end "
            "the services of the release before, then `opsfloor migrate post` brings the schema up in one go"
        )
    return left[:first_post]


def mark(service: str, known: Sequence[Step]) -> str:
    """What a process calls itself to the database: its service and the last step that it knows."""
    return f"opsfloor/{service}/{known[-1].number}"


async def taken(pool: asyncpg.Pool[Any], schema: str) -> frozenset[str]:
    """The steps that a schema has taken. Errors: `TransientError` when the database is away."""
    async with _connected(pool) as connection:
        return frozenset(row["name"] for row in await connection.fetch(statements(schema)["steps"]))


async def migrate(pool: asyncpg.Pool[Any], schema: str, when: When = "pre", known: Sequence[Step] | None = None) -> int:
    """Take the steps that are left, all or none, under a lock. Returns how many.

    Errors:  `InvariantError` when the database is newer than this code, an older process still works and a `stop` or
             `post` step is due, or a step finds what it cannot change; `TransientError` when the database is away or
             its tables are too busy.
    """
    statements(schema)  # refuses an impossible name
    steps = migrations() if known is None else tuple(known)
    for _ in range(LOCK_TRIES):
        try:
            return await _take(pool, schema, when, steps)
        except asyncpg.LockNotAvailableError:
            await asyncio.sleep(LOCK_SECONDS / 4)
    raise TransientError(
        f"Expected the tables of {schema} to be free for a moment, found them locked {LOCK_TRIES} times"
    )


async def _take(pool: asyncpg.Pool[Any], schema: str, when: When, steps: Sequence[Step]) -> int:
    async with _connected(pool) as connection, connection.transaction():
        await connection.execute("SELECT pg_advisory_xact_lock(hashtext($1))", f"opsfloor/migrate/{schema}")
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
        await connection.execute(
            f"CREATE TABLE IF NOT EXISTS {schema}.migration (name text PRIMARY KEY, at timestamptz DEFAULT now())"
        )
        await connection.execute(f"SET LOCAL search_path TO {schema}")
        done = frozenset(row["name"] for row in await connection.fetch("SELECT name FROM migration"))
        left = todo(done, steps, when)
        apart = [step.name for step in left if step.when != "pre"]
        if done and apart:
            await _alone(connection, schema, steps, apart[0])
        await connection.execute(f"SET LOCAL lock_timeout TO '{LOCK_SECONDS}s'")
        for step in left:
            try:
                await connection.execute(step.text)
            except asyncpg.RaiseError as error:
                raise InvariantError(f"{error} (step {step.name} of {schema})") from error
            await connection.execute("INSERT INTO migration (name) VALUES ($1)", step.name)
    return len(left)


async def _alone(connection: Any, schema: str, steps: Sequence[Step], due: str) -> None:
    """Nobody of an older release is connected. Errors: `InvariantError` tells how many are."""
    prefix = f"opsfloor/{schema}/"
    names = await connection.fetch(
        "SELECT application_name AS name FROM pg_stat_activity "
        "WHERE datname = current_database() AND starts_with(application_name, $1)",
        prefix,
    )
    older = sum(row["name"].removeprefix(prefix) < steps[-1].number for row in names)
    if older:
        raise InvariantError(
            f"Expected no process of an older release at work on {schema}, found {older} of its connections. "
            f"Remedy: end them, or let the roll-out end, then take {due}"
        )


@asynccontextmanager
async def _connected(pool: asyncpg.Pool[Any]) -> AsyncIterator[Any]:
    try:
        async with pool.acquire() as connection:
            yield connection
    except AWAY as error:
        raise TransientError(f"Expected the database to answer, found {in_words(error)}") from error
