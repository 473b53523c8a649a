-- Terms in force for a pack, a series or some collections; nothing where all of them are open.
SELECT
    t.collection_id,
    t.archive,
    t.collection,
    t.terms,
    t.version,
    t.title,
    t.url
FROM collection_terms AS t
WHERE
    t.collection_id = any(%(collection_ids)s::bigint[])
    OR t.collection_id = (
        SELECT s.collection_id
        FROM series AS s
        WHERE s.series_uid = %(series_uid)s
    )
    OR t.collection_id = (
        SELECT s.collection_id
        FROM pack AS p
        INNER JOIN series AS s ON p.series_id = s.series_id
        WHERE p.pack_id = %(pack_id)s
    )
ORDER BY t.collection, t.terms
