-- One page of the slices of a series, by volume, plane and number.
SELECT
    p.pack_id,
    p.volume,
    p.plane,
    l.slice_index,
    l.position_mm,
    l.byte_length,
    coalesce(lt.tumor, st.tumor) AS tumor
FROM series AS s
INNER JOIN pack AS p ON s.series_id = p.series_id
INNER JOIN slice AS l ON p.pack_id = l.pack_id
LEFT JOIN slice_truth AS lt ON l.pack_id = lt.pack_id AND l.slice_index = lt.slice_index
LEFT JOIN series_truth AS st ON s.series_id = st.series_id
WHERE
    s.series_uid = %(uid)s
    AND (%(plane)s::text IS NULL OR p.plane = %(plane)s)
    AND (p.volume, p.plane, l.slice_index) > (%(volume)s::bigint, %(after_plane)s::text, %(index)s::bigint)
ORDER BY p.volume, p.plane, l.slice_index
LIMIT %(limit)s
