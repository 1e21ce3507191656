"""The known policies that ours is held against."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DeskState:
    """How full somebody is. Units: items in hand or waiting, items that they can take at once."""

    name: str
    items: float
    capacity: float
    idle_seconds: float = 0.0


def offer_order(states: Sequence[DeskState]) -> list[DeskState]:
    """Join the shortest queue: by load ratio. Ties: the longest idle, then by name."""
    return sorted(states, key=lambda state: (state.items / state.capacity, -state.idle_seconds, state.name))
