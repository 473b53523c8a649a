-- Every slice of every new or changed pack is there, once, numbered from 0, inside the bytes of its pack.
SELECT
    i.object_key,
    'slices' AS trouble
FROM stage_pack AS i
LEFT JOIN (
    SELECT
        pack_id,
        count(*) AS slices,
        min(slice_index) AS first,
        max(slice_index) AS last,
        min(byte_offset) AS start,
        max(byte_offset + byte_length) AS finish,
        min(byte_length) AS shortest
    FROM stage_slice
    GROUP BY pack_id
) AS s ON i.pack_id = s.pack_id
WHERE
    s.slices IS DISTINCT FROM i.slice_count
    OR s.first <> 0
    OR s.last <> i.slice_count - 1
    OR s.start < 0
    OR s.shortest <= 0
    OR s.finish > i.pack_bytes
LIMIT 20
