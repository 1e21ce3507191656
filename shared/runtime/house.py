"""What every process of the floor tells of itself: who it is, its boards, its pool."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Protocol

from shared.runtime import metrics
from shared.runtime.boards import Boards
from shared.runtime.levels import Read, Reading


class Pool(Protocol):
    """The figures of a connection pool."""

    def get_size(self) -> int: ...

    def get_idle_size(self) -> int: ...

    def get_max_size(self) -> int: ...


def house_levels(service: str, boards: Boards, member: str = "") -> Read:
    """Read who the process is, also by the name under which it is a member of its groups, and how old its boards are."""
    release = _version()

    def read() -> Iterator[Reading]:
        yield metrics.SERVICE, (service, release, member), 1.0
        for board, changed_ms in sorted(boards.changed_ms.items()):
            yield metrics.BOARD_CHANGED, (board,), changed_ms / 1000
        yield metrics.BOARD_REFUSED, (), float(boards.refused)

    return read


def pool_levels(pool: Pool) -> Read:
    """Read how much of the database's pool is in use."""

    def read() -> Iterator[Reading]:
        size, idle = pool.get_size(), pool.get_idle_size()
        yield metrics.CONNECTIONS, ("busy",), float(size - idle)
        yield metrics.CONNECTIONS, ("idle",), float(idle)
        yield metrics.CONNECTIONS_MAX, (), float(pool.get_max_size())

    return read


def _version() -> str:
    try:
        return version("opsfloor")
    except PackageNotFoundError:
        return "not installed"
