-- What each collection holds. Computed beside the table and merged, so that a collection that did not move is not
-- written.

CREATE TEMP TABLE fresh_collection_total ON COMMIT DROP AS
WITH packed AS (
    SELECT
        s.collection_id,
        sum(p.slice_count) AS slices
    FROM pack AS p
    INNER JOIN series AS s ON p.series_id = s.series_id
    GROUP BY s.collection_id
),

licensed AS (
    SELECT
        l.collection_id,
        jsonb_agg(
            jsonb_build_object('name', l.license_name, 'url', l.license_url, 'series_count', l.series_count)
            ORDER BY l.series_count DESC, l.license_name ASC, l.license_url ASC
        ) AS licenses
    FROM (
        SELECT
            collection_id,
            license_name,
            license_url,
            count(*) AS series_count
        FROM series
        WHERE license_name IS NOT NULL OR license_url IS NOT NULL
        GROUP BY collection_id, license_name, license_url
    ) AS l
    GROUP BY l.collection_id
)

SELECT
    s.collection_id,
    count(DISTINCT s.subject_id) AS subject_count,
    count(DISTINCT s.study_id) AS study_count,
    count(*) AS series_count,
    coalesce(max(p.slices), 0)::bigint AS slice_count,
    array_agg(DISTINCT s.species ORDER BY s.species) AS species,
    coalesce(max(l.licenses::text)::jsonb, '[]'::jsonb) AS licenses,
    coalesce(
        array_agg(DISTINCT s.citation_url ORDER BY s.citation_url) FILTER (WHERE s.citation_url IS NOT NULL),
        ARRAY[]::text[]
    ) AS citation_urls,
    max(s.published_at) AS published_at
FROM series AS s
LEFT JOIN packed AS p ON s.collection_id = p.collection_id
LEFT JOIN licensed AS l ON s.collection_id = l.collection_id
GROUP BY s.collection_id;

DELETE FROM collection_total AS t
WHERE NOT EXISTS (SELECT FROM fresh_collection_total AS n WHERE n.collection_id = t.collection_id);

INSERT INTO collection_total (
    collection_id, subject_count, study_count, series_count, slice_count, species, licenses, citation_urls, published_at
)
SELECT
    n.collection_id,
    n.subject_count,
    n.study_count,
    n.series_count,
    n.slice_count,
    n.species,
    n.licenses,
    n.citation_urls,
    n.published_at
FROM fresh_collection_total AS n
LEFT JOIN collection_total AS t ON n.collection_id = t.collection_id
WHERE
    t.collection_id IS NULL
    OR (
        n.subject_count, n.study_count, n.series_count, n.slice_count,
        n.species, n.licenses, n.citation_urls, n.published_at
    )
    IS DISTINCT FROM (
        t.subject_count, t.study_count, t.series_count, t.slice_count,
        t.species, t.licenses, t.citation_urls, t.published_at
    )
ON CONFLICT (collection_id) DO UPDATE SET
    subject_count = excluded.subject_count,
    study_count = excluded.study_count,
    series_count = excluded.series_count,
    slice_count = excluded.slice_count,
    species = excluded.species,
    licenses = excluded.licenses,
    citation_urls = excluded.citation_urls,
    published_at = excluded.published_at;

DROP TABLE fresh_collection_total;
