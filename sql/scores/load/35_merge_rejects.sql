-- A series that could not be scored is told, unless a run published as late or later did score it.
INSERT INTO reject
SELECT DISTINCT ON (s.reject_id) s.*
FROM stage_reject AS s
WHERE
    NOT EXISTS (
        SELECT FROM series AS c
        INNER JOIN series_prediction AS p ON c.series_id = p.series_id
        WHERE
            c.series_uid = s.series_uid
            AND p.model_id = %(model_id)s
            AND p.published_at >= s.published_at
    )
ORDER BY s.reject_id ASC, s.detail DESC
ON CONFLICT (reject_id) DO UPDATE SET
    detail = excluded.detail,
    fatal = excluded.fatal,
    published_at = excluded.published_at
WHERE (excluded.published_at, excluded.fatal, excluded.detail) > (reject.published_at, reject.fatal, reject.detail);
