-- migrate:up

-- Which state of the catalogue a copy of it shows: who keeps one (the search snapshot) asks for this row, and makes a
-- new copy when it differs. The time stands beside the number because a database restored from a backup counts again
-- from an older one.
CREATE TABLE catalogue_state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version bigint NOT NULL,
    changed_at timestamptz NOT NULL
);
INSERT INTO catalogue_state (version, changed_at) VALUES (0, current_timestamp);
COMMENT ON TABLE catalogue_state IS
'The state of what is searched: one row, raised by every transaction that changes it.';
COMMENT ON COLUMN catalogue_state.only_row IS 'There is one row.';
COMMENT ON COLUMN catalogue_state.version IS 'Raised by one or more with each change; nothing new leaves it as it is.';
COMMENT ON COLUMN catalogue_state.changed_at IS 'When the transaction that raised it began.';

-- migrate:down

DROP TABLE catalogue_state;
