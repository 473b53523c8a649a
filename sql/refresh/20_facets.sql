-- Counts a filter value: series and slices are sums over cells, subjects are what they were and what this load changed.
-- Computed beside the table and merged, so that a value that did not move is not written.

CREATE TEMP TABLE fresh_facet ON COMMIT DROP AS
SELECT
    c.facet,
    c.value,
    c.series_count,
    (coalesce(f.subject_count, 0) + coalesce(d.subject_count, 0))::bigint AS subject_count,
    c.slice_count
FROM (
    SELECT
        facet,
        value,
        sum(series_count)::bigint AS series_count,
        sum(slice_count)::bigint AS slice_count
    FROM cell_facet
    GROUP BY facet, value
) AS c
LEFT JOIN facet AS f ON c.facet = f.facet AND c.value = f.value
LEFT JOIN (
    SELECT
        facet,
        value,
        sum(subject_count) AS subject_count
    FROM subject_change
    GROUP BY facet, value
) AS d ON c.facet = d.facet AND c.value = d.value
UNION ALL
-- A series that was rejected once and catalogued later is no longer missing, so its reject no longer counts.
SELECT
    'reject',
    r.code,
    count(DISTINCT row(r.archive, r.collection, r.series_uid)),
    0,
    0
FROM reject AS r
WHERE
    NOT r.fatal
    OR NOT EXISTS (
        SELECT FROM series AS s
        WHERE s.series_uid = r.series_uid AND s.published_at >= r.published_at
    )
GROUP BY r.code;

DELETE FROM facet AS f
WHERE NOT EXISTS (
    SELECT FROM fresh_facet AS n
    WHERE n.facet = f.facet AND n.value = f.value
);

INSERT INTO facet (facet, value, series_count, subject_count, slice_count)
SELECT
    n.facet,
    n.value,
    n.series_count,
    n.subject_count,
    n.slice_count
FROM fresh_facet AS n
LEFT JOIN facet AS f ON n.facet = f.facet AND n.value = f.value
WHERE
    f.facet IS NULL
    OR (n.series_count, n.subject_count, n.slice_count)
    IS DISTINCT FROM (f.series_count, f.subject_count, f.slice_count)
ON CONFLICT (facet, value) DO UPDATE SET
    series_count = excluded.series_count,
    subject_count = excluded.subject_count,
    slice_count = excluded.slice_count;

DROP TABLE fresh_facet, subject_change;

UPDATE search_version AS v
SET version = f.version
FROM (
    SELECT
        r.row_hash
        + (SELECT coalesce(sum(hashtextextended(c::text, 0)), 0) FROM series_cell AS c)
        + (SELECT coalesce(sum(hashtextextended(k::text, 0)), 0) FROM facet AS k) AS version
    FROM search_version AS r
) AS f
WHERE v.version <> f.version;
