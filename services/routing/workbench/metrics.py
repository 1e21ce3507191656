"""The workbench's instruments."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

COMMANDS: Final = Counter("opsfloor_workbench_commands_total", "Commands handed in", ["kind", "outcome"])
COMMAND_SECONDS: Final = Histogram(
    "opsfloor_workbench_command_seconds",
    "From a command handed in to the desk's answer",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
LONG_POLLS: Final = Gauge("opsfloor_workbench_long_polls", "Operators waiting for their next item")
SLICES: Final = Counter("opsfloor_workbench_images_total", "Images shown or refused", ["what", "outcome"])
SLICE_SECONDS: Final = Histogram(
    "opsfloor_workbench_slice_seconds",
    "Fetching an image and cutting the slice",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
TAIL_RESTARTS: Final = Counter("opsfloor_workbench_tail_restarts_total", "Times that the tail was started anew")
