-- Slices were staged for new and changed packs alone: equal packs have equal slices.

INSERT INTO slice
SELECT s.* FROM stage_slice AS s;

INSERT INTO pack_size (pack_id, slice_bytes)
SELECT
    pack_id,
    sum(byte_length)
FROM stage_slice
GROUP BY pack_id;
