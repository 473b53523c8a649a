-- What every model says of one series, the active one first and then the newest.
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
FROM series AS s
INNER JOIN series_prediction AS p ON s.series_id = p.series_id
INNER JOIN model AS m ON p.model_id = m.model_id
WHERE s.series_uid = %(uid)s
ORDER BY m.active DESC, m.registered_at DESC, m.model_id ASC
LIMIT %(limit)s
