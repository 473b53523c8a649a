-- What lists show of one series. Its key as an equality, not as one of some: a plan for any key is then known to be as
-- good as one made for this key, and making one takes longer than all the rest.
SELECT v.*
FROM series_shown AS v
WHERE v.series_id = %(series_id)s::bigint
