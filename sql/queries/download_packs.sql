-- The packs of a download in the order of their keys, with all that its manifest says of them. Put before this text:
-- a table expression `chosen (pack_id, tumor)`; `tumor` is the label that a slice must have, null where any will do.
--
-- `marked` holds the slices whose label is not that of their series: those with one of their own, and, unless `labels`
-- is `truth`, the word of the active model where no truth speaks. With `model` only such slices come along. Its three
-- lists are of one order, but of no certain one.
SELECT
    p.pack_id,
    p.object_key,
    p.sha256,
    p.volume,
    p.plane,
    p.slice_count,
    p.pixel_width_mm,
    p.pixel_height_mm,
    p.slice_spacing_mm,
    s.sequence,
    s.manufacturer,
    s.manufacturer_model,
    s.field_strength_tesla,
    c.collection_id,
    c.archive,
    c.name AS collection,
    s.license_name,
    s.license_url,
    s.citation_url,
    s.profile,
    u.patient_id AS subject,
    s.series_uid,
    s.source_url,
    s.raw_sha256,
    h.tumor AS wanted,
    st.tumor AS series_tumor,
    st.source AS series_source,
    marked.slice_indexes,
    marked.tumors,
    marked.sources,
    %(labels)s = 'model' AS model_only,
    CASE
        WHEN h.tumor IS NULL AND %(labels)s <> 'model' OR marked.slice_indexes IS NULL THEN z.slice_bytes
        ELSE (
            SELECT sum(l.byte_length)
            FROM slice AS l
            LEFT JOIN unnest(marked.slice_indexes, marked.tumors, marked.sources) AS m (slice_index, tumor, source)
                ON l.slice_index = m.slice_index
            WHERE
                l.pack_id = p.pack_id
                AND (h.tumor IS NULL OR coalesce(m.tumor, st.tumor) = h.tumor)
                AND (%(labels)s <> 'model' OR starts_with(m.source, 'model:'))
        )
    END AS slice_bytes
FROM chosen AS h
INNER JOIN pack AS p ON h.pack_id = p.pack_id
INNER JOIN pack_size AS z ON p.pack_id = z.pack_id
INNER JOIN series AS s ON p.series_id = s.series_id
INNER JOIN subject AS u ON s.subject_id = u.subject_id
INNER JOIN collection AS c ON s.collection_id = c.collection_id
LEFT JOIN LATERAL (
    SELECT
        t.tumor,
        t.source
    FROM series_truth AS t
    WHERE t.series_id = p.series_id
) AS st ON true
LEFT JOIN LATERAL (
    SELECT
        array_agg(m.slice_index) AS slice_indexes,
        array_agg(m.tumor) AS tumors,
        array_agg(m.source) AS sources
    FROM (
        SELECT
            t.slice_index,
            t.tumor,
            t.source
        FROM slice_truth AS t
        WHERE t.pack_id = p.pack_id
        UNION ALL
        SELECT
            t.slice_index,
            t.tumor,
            t.source
        FROM slice_model AS t
        WHERE
            %(labels)s <> 'truth'
            AND st.tumor IS NULL
            AND t.pack_id = p.pack_id
            AND NOT EXISTS (
                SELECT FROM slice_truth AS o
                WHERE o.pack_id = t.pack_id AND o.slice_index = t.slice_index
            )
    ) AS m
    WHERE m.slice_index < p.slice_count
) AS marked ON true
WHERE
    marked.slice_indexes IS NOT NULL
    OR %(labels)s <> 'model' AND (h.tumor IS NULL OR h.tumor = st.tumor)
ORDER BY p.object_key COLLATE "C" ASC
