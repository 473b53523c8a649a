-- The series in `wanted` that have no value to be sorted by: they come last in either direction, by key.
SELECT
    w.series_id,
    w.sort_key
FROM wanted AS w
WHERE
    w.sort_key IS NULL
    AND (%(after_id)s::bigint IS NULL OR w.series_id > %(after_id)s::bigint)
ORDER BY w.series_id ASC
LIMIT %(limit)s
