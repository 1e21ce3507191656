-- From here on several facts may travel in one record of the bus. A release before this one cannot read such a record, so
-- that a process begins with it only when it starts after this step: when none of the release before is left.

COMMENT ON TABLE outbox IS 'Committed facts on their way to the bus, where those of a run may travel in one record.';
