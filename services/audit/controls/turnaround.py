"""Histograms of cases' times whose edges are, beside the usual ones, what the bank promises of each business type."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from prometheus_client import REGISTRY, Histogram
from prometheus_client.metrics_core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

PROMISES_MAX: Final = 2  # of one business type: the usual one, and one for what is urgent


class PromisedHistogram(Collector):
    """A histogram by business type with an edge on every promise of that type.

    Holds:   a share within a promise is counted, never interpolated. When a promise is changed the type's counts begin anew at
             0, which a rate takes like a restart; processes hear of it within a second of each other. Business types have
             different edges: they are never summed over each other by `le`.
    """

    labels: Final = ("business_type",)

    def __init__(self, name: str, documentation: str, edges: Iterable[float]) -> None:
        self.name: Final = name
        self.documentation: Final = documentation
        self.edges: Final = tuple(map(float, edges))
        self._kept: Final[dict[str, tuple[frozenset[float], Histogram]]] = {}
        REGISTRY.register(self)

    def observe(
        self, business_type: str, seconds: float, promised: frozenset[float], exemplar: Mapping[str, str] | None
    ) -> None:
        """Count one case of the type in, of which this is promised. Units: seconds."""
        kept = self._kept.get(business_type)
        if kept is None or kept[0] != promised:
            edges = sorted({*self.edges, *promised})
            histogram = Histogram(self.name, self.documentation, self.labels, registry=None, buckets=edges)
            kept = self._kept[business_type] = promised, histogram
        kept[1].labels(business_type).observe(seconds, None if exemplar is None else dict(exemplar))

    def describe(self) -> Iterable[Metric]:
        """Its name, by which the registry refuses a second one."""
        return (HistogramMetricFamily(self.name, self.documentation, labels=self.labels),)

    def collect(self) -> Iterator[Metric]:
        (family,) = self.describe()
        for _, histogram in list(self._kept.values()):
            for metric in histogram.collect():
                family.samples.extend(metric.samples)
        yield family
