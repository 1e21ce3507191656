"""The partition of a key is the one that Kafka's own clients give it."""

from __future__ import annotations

import pytest

from shared.runtime.log import murmur2


@pytest.mark.parametrize(
    ("key", "hashed"),
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_keys_are_hashed_as_by_the_java_client(key: bytes, hashed: int) -> None:
    """The values are of Kafka's own test of its partitioner, signed there."""
    assert murmur2(key) == hashed & 0xFFFFFFFF
