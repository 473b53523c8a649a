-- A series that is scored now is no longer told as one that could not be.
DELETE FROM reject AS r
USING incoming_score AS i
INNER JOIN series AS s ON i.series_id = s.series_id
WHERE r.step = 'score' AND r.series_uid = s.series_uid AND r.published_at < i.published_at;
