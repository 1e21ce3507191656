-- From here on a record of several facts may be compressed, on the bus and in the outbox. A release before this one reads only
-- plain ones, so that a process begins with it only when it starts after this step: when none of the release before is left.

COMMENT ON TABLE outbox IS 'Committed facts on their way to the bus, where those of a run may travel in one compressed record.';
