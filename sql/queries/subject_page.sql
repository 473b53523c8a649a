-- One page of subjects in the order of their key; counts are of the page's own rows, each by a short index range.
SELECT
    u.subject_id,
    u.patient_id AS subject,
    u.species,
    u.sex,
    n.study_count,
    n.series_count,
    n.collections
FROM subject AS u
INNER JOIN LATERAL (
    SELECT
        count(*) AS series_count,
        count(DISTINCT s.study_id) AS study_count,
        coalesce(array_agg(DISTINCT c.name ORDER BY c.name), ARRAY[]::text[]) AS collections
    FROM series AS s
    INNER JOIN collection AS c ON s.collection_id = c.collection_id
    WHERE s.subject_id = u.subject_id
) AS n ON true
WHERE
    u.subject_id > %(after)s
    AND (%(subject_id)s::bigint IS NULL OR u.subject_id = %(subject_id)s)
    AND (%(subject)s::text IS NULL OR u.patient_id = %(subject)s)
    AND (%(species)s::text IS NULL OR u.species = %(species)s)
    AND (%(sex)s::text IS NULL OR u.sex = %(sex)s)
    AND (
        %(collection)s::text IS NULL
        OR EXISTS (
            SELECT FROM series AS s
            INNER JOIN collection AS c ON s.collection_id = c.collection_id
            WHERE s.subject_id = u.subject_id AND c.name = %(collection)s
        )
    )
ORDER BY u.subject_id
LIMIT %(limit)s
