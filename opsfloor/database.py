"""What keeps a command from the floor's database, as the command line tells it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import asyncpg

from opsfloor.answers import Remedied
from shared.runtime.errors import TransientError
from shared.runtime.postgres_store import AWAY

TO_LOGIN: Final = (
    "set OPSFLOOR_DATABASE_URL to the user, the password and the database that services have, as in "
    "postgresql://user:password@host/database; `opsfloor doctor` looks whether it is one"
)


@contextmanager
def told() -> Iterator[None]:
    """Errors: `TransientError` when the database is away, `Remedied` when it refuses: the login, its name or a right."""
    try:
        yield
    except AWAY as error:
        raise TransientError(f"Expected the database to answer, found {type(error).__name__}: {error}") from error
    except asyncpg.PostgresError as error:
        found = f"{type(error).__name__}: {error}"
        raise Remedied(f"Expected the database to do as it was asked, found {found}", TO_LOGIN) from error
