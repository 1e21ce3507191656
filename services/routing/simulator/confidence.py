"""What a simulated figure is worth: a mean with its confidence interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

BATCHES: Final = 25


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


def student(confidence: float, freedom: int) -> float:
    """The two-sided quantile of Student's t: good to three digits from four degrees of freedom on.

    Source:  Abramowitz & Stegun 26.7.5, the expansion about the normal quantile.
    """
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    n = float(freedom)
    return (
        z
        + (z**3 + z) / (4 * n)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * n**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * n**3)
        + (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / (92160 * n**4)
    )


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
