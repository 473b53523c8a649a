-- Whether there is a series with this key.
SELECT count(*) > 0
FROM series
WHERE series_id = %(series_id)s::bigint
