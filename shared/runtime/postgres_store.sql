-- name: steps
SELECT name FROM {schema}.migration;

-- name: claim
INSERT INTO {schema}.shard AS s (processor, shard, epoch)
SELECT $1, number, 1 FROM unnest($2::int[]) AS number ORDER BY number
ON CONFLICT (processor, shard) DO UPDATE SET epoch = s.epoch + 1
RETURNING shard, epoch;

-- name: epochs
SELECT shard, epoch FROM {schema}.shard WHERE processor = $1 AND shard = ANY ($2::int[]);

-- name: spare
INSERT INTO {schema}.lane_in AS l (processor, shard, source, topic, sequence)
SELECT $1, r.shard, $2, r.topic, r.sequence FROM unnest($3::int[], $4::text[], $5::bigint[]) AS r (shard, topic, sequence)
ON CONFLICT (processor, shard, source, topic) DO UPDATE SET sequence = greatest(l.sequence, excluded.sequence);

-- name: outlive
INSERT INTO {schema}.shard AS s (processor, shard, epoch)
SELECT $1, r.shard, r.epoch FROM unnest($2::int[], $3::bigint[]) AS r (shard, epoch)
ON CONFLICT (processor, shard) DO UPDATE SET epoch = greatest(s.epoch, excluded.epoch);

-- name: inlets
SELECT shard, topic, next_offset FROM {schema}.inlet WHERE processor = $1 AND shard = ANY ($2::int[]);

-- name: lanes_in
SELECT shard, source, topic, sequence FROM {schema}.lane_in WHERE processor = $1 AND shard = ANY ($2::int[]);

-- name: lanes_out
SELECT shard, topic, partition, sequence FROM {schema}.lane_out WHERE processor = $1 AND shard = ANY ($2::int[]);

-- name: unpublished
SELECT shard, topic, partition, first_sequence, sequence, records FROM {schema}.outbox
WHERE processor = $1 AND shard = ANY ($2::int[]) ORDER BY shard, topic, partition, sequence;

-- name: timers
SELECT shard, key, name, due_at, boards FROM {schema}.timer WHERE processor = $1 AND shard = ANY ($2::int[]);

-- name: load
SELECT shard, key, part, body FROM {schema}.state
WHERE table_name = $1 AND key = ANY ($2::text[]) AND shard = ANY ($3::int[]);

-- name: load_shard
SELECT key, part, body FROM {schema}.state WHERE table_name = $1 AND shard = $2;

-- name: journal_length
SELECT shard, key, max(n) AS n FROM {schema}.journal
WHERE processor = $1 AND key = ANY ($2::text[]) AND shard = ANY ($3::int[]) GROUP BY shard, key;

-- name: commit
-- One statement is one transaction and one round trip. Every write hangs on `mine`: all epochs of the batch still hold.
-- FOR SHARE makes a claim of another process wait for this commit, or this commit see that claim.
WITH held AS MATERIALIZED (
    SELECT s.shard FROM {schema}.shard AS s
    JOIN unnest($2::int[], $3::bigint[]) AS m (shard, epoch) ON s.shard = m.shard AND s.epoch = m.epoch
    WHERE s.processor = $1
    FOR SHARE OF s
), mine AS MATERIALIZED (
    SELECT 1 WHERE (SELECT count(*) FROM held) = cardinality($2::int[])
), put AS (
    INSERT INTO {schema}.state AS t (table_name, shard, key, part, body)
    SELECT $4, r.shard, r.key, r.part, r.body
    FROM mine, unnest($5::int[], $6::text[], $7::text[], $8::json[]) AS r (shard, key, part, body)
    ON CONFLICT (table_name, key, part, shard) DO UPDATE SET body = excluded.body
), cut AS (
    DELETE FROM {schema}.state AS t USING mine, unnest($9::int[], $10::text[], $11::text[]) AS r (shard, key, part)
    WHERE t.table_name = $4 AND t.key = r.key AND t.part = r.part AND t.shard = r.shard
), sent AS (
    INSERT INTO {schema}.outbox (processor, shard, topic, partition, first_sequence, sequence, records)
    SELECT $1, r.shard, r.topic, r.partition, r.first_sequence, r.sequence, r.records
    FROM mine, unnest($12::int[], $13::text[], $14::int[], $15::bigint[], $16::bigint[], $17::bytea[])
        AS r (shard, topic, partition, first_sequence, sequence, records)
), pruned AS (
    DELETE FROM {schema}.outbox AS o
    USING mine, unnest($18::int[], $19::text[], $20::int[], $21::bigint[]) AS r (shard, topic, partition, sequence)
    WHERE o.processor = $1 AND o.shard = r.shard AND o.topic = r.topic AND o.partition = r.partition
        AND o.sequence <= r.sequence
), read_to AS (
    INSERT INTO {schema}.inlet (processor, shard, topic, next_offset)
    SELECT $1, r.shard, r.topic, r.next_offset
    FROM mine, unnest($22::int[], $23::text[], $24::bigint[]) AS r (shard, topic, next_offset)
    ON CONFLICT (processor, shard, topic) DO UPDATE SET next_offset = excluded.next_offset
), taken AS (
    INSERT INTO {schema}.lane_in (processor, shard, source, topic, sequence)
    SELECT $1, r.shard, r.source, r.topic, r.sequence
    FROM mine, unnest($25::int[], $26::text[], $27::text[], $28::bigint[]) AS r (shard, source, topic, sequence)
    ON CONFLICT (processor, shard, source, topic) DO UPDATE SET sequence = excluded.sequence
), given AS (
    INSERT INTO {schema}.lane_out (processor, shard, topic, partition, sequence)
    SELECT $1, r.shard, r.topic, r.partition, r.sequence
    FROM mine, unnest($29::int[], $30::text[], $31::int[], $32::bigint[]) AS r (shard, topic, partition, sequence)
    ON CONFLICT (processor, shard, topic, partition) DO UPDATE SET sequence = excluded.sequence
), set_timers AS (
    INSERT INTO {schema}.timer (processor, shard, key, name, due_at, boards)
    SELECT $1, r.shard, r.key, r.name, r.due_at, r.boards
    FROM mine, unnest($33::int[], $34::text[], $35::text[], $36::timestamptz[], $37::text[])
        AS r (shard, key, name, due_at, boards)
    ON CONFLICT (processor, shard, key, name) DO UPDATE SET due_at = excluded.due_at, boards = excluded.boards
), cut_timers AS (
    DELETE FROM {schema}.timer AS t USING mine, unnest($38::int[], $39::text[], $40::text[]) AS r (shard, key, name)
    WHERE t.processor = $1 AND t.shard = r.shard AND t.key = r.key AND t.name = r.name
), told AS (
    INSERT INTO {schema}.journal (processor, shard, key, n, at, kind, body, cause)
    SELECT $1, r.shard, r.key, r.n, r.at, r.kind, r.body, r.cause
    FROM mine, unnest($41::int[], $42::text[], $43::bigint[], $44::timestamptz[], $45::text[], $46::json[], $47::text[])
        AS r (shard, key, n, at, kind, body, cause)
)
SELECT shard FROM held;
