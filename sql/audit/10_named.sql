-- Objects that rows name and that the store lacks or holds with another size. A series has its raw object, its sidecar
-- and its packs; a run has what it published, and a model its weights, from which the catalogue can be rebuilt.
WITH named AS (
    SELECT
        p.object_key AS key,
        p.pack_bytes AS bytes,
        'pack' AS kind,
        p.series_id
    FROM pack AS p
    UNION ALL
    SELECT
        sidecar_key,
        NULL,
        'sidecar',
        series_id
    FROM series
    UNION ALL
    SELECT
        raw_key,
        NULL,
        'raw',
        series_id
    FROM series
    UNION ALL
    SELECT
        published_key,
        NULL,
        'run',
        NULL
    FROM ingest_run
    UNION ALL
    SELECT
        published_key,
        NULL,
        'run',
        NULL
    FROM score_run
    UNION ALL
    SELECT
        weights_key,
        NULL,
        'weights',
        NULL
    FROM model
)

SELECT
    n.key,
    s.series_uid,
    s.raw_key,
    s.profile,
    n.kind || CASE WHEN o.key IS NULL THEN '_missing' ELSE '_size_differs' END AS code
FROM named AS n
LEFT JOIN stored_object AS o ON n.key = o.key
LEFT JOIN series AS s ON n.series_id = s.series_id
WHERE o.key IS NULL OR o.bytes <> n.bytes
ORDER BY n.key
