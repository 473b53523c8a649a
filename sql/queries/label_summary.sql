-- What each source says of one series: of the whole of it, and of how many of its slices.
SELECT
    l.source,
    bool_or(l.tumor) FILTER (WHERE l.pack_id IS NULL) AS whole,
    count(*) FILTER (WHERE l.pack_id IS NOT NULL AND l.tumor) AS tumor_slices,
    count(*) FILTER (WHERE l.pack_id IS NOT NULL AND NOT l.tumor) AS free_slices
FROM label AS l
INNER JOIN series AS s ON l.series_id = s.series_id
WHERE s.series_uid = %(uid)s
GROUP BY l.source
ORDER BY array_position(ARRAY['reader', 'mask', 'collection'], l.source), l.source
