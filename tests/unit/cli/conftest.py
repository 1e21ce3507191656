"""The command line sets for its process what is heard of libraries; the tests' own process gets back what it had."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def heard_as_before() -> Iterator[None]:
    """Whatever a command has silenced is heard again by the next test."""
    before, loops = structlog.get_config(), logging.getLogger("asyncio")
    filters = list(loops.filters)
    yield
    structlog.configure(**before)
    loops.filters = filters
    logging.disable(logging.NOTSET)
    logging.captureWarnings(False)
