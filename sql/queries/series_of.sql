-- Every series in `wanted`, by key.
SELECT v.*
FROM wanted AS w
INNER JOIN series_shown AS v ON w.series_id = v.series_id
ORDER BY w.series_id
