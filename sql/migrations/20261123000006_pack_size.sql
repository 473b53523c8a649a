-- migrate:up

-- How many bytes the slices of a pack have together, so that the length of a download follows from its packs: a zip of
-- 1 GB has 2,000 packs and 100,000 slices. Not a column of pack, whose rows are compared whole with those of a run.
CREATE TABLE pack_size (
    pack_id bigint PRIMARY KEY REFERENCES pack ON DELETE CASCADE,
    slice_bytes bigint NOT NULL CHECK (slice_bytes > 0)
);
INSERT INTO pack_size (pack_id, slice_bytes)
SELECT
    pack_id,
    sum(byte_length)
FROM slice
GROUP BY pack_id;

COMMENT ON TABLE pack_size IS 'Sums over the slices of a pack, kept by the load.';
COMMENT ON COLUMN pack_size.pack_id IS 'The pack.';
COMMENT ON COLUMN pack_size.slice_bytes IS 'Bytes of all its JPEGs.';

-- migrate:down

DROP TABLE pack_size;
