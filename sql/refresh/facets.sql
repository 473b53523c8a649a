-- Counts a filter value. Computed beside the table and merged, so that a value that did not move is not written.

CREATE TEMP TABLE fresh_facet ON COMMIT DROP AS
WITH counted AS (
    SELECT
        s.series_id,
        s.subject_id,
        s.plane,
        s.sequence,
        s.manufacturer,
        s.species,
        s.sex,
        c.name AS collection,
        coalesce(p.slices, 0) AS slices
    FROM series AS s
    INNER JOIN collection AS c ON s.collection_id = c.collection_id
    LEFT JOIN (
        SELECT
            series_id,
            sum(slice_count) AS slices
        FROM pack
        GROUP BY series_id
    ) AS p ON s.series_id = p.series_id
),

valued AS (
    SELECT
        v.facet,
        coalesce(v.value, '') AS value,
        counted.series_id,
        counted.subject_id,
        counted.slices
    FROM counted
    CROSS JOIN
        LATERAL (
            VALUES
            ('total', ''),
            ('collection', counted.collection),
            ('plane', counted.plane),
            ('sequence', counted.sequence),
            ('manufacturer', counted.manufacturer),
            ('species', counted.species),
            ('sex', counted.sex)
        ) AS v (facet, value)
    UNION ALL
    SELECT
        'shown_plane',
        p.plane,
        s.series_id,
        s.subject_id,
        p.slice_count
    FROM pack AS p
    INNER JOIN series AS s ON p.series_id = s.series_id
)

SELECT
    facet,
    value,
    count(DISTINCT series_id) AS series_count,
    count(DISTINCT subject_id) AS subject_count,
    sum(slices)::bigint AS slice_count
FROM valued
GROUP BY facet, value
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

DROP TABLE fresh_facet;
