"""What the balancer's Faust agents are handed, as records of our log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from services.routing.balancer import app as balancer_app
from services.routing.balancer.app import agent_of, record_of
from services.routing.balancer.balance import Balance
from shared.contracts.audit import WorkRequested
from shared.runtime.headers import outside_headers
from shared.runtime.log import Record
from tests.unit.routing.floor import NOW, boards, order


def message(offset: int = 0, **changes: Any) -> SimpleNamespace:
    """What Faust hands over for one request of work."""
    asked = WorkRequested(order=order(f"item-{offset}"))
    given: dict[str, Any] = {
        "topic": asked.topic.name,
        "partition": 0,
        "offset": offset,
        "key": b"case",
        "value": asked.model_dump_json().encode(),
        "headers": list(outside_headers(asked, source="test", event_id=str(offset), at=NOW)),
        "timestamp": 1.5,
    }
    return SimpleNamespace(**(given | changes))


class Stream:
    """A Faust stream of these messages."""

    def __init__(self, *messages: SimpleNamespace) -> None:
        self._messages = messages

    async def events(self) -> AsyncIterator[SimpleNamespace]:
        for one in self._messages:
            yield SimpleNamespace(message=one)


ODD: tuple[dict[str, Any], ...] = (
    {"value": None},
    {"value": b"no json"},
    {"headers": None},
    {"headers": [("ce_type", b"\xff")]},
    {"headers": {"ce_type": None}},
    {"headers": [("ce_type",)]},
    {"headers": 7},
    {"timestamp": None},
    {"timestamp": "yesterday"},
)


@pytest.mark.parametrize("odd", ODD)
def test_an_agent_goes_on_after_whatever_it_is_handed(odd: dict[str, Any]) -> None:
    """Its body itself is run: one that raised would have its event acknowledged all the same, and hear nothing more."""
    balance = Balance(boards(), "b", NOW)
    asyncio.run(agent_of(balance.hear)(Stream(message(1), message(2, **odd), message(3))))
    assert balance.heard >= 2


def test_an_agent_hands_on_each_message_once() -> None:
    """In the order in which they come, as records of our log."""
    seen: list[Record] = []
    asyncio.run(agent_of(seen.append)(Stream(message(1), message(2))))
    assert [record.offset for record in seen] == [1, 2]
    assert seen[0].value == message(1).value


def test_every_balancer_hears_everything_from_now_on() -> None:
    """Two at once are two groups, or each would hear half; and none takes what came days ago for the last minutes."""

    async def settings_of(instance: str) -> tuple[str, str]:
        app = balancer_app.faust_app("127.0.0.1:1", instance, lambda record: None, Path("nowhere"))
        return str(app.conf.id), str(app.conf.consumer_auto_offset_reset)

    first, second = (asyncio.run(settings_of(instance)) for instance in ("one", "two"))
    assert first[0] != second[0]
    assert (first[1], second[1]) == ("latest", "latest")


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
