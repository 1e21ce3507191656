"""What tracing costs: the shard runtime with nobody listening, beside the same with the seams taken out of its source.

No broker and no database, so that nothing hides the cost: placement closes settled items over the models of bus and store,
as in the throughput figures. Measured in CPU time of the process, so that what else runs on the machine does not count.
"""

from __future__ import annotations

import ast
import asyncio
import gc
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import Any, Final
from unittest.mock import patch

from services.routing.placement.processor import placement
from shared.runtime import headers, runner
from shared.runtime.boards import Boards
from shared.runtime.clock import RealClock
from shared.runtime.collector import spare_collector
from shared.runtime.engine import Limits
from shared.runtime.log import Outgoing, Place
from shared.runtime.logs import configure_logging
from shared.runtime.memory_log import MemoryLog
from shared.runtime.memory_store import MemoryDatabase
from shared.runtime.otlp_tracing import Spans
from shared.runtime.runner import Runner
from tests.bench.records import PARTITIONS, SETTLED, Writer
from tests.support.span_receiver import receiving

RECORDS: Final = 4_000
BATCH_RECORDS_MAX: Final = 500
ROUNDS: Final = 25
WAYS: Final = ("removed", "off", "no contexts", "one of 100", "on")
LISTENED: Final = ("one of 100", "on")
SAMPLED: Final = {"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.01"}
NOTHING: Final = f"00-{'0' * 31}1-{'0' * 15}1-01"
Tell = Callable[[str], None]


@dataclass
class TracingCost:
    """What was measured. Units: microseconds of CPU per record, by way, one per round."""

    spent_us: dict[str, list[float]] = field(default_factory=lambda: {way: [] for way in WAYS})
    spans: int = 0

    def ratio(self, over: str, under: str) -> float:
        """Of the least of each: whatever else a machine does only ever adds to what a run takes."""
        return min(self.spent_us[over]) / min(self.spent_us[under])

    def summary(self) -> dict[str, Any]:
        """As it stands in the JSON."""
        return {
            "records_per_round": RECORDS,
            "spans_received": self.spans,
            "us_per_record": {way: round(min(spent), 2) for way, spent in self.spent_us.items()},
            "tracing_off_over_removed": round(self.ratio("off", "removed"), 3),
            "contexts_over_none": round(self.ratio("off", "no contexts"), 3),
            "tracing_one_of_100_over_removed": round(self.ratio("one of 100", "removed"), 3),
            "tracing_on_over_removed": round(self.ratio("on", "removed"), 3),
        }


def measure_tracing(tell: Tell) -> TracingCost:
    """Rounds of all ways over the same records, in turning order, in a process of their own; the first does not count."""
    tell(f"tracing, {ROUNDS} rounds of {RECORDS:,} records: {', '.join(WAYS)}")
    done = subprocess.run([sys.executable, "-m", "tests.bench.tracing"], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"Expected the cost of tracing to be measured, found {done.stderr[-2_000:]}")
    return TracingCost(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Measure, and print what was found as JSON."""
    configure_logging("warning")
    cost, bus = TracingCost(), records()
    with receiving() as receiver:
        spare_collector()
        for number in range(-1, ROUNDS):
            turn = number % len(WAYS)
            for way in WAYS[turn:] + WAYS[:turn]:
                spent_us = asyncio.run(play(way, bus, receiver.endpoint))
                if number >= 0:
                    cost.spent_us[way].append(spent_us)
        cost.spans = len(receiver.spans)
    sys.stdout.write(json.dumps(cost.__dict__) + "\n")


def records() -> dict[Place, list[Outgoing]]:
    """What is read, as the throughput figures read it."""
    return Writer(log=None)._chunk(RECORDS)  # type: ignore[arg-type]  # nothing is written to a bus


async def play(way: str, bus: dict[Place, list[Outgoing]], endpoint: str) -> float:
    """One run of all records. Returns microseconds of CPU per record, with what the sending of spans takes."""
    processor = replace(placement(), inputs=(SETTLED,))
    names = [SETTLED.name, *(t for topic in processor.outputs for t in (topic.name, topic.dead_letters))]
    log = MemoryLog(PARTITIONS, names)
    for place, rows in bus.items():
        for row in rows:
            log.append(place, row)
    spans = told(endpoint, SAMPLED if way == "one of 100" else {}) if way in LISTENED else None
    kind = without_seams() if way == "removed" else Runner
    store, limits = MemoryDatabase().store(processor.name), Limits(batch_records_max=BATCH_RECORDS_MAX)
    tracing = None if spans is None else spans.tracing()
    with without_contexts() if way == "no contexts" else nullcontext():
        made = kind(processor, log, store, Boards(processor.boards), RealClock(), limits, tracing=tracing)
        await made.start()
        gc.collect()
        began, done = time.process_time(), 0
        while done < RECORDS:
            done += await made.cycle()
            await made.flush()
        if spans is not None:
            spans.close()
        return (time.process_time() - began) / RECORDS * 1e6


def told(endpoint: str, sampler: Mapping[str, str]) -> Spans:
    """Spans on their way to the receiver, as many as the sampler keeps."""
    with patch.dict(os.environ, {"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint, **sampler}):
        return Spans.over_otlp("bench", "one")


@contextmanager
def without_contexts() -> Iterator[None]:
    """Headers without trace contexts: nothing is hashed, every fact names the same span."""
    with patch.object(headers, "trace_for", lambda *_: ""), patch.object(headers, "written_by", lambda *_: NOTHING):
        yield


def without_seams() -> type[Runner]:
    """The runner as if nobody had thought of listening: its source without a word of it, compiled anew."""
    source = Path(runner.__file__).read_text()
    tree = _Unlistened().visit(ast.parse(source))
    if "_tracing" in ast.unparse(tree):
        raise RuntimeError("Expected the runner to look at its listener only by asking whether there is one")
    made = ModuleType(runner.__name__)
    sys.modules["tests.bench.unlistened"] = made  # dataclasses look for their module
    made.__dict__["__name__"] = "tests.bench.unlistened"
    exec(compile(ast.fix_missing_locations(tree), runner.__file__, "exec"), made.__dict__)
    found: type[Runner] = made.__dict__["Runner"]
    return found


class _Unlistened(ast.NodeTransformer):
    """Takes `if … tracing is not None:` and `… if … tracing is None else …` out of a source."""

    def visit_If(self, node: ast.If) -> ast.AST | None:
        return None if "tracing" in ast.unparse(node.test) else self.generic_visit(node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        return node.body if "tracing" in ast.unparse(node.test) else self.generic_visit(node)

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST | None:
        return None if "_tracing" in ast.unparse(node.target) else self.generic_visit(node)


if __name__ == "__main__":
    main()
