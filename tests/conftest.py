"""What every test may ask for: a real broker and a real database, started once and only when asked for."""

from __future__ import annotations

import os
import shutil
import tempfile
import uuid
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from hypothesis import HealthCheck, settings

from deploy.local import Addresses, Stack
from shared.runtime.collector import spare_collector

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("opsfloor", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("quick", settings.get_profile("opsfloor"), max_examples=25)
settings.load_profile("opsfloor")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What is marked `early` comes first, otherwise all stands as it stood. Of two tests with one name a run over several
    processes would leave one out without a word."""
    twice = [name for name, times in Counter(item.nodeid for item in items).items() if times > 1]
    if twice:
        raise pytest.UsageError(f"Expected each test to have a name of its own, found several {', '.join(twice)}")
    items.sort(key=lambda item: item.get_closest_marker("early") is None)


def pytest_collection_finish() -> None:
    """Let Python's collector look as seldom as in a service: it took a fifth of a simulated day's processor time."""
    spare_collector()


@pytest.fixture
def stack_folder() -> Iterator[Path]:
    """A folder for a stack of the test's own, below which PostgreSQL's user can walk, removed afterwards."""
    with open_folder() as folder:
        yield folder


@pytest.fixture(scope="session")
def own_stack() -> Iterator[Addresses]:
    """The session's stack on free ports. It ends with the session, also when the session is killed."""
    with open_folder() as folder:
        stack = Stack(folder, owned=True)
        try:
            yield stack.up()
        finally:
            stack.down()


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest) -> str:
    """The broker's bootstrap address: `OPSFLOOR_KAFKA` when set, else the session's stack."""
    return os.environ.get("OPSFLOOR_KAFKA") or _own(request).kafka


@pytest.fixture(scope="session")
def database_url(request: pytest.FixtureRequest) -> str:
    """The database's URL: `OPSFLOOR_DATABASE_URL` when set, else the session's stack."""
    return os.environ.get("OPSFLOOR_DATABASE_URL") or _own(request).database_url


@pytest.fixture
async def fresh_database(database_url: str) -> AsyncIterator[str]:
    """The URL of an empty database of the test's own, dropped afterwards with whoever is still connected."""
    name = f"test_{uuid.uuid4().hex}"
    owner = await asyncpg.connect(database_url)
    try:
        await owner.execute(f'CREATE DATABASE "{name}"')
        yield urlunsplit(urlsplit(database_url)._replace(path=f"/{name}"))
        await owner.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await owner.close()


def _own(request: pytest.FixtureRequest) -> Addresses:
    addresses = request.getfixturevalue("own_stack")
    assert isinstance(addresses, Addresses)
    return addresses


@contextmanager
def open_folder() -> Iterator[Path]:
    """A new folder that every user may walk through: pytest's own are closed to the database's user."""
    folder = Path(tempfile.mkdtemp(prefix="opsfloor-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
