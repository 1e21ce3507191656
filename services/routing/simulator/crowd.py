"""Very many desks of one person each, and the choice among them with fresh or stale views of their queues."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np

from services.routing.placement.choice import seed_of
from services.routing.simulator.agenda import Agenda
from services.routing.simulator.chance import stream

ALL = 0  # look at every desk


@dataclass
class Crowd:
    """Poisson arrivals at `load` per desk, exponential service of mean 1; each joins the shortest queue it looks at.

    Holds:   with two looks two different desks are drawn evenly, as placement does without a plan; views are taken anew
             every `stale` (0: always fresh); ties go to the desk drawn first, among all desks to a random one.
    """

    desks: int
    load: float
    customers: int
    seed: int
    looks: int = 2
    stale: float = 0.0
    agenda: Agenda = field(default_factory=Agenda)

    def times_in_system(self) -> np.ndarray:
        """In order of arrival."""
        count = self.customers
        self.queues: list[deque[tuple[int, float]]] = [deque() for _ in range(self.desks)]
        self.lengths = [0] * self.desks
        self.view = self.lengths if self.stale == 0 else list(self.lengths)
        gaps = stream(self.seed, "arrivals").exponential(1 / (self.load * self.desks), count)
        self.arrived = gaps.cumsum().tolist()
        self.service = stream(self.seed, "sizes").exponential(1.0, count).tolist()
        self.tie = stream(self.seed, "ties").random(count).tolist()
        self.time = np.zeros(count)
        self.looked = 0.0
        self.agenda.at(self.arrived[0], self._arrive, 0)
        self.agenda.run()
        return self.time

    def _arrive(self, number: int) -> None:
        if number + 1 < self.customers:
            self.agenda.at(self.arrived[number + 1], self._arrive, number + 1)
        desk = self._choose(number)
        self.lengths[desk] += 1
        self.queues[desk].append((number, self.service[number]))
        if self.lengths[desk] == 1:
            self.agenda.at(self.agenda.now + self.service[number], self._end, desk)

    def _choose(self, number: int) -> int:
        if self.stale and self.agenda.now >= self.looked + self.stale:
            self.looked = self.agenda.now
            self.view = list(self.lengths)
        if self.looks == ALL:
            least = min(self.view)
            shortest = [desk for desk, length in enumerate(self.view) if length == least]
            return shortest[int(self.tie[number] * len(shortest))]
        drawn = two_of(seed_of(str(number), self.seed), self.desks)[: self.looks]
        return min(drawn, key=self.view.__getitem__)

    def _end(self, desk: int) -> None:
        number, _ = self.queues[desk].popleft()
        self.time[number] = self.agenda.now - self.arrived[number]
        self.lengths[desk] -= 1
        if self.queues[desk]:
            self.agenda.at(self.agenda.now + self.queues[desk][0][1], self._end, desk)


def two_of(seed: int, count: int) -> tuple[int, ...]:
    """Two different positions below `count` (one, if there is only one), evenly by the seed."""
    if count <= 1:
        return tuple(range(count))
    first = seed % count
    second = (seed // count) % (count - 1)
    return first, second + (second >= first)
