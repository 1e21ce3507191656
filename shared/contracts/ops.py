"""What operating the floor leaves on record, and the envelope of a parked record."""

from __future__ import annotations

from typing import ClassVar, Final, Literal

from shared.contracts.message import Identity, Instant, Message, Topic

REDRIVE: Final = Topic(
    "ops.redrive.v1", "command line", "parked record's id, or processor", retention_ms=None, lanes=False
)


class RecordParked(Message):
    """A record that a reader could not take, with its coordinates. Written to `<topic>.dlq`, raw bytes in base64."""

    kind: Literal["ops.record-parked.v1"] = "ops.record-parked.v1"
    parked_id: Identity
    processor: str
    origin_topic: str
    origin_partition: int
    origin_offset: int
    raw_key: str
    raw_value: str
    has_key: bool = True
    has_value: bool = True
    """A record without a key, or a tombstone, is another than one with an empty one."""
    raw_headers: tuple[tuple[str, str], ...]
    reason: str
    at: Instant

    @property
    def key(self) -> str:
        return self.parked_id


class RecordRedriven(Message):
    """Somebody sent a parked record to its topic again, and said why."""

    topic: ClassVar[Topic] = REDRIVE
    kind: Literal["ops.record-redriven.v1"] = "ops.record-redriven.v1"
    parked_id: Identity
    origin_topic: str
    actor: Identity
    reason: str
    at: Instant

    @property
    def key(self) -> str:
        return self.parked_id


class FuseReset(Message):
    """Somebody lets a processor read on whose fuse had blown, and said why."""

    topic: ClassVar[Topic] = REDRIVE
    kind: Literal["ops.fuse-reset.v1"] = "ops.fuse-reset.v1"
    processor: Identity
    actor: Identity
    reason: str
    waiting: int
    """Records that lay unread before it: what of them cannot be read is parked and does not blow the fuse again."""
    at: Instant

    @property
    def key(self) -> str:
        return self.processor
