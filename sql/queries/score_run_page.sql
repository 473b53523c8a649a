-- Loaded scoring runs, the newest first.
SELECT
    r.run,
    m.version AS model,
    r.published_at,
    r.series_count,
    r.slice_count,
    r.reject_count
FROM score_run AS r
INNER JOIN model AS m ON r.model_id = m.model_id
ORDER BY r.published_at DESC, r.run_id ASC
LIMIT %(limit)s
