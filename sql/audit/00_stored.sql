-- Every object of the store, for the time of one audit.
CREATE TEMPORARY TABLE stored_object (
    key text COLLATE "C" NOT NULL,
    bytes bigint NOT NULL,
    modified timestamptz NOT NULL
) ON COMMIT DROP;
