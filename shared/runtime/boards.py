"""Boards: read-only views of compacted topics in memory, the same on every instance, ready before the first batch."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import structlog

from shared.runtime.errors import ContractError, InvariantError
from shared.runtime.headers import body_of, origin_of
from shared.runtime.log import Log, Record, Tail
from shared.runtime.processor import BoardSpec

RECORDS_MAX: Final = 2_000
GATHER_SECONDS: Final = 0.25  # boards are followed, not chased

_log: Final = structlog.get_logger("opsfloor.boards")


class Boards:
    """All boards of one process, fed from one tail.

    Holds:   `views[name]` is moved only by `feed`, between batches; `versions[name]` counts its changes, and how
             often each thing came about that its `fold` names; a record
             that a slow former owner writes again (at or below the lane's last sequence) changes nothing.
    """

    def __init__(self, specs: Iterable[BoardSpec]) -> None:
        self.specs: Final = {spec.name: spec for spec in specs}
        self.views: Final[dict[str, Any]] = {spec.name: spec.empty() for spec in self.specs.values()}
        self.versions: Final[dict[str, int]] = dict.fromkeys(self.specs, 0)
        self.changed_ms: Final[dict[str, int]] = {}  # the latest stamp of the records that a board took
        self._unread: dict[tuple[str, str], ContractError] = {}  # topic, key → why its last record could not be read
        self._lanes: dict[tuple[str, str, int], int] = {}

    def topics(self) -> list[str]:
        """The topics to tail."""
        return sorted({spec.topic.name for spec in self.specs.values()})

    def feed(self, record: Record) -> None:
        """Fold one record into every board of its topic."""
        key = (record.key or b"").decode(errors="replace")
        if record.value is None:
            self._fold(record, key, None)
            return
        try:
            origin = origin_of(record)
            if origin.sequence:
                lane = (origin.source, record.topic, record.partition)
                if origin.sequence <= self._lanes.get(lane, 0):
                    return
                self._lanes[lane] = origin.sequence
            message = body_of(record, origin.kind)
        except ContractError as error:
            self._unread[record.topic, key] = error
            _log.warning(
                "a board cannot read a record",
                topic=record.topic,
                partition=record.partition,
                offset=record.offset,
                key=key,
                reason=str(error),
            )
            return
        self._fold(record, key, message)

    @property
    def refused(self) -> int:
        """How many entries stand on the bus of which no board can read the last record."""
        return len(self._unread)

    def _fold(self, record: Record, key: str, message: Any) -> None:
        self._unread.pop((record.topic, key), None)
        for spec in self.specs.values():
            if spec.topic.name == record.topic:
                come_about = spec.fold(self.views[spec.name], key, message) or ()
                for name in (spec.name, *come_about):
                    self.versions[name] = self.versions.get(name, 0) + 1
                self.changed_ms[spec.name] = max(record.timestamp_ms, self.changed_ms.get(spec.name, 0))


class BoardKeeper:
    """Keeps a process's boards current from the log."""

    def __init__(self, boards: Boards, log: Log) -> None:
        self.boards: Final = boards
        self._tail: Final[Tail | None] = (
            log.tail(boards.topics(), gather_seconds=GATHER_SECONDS) if boards.specs else None
        )

    async def start(self) -> None:
        """Read everything that is there; returns when the boards are ready."""
        if self._tail is None:
            return
        await self._tail.start()
        while True:
            await self.step(0.2)
            if await self._tail.ready():
                return

    async def step(self, wait_seconds: float) -> int:
        """Take what has come since; returns how many records."""
        if self._tail is None:
            return 0
        records = await self._tail.fetch(RECORDS_MAX, wait_seconds)
        for record in records:
            self.boards.feed(record)
        return len(records)

    async def stop(self) -> None:
        if self._tail is not None:
            await self._tail.stop()


def views_of(boards: Boards, names: Iterable[str]) -> Mapping[str, Any]:
    """The views that one processor asked for. Errors: `InvariantError` for a board that the process does not keep."""
    names = list(names)
    if missing := [name for name in names if name not in boards.views]:
        raise InvariantError(
            f"Expected boards {', '.join(missing)} in the service's plan (its wiring.py), found none of that name"
        )
    return {name: boards.views[name] for name in names}
