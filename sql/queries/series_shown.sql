-- What lists show of the series of one page. Asked apart from the page itself, so that a page of fifty is never
-- mistaken for a join of a million.
SELECT v.*
FROM series_shown AS v
WHERE v.series_id = any(%(series_ids)s::bigint[])
