"""Steps of a schema on a real database: under a lock, all or none, and none that removes beside an old process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from shared.runtime import schema
from shared.runtime.errors import InvariantError, TransientError
from shared.runtime.host import BUNDLES, COMPRESSED_BUNDLES
from shared.runtime.schema import Step, mark, migrate, migrations, taken

OLD = migrations()
NEW = (
    *OLD,
    Step("9001_pre_add.sql", "pre", "ALTER TABLE outbox ADD COLUMN size int"),
    Step("9002_post_cut.sql", "post", "ALTER TABLE outbox DROP COLUMN records"),
)


@pytest.fixture
async def pool(fresh_database: str) -> AsyncIterator[asyncpg.Pool]:
    """Connections to a database whose schema is the old release's."""
    async with asyncpg.create_pool(fresh_database, min_size=1, max_size=8) as pool:
        await migrate(pool, "audit", known=OLD)
        yield pool


async def columns(pool: asyncpg.Pool) -> set[str]:
    """The outbox's columns."""
    rows = await pool.fetch(
        "SELECT column_name FROM information_schema.columns WHERE table_schema = 'audit' AND table_name = 'outbox'"
    )
    return {row["column_name"] for row in rows}


async def test_old_and_new_meet_on_one_schema(pool: asyncpg.Pool) -> None:
    """After the pre step both releases start; after the post step the old one is refused and changes nothing."""
    assert await migrate(pool, "audit", known=NEW) == 1
    assert {"size", "records"} <= await columns(pool)
    assert await migrate(pool, "audit", known=OLD) == 0
    assert await migrate(pool, "audit", "post", known=NEW) == 1
    assert "records" not in await columns(pool)
    with pytest.raises(InvariantError, match=r"not newer.*9002_post_cut"):
        await migrate(pool, "audit", known=OLD)


async def test_nothing_is_removed_beside_an_old_process(pool: asyncpg.Pool, fresh_database: str) -> None:
    """A connection of the old release holds the post step back; one of the new release or another service does not."""
    names = {mark("audit", OLD), mark("audit", NEW), mark("intake", OLD)}
    at_work = {
        name: await asyncpg.connect(fresh_database, server_settings={"application_name": name}) for name in names
    }
    await migrate(pool, "audit", known=NEW)
    with pytest.raises(InvariantError, match="older release at work on audit, found 1 of its connections"):
        await migrate(pool, "audit", "post", known=NEW)
    assert "records" in await columns(pool)
    await at_work[mark("audit", OLD)].close()
    for _ in range(50):  # the database notices a moment later
        try:
            assert await migrate(pool, "audit", "post", known=NEW) == 1
            break
        except InvariantError:
            await asyncio.sleep(0.1)
    assert "records" not in await columns(pool)
    for connection in at_work.values():
        await connection.close()


async def test_a_release_that_cannot_share(fresh_database: str) -> None:
    """The step to runs waits for the release of single facts: first for its processes, then for what they left."""
    before = OLD[:1]
    async with asyncpg.create_pool(fresh_database, min_size=1, max_size=2) as pool:
        await migrate(pool, "audit", known=before)
        await pool.execute(
            "INSERT INTO audit.outbox (processor, shard, topic, partition, sequence, key, headers, timestamp_ms) "
            "VALUES ('controls', 0, 'audit.work.v1', 0, 1, '', '', 0)"
        )
        name = {"application_name": mark("audit", before)}
        async with asyncpg.create_pool(fresh_database, min_size=1, max_size=1, server_settings=name):
            with pytest.raises(InvariantError, match=r"older release at work on audit.*0002_stop_outbox_runs"):
                await migrate(pool, "audit", known=OLD)
        with pytest.raises(InvariantError, match="facts that nobody has published"):
            await eventually(pool, OLD)
        await pool.execute("DELETE FROM audit.outbox")
        assert await migrate(pool, "audit", known=OLD) == 1
        with pytest.raises(InvariantError, match="not newer"):
            await migrate(pool, "audit", known=before)


@pytest.mark.parametrize("step", [BUNDLES, COMPRESSED_BUNDLES])
async def test_bundles_wait_for_the_release_that_cannot_read_them(fresh_database: str, step: str) -> None:
    """A database of the release before gets the step only after the roll-out; until then nothing goes out so."""
    before = tuple(known for known in OLD if known.name < step)
    async with asyncpg.create_pool(fresh_database, min_size=1, max_size=2) as pool:
        await migrate(pool, "routing", known=before)
        await migrate(pool, "routing", known=OLD)
        assert step not in await taken(pool, "routing")
        await migrate(pool, "routing", "post", known=OLD)
        assert step in await taken(pool, "routing")
        with pytest.raises(InvariantError, match="not newer"):
            await migrate(pool, "routing", known=before)


async def eventually(pool: asyncpg.Pool, known: tuple[Step, ...]) -> int:
    """Migrate once the database has noticed that a connection is gone."""
    for _ in range(50):
        try:
            return await migrate(pool, "audit", known=known)
        except InvariantError as error:
            if "older release" not in str(error):
                raise
            await asyncio.sleep(0.1)
    return await migrate(pool, "audit", known=known)


async def test_everybody_at_once(pool: asyncpg.Pool) -> None:
    """Processes of the new release that start together take each step once."""
    assert sorted(await asyncio.gather(*(migrate(pool, "audit", known=NEW) for _ in range(4)))) == [0, 0, 0, 1]


async def test_a_busy_table_is_not_queued_for(pool: asyncpg.Pool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A step gives way to who reads the table, comes again, and in the end says that it found no moment."""
    monkeypatch.setattr(schema, "LOCK_TRIES", 2)
    monkeypatch.setattr(schema, "LOCK_SECONDS", 1)
    async with pool.acquire() as reader:
        reading = reader.transaction()
        await reading.start()
        await reader.fetch("SELECT FROM audit.outbox")
        with pytest.raises(TransientError, match="locked 2 times"):
            await migrate(pool, "audit", known=NEW)
        waiting = asyncio.create_task(migrate(pool, "audit", known=NEW))
        await asyncio.sleep(0.3)
        await reading.rollback()
        assert await waiting == 1
