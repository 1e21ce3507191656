"""One waiting line before equal servers: the plainest floor, for answers known in closed form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Final

import numpy as np

from services.routing.simulator.agenda import Agenda
from services.routing.simulator.chance import stream

Order = Callable[[int, float, int], tuple[float, ...]]
"""Customer class, arrival instant, number: the smallest is served next."""


@dataclass(frozen=True, slots=True)
class CustomerClass:
    """Poisson arrivals with exponential service, and exponential patience if any. Units: any one unit of time."""

    rate: float
    service: float
    patience: float | None = None


@dataclass(slots=True)
class Visits:
    """What became of the customers, in order of arrival. `wait` ends with service or with patience."""

    kind: np.ndarray
    service: np.ndarray
    wait: np.ndarray
    gave_up: np.ndarray


def first_come(kind: int, arrived: float, number: int) -> tuple[float, ...]:
    """In order of arrival."""
    return (arrived,)


def by_class(kind: int, arrived: float, number: int) -> tuple[float, ...]:
    """The lower class first, within it in order of arrival."""
    return (kind, arrived)


def last_come(kind: int, arrived: float, number: int) -> tuple[float, ...]:
    """The newest first."""
    return (-arrived,)


def serve(classes: Sequence[CustomerClass], servers: int, customers: int, order: Order, seed: int) -> Visits:
    """Serve so many customers in the given order."""
    return _Line(classes, servers, customers, order, seed).run()


@dataclass
class _Line:
    classes: Sequence[CustomerClass]
    servers: int
    customers: int
    order: Order
    seed: int
    agenda: Agenda = field(default_factory=Agenda)
    waiting: list[tuple[tuple[float, ...], int]] = field(default_factory=list)

    def run(self) -> Visits:
        rates: Final = np.array([one.rate for one in self.classes])
        count = self.customers
        self.free = self.servers
        self.arrived = stream(self.seed, "arrivals").exponential(1 / rates.sum(), count).cumsum().tolist()
        kind = stream(self.seed, "classes").choice(len(rates), count, p=rates / rates.sum())
        service = stream(self.seed, "sizes").exponential(1.0, count) * np.array([c.service for c in self.classes])[kind]
        patience = np.array([float("inf") if c.patience is None else c.patience for c in self.classes])[kind]
        self.patience = (stream(self.seed, "patience").exponential(1.0, count) * patience).tolist()
        self.kind, self.service = kind.tolist(), service.tolist()
        self.wait = [-1.0] * count
        self.gone = [False] * count
        self.agenda.at(self.arrived[0], self._arrive, 0)
        self.agenda.run()
        return Visits(kind, service, np.array(self.wait), np.array(self.gone))

    def _arrive(self, number: int) -> None:
        if number + 1 < self.customers:
            self.agenda.at(self.arrived[number + 1], self._arrive, number + 1)
        if self.free:
            self.free -= 1
            self._begin(number)
            return
        heappush(self.waiting, (self.order(self.kind[number], self.agenda.now, number), number))
        if self.patience[number] != float("inf"):
            self.agenda.at(self.agenda.now + self.patience[number], self._give_up, number)

    def _begin(self, number: int) -> None:
        self.wait[number] = self.agenda.now - self.arrived[number]
        self.agenda.at(self.agenda.now + self.service[number], self._end)

    def _end(self) -> None:
        while self.waiting:
            number = heappop(self.waiting)[1]
            if not self.gone[number]:
                self._begin(number)
                return
        self.free += 1

    def _give_up(self, number: int) -> None:
        if self.wait[number] < 0:
            self.gone[number] = True
            self.wait[number] = self.patience[number]
