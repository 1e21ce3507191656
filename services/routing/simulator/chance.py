"""Chance by purpose: each purpose has a stream of its own, so that all policies meet the same day."""

from __future__ import annotations

from zlib import crc32

import numpy as np


def stream(seed: int, purpose: str, replication: int = 0) -> np.random.Generator:
    """The stream of one purpose. Follows from its arguments alone; another purpose never shifts it."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence((seed, crc32(purpose.encode()), replication))))
