-- Every slice of the series in `wanted`, pack by pack, of one plane where one is asked for.
SELECT
    p.object_key,
    c.name AS collection,
    u.patient_id AS subject,
    s.series_uid,
    p.volume,
    p.plane,
    l.slice_index,
    l.byte_offset,
    l.byte_length,
    l.crc32,
    p.pack_id,
    s.series_id,
    coalesce(lt.tumor, st.tumor) AS tumor,
    CASE WHEN lt.tumor IS NULL THEN st.source ELSE lt.source END AS label_source
FROM wanted AS w
INNER JOIN series AS s ON w.series_id = s.series_id
INNER JOIN pack AS p ON s.series_id = p.series_id
INNER JOIN subject AS u ON s.subject_id = u.subject_id
INNER JOIN collection AS c ON s.collection_id = c.collection_id
INNER JOIN slice AS l ON p.pack_id = l.pack_id
LEFT JOIN slice_truth AS lt ON l.pack_id = lt.pack_id AND l.slice_index = lt.slice_index
LEFT JOIN series_truth AS st ON s.series_id = st.series_id
WHERE %(shown_plane)s::text IS NULL OR p.plane = %(shown_plane)s::text
ORDER BY p.object_key, l.slice_index
