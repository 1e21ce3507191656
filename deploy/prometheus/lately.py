"""How often something rare happened within a window, also where no scrape saw the counter rise."""

from __future__ import annotations

from typing import Final

BEGINNING_SECONDS: Final = 300
"""What a process has counted by then it may have counted before its first scrape."""
RARE: Final = (
    "opsfloor_core_answers_refused_total",
    "opsfloor_drills_total",
    "opsfloor_intake_receipts_total",
    "opsfloor_predicted_misses_total",
    "opsfloor_reroute_alerts_total",
    "opsfloor_reroute_fall_backs_total",
    "opsfloor_shard_lost_leases_total",
    "opsfloor_shard_parked_total",
)
"""The counters that are asked for with `lately`."""
_REMEMBERED: Final = "1d"  # as long as Prometheus may have been away and still know how far a counter was


def beginning(name: str) -> str:
    """The recording rule of what a counter's process has counted while it is young."""
    return f"process:{name}:beginning"


def beginnings() -> dict[str, str]:
    """The recording rules of all rare counters. Holds: a process is told by its age, as the next may have its name."""
    young = f"time() - process_start_time_seconds < {BEGINNING_SECONDS}"
    return {beginning(name): f"{name} and on (job, instance) {young}" for name in RARE}


def lately(name: str, window: str, where: str = "") -> str:
    """How often a counter counted within the window, series by series.

    Holds:   the greatest of three readings. What scrapes saw rise, also of a process that has died since. What a young
             process had counted: a backlog is read before the first scrape. What is there now beyond what was known
             before the window: Prometheus may have been away. What an old process had counted before Prometheus first saw
             it is none of them.
    """
    counter = f"{name}{{{where}}}" if where else name
    begun = f"{beginning(name)}{{{where}}}" if where else beginning(name)
    readings = {
        "rise": f"increase({counter}[{window}])",
        "beginning": f"max_over_time({begun}[{window}])",
        "beyond": f"{counter} - last_over_time({counter}[{_REMEMBERED}] offset {window})",
    }
    told = [f'label_replace({expr}, "read", "{reading}", "", "")' for reading, expr in readings.items()]
    return "max without (read) (" + "\n  or ".join(told) + ")"
