-- A series that could not be scored is told, unless a run published as late or later did score it.

DELETE FROM reject AS r
USING incoming_score AS i
INNER JOIN series AS s ON i.series_id = s.series_id
WHERE r.step = 'score' AND r.series_uid = s.series_uid AND r.published_at < i.published_at;

INSERT INTO reject (
    reject_id, archive, collection, series_uid, code, step, detail, object_key, fatal, published_at
)
SELECT DISTINCT ON (s.reject_id)
    s.reject_id,
    s.archive,
    s.collection,
    s.series_uid,
    s.code,
    s.step,
    s.detail,
    s.object_key,
    s.fatal,
    r.published_at
FROM stage_reject AS s
CROSS JOIN stage_score_run AS r
WHERE
    NOT EXISTS (
        SELECT FROM series AS c
        INNER JOIN series_prediction AS p ON c.series_id = p.series_id
        WHERE c.series_uid = s.series_uid AND p.model_id = r.model_id AND p.published_at >= r.published_at
    )
ORDER BY s.reject_id ASC, s.detail DESC
ON CONFLICT (reject_id) DO UPDATE SET
    detail = excluded.detail,
    fatal = excluded.fatal,
    published_at = excluded.published_at
WHERE (excluded.published_at, excluded.fatal, excluded.detail) > (reject.published_at, reject.fatal, reject.detail);
