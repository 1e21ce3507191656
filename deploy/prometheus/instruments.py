"""Every instrument of the floor, found in the code that moves it."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.metrics import MetricWrapperBase

from services.audit.controls.turnaround import PROMISES_MAX, PromisedHistogram
from shared.runtime.levels import Level

ROOT: Final = Path(__file__).resolve().parents[2]
PACKAGES: Final = ("shared", "services")
PREFIX: Final = "opsfloor_"


@dataclass(frozen=True, slots=True)
class Instrument:
    """One metric as Prometheus sees it.

    Holds:   `name` is the name in queries (a counter's with `_total`); `home` is the module that moves it; `edges` are
             a histogram's finite bucket edges, beside which it may have one on each of so many `promises`.
    """

    name: str
    form: str
    documentation: str
    labels: tuple[str, ...]
    home: str
    edges: tuple[float, ...] = ()
    promises: int = 0
    source: Any = None

    @property
    def owner(self) -> str:
        """The service whose processes show it; `shared` is in all of them."""
        package, _, rest = self.home.partition(".")
        return "shared" if package == "shared" else rest.split(".")[0]

    @property
    def series_per_child(self) -> int:
        """Series that one combination of labels costs: a histogram's buckets, `+Inf`, count and sum."""
        return len(self.edges) + self.promises + 3 if self.form == "histogram" else 1


def instruments() -> tuple[Instrument, ...]:
    """All instruments by name. Errors: `ValueError` for two of one name."""
    found: dict[str, Instrument] = {}
    for module in _modules():
        for instrument in _of(module):
            known = found.setdefault(instrument.name, instrument)
            if known.source is not instrument.source:
                raise ValueError(f"Expected one home of {instrument.name}, found {known.home} and {instrument.home}")
    return tuple(found[name] for name in sorted(found))


def _modules() -> Iterator[str]:
    for package in PACKAGES:
        for file in sorted((ROOT / package).rglob("*.py")):
            text = file.read_text()
            if "from prometheus_client import" in text or "levels import Level" in text:
                yield ".".join(file.relative_to(ROOT).with_suffix("").parts)


def _of(module: str) -> Iterator[Instrument]:
    for value in vars(importlib.import_module(module)).values():
        if isinstance(value, Level):
            yield Instrument(value.name, "gauge", value.documentation, value.labels, module, source=value)
        elif isinstance(value, PromisedHistogram):
            yield Instrument(
                *(value.name, "histogram", value.documentation, value.labels, module, value.edges),
                promises=PROMISES_MAX,
                source=value,
            )
        elif isinstance(value, MetricWrapperBase):
            yield _wrapped(value, module)


def _wrapped(metric: MetricWrapperBase, module: str) -> Instrument:
    # The client library keeps labels and edges to itself; they are read here and nowhere else.
    described = next(iter(metric.describe()))
    labels = tuple(metric._labelnames)
    match metric:
        case Counter():
            return Instrument(
                f"{described.name}_total", "counter", described.documentation, labels, module, source=metric
            )
        case Histogram():
            edges = tuple(edge for edge in _edges(metric) if edge != float("inf"))
            return Instrument(
                described.name, "histogram", described.documentation, labels, module, edges, source=metric
            )
        case Gauge():
            return Instrument(described.name, "gauge", described.documentation, labels, module, source=metric)
        case _:
            raise ValueError(f"Expected a counter, a gauge or a histogram, found {described.name}: {described.type}")


def _edges(metric: Histogram) -> tuple[float, ...]:
    return tuple(float(edge) for edge in metric._kwargs.get("buckets", Histogram.DEFAULT_BUCKETS))
