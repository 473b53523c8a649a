-- One page of collections with what they hold, by name, after the one whose key is given; or one of them alone.
SELECT
    c.collection_id,
    c.archive,
    c.name,
    t.subject_count,
    t.study_count,
    t.series_count,
    t.slice_count,
    t.species,
    t.licenses,
    t.citation_urls,
    t.published_at
FROM collection AS c
INNER JOIN collection_total AS t ON c.collection_id = t.collection_id
WHERE
    (%(collection_id)s::bigint IS NULL OR c.collection_id = %(collection_id)s)
    AND (
        %(after)s::bigint < 0
        OR (c.name, c.collection_id) > (
            SELECT
                k.name,
                k.collection_id
            FROM collection AS k
            WHERE k.collection_id = %(after)s
        )
    )
ORDER BY c.name, c.collection_id
LIMIT %(limit)s
