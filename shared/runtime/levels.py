"""Levels: figures that are read when somebody asks, not counted when something happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector


@dataclass(frozen=True, slots=True)
class Level:
    """One figure of a state at hand, with its labels.

    Holds:   a level is true whenever it is read, also after a restart and when nothing happens any more: the age of a
             waiting item grows although its desk has died.
    """

    name: str
    documentation: str
    labels: tuple[str, ...] = ()


Reading = tuple[Level, tuple[str, ...], float]
Read = Callable[[], Iterable[Reading]]


class Levels(Collector):
    """Hands the readings of one source to Prometheus."""

    def __init__(self, read: Read) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """Nothing: the registry must not take a reading only to learn the names."""
        return ()

    def collect(self) -> Iterator[Metric]:
        families: dict[str, GaugeMetricFamily] = {}
        for level, labels, value in self._read():
            family = families.get(level.name)
            if family is None:
                family = GaugeMetricFamily(level.name, level.documentation, labels=level.labels)
                families[level.name] = family
            family.add_metric(labels, value)
        yield from families.values()
