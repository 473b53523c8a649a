-- Where some slices of one pack are.
SELECT
    slice_index,
    byte_offset,
    byte_length,
    crc32
FROM slice
WHERE pack_id = %(pack_id)s AND slice_index = ANY(%(indices)s)
ORDER BY slice_index
