-- The packs of some series that a model looks at.
SELECT
    p.series_id,
    p.pack_id,
    p.object_key,
    p.sha256,
    p.pack_bytes,
    p.acquired
FROM scored_pack AS p
WHERE p.series_id = any(%(series)s)
ORDER BY p.series_id, p.pack_id
