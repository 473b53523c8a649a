-- Whether there is a series with this key.
SELECT EXISTS (SELECT FROM series AS s WHERE s.series_id = %(series_id)s::bigint)
