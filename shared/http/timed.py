"""How long something takes while a request is answered; the figure points to the request's trace, when that is kept."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import Histogram

from shared.runtime.tracing import REQUEST_EXEMPLAR


@contextmanager
def timed(histogram: Histogram) -> Iterator[None]:
    """Observe the seconds from here to the end of the block, however it ends."""
    begun = time.perf_counter()
    try:
        yield
    finally:
        histogram.observe(time.perf_counter() - begun, REQUEST_EXEMPLAR.get())
