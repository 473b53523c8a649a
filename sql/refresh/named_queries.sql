-- Counts of the six named queries: by truth, and what the active model would add where no truth speaks. By truth from
-- packs and labels alone, the ten million rows of slice are never read; the model's from its predictions.

WITH labelled AS (
    SELECT
        t.pack_id,
        count(*) FILTER (WHERE t.tumor) AS with_tumor,
        count(*) FILTER (WHERE NOT t.tumor) AS without_tumor
    FROM slice_truth AS t
    INNER JOIN pack AS p ON t.pack_id = p.pack_id
    WHERE t.slice_index < p.slice_count
    GROUP BY t.pack_id
),

spoken AS (
    SELECT
        m.pack_id,
        count(*) FILTER (WHERE m.tumor) AS with_tumor,
        count(*) FILTER (WHERE NOT m.tumor) AS without_tumor
    FROM slice_model AS m
    LEFT JOIN slice_truth AS t ON m.pack_id = t.pack_id AND m.slice_index = t.slice_index
    WHERE t.pack_id IS NULL
    GROUP BY m.pack_id
),

answered AS (
    SELECT
        q.name,
        s.series_id,
        s.subject_id,
        CASE WHEN q.tumor THEN coalesce(l.with_tumor, 0) ELSE coalesce(l.without_tumor, 0) END
        + CASE
            WHEN st.tumor = q.tumor
                THEN p.slice_count - coalesce(l.with_tumor, 0) - coalesce(l.without_tumor, 0)
            ELSE 0
        END AS slices,
        CASE
            WHEN st.series_id IS NOT NULL THEN 0
            WHEN q.tumor THEN coalesce(m.with_tumor, 0)
            ELSE coalesce(m.without_tumor, 0)
        END AS model_slices
    FROM named_query AS q
    INNER JOIN pack AS p ON q.plane = p.plane
    INNER JOIN series AS s ON p.series_id = s.series_id
    LEFT JOIN labelled AS l ON p.pack_id = l.pack_id
    LEFT JOIN spoken AS m ON p.pack_id = m.pack_id
    LEFT JOIN series_truth AS st ON p.series_id = st.series_id
    WHERE num_nonnulls(l.pack_id, m.pack_id, st.series_id) > 0
),

fresh AS (
    SELECT
        q.name,
        coalesce(sum(a.slices), 0)::bigint AS slice_count,
        count(DISTINCT a.series_id) FILTER (WHERE a.slices > 0) AS series_count,
        count(DISTINCT a.subject_id) FILTER (WHERE a.slices > 0) AS subject_count,
        coalesce(sum(a.model_slices), 0)::bigint AS model_slice_count,
        count(DISTINCT a.series_id) FILTER (WHERE a.model_slices > 0) AS model_series_count,
        count(DISTINCT a.subject_id) FILTER (WHERE a.model_slices > 0) AS model_subject_count
    FROM named_query AS q
    LEFT JOIN answered AS a ON q.name = a.name
    GROUP BY q.name
)

UPDATE named_query AS q
SET
    slice_count = f.slice_count,
    series_count = f.series_count,
    subject_count = f.subject_count,
    model_slice_count = f.model_slice_count,
    model_series_count = f.model_series_count,
    model_subject_count = f.model_subject_count
FROM fresh AS f
WHERE
    q.name = f.name
    AND (
        q.slice_count, q.series_count, q.subject_count,
        q.model_slice_count, q.model_series_count, q.model_subject_count
    ) IS DISTINCT FROM (
        f.slice_count, f.series_count, f.subject_count,
        f.model_slice_count, f.model_series_count, f.model_subject_count
    );
