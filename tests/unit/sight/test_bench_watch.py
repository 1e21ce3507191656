"""The throughput bench's watch sees what the runtime publishes."""

from __future__ import annotations

import pytest

from shared.runtime.kafka_log import KafkaPublisher
from tests.bench.contenders import Watch, WatchedPublisher
from tests.support.bundling import bundled
from tests.unit.runtime.test_bundles import fact


async def test_facts_are_counted_also_where_several_travel_in_one_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the bench waits for acknowledgements that never come; what failed is not counted."""

    async def refuses_the_second(*_: object) -> dict[tuple[str, int], str]:
        return {("t", 1): "away"}

    monkeypatch.setattr(KafkaPublisher, "publish", refuses_the_second)
    watch, rows = Watch(count=3), bundled([fact(1), fact(2), fact(3)])
    assert len(rows) == 1
    await WatchedPublisher("nowhere:1", watch).publish({("t", 0): rows, ("t", 1): rows})
    assert watch.acknowledged == 3
    assert watch.done.is_set()
