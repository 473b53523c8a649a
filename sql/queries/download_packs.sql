-- The packs of a download in the order of their keys, with all that its manifest says of them. Put before this text:
-- a table expression `chosen (pack_id, tumor)`; `tumor` is the label that a slice must have, null where any will do.
--
-- What is said of single slices comes as runs of neighbours (view pack_labels), and only where it matters: the word of
-- the active model counts unless `labels` is `truth`, and where no truth speaks of the series.
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
    k.slice_counts AS run_slices,
    k.slice_bytes AS run_bytes,
    k.truths,
    k.truth_sources,
    k.model_words,
    z.slice_bytes,
    CASE WHEN w.model_counts THEN k.model_source END AS model_source,
    %(labels)s = 'model' AS model_only
FROM chosen AS h
INNER JOIN pack AS p ON h.pack_id = p.pack_id
INNER JOIN LATERAL (
    SELECT sum(l.byte_length) AS slice_bytes
    FROM slice AS l
    WHERE l.pack_id = p.pack_id
) AS z ON true
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
INNER JOIN LATERAL (
    SELECT %(labels)s <> 'truth' AND st.tumor IS NULL AS model_counts
) AS w ON true
LEFT JOIN pack_labels AS k ON p.pack_id = k.pack_id AND (k.truths IS NOT NULL OR w.model_counts)
WHERE
    %(labels)s <> 'model' AND (h.tumor IS NULL OR h.tumor = st.tumor OR k.truths IS NOT NULL)
    OR w.model_counts AND k.model_words IS NOT NULL
ORDER BY p.object_key COLLATE "C" ASC
