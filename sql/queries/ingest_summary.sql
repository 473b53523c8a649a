-- What the catalogue holds, for people: one row a line of the demo's last table, slices of the
-- volumes that stand for their series (0). No parameters.
SELECT
    'collection' AS kind,
    collection.name,
    count(DISTINCT series.series_id) AS series,
    coalesce(sum(pack.slice_count), 0) AS slices
FROM collection
LEFT JOIN series USING (collection_id)
LEFT JOIN pack ON series.series_id = pack.series_id AND pack.volume = 0
GROUP BY collection.archive, collection.name
UNION ALL
SELECT
    'plane',
    pack.plane,
    count(DISTINCT pack.series_id),
    sum(pack.slice_count)
FROM pack
WHERE pack.volume = 0
GROUP BY pack.plane
UNION ALL
SELECT
    'reject',
    reject.code,
    count(DISTINCT reject.series_uid) FILTER (WHERE reject.fatal),
    0
FROM reject
GROUP BY reject.code
ORDER BY kind, name;
