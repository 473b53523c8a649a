-- One part carries a series once.
SELECT series_uid, 'series twice in one part' AS trouble
FROM stage_series
GROUP BY part, series_id, series_uid
HAVING count(*) > 1
LIMIT 20
