"""A loop for tests of waiting: what is told after how long, without the wait."""

from __future__ import annotations

import asyncio
import selectors
from typing import Any, cast


class QuickLoop(asyncio.SelectorEventLoop):
    """A loop on which waiting takes no time: its clock jumps to the next thing that is due."""

    def __init__(self) -> None:
        super().__init__(selectors.DefaultSelector())
        self._jumped = 0.0

    def time(self) -> float:
        return self._jumped

    def _run_once(self) -> None:
        loop = cast(Any, self)
        if not loop._ready and loop._scheduled:
            self._jumped = max(self._jumped, loop._scheduled[0]._when)
        cast(Any, super())._run_once()
