"""One shard in memory: its lease, how far it has read and written, its timers and the states it has at hand."""

from __future__ import annotations

import heapq
from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from shared.runtime.errors import RecordLostError
from shared.runtime.log import Origin, Place
from shared.runtime.processor import Alarm, TimerFired
from shared.runtime.store import Claim

ADOPTS: Final = "*"  # the pseudo source that marks an inlet which began in the middle of a topic
BLOWN: Final = "!"  # … one at which the fuse blew: its «sequence» is the offset behind the record that did it
SPARED: Final = "!spared"  # … and the offset up to which somebody knows of unreadable records: those blow no fuse
MARKS: Final = frozenset({ADOPTS, BLOWN, SPARED})


@dataclass(slots=True)
class Entity:
    """One entity's state at hand, and how many facts its journal holds."""

    state: Any
    journal_length: int = 0


class GapFoundError(RecordLostError):
    """A lane skipped a sequence: a record was lost."""


class Shard:
    """What the owner of one shard knows. Valid while the epoch holds; thrown away with it."""

    def __init__(self, number: int, claim: Claim) -> None:
        self.number: Final = number
        self.epoch: Final = claim.epoch
        self.next_offsets: dict[Place, int] = dict(claim.next_offsets)
        self.lanes_in: dict[tuple[str, str], int] = dict(claim.lanes_in)
        self.lanes_out: dict[Place, int] = dict(claim.lanes_out)
        self.entities: OrderedDict[str, Entity] = OrderedDict()
        self.turns = 0  # events of this epoch that had facts
        self.alarms = AlarmClock(
            {(t.key[1], t.key[2]): Alarm(t.due_at, t.boards) for t in claim.timers},
        )

    def next_sequence(self, place: Place) -> int:
        """Take the lane's next sequence."""
        sequence = self.lanes_out.get(place, 0) + 1
        self.lanes_out[place] = sequence
        return sequence

    def blown(self) -> list[str]:
        """The topics at which the fuse blew, until somebody resets it."""
        marked = [(topic, at) for (source, topic), at in self.lanes_in.items() if source == BLOWN]
        return sorted(topic for topic, at in marked if at > self.lanes_in.get((SPARED, topic), 0))


def duplicate_on_lane(last: int, sequence: int) -> bool:
    """A record at or below the lane's last sequence was taken already."""
    return sequence <= last


def gap_on_lane(last: int, sequence: int) -> bool:
    """A record beyond the next sequence means that one was lost."""
    return sequence > last + 1


def take_from_lane(shard: Shard, origin: Origin, topic: str, offset: int) -> bool:
    """Whether this record is new on its lane; moves the lane.

    Holds:   an inlet whose first record ever is not the topic's first adopts the first sequence of each lane.
    Errors:  `InvariantError` names lane, expected and found when a record is missing.
    """
    lane = (origin.source, topic)
    last = shard.lanes_in.get(lane, 0)
    if duplicate_on_lane(last, origin.sequence):
        return False
    if gap_on_lane(last, origin.sequence):
        adopts = last == 0 and shard.lanes_in.get((ADOPTS, topic), 0)
        if not adopts:
            raise GapFoundError(
                f"Expected sequence {last + 1} on lane {origin.source} → {topic}[{shard.number}], found "
                f"{origin.sequence} at offset {offset}: a record was lost. Remedy: docs/operations.md, «A gap»."
            )
    shard.lanes_in[lane] = origin.sequence
    return True


class AlarmClock:
    """The timers of one shard: by instant and by board."""

    def __init__(self, alarms: Mapping[tuple[str, str], Alarm]) -> None:
        self._by_key: dict[str, dict[str, Alarm]] = {}
        self._heap: list[tuple[datetime, str, str]] = []
        self._waiting: dict[str, dict[tuple[str, str], None]] = {}
        self._woken: deque[tuple[str, str]] = deque()
        self._seen: dict[str, int] = {}
        for (key, name), alarm in alarms.items():
            self._set(key, name, alarm)

    def _set(self, key: str, name: str, alarm: Alarm) -> None:
        self._by_key.setdefault(key, {})[name] = alarm
        if alarm.at is not None:
            heapq.heappush(self._heap, (alarm.at, key, name))
        for board in alarm.boards:
            self._waiting.setdefault(board, {})[(key, name)] = None

    def _drop(self, key: str, name: str) -> None:
        alarm = self._by_key[key].pop(name)
        if not self._by_key[key]:
            del self._by_key[key]
        for board in alarm.boards:
            self._waiting[board].pop((key, name), None)

    def replace(self, key: str, wanted: Mapping[str, Alarm]) -> Mapping[str, Alarm | None]:
        """Make the entity's alarms the wanted ones; returns what changed, `None` for one that is gone."""
        present = self._by_key.get(key, {})
        if not present and not wanted:
            return {}
        changed: dict[str, Alarm | None] = {name: None for name in present if name not in wanted}
        changed |= {name: alarm for name, alarm in wanted.items() if present.get(name) != alarm}
        for name, alarm in changed.items():
            if name in present:
                self._drop(key, name)
            if alarm is not None:
                self._set(key, name, alarm)
        return changed

    def due(
        self, now: datetime, boards: Mapping[str, int], most: int, patience: timedelta = timedelta()
    ) -> list[TimerFired]:
        """Up to `most` alarms that are due or whose board has changed. Order: instant, key, name; then boards.

        Holds:   patient ones are due so much later.
        """
        fired: list[TimerFired] = []
        waiting: list[tuple[datetime, str, str]] = []
        while self._heap and self._heap[0][0] <= now and len(fired) < most:
            at, key, name = heapq.heappop(self._heap)
            alarm = self._by_key.get(key, {}).get(name)
            if alarm is not None and alarm.at == at:
                if alarm.patient and now < at + patience:
                    waiting.append((at, key, name))
                else:
                    fired.append(TimerFired(key, name, at))
        for entry in waiting:
            heapq.heappush(self._heap, entry)
        self._wake(boards)
        while self._woken and len(fired) < most:
            key, name = self._woken.popleft()
            if name in self._by_key.get(key, {}):
                fired.append(TimerFired(key, name, now))
        return fired

    def _wake(self, boards: Mapping[str, int]) -> None:
        for board, waiting in self._waiting.items():
            version = boards.get(board, 0)
            if self._seen.get(board) != version:
                self._seen[board] = version
                self._woken.extend(waiting)

    def rearm(self, fired: TimerFired) -> None:
        """Put an instant back that fired but was not moved by the decision: it fires again in the next batch."""
        alarm = self._by_key.get(fired.key, {}).get(fired.name)
        if alarm is not None and alarm.at == fired.due_at:
            heapq.heappush(self._heap, (fired.due_at, fired.key, fired.name))

    def next_at(self) -> datetime | None:
        """The earliest instant, possibly of an alarm that is gone."""
        return self._heap[0][0] if self._heap else None

    def woken_by(self, boards: Mapping[str, int]) -> bool:
        """Whether `due` would find somebody whom a board has woken."""
        return bool(self._woken) or any(
            waiting and self._seen.get(board) != boards.get(board, 0) for board, waiting in self._waiting.items()
        )

    @property
    def pending(self) -> bool:
        """Entities woken by a board still wait for their turn."""
        return bool(self._woken)

    def __len__(self) -> int:
        return sum(len(names) for names in self._by_key.values())
