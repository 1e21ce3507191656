"""Python's cyclic garbage collector, set for a process that keeps many states and makes large batches."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

YOUNG_OBJECTS: Final = 100_000  # new ones before the collector looks at them: a few batches, some tens of megabytes
YOUNG_LOOKS: Final = 20  # looks at the young ones before one at the middle-aged
MIDDLE_LOOKS: Final = 50  # looks at the middle-aged before one at everything


def spare_collector() -> None:
    """Let the collector look seldom, and never again at what start-up has made. Call once, when a process is ready.

    Objects without cycles go without the collector, and the floor makes hardly any cycles: a batch's objects live until it
    is committed, then they go by their counts. As Python comes it looks at them after every 700, and at all states in
    memory again and again; that was a third of the processor time of a record. It stays on for the few cycles that
    exceptions and asyncio leave behind.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_LOOKS, MIDDLE_LOOKS)


@contextmanager
def without_collector() -> Iterator[None]:
    """Keep the collector away for as long as this lasts: for much work in one go that leaves no cycles behind."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
