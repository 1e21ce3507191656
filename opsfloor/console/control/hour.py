"""What the desks completed in the last hour, and how much of it late: differences of what they tell."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from services.routing.emergency.glance import FloorGlance

SPAN: Final = timedelta(hours=1)
STEP: Final = timedelta(seconds=15)  # looks nearer to each other than this are not kept
SHORTEST: Final = timedelta(minutes=5)  # before that, all that the desks ever counted says more


@dataclass(frozen=True, slots=True)
class OnTime:
    """How many items were completed and how many of them late. Holds: `since` is none when it is all ever counted."""

    completed: int
    late: int
    since: datetime | None

    @property
    def share(self) -> float | None:
        """Units: 0 to 1; none when nothing was completed."""
        return 1 - self.late / self.completed if self.completed else None


class Hour:
    """The last hour's counts by team; one for all browsers. Moved only by `note`."""

    def __init__(self) -> None:
        self._kept: Final[deque[tuple[datetime, Mapping[str, tuple[int, int]]]]] = deque()

    def note(self, floor: FloorGlance) -> None:
        """Take a look at the floor. Holds: a floor whose clock or counts go back is another floor."""
        counts = {team.id: (team.completed, team.late) for team in floor.teams}
        if self._kept and (floor.at < self._kept[-1][0] or _less(counts, self._kept[-1][1])):
            self._kept.clear()
        if not self._kept or floor.at - self._kept[-1][0] >= STEP:
            self._kept.append((floor.at, counts))
        while self._kept[0][0] < floor.at - SPAN:
            self._kept.popleft()

    def on_time(self, floor: FloorGlance, teams: Iterable[str] | None = None) -> OnTime:
        """What these teams (all, when none is named) completed since the oldest look that is kept."""
        named = None if teams is None else set(teams)
        now = {one.id: (one.completed, one.late) for one in floor.teams if named is None or one.id in named}
        since, before = self._kept[0] if self._kept else (floor.at, {})
        if floor.at - since < SHORTEST:
            return OnTime(sum(done for done, _ in now.values()), sum(late for _, late in now.values()), None)
        pairs = [(done, late, *before.get(name, (0, 0))) for name, (done, late) in now.items()]
        return OnTime(sum(p[0] - p[2] for p in pairs), sum(p[1] - p[3] for p in pairs), since)


def _less(now: Mapping[str, tuple[int, int]], before: Mapping[str, tuple[int, int]]) -> bool:
    return any(now.get(name, (0, 0))[0] < done for name, (done, _) in before.items())
