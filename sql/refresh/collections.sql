-- What each collection holds, of those that this load touched: series and slices are sums over cells, subjects and
-- studies are what they were and what this load changed, licences and citations stand in a table of their own. No
-- series is read, so that a collection of half a million costs what a small one does.

INSERT INTO collection_source AS s (collection_id, license_name, license_url, citation_url, series_count)
SELECT
    d.collection_id,
    d.license_name,
    d.license_url,
    d.citation_url,
    sum(d.series_count)
FROM source_change AS d
-- One that has lost its last series is gone already, and its rows with it.
INNER JOIN collection AS c ON d.collection_id = c.collection_id
GROUP BY d.collection_id, d.license_name, d.license_url, d.citation_url
HAVING sum(d.series_count) <> 0
ON CONFLICT (collection_id, license_name, license_url, citation_url) DO UPDATE SET
    series_count = s.series_count + excluded.series_count;

DELETE FROM collection_source
WHERE series_count = 0;

CREATE TEMP TABLE fresh_collection_total ON COMMIT DROP AS
WITH changed AS (
    SELECT
        d.collection_id,
        sum(d.subject_count) AS subject_count,
        sum(d.study_count) AS study_count
    FROM (
        SELECT
            collection_id,
            subject_count,
            study_count
        FROM collection_change
        UNION ALL
        SELECT
            collection_id,
            0 AS subject_count,
            0 AS study_count
        FROM source_change
    ) AS d
    GROUP BY d.collection_id
),

counted AS (
    SELECT
        c.collection_id,
        sum(k.series_count) AS series_count,
        sum(k.slices_axial + k.slices_coronal + k.slices_sagittal) AS slice_count,
        array_agg(DISTINCT k.species ORDER BY k.species) AS species
    FROM changed AS d
    INNER JOIN collection AS c ON d.collection_id = c.collection_id
    INNER JOIN series_cell AS k ON c.archive = k.archive AND c.name = k.collection
    GROUP BY c.collection_id
)

SELECT
    d.collection_id,
    (coalesce(t.subject_count, 0) + d.subject_count)::bigint AS subject_count,
    (coalesce(t.study_count, 0) + d.study_count)::bigint AS study_count,
    n.series_count::bigint AS series_count,
    n.slice_count::bigint AS slice_count,
    n.species,
    coalesce(licensed.licenses, '[]'::jsonb) AS licenses,
    coalesce(cited.urls, ARRAY[]::text[]) AS citation_urls,
    (
        SELECT max(s.published_at)
        FROM series_search AS s
        WHERE s.collection_id = d.collection_id
    ) AS published_at
FROM changed AS d
INNER JOIN counted AS n ON d.collection_id = n.collection_id
LEFT JOIN collection_total AS t ON d.collection_id = t.collection_id
LEFT JOIN LATERAL (
    SELECT
        jsonb_agg(
            jsonb_build_object('name', l.license_name, 'url', l.license_url, 'series_count', l.series_count)
            ORDER BY l.series_count DESC, l.license_name ASC, l.license_url ASC
        ) AS licenses
    FROM (
        SELECT
            s.license_name,
            s.license_url,
            sum(s.series_count) AS series_count
        FROM collection_source AS s
        WHERE s.collection_id = d.collection_id AND num_nonnulls(s.license_name, s.license_url) > 0
        GROUP BY s.license_name, s.license_url
    ) AS l
) AS licensed ON true
LEFT JOIN LATERAL (
    SELECT array_agg(DISTINCT s.citation_url ORDER BY s.citation_url) AS urls
    FROM collection_source AS s
    WHERE s.collection_id = d.collection_id AND s.citation_url IS NOT NULL
) AS cited ON true;

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

DROP TABLE fresh_collection_total, collection_change, source_change;
