-- What the shard runtime keeps, per service schema. Hot tables leave room on their pages, so that an update stays there.

CREATE TABLE shard (
    processor text NOT NULL,
    shard int NOT NULL,
    epoch bigint NOT NULL,
    PRIMARY KEY (processor, shard)
) WITH (fillfactor = 50);

CREATE TABLE inlet (
    processor text NOT NULL,
    shard int NOT NULL,
    topic text NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (processor, shard, topic)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 2000);

CREATE TABLE lane_in (
    processor text NOT NULL,
    shard int NOT NULL,
    source text NOT NULL,
    topic text NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (processor, shard, source, topic)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);

CREATE TABLE lane_out (
    processor text NOT NULL,
    shard int NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    sequence bigint NOT NULL,
    PRIMARY KEY (processor, shard, topic, partition)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);

-- Committed facts on their way to the bus; gone once the bus has acknowledged them.
CREATE TABLE outbox (
    processor text NOT NULL,
    shard int NOT NULL,
    topic text NOT NULL,
    partition int NOT NULL,
    sequence bigint NOT NULL,
    key bytea NOT NULL,
    value bytea,
    headers bytea NOT NULL,
    timestamp_ms bigint NOT NULL,
    PRIMARY KEY (processor, shard, topic, partition, sequence)
) WITH (autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 20000, autovacuum_analyze_threshold = 1000000);

CREATE TABLE timer (
    processor text NOT NULL,
    shard int NOT NULL,
    key text NOT NULL,
    name text NOT NULL,
    due_at timestamptz,
    boards text NOT NULL DEFAULT '',
    PRIMARY KEY (processor, shard, key, name)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.0, autovacuum_vacuum_threshold = 5000);

-- Each processor's state is a partition of its own, read through this one name. A shard writes only its own rows: the
-- shard stands last in the key, so that reading by entity needs no second index.
CREATE TABLE state (
    table_name text NOT NULL,
    shard int NOT NULL,
    key text NOT NULL,
    part text NOT NULL,
    body json NOT NULL,
    PRIMARY KEY (table_name, key, part, shard)
) PARTITION BY LIST (table_name);

CREATE TABLE journal (
    processor text NOT NULL,
    shard int NOT NULL,
    key text NOT NULL,
    n bigint NOT NULL,
    at timestamptz NOT NULL,
    kind text NOT NULL,
    body json NOT NULL,
    cause text NOT NULL,
    PRIMARY KEY (processor, key, n, shard)
);
