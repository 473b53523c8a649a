-- Counts of the six named queries, from packs and labels alone: the ten million rows of slice are never read.

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
        END AS slices
    FROM named_query AS q
    INNER JOIN pack AS p ON q.plane = p.plane
    INNER JOIN series AS s ON p.series_id = s.series_id
    LEFT JOIN labelled AS l ON p.pack_id = l.pack_id
    LEFT JOIN series_truth AS st ON p.series_id = st.series_id
    WHERE l.pack_id IS NOT NULL OR st.series_id IS NOT NULL
),

fresh AS (
    SELECT
        q.name,
        coalesce(sum(a.slices), 0)::bigint AS slice_count,
        count(DISTINCT a.series_id) AS series_count,
        count(DISTINCT a.subject_id) AS subject_count
    FROM named_query AS q
    LEFT JOIN answered AS a ON q.name = a.name AND a.slices > 0
    GROUP BY q.name
)

UPDATE named_query AS q
SET
    slice_count = f.slice_count,
    series_count = f.series_count,
    subject_count = f.subject_count
FROM fresh AS f
WHERE
    q.name = f.name
    AND (q.slice_count, q.series_count, q.subject_count)
    IS DISTINCT FROM (f.slice_count, f.series_count, f.subject_count);
