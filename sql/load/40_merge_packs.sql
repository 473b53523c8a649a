-- Packs and their slices. Slices were staged for new and changed packs alone: equal packs have equal slices.

DELETE FROM pack AS p
USING current_series AS c
WHERE
    p.series_id = c.series_id
    AND c.stands
    AND NOT EXISTS (
        SELECT FROM incoming_pack AS i
        WHERE i.pack_id = p.pack_id
    );

DELETE FROM slice AS s
USING changed_pack AS c
WHERE s.pack_id = c.pack_id AND c.stands;

DELETE FROM pack_size AS s
USING changed_pack AS c
WHERE s.pack_id = c.pack_id AND c.stands;

INSERT INTO pack
SELECT i.*
FROM incoming_pack AS i
INNER JOIN changed_pack AS c ON i.pack_id = c.pack_id
ORDER BY i.pack_id
ON CONFLICT (pack_id) DO UPDATE SET
    series_id = excluded.series_id,
    volume = excluded.volume,
    plane = excluded.plane,
    acquired = excluded.acquired,
    object_key = excluded.object_key,
    pack_bytes = excluded.pack_bytes,
    sha256 = excluded.sha256,
    slice_count = excluded.slice_count,
    width = excluded.width,
    height = excluded.height,
    pixel_width_mm = excluded.pixel_width_mm,
    pixel_height_mm = excluded.pixel_height_mm,
    slice_spacing_mm = excluded.slice_spacing_mm
WHERE pack IS DISTINCT FROM excluded;

INSERT INTO slice (pack_id, byte_offset, crc32, slice_index, byte_length, position_mm)
SELECT pack_id, byte_offset, crc32, slice_index, byte_length, position_mm
FROM stage_slice;

INSERT INTO pack_size (pack_id, slice_bytes)
SELECT
    pack_id,
    sum(byte_length)
FROM stage_slice
GROUP BY pack_id;
