-- What one model says of the slices of one series, by volume, plane and number.
SELECT
    p.pack_id,
    p.volume,
    p.plane,
    q.slice_index,
    q.tumor_probability,
    q.brain_probability,
    q.lesion_area_px,
    q.tumor_probability >= m.tumor_threshold AS tumor,
    q.brain_probability < m.brain_threshold AS declined
FROM series AS s
INNER JOIN pack AS p ON s.series_id = p.series_id
INNER JOIN slice_prediction AS q ON p.pack_id = q.pack_id
INNER JOIN model AS m ON q.model_id = m.model_id
WHERE
    s.series_uid = %(uid)s
    AND m.version = %(model)s
    AND (%(plane)s::text IS NULL OR p.plane = %(plane)s)
ORDER BY p.volume, p.plane, q.slice_index
LIMIT %(limit)s
