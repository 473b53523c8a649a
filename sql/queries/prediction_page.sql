-- One page of the series that one model spoke of, the most probable first, after the series whose key is given.
SELECT
    s.series_id,
    s.series_uid,
    m.version AS model,
    m.active,
    p.tumor_probability,
    p.declined,
    m.series_threshold,
    p.slice_count,
    p.accepted_count,
    p.peak_pack_id,
    p.peak_slice_index,
    p.published_at,
    p.tumor_probability >= m.series_threshold AS tumor
FROM model AS m
INNER JOIN series_prediction AS p ON m.model_id = p.model_id
INNER JOIN series AS s ON p.series_id = s.series_id
WHERE
    (m.version = %(model)s OR (%(model)s::text IS NULL AND m.active))
    AND p.tumor_probability BETWEEN %(at_least)s::real AND %(at_most)s::real
    AND (
        %(after)s::bigint < 0
        OR (p.tumor_probability, p.series_id) < (
            SELECT
                l.tumor_probability,
                l.series_id
            FROM series_prediction AS l
            WHERE l.series_id = %(after)s AND l.model_id = m.model_id
        )
    )
ORDER BY p.tumor_probability DESC, p.series_id DESC
LIMIT %(limit)s
