"""How long the group waits for this process to be heard of before it gives its shards to others."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

FACTOR: Final = 2.0
LONGER_MAX: Final = 5.0  # so many times what was set is the most that is asked for …
LONGEST_SECONDS: Final = 60.0  # … and no more than this, unless more was set
CALM_SECONDS: Final = 300.0  # without coming late; then it is as it was set


class Session:
    """The session to ask the group for: as set, and longer for a while when this process keeps coming late.

    Why:     on a machine that is too full to be heard of in time, two processes that both live put each other out of the
             group again and again, and neither works. Who was put out twice asks for twice the time, and again.
    Holds:   once is a pause and changes nothing. At most `LONGER_MAX` times what was set, up to `LONGEST_SECONDS`, and as
             set again after `CALM_SECONDS` without coming late.
    Units:   seconds; shared by all readers of a process, as they are late together.
    """

    def __init__(self, seconds: float, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._set: Final = seconds
        self._monotonic: Final = monotonic
        self._most: Final = max(seconds, min(seconds * LONGER_MAX, LONGEST_SECONDS))
        self._asked = seconds
        self._late_at: float | None = None

    @property
    def seconds(self) -> float:
        """What to ask for now."""
        return self._set if self._calm() else self._asked

    def came_late(self) -> None:
        """The group had put this process out though it lives. Readers that are late together are late once."""
        now = self._monotonic()
        if self._late_at is None or self._calm():
            self._asked = self._set
        elif now - self._late_at > self._asked / 2:
            self._asked = min(self._asked * FACTOR, self._most)
        else:
            return
        self._late_at = now

    def _calm(self) -> bool:
        return self._late_at is None or self._monotonic() - self._late_at >= CALM_SECONDS
