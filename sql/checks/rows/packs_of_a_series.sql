-- Every pack belongs to a series of the same part, once, and every series has a pack of its acquired plane.
SELECT p.series_uid, 'pack without series, or twice' AS trouble
FROM stage_pack AS p
LEFT JOIN stage_series AS s ON p.series_id = s.series_id AND p.part = s.part
GROUP BY p.pack_id, p.series_uid
HAVING count(*) > 1 OR count(s.series_id) = 0
UNION ALL
SELECT s.series_uid, 'series without a pack' AS trouble
FROM stage_series AS s
WHERE
    NOT EXISTS (
        SELECT FROM stage_pack AS p
        WHERE p.series_id = s.series_id AND p.plane = s.plane
    )
LIMIT 20
