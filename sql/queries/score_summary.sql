-- What each model looked at, for people: a line of the demo's end. No parameters.
SELECT
    m.version AS model,
    count(*) AS series,
    (
        SELECT count(*) FROM slice_prediction AS l
        WHERE l.model_id = m.model_id
    ) AS slices,
    count(*) FILTER (WHERE p.tumor_probability >= m.series_threshold) AS tumor,
    count(*) FILTER (WHERE p.declined) AS declined
FROM model AS m
INNER JOIN series_prediction AS p ON m.model_id = p.model_id
GROUP BY m.model_id
ORDER BY m.version
