"""What the balancer's Faust agents are handed, as records of our log."""

from __future__ import annotations

from types import SimpleNamespace

from services.routing.balancer.app import record_of


def test_a_header_without_a_value_is_an_empty_one() -> None:
    """Kafka allows it; an agent's body must not raise."""
    message = SimpleNamespace(
        topic="audit.work.v1",
        partition=0,
        offset=7,
        key=b"item",
        value=b"{}",
        headers=[("ce_type", b"audit.work-requested.v1"), ("odd", None)],
        timestamp=1.5,
    )
    record = record_of(message)
    assert record.headers == (("ce_type", b"audit.work-requested.v1"), ("odd", b""))
    assert (record.offset, record.timestamp_ms) == (7, 1500)
