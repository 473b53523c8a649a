-- Of a hundred catalogued series or more that come again, at least half of all slices come again.
SELECT count(*) < 100 OR sum(i.slice_count) * 2 >= sum(s.slice_count) AS passed
FROM stage_series AS i
INNER JOIN series AS s ON i.series_id = s.series_id AND i.published_at > s.published_at
