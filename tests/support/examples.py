"""How many examples a law is tried on: all of them with `make test`, a share of them for every commit."""

from __future__ import annotations

from typing import Final

from hypothesis import settings

USUAL: Final = 100  # what Hypothesis draws where nobody says otherwise


def share_of(count: int) -> int:
    """The share of `count` that the loaded profile has of the usual number; at least one."""
    return max(1, count * settings().max_examples // USUAL)
