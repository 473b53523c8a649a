-- Human MR series that one model has not looked at, or all of them where `force` says so, in the order of their keys.
SELECT
    s.series_id,
    s.series_uid,
    c.archive,
    c.name AS collection,
    scoring_input(s.series_id) AS input_sha256
FROM series AS s
INNER JOIN collection AS c ON s.collection_id = c.collection_id
WHERE
    s.species = 'human'
    AND s.modality = 'MR'
    AND (%(collection)s::text IS NULL OR c.name = %(collection)s)
    AND EXISTS (
        SELECT FROM pack AS p
        WHERE p.series_id = s.series_id AND p.acquired
    )
    AND (
        %(force)s
        OR NOT EXISTS (
            SELECT FROM series_prediction AS d
            WHERE d.series_id = s.series_id AND d.model_id = %(model_id)s
        )
    )
ORDER BY s.series_id
LIMIT %(limit)s
