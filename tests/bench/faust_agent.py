"""The Faust contender: one agent, one table in memory with its changelog, one record sent per event.

Run as `python -m tests.bench.faust_agent`; prints the seconds from the first event to the last acknowledgement.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from typing import Any, Final

import faust

from tests.bench.records import PARTITIONS

FLUSH_EVERY: Final = 1_000


def build(kafka: str, group: str, count: int, ended: list[float]) -> faust.App:
    """A plain Faust app: the agent remembers each settled item in its table and tells it on."""
    app = faust.App(
        group,
        broker=f"kafka://{kafka}",
        store="memory://",
        topic_partitions=PARTITIONS,
        datadir=tempfile.mkdtemp(prefix="opsfloor-faust-"),
        web_enabled=False,
        stream_wait_empty=False,
        consumer_auto_offset_reset="earliest",
    )
    settled = app.topic("bench.settled.v1", value_type=bytes, value_serializer="raw", key_serializer="raw")
    told = app.topic("bench.told.v1", value_serializer="json", key_serializer="raw", partitions=PARTITIONS)
    items = app.Table("items", partitions=PARTITIONS)

    @app.agent(settled)
    async def close(stream: Any) -> None:
        started, done, acks = 0.0, 0, []
        async for event in stream.events():
            started = started or time.perf_counter()
            item = json.loads(event.value)
            key = item["work_item_id"]
            items[key] = {"phase": "closed", "outcome": item["outcome"], "was": (items.get(key) or {}).get("phase")}
            acks.append(await told.send(key=event.key, value={**item, "kind": "closed"}))
            done += 1
            if done == count:
                await asyncio.gather(*acks)
                ended.append(time.perf_counter() - started)
                os.write(1, (json.dumps({"seconds": ended[0]}) + "\n").encode())  # Faust takes sys.stdout for its log
                await app.stop()
                os._exit(0)

    return app


def main() -> int:
    """Run the worker until it has seen `count` events."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kafka", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--group", required=True, help="its id; what it has committed says where to begin")
    told = parser.parse_args()
    ended: list[float] = []
    app = build(told.kafka, told.group, told.count, ended)
    worker = faust.Worker(app, loglevel="WARN")
    worker.execute_from_commandline()
    return 0


if __name__ == "__main__":
    sys.exit(main())
