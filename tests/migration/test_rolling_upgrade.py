"""A release with another schema rolls over a real floor under load, and every promise is kept."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import asyncpg
import pytest

from deploy.demo.processes import NotReady
from tests.faults.floor import SERVICES, Floor

ROOT = Path(__file__).parents[2]
REST_SECONDS = 120.0
HEAL_SECONDS = 30.0
POSTED = 21  # so much is done meanwhile, or afterwards, that the story says something
RENAME_PRE = """
ALTER TABLE outbox ADD COLUMN packed bytea;
ALTER TABLE outbox ALTER COLUMN records DROP NOT NULL;
CREATE FUNCTION both_names() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.packed := coalesce(NEW.packed, NEW.records);
    NEW.records := coalesce(NEW.records, NEW.packed);
    RETURN NEW;
END $$;
CREATE TRIGGER both_names BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION both_names();
UPDATE outbox SET packed = records;
"""
RENAME_POST = """
DROP TRIGGER both_names ON outbox;
DROP FUNCTION both_names();
ALTER TABLE outbox DROP COLUMN records, ALTER COLUMN packed SET NOT NULL;
"""


def next_release(folder: Path) -> Path:
    """This code with one change: the outbox's column `records` is called `packed`."""
    for package in ("services", "shared", "opsfloor", "deploy"):
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    runtime = folder / "shared" / "runtime"
    (runtime / "migrations" / "9001_pre_packed.sql").write_text(RENAME_PRE)
    (runtime / "migrations" / "9002_post_records.sql").write_text(RENAME_POST)
    sql = runtime / "postgres_store.sql"
    text = sql.read_text()
    changed = text.replace("sequence, records FROM", "sequence, packed AS records FROM").replace(
        "first_sequence, sequence, records)\n    SELECT", "first_sequence, sequence, packed)\n    SELECT"
    )
    assert changed.count("packed") == 2, "Expected the outbox's statements to be written as they were"
    sql.write_text(changed)
    return folder


def opsfloor(floor: Floor, tree: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line of a release against the floor."""
    env = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "OPSFLOOR_KAFKA": floor.addresses.kafka,
        "OPSFLOOR_DATABASE_URL": floor.addresses.database_url,
        "OPSFLOOR_HOME": str(floor.home),
    }
    return subprocess.run(
        [sys.executable, "-m", "opsfloor", *words], cwd=tree, env=env, capture_output=True, text=True, check=False
    )


async def roll(floor: Floor, name: str, tree: Path) -> None:
    """SIGTERM, wait, start the next release under the same name."""
    assert await asyncio.to_thread(floor.services.stop, floor.pids[name]) == 0, name
    floor.pids[name] = floor.services.start(name.split("-")[0], name, tree)
    await asyncio.to_thread(floor.services.wait_ready, floor.pids[name])


async def columns(floor: Floor, service: str) -> set[str]:
    """What the outbox of a service is made of."""
    connection = await asyncpg.connect(floor.addresses.database_url)
    try:
        rows = await connection.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = $1 AND table_name = 'outbox'",
            service,
        )
    finally:
        await connection.close()
    return {row["column_name"] for row in rows}


async def upgrade(floor: Floor, tree: Path) -> None:
    """Pre steps, one service after the other, post steps; the old release is held back from both ends."""
    before = await asyncio.to_thread(opsfloor, floor, tree, "migrate", "pre")
    assert before.returncode == 0, before.stderr
    await floor.heals(HEAL_SECONDS)  # the old release works on the new schema
    floor.services.kill(floor.pids["routing-2"])
    floor.start("routing-2")  # and starts on it
    await asyncio.to_thread(floor.services.wait_ready, floor.pids["routing-2"])
    *others, last = SERVICES
    for name in others:
        await roll(floor, name, tree)
    early = await asyncio.to_thread(opsfloor, floor, tree, "migrate", "post")
    assert early.returncode == 1, f"{last} is of the old release: {early.stdout}"
    assert "older release" in early.stderr
    await roll(floor, last, tree)
    await floor.heals(HEAL_SECONDS)
    after = await asyncio.to_thread(opsfloor, floor, tree, "migrate", "post")
    assert after.returncode == 0, after.stderr
    await floor.heals(HEAL_SECONDS)


async def old_release_is_refused(floor: Floor) -> None:
    """Code older than the schema does not start."""
    late = floor.services.start("intake", "intake-late")
    with pytest.raises(NotReady):
        await asyncio.to_thread(floor.services.wait_ready, late)
    floor.services.stop(late)
    assert "not newer than this code" in (floor.home / "intake-late.log").read_text()


async def play(home: Path, tree: Path) -> dict[str, int]:
    """The whole story; returns how every submission ended."""
    floor = Floor(home, seed=3)
    try:
        await floor.open()
        async with floor.living():
            await floor.ready()
            await floor.heals(HEAL_SECONDS)
            await upgrade(floor, tree)
            await floor.posted(POSTED)
            held = await floor.rest(REST_SECONDS)
        for service in ("intake", "audit", "routing", "vendor"):
            names = await columns(floor, service)
            assert "packed" in names, service
            assert "records" not in names, service
        await old_release_is_refused(floor)
        assert await floor.judge() == [], f"logs are in {home}"
        return held
    finally:
        floor.close()


@pytest.mark.alone
@pytest.mark.timeout(600)
def test_a_rolling_upgrade_over_a_schema_change() -> None:
    """Pre step, roll, post step while branches send: every submission has one end, tables and topics tell one story."""
    home = Path(tempfile.mkdtemp(prefix="opsfloor-upgrade-"))
    home.chmod(0o755)
    held = asyncio.run(play(home, next_release(home / "next")))
    assert held["open"] == 0
    assert held["submitted"] == held["posted"] + held["closed"] + held["rejected"]
    assert held["posted"] > 20
    shutil.rmtree(home, ignore_errors=True)
