-- A walk along a sort among the series that have one value of one facet, in the index of the two, no further than
-- `steps` rows: the table expression `wanted` of series_walked_descending. `facet_key` and `sort_key` stand for
-- columns, named by the code from short lists.
SELECT
    s.series_id,
    s.sort_key,
    s.cell_id,
    row_number() OVER (ORDER BY s.sort_key DESC, s.series_id DESC) AS step
FROM series_search AS s
WHERE
    s.facet_key = %(facet_value)s
    AND s.sort_key IS NOT NULL
    AND (%(after_id)s::bigint IS NULL OR (s.sort_key, s.series_id) < (%(after_value)s, %(after_id)s::bigint))
ORDER BY s.sort_key DESC, s.series_id DESC
LIMIT %(steps)s
