"""What is shown to Prometheus's own tool about one alert."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

Series = Mapping[str, str | None]
"""A series' values by its name and labels, in promtool's notation; `None` takes one away."""


@dataclass(frozen=True, slots=True)
class Case:
    """What is scraped when an alert must fire, and what is different in the near miss.

    Holds:   `value`, where it is given, is what the alert tells when it fires.
    Units:   `minutes` from the first value to the look; a value, and a look of the rules, every `step` minutes.
    """

    alert: str
    minutes: int
    fires: Series
    near_miss: Series
    step: int = 1
    value: float | None = None

    def silent(self) -> Series:
        """The near miss, whole."""
        return {name: values for name, values in {**self.fires, **self.near_miss}.items() if values is not None}
