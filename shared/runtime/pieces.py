"""The seam through which work outside the shards is told as spans, when somebody listens."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final, Protocol

from shared.runtime.tracing import Exemplar

Said = str | int | float | Sequence[str]


class Piece(Protocol):
    """A piece of work that belongs to no shard's batch, and begins a trace of its own."""

    def says(self, outcome: str, about: Mapping[str, Said]) -> Exemplar | None:
        """What came of it; said again, the last word counts. Returns what its figures may point to.

        Holds:   a piece that never says anything is not told.
        """


Pieces = Callable[[str], AbstractContextManager[Piece]]
"""Begins a piece of work of that name; what is published until it ends belongs to its trace."""


class _Unheard:
    def says(self, outcome: str, about: Mapping[str, Said]) -> Exemplar | None:
        return None


_UNHEARD: Final = _Unheard()


def unheard(name: str) -> AbstractContextManager[Piece]:
    """A piece of work when nobody listens for spans."""
    return nullcontext(_UNHEARD)
