"""Virtual time: what will happen next, and when."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Final

from shared.runtime.collector import without_collector


class Agenda:
    """The events to come, soonest first. Ties: in the order in which they were entered.

    Units:   seconds since the run began.
    Holds:   `now` never goes back; an event entered for the past happens now.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self._entered = 0
        self._heap: Final[list[tuple[float, int, Callable[..., object], tuple[Any, ...]]]] = []

    def at(self, when: float, act: Callable[..., object], *given: object) -> None:
        """Enter an event."""
        self._entered += 1
        heappush(self._heap, (max(when, self.now), self._entered, act, given))

    def run(self, until: float = float("inf")) -> None:
        """Let everything happen that is due by `until`, which what happens may add to.

        Why:     what happens on the floor leaves no cycles, and the collector would look at the growing day again and again.
        """
        heap = self._heap
        with without_collector():
            while heap and heap[0][0] <= until:
                self.now, _, act, given = heappop(heap)
                act(*given)
