"""What a simulated figure is worth: a mean with its confidence interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import cos, pi, sin, sqrt, tan
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

BATCHES: Final = 25
HALVINGS: Final = 60  # of a right angle: to the last digit


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean and half the width of its confidence interval."""

    mean: float
    half: float

    @property
    def low(self) -> float:
        return self.mean - self.half

    @property
    def high(self) -> float:
        return self.mean + self.half

    def covers(self, value: float) -> bool:
        """Whether the value lies in the interval."""
        return self.low <= value <= self.high


@cache
def student(confidence: float, freedom: int) -> float:
    """The two-sided quantile of Student's t, to ten digits.

    Source:  Abramowitz & Stegun 26.7.3 and 26.7.4, the distribution in the angle whose tangent is t / √freedom.
    """
    low, high = 0.0, pi / 2
    for _ in range(HALVINGS):
        angle = (low + high) / 2
        if _within(angle, freedom) < confidence:
            low = angle
        else:
            high = angle
    return tan(low) * sqrt(freedom)


def _within(angle: float, freedom: int) -> float:
    """The chance that Student's t lies between minus and plus √freedom × the angle's tangent."""
    odd, total = freedom % 2 == 1, 0.0
    term = cos(angle) if odd else 1.0
    for power in range(1 + odd, freedom, 2):
        total += term
        term *= power / (power + 1) * cos(angle) ** 2
    return (angle + sin(angle) * total) * 2 / pi if odd else sin(angle) * total


def of_replications(means: Sequence[float], confidence: float = 0.99) -> Interval:
    """The interval of independent replications' means; of fewer than two it has no bounds."""
    if len(means) < 2:
        return Interval(float(np.mean(means)), float("inf"))
    spread = float(np.std(means, ddof=1)) / len(means) ** 0.5
    return Interval(float(np.mean(means)), student(confidence, len(means) - 1) * spread)


def of_batches(series: ArrayLike, confidence: float = 0.99, batches: int = BATCHES) -> Interval:
    """The interval of one long run, from the means of consecutive batches; what does not fill the last is left out."""
    values = np.asarray(series, dtype=float)
    size = len(values) // batches
    if size == 0:
        raise ValueError(f"Expected at least {batches} values for {batches} batches, found {len(values)}")
    means = values[: size * batches].reshape(batches, size).mean(axis=1)
    return of_replications([float(mean) for mean in means], confidence)
