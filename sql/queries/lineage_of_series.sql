-- Where one series came from and what was made of it by whom.
SELECT
    s.series_uid,
    t.study_uid,
    c.archive,
    c.name AS collection,
    s.license_name,
    s.license_url,
    s.citation_url,
    s.source_url,
    s.raw_key,
    s.raw_sha256,
    s.sidecar_key,
    s.profile,
    s.transfer_syntax,
    s.published_at,
    r.run
FROM series AS s
INNER JOIN study AS t ON s.study_id = t.study_id
INNER JOIN collection AS c ON s.collection_id = c.collection_id
LEFT JOIN LATERAL (
    -- Runs are told apart by the moment they were published; the row keeps that of the newest that carried it.
    SELECT i.run
    FROM ingest_run AS i
    WHERE i.step = 'normalize' AND i.published_at = s.published_at
    ORDER BY i.run_id
    LIMIT 1
) AS r ON true
WHERE s.series_uid = %(uid)s
