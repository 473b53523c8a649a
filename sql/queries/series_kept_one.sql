-- What stands written down of one series. Its key as an equality, not as one of some: a plan for any key is then known
-- to be as good as one made for this key, and making one takes longer than all the rest.
SELECT t.*
FROM series_told AS t
WHERE t.series_id = %(series_id)s::bigint
