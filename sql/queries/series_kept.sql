-- What stands written down of the series of one page.
SELECT t.*
FROM series_told AS t
WHERE t.series_id = any(%(series_ids)s::bigint[])
