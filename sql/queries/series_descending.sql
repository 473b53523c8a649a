-- The same as series_ascending, backwards.
SELECT
    w.series_id,
    w.sort_key
FROM wanted AS w
WHERE
    w.sort_key IS NOT NULL
    AND (%(after_id)s::bigint IS NULL OR (w.sort_key, w.series_id) < (%(after_value)s, %(after_id)s::bigint))
ORDER BY w.sort_key DESC, w.series_id DESC
LIMIT %(limit)s
