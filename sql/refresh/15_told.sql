-- Writes down anew what the API tells of the series that this load touched, where that is something else than before.

INSERT INTO series_told
SELECT f.*
FROM series_told_fresh AS f
INNER JOIN touched_series AS t ON f.series_id = t.series_id
LEFT JOIN series_told AS s ON f.series_id = s.series_id
WHERE s.series_id IS NULL OR s IS DISTINCT FROM f
ORDER BY f.series_id
ON CONFLICT (series_id) DO UPDATE
    SET
        series_uid = excluded.series_uid,
        cover = excluded.cover,
        members = excluded.members
