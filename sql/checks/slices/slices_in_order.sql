-- A slice starts behind the last byte of the one before it, and no number comes twice.
SELECT
    pack_id::text AS pack,
    'order' AS trouble
FROM (
    SELECT
        pack_id,
        slice_index,
        byte_offset,
        lag(slice_index) OVER w AS last_index,
        lag(byte_offset + byte_length) OVER w AS last_byte
    FROM stage_slice
    WINDOW w AS (PARTITION BY pack_id ORDER BY slice_index)
) AS ordered
WHERE slice_index = last_index OR byte_offset < last_byte
LIMIT 20
