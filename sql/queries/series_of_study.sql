-- One page of the series of a study, in the order of their key, as short as a list within a study needs them.
SELECT
    s.series_id,
    s.series_uid,
    s.series_number,
    s.series_description,
    s.modality,
    s.sequence,
    s.plane,
    s.slice_count,
    s.volume_count,
    cover.pack_id AS cover_pack_id,
    cover.slice_count / 2 AS cover_index
FROM study AS t
INNER JOIN series AS s ON t.study_id = s.study_id
LEFT JOIN LATERAL (
    SELECT
        p.pack_id,
        p.slice_count
    FROM pack AS p
    WHERE p.series_id = s.series_id
    ORDER BY p.acquired DESC, p.volume ASC, p.plane ASC
    LIMIT 1
) AS cover ON true
WHERE t.study_uid = %(study_uid)s AND s.series_id > %(after)s
ORDER BY s.series_id
LIMIT %(limit)s
