-- What could not be used, by reason, step and collection. A series that was rejected once and catalogued later is no
-- longer missing, so its reject no longer counts.
SELECT
    r.code,
    r.step,
    r.archive,
    r.collection,
    count(DISTINCT r.series_uid) AS series_count,
    count(DISTINCT r.series_uid) FILTER (WHERE r.fatal) AS lost_count,
    max(r.published_at) AS newest_at
FROM reject AS r
WHERE
    NOT r.fatal
    OR NOT EXISTS (
        SELECT FROM series AS s
        WHERE s.series_uid = r.series_uid AND s.published_at >= r.published_at
    )
GROUP BY r.code, r.step, r.archive, r.collection
ORDER BY series_count DESC, r.code ASC, r.step ASC, r.archive ASC, r.collection ASC
LIMIT %(limit)s
