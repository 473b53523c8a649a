-- Objects whose bytes are read and hashed: a share of all packs and raw objects, the same ones for the same seed.
WITH hashed AS (
    SELECT
        p.object_key AS key,
        p.sha256,
        s.series_uid,
        s.raw_key,
        s.profile
    FROM pack AS p
    INNER JOIN series AS s ON p.series_id = s.series_id
    UNION ALL
    SELECT
        o.key,
        substring(o.key FROM '/([0-9a-f]{64})\.[a-z.]+$') AS sha256,
        split_part(o.key, '/', 4) AS series_uid,
        o.key AS raw_key,  -- noqa: AL08
        NULL AS profile
    FROM stored_object AS o
    WHERE o.key ~ '^raw/.*/[0-9a-f]{64}\.(zip|nii\.gz|nii)$'
)

SELECT h.*
FROM hashed AS h
INNER JOIN stored_object AS o ON h.key = o.key
WHERE ('x' || left(md5(%(seed)s || h.key), 8))::bit(32)::bigint < %(share)s * 4294967296
ORDER BY h.key
