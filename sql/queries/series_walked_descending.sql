-- One page of the series of some cells out of a walk. The row where the walk ends comes along as `ended`, whether it
-- matches or not, so that a page that is not full tells why.
SELECT
    w.series_id,
    w.sort_key,
    w.cell_id = any(%(cell_ids)s::bigint[]) AS matches,
    w.step = %(steps)s AS ended
FROM wanted AS w
WHERE w.step = %(steps)s OR w.cell_id = any(%(cell_ids)s::bigint[])
ORDER BY w.sort_key DESC, w.series_id DESC
LIMIT %(limit)s
