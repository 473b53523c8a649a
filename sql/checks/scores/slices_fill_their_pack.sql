-- Every slice of every pack that a scored series has was looked at, once.
SELECT
    i.pack_id::text AS pack,
    'slices' AS trouble
FROM incoming_scored_pack AS i
LEFT JOIN (
    SELECT
        pack_id,
        count(*) AS slices,
        count(DISTINCT slice_index) AS numbers,
        min(slice_index) AS first,
        max(slice_index) AS last
    FROM stage_slice_score
    GROUP BY pack_id
) AS s ON i.pack_id = s.pack_id
WHERE
    s.slices IS DISTINCT FROM i.slice_count
    OR s.numbers <> i.slice_count
    OR s.first <> 0
    OR s.last <> i.slice_count - 1
LIMIT 20
