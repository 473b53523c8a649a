-- Normalized objects that no row names. A volume as NIfTI is made at the first wish and has no row of its own: it
-- belongs to the series whose sidecar stands beside it.
SELECT
    o.key,
    o.modified
FROM stored_object AS o
WHERE
    o.key LIKE 'normalized/%'
    AND NOT EXISTS (SELECT FROM pack AS p WHERE p.object_key = o.key)
    AND NOT EXISTS (
        SELECT FROM series AS s
        WHERE
            s.sidecar_key
            = CASE WHEN o.key LIKE '%.nii.gz' THEN regexp_replace(o.key, '[^/]+$', 'sidecar.json') ELSE o.key END
    )
ORDER BY o.key
