"""The database goes back to an earlier point while the bus does not: the tables are brought up and every promise is kept."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import pytest

from deploy.demo.processes import NotReady
from deploy.local import postgres
from opsfloor.floor import SERVICES as SCHEMAS
from shared.contracts import intake
from tests.faults.floor import SERVICES, Floor
from tests.faults.test_lost_record import deleted
from tests.simulation.stage import PARTITIONS

DEPTH_SECONDS = 12.0  # of work that the database forgets: ten minutes would be the same, with more of it
POSTED = 11  # before the backup, and again in the work that is forgotten
REST_SECONDS = 120.0
HEAL_SECONDS = 30.0
STAYS_SECONDS = 5.0  # after which a service would have met what it cannot read past


def program(floor: Floor, name: str, *words: str) -> None:
    """Run one of PostgreSQL's own programs against the floor's database."""
    found = postgres.program(floor.home / "postgres", name)
    subprocess.run([found, *words], check=True, capture_output=True)


def command(floor: Floor, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the command line against the floor."""
    env = {
        **os.environ,
        "OPSFLOOR_KAFKA": floor.addresses.kafka,
        "OPSFLOOR_DATABASE_URL": floor.addresses.database_url,
        "OPSFLOOR_HOME": str(floor.home),
    }
    return subprocess.run(
        [sys.executable, "-m", "opsfloor", *words], env=env, capture_output=True, text=True, check=False
    )


async def backed_up(floor: Floor, file: Path) -> None:
    """A consistent backup of the whole database, taken under load."""
    await asyncio.to_thread(program, floor, "pg_dump", "-Fc", "-f", str(file), floor.addresses.database_url)


async def put_back(floor: Floor, file: Path) -> None:
    """Drop the database and restore the backup."""
    url = floor.addresses.database_url
    name = urlsplit(url).path.lstrip("/")
    owner = await asyncpg.connect(url.removesuffix(name) + "postgres")
    try:
        await owner.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await owner.execute(f'CREATE DATABASE "{name}"')
    finally:
        await owner.close()
    await asyncio.to_thread(program, floor, "pg_restore", "-d", url, str(file))


async def disaster(floor: Floor) -> None:
    """Every service is killed and the database stops in the middle of its work."""
    await asyncio.to_thread(floor.stack.stop_database, immediate=True)
    await asyncio.sleep(0.5)
    for name in SERVICES:
        floor.services.kill(floor.pids[name])
    await asyncio.to_thread(floor.stack.start_database)


async def not_started_too_early(floor: Floor) -> None:
    """A service that is started on the restored tables sees that they went back, and ends before it reads."""
    early = floor.services.start("routing", "routing-early")
    with pytest.raises(NotReady):
        await asyncio.to_thread(floor.services.wait_ready, early)
    floor.services.stop(early)
    assert "to be as far as it was" in (floor.home / "routing-early.log").read_text()


async def claims(floor: Floor) -> list[tuple[Any, ...]]:
    """Every shard of every service with its epoch."""
    connection = await asyncpg.connect(floor.addresses.database_url)
    try:
        return [
            (service, *row)
            for service in SCHEMAS
            for row in await connection.fetch(f"SELECT processor, shard, epoch FROM {service}.shard ORDER BY 1, 2")
        ]
    finally:
        await connection.close()


async def proved(floor: Floor) -> Mapping[str, Any]:
    """`opsfloor prove` finds nothing broken, whether the floor works or stands still; returns what it counted."""
    done = await asyncio.to_thread(command, floor, "prove", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told: Mapping[str, Any] = json.loads(done.stdout)
    assert told["folded"] > 0
    return told


async def brought_up(floor: Floor) -> Mapping[str, Mapping[str, int]]:
    """`opsfloor restore --write` has nothing to ask of anybody; returns what it did, by processor."""
    done = await asyncio.to_thread(command, floor, "restore", "--write", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["ask"] == []
    found: Mapping[str, Mapping[str, int]] = told["processors"]
    return found


async def put_back_without_its_cases(floor: Floor, backup: Path) -> None:
    """Judged and at rest it is put back once more, and the bus has lost the opened cases that controls had taken up since:
    what followed from them is folded all the same, and what nobody can know is listed, with whom to ask."""
    await put_back(floor, backup)
    opened = [(intake.CASE.name, number) for number in range(PARTITIONS)]
    last = {place: records[-1] for place in opened if (records := floor.mirror.log.records[place])}
    for place, record in last.items():
        await deleted(floor, place, record.offset + 1)
    done = await asyncio.to_thread(command, floor, "restore", "--write", "--json")
    assert done.returncode == 1, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["processors"]["audit/controls"]["events folded"] > 20
    assert {lack["topic"] for lack in told["ask"]} == {intake.CASE.name}, told["ask"]
    assert all("are gone" in lack["detail"] for lack in told["ask"])
    again = await asyncio.to_thread(command, floor, "restore", "--json")
    assert again.returncode == 0, again.stdout + again.stderr
    for name in SERVICES:
        floor.start(name)
    await floor.ready()
    await asyncio.sleep(STAYS_SECONDS)
    assert floor.services.ended() == [], f"logs are in {floor.home}"


async def play(home: Path) -> dict[str, int]:
    """The whole story; returns how every submission ended."""
    floor = Floor(home, seed=5)
    try:
        await floor.open()
        async with floor.living():
            await floor.ready()
            await floor.heals(HEAL_SECONDS)
            await floor.posted(POSTED)
            backup = home / "backup.dump"
            await backed_up(floor, backup)
            await proved(floor)
            at_work = await asyncio.to_thread(command, floor, "restore")
            assert at_work.returncode == 1
            assert "Expected no service at work" in at_work.stderr
            await asyncio.gather(asyncio.sleep(DEPTH_SECONDS), floor.posted(2 * POSTED))
            await disaster(floor)
            await put_back(floor, backup)
            await not_started_too_early(floor)
            before = await claims(floor)
            looked = await asyncio.to_thread(command, floor, "restore", "--json")
            assert looked.returncode == 0, looked.stdout + looked.stderr
            assert await claims(floor) == before, "Expected a look to change nothing"
            done = await brought_up(floor)
            assert json.loads(looked.stdout)["processors"] == done
            assert all(
                done[name]["events folded"] > 20 for name in ("intake/reception", "audit/controls", "routing/desk")
            )
            for name in SERVICES:
                floor.start(name)
            await floor.ready()
            held = await floor.rest(REST_SECONDS)
        assert await floor.judge() == [], f"logs are in {home}"
        assert (await proved(floor))["waiting"] == 0
        await put_back_without_its_cases(floor, backup)
        return held
    finally:
        floor.close()


@pytest.mark.alone
@pytest.mark.timeout(300)
def test_a_restored_database_is_brought_up() -> None:
    """Nothing that was told is decided a second time, nothing is lost: one end each, tables and topics one story."""
    home = Path(tempfile.mkdtemp(prefix="opsfloor-restore-"))
    home.chmod(0o755)
    held = asyncio.run(play(home))
    assert held["open"] == 0
    assert held["submitted"] == held["posted"] + held["closed"] + held["rejected"]
    assert held["posted"] > 20
    shutil.rmtree(home, ignore_errors=True)
