"""A sheet that says that nothing is known before routing has told anything: empty is another matter than not known."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from opsfloor.console.sheet import Line, Sheet

NOT_KNOWN: Final = "Not known: no figures have come yet."


class HeardSheet(Sheet):
    """A table that is empty only when routing said so."""

    def __init__(self, caption: str, columns: Sequence[str], empty: str) -> None:
        super().__init__(caption, columns, NOT_KNOWN)
        self._nothing: Final = empty

    def show(self, lines: Sequence[Line]) -> None:
        """Show these lines, in this order."""
        self._empty.say(self._nothing)
        super().show(lines)
