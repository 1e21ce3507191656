"""The clock that everything is given: real, scaled (a banking hour in a minute), or set by a test."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the floor's time. Every process of one floor must be given the same one."""

    def now(self) -> datetime:
        """The floor's instant, aware, UTC."""

    def real_seconds(self, floor_seconds: float) -> float:
        """How long to wait in real seconds for so many seconds of the floor."""

    def wall_ms(self) -> int:
        """The machine's own time, in ms since the epoch: what records on the bus are stamped with.

        The bus removes records by their stamps, so a floor that plays another day must not stamp them with it.
        """


@dataclass(frozen=True, slots=True)
class ScaledClock:
    """The floor's time runs `scale` times as fast as real time, from `start` at the real instant `anchor`.

    Units:   `anchor` in seconds of the Unix epoch.
    """

    start: datetime
    anchor: float
    scale: float

    def now(self) -> datetime:
        return self.start + timedelta(seconds=(time.time() - self.anchor) * self.scale)

    def real_seconds(self, floor_seconds: float) -> float:
        return floor_seconds / self.scale

    def wall_ms(self) -> int:
        return int(time.time() * 1000)


class RealClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def real_seconds(self, floor_seconds: float) -> float:
        return floor_seconds

    def wall_ms(self) -> int:
        return int(time.time() * 1000)


class SetClock:
    """A clock that only moves when it is told to: for tests and the simulator."""

    def __init__(self, start: datetime) -> None:
        self._now = start

    def now(self) -> datetime:
        return self._now

    def real_seconds(self, floor_seconds: float) -> float:
        return floor_seconds

    def wall_ms(self) -> int:
        return int(self._now.timestamp() * 1000)

    def move(self, seconds: float) -> None:
        """Move by so many seconds; backwards too, as real clocks sometimes do."""
        self._now += timedelta(seconds=seconds)


def clock_from_environment() -> Clock:
    """The real clock, or the scaled one that `OPSFLOOR_CLOCK_SCALE`, `_START` (ISO instant), `_ANCHOR` describe.

    Errors:  `ValueError` when one of them is unreadable or missing beside the others.
    """
    scale = os.environ.get("OPSFLOOR_CLOCK_SCALE")
    if scale is None:
        return RealClock()
    try:
        start = datetime.fromisoformat(os.environ["OPSFLOOR_CLOCK_START"])
        clock = ScaledClock(start.astimezone(UTC), float(os.environ["OPSFLOOR_CLOCK_ANCHOR"]), float(scale))
        if not (0 < clock.scale < math.inf and math.isfinite(clock.anchor)):
            raise ValueError(f"a scale of {scale} and an anchor of {clock.anchor}")
        return clock
    except (KeyError, ValueError) as error:
        raise ValueError(
            "Expected OPSFLOOR_CLOCK_START (ISO instant with zone) and OPSFLOOR_CLOCK_ANCHOR (Unix seconds) "
            f"beside OPSFLOOR_CLOCK_SCALE, found {error}"
        ) from error
