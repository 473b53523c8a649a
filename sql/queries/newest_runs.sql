-- When each step last published something that was loaded.
SELECT
    step,
    max(published_at) AS published_at
FROM ingest_run
GROUP BY step
UNION ALL
SELECT
    'score',
    max(published_at)
FROM score_run
HAVING count(*) > 0
ORDER BY step
