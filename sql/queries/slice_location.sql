-- Where the bytes of one slice are, and the size of its pixels.
SELECT
    p.object_key,
    p.sha256,
    p.pixel_width_mm,
    p.pixel_height_mm,
    l.byte_offset,
    l.byte_length,
    l.crc32
FROM slice AS l
INNER JOIN pack AS p ON l.pack_id = p.pack_id
WHERE l.pack_id = %(pack_id)s AND l.slice_index = %(slice_index)s
