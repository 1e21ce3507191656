"""The instruments of the shard runtime. Labels are bounded: processor, topic, kind of event; never an id."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from shared.runtime.levels import Level

_P: Final = ["processor"]
SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
HOP_SECONDS_EDGES: Final = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 28800)
SIZES: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1000, 2500)

RECORDS: Final = Counter("opsfloor_shard_records_total", "Records read from the bus", _P)
EVENTS: Final = Counter("opsfloor_shard_events_total", "Events decided, by kind", ["processor", "kind"])
DUPLICATES: Final = Counter(
    "opsfloor_shard_duplicates_total", "Records dropped because their lane had them already", _P
)
GAPS: Final = Counter("opsfloor_shard_gaps_total", "Lanes on which a record was missing", _P)
PARKED: Final = Counter("opsfloor_shard_parked_total", "Records parked in the dead letters", _P)
FUSES: Final = Counter("opsfloor_shard_fuses_total", "Times that the fuse blew", _P)
REJECTED: Final = Counter("opsfloor_shard_rejected_total", "Lawful commands refused", _P)
PUBLISHED: Final = Counter("opsfloor_shard_published_total", "Facts acknowledged by the bus", _P)
PUBLISH_ERRORS: Final = Counter("opsfloor_shard_publish_errors_total", "Places that could not be written", _P)
CLAIMS: Final = Counter("opsfloor_shard_claims_total", "Shards claimed", _P)
LOST: Final = Counter("opsfloor_shard_lost_leases_total", "Shards found to have another owner at commit", _P)
RETRIES: Final = Counter("opsfloor_shard_retries_total", "Times that a dependency was away", _P)
RESTARTS: Final = Counter("opsfloor_shard_restarts_total", "Times that the watchdog restarted the bus client", _P)
TIMERS: Final = Counter("opsfloor_shard_timers_total", "Alarms fired", _P)
STATES: Final = Counter(
    "opsfloor_shard_states_total",
    "States that events needed, by where they were found: memory is a cache hit, store is a miss",
    ["processor", "found"],
)
OWNED: Final = Gauge("opsfloor_shard_owned", "Shards that this process owns", _P)
LAG_RECORDS: Final = Gauge("opsfloor_shard_lag_records", "Records not yet read, over owned shards", _P)
LAG_SECONDS: Final = Gauge(
    "opsfloor_shard_lag_seconds", "Age of the oldest record of the last batch when decided; 0 once nothing waits", _P
)
FUSE_SHARE: Final = Gauge("opsfloor_shard_fuse_share_ratio", "Share of the last records that was unreadable", _P)
ENTITIES: Final = Gauge("opsfloor_shard_entities", "States held in memory", _P)
LAST_TURN: Final = Gauge(
    "opsfloor_shard_last_turn_timestamp_seconds",
    "When the processor last began a turn; it turns at least ten times a second, so an old one is a batch without end",
    _P,
)
UNPUBLISHED: Final = Gauge(
    "opsfloor_shard_unpublished_facts", "Facts committed with the last batch and not yet acknowledged by the bus", _P
)
TIMERS_LATE: Final = Histogram(
    "opsfloor_shard_timers_late_seconds", "How late the latest alarm of a batch fired", _P, buckets=HOP_SECONDS_EDGES
)
HOP: Final = Histogram(
    "opsfloor_shard_hop_seconds",
    "One hop of the floor: from the CloudEvents time of a record, the oldest of its topic in the batch, to committed",
    ["processor", "topic"],
    buckets=HOP_SECONDS_EDGES,
)
DECISION_SECONDS: Final = Histogram(
    "opsfloor_shard_decision_seconds",
    "One decision, in the mean of a batch",
    _P,
    buckets=(1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 1e-2, 2.5e-2, 0.1, 1),
)
BATCH_SECONDS: Final = Histogram(
    "opsfloor_shard_batch_seconds", "A batch from fetched to committed", _P, buckets=SECONDS
)
COMMIT_SECONDS: Final = Histogram("opsfloor_shard_commit_seconds", "The batch's transaction", _P, buckets=SECONDS)
PUBLISH_SECONDS: Final = Histogram(
    "opsfloor_shard_publish_seconds", "From commit to acknowledgement", _P, buckets=SECONDS
)
BATCH_EVENTS: Final = Histogram("opsfloor_shard_batch_events", "Events per batch", _P, buckets=SIZES)

BOARD_CHANGED: Final = Level(
    "opsfloor_board_changed_timestamp_seconds", "When the last record that a board took was written", ("board",)
)
BOARD_REFUSED: Final = Level(
    "opsfloor_board_refused_records", "Entries of which no board of this process can read the last record"
)
CONNECTIONS: Final = Level("opsfloor_database_connections", "Connections of the pool, by what they do", ("state",))
CONNECTIONS_MAX: Final = Level("opsfloor_database_connections_max", "The most connections that the pool opens")
SERVICE: Final = Level(
    "opsfloor_service_info",
    "1 for the service that this process is; member is its OPSFLOOR_INSTANCE, which no other process of the service may have",
    ("service", "version", "member"),
)


def begin(processor: str) -> None:
    """Show a processor's counts of trouble from 0 on, so that the first trouble shows as a rise.

    Holds:   what was read is there from 0 on as well: a processor that has read nothing since its start stands still.
    """
    for counter in (
        *(RECORDS, DUPLICATES, GAPS, PARKED, FUSES, REJECTED),
        *(PUBLISHED, PUBLISH_ERRORS, LOST, RETRIES, RESTARTS),
    ):
        counter.labels(processor)
