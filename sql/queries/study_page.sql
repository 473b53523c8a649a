-- One page of studies in the order of their key.
SELECT
    t.study_id,
    t.study_uid,
    t.subject_id,
    u.patient_id AS subject,
    t.study_date,
    t.study_description,
    n.series_count,
    n.collections,
    n.sequences
FROM study AS t
INNER JOIN subject AS u ON t.subject_id = u.subject_id
INNER JOIN LATERAL (
    SELECT
        count(*) AS series_count,
        coalesce(array_agg(DISTINCT c.name ORDER BY c.name), ARRAY[]::text[]) AS collections,
        coalesce(
            array_agg(DISTINCT s.sequence ORDER BY s.sequence) FILTER (WHERE s.sequence IS NOT NULL), ARRAY[]::text[]
        ) AS sequences
    FROM series AS s
    INNER JOIN collection AS c ON s.collection_id = c.collection_id
    WHERE s.study_id = t.study_id
) AS n ON true
WHERE
    t.study_id > %(after)s
    AND (%(study_uid)s::text IS NULL OR t.study_uid = %(study_uid)s)
    AND (%(subject_id)s::bigint IS NULL OR t.subject_id = %(subject_id)s)
    AND (%(subject)s::text IS NULL OR u.patient_id = %(subject)s)
    AND (%(date_from)s::date IS NULL OR t.study_date >= %(date_from)s)
    AND (%(date_to)s::date IS NULL OR t.study_date <= %(date_to)s)
    AND (
        %(collection)s::text IS NULL
        OR EXISTS (
            SELECT FROM series AS s
            INNER JOIN collection AS c ON s.collection_id = c.collection_id
            WHERE s.study_id = t.study_id AND c.name = %(collection)s
        )
    )
ORDER BY t.study_id
LIMIT %(limit)s
