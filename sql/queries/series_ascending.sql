-- One page of the series in `wanted` after the row where the last page ended. `sort_key` stands for one of the columns
-- of `wanted`, named by the code from a short list; ties are broken by the key, so that every row has one place.
SELECT
    w.series_id,
    w.sort_key
FROM wanted AS w
WHERE
    w.sort_key IS NOT NULL
    AND (%(after_id)s::bigint IS NULL OR (w.sort_key, w.series_id) > (%(after_value)s, %(after_id)s::bigint))
ORDER BY w.sort_key ASC, w.series_id ASC
LIMIT %(limit)s
