-- The packs of one series as files: what anyone needs to check the bytes they were given.
SELECT
    p.volume,
    p.plane,
    p.acquired,
    p.sha256,
    p.pack_bytes,
    p.slice_count
FROM pack AS p
INNER JOIN series AS s ON p.series_id = s.series_id
WHERE s.series_uid = %(uid)s
ORDER BY p.volume, p.plane
