-- How much each named query answers: by truth, and what the active model adds where no truth speaks.
--
-- withtumor_ax|cor|sag: slices that show the axial, coronal or sagittal plane and have a tumour; notumor_ax|cor|sag:
-- the same with no tumour, said explicitly. What nobody labelled is in neither. The planes are those the slice shows,
-- acquired or reformatted, of the volume that stands for the series (0). Truth is told by the views slice_truth and
-- series_truth:
--   * sources `reader`, `mask` and `collection` count, in this order of precedence; `model:<version>` never does;
--   * a label of the slice itself goes before the label of its series. So the slices of a tumour collection have a
--     tumour unless a mask or a reader says of one of them that it has none, and the mask of a lesion, which labels
--     every slice of the series it was drawn on, puts the lesion-free ones among notumor.
-- Slices are counted by pack, and by runs of neighbours where any has its own label.
SELECT
    q.name,
    q.plane,
    q.tumor,
    coalesce(sum(a.slices) FILTER (WHERE a.truth), 0)::bigint AS slice_count,
    count(DISTINCT a.series_id) FILTER (WHERE a.truth) AS series_count,
    count(DISTINCT a.subject_id) FILTER (WHERE a.truth) AS subject_count,
    coalesce(sum(a.slices) FILTER (WHERE NOT a.truth), 0)::bigint AS model_slice_count,
    count(DISTINCT a.series_id) FILTER (WHERE NOT a.truth) AS model_series_count,
    count(DISTINCT a.subject_id) FILTER (WHERE NOT a.truth) AS model_subject_count
FROM named_query AS q
LEFT JOIN (
    SELECT
        p.plane,
        p.series_id,
        s.subject_id,
        coalesce(r.slices, p.slice_count) AS slices,
        coalesce(r.truth, t.tumor, r.model_word) AS tumor,
        coalesce(r.truth, t.tumor) IS NOT NULL AS truth
    FROM pack AS p
    INNER JOIN series AS s ON p.series_id = s.series_id
    LEFT JOIN series_truth AS t ON p.series_id = t.series_id
    LEFT JOIN pack_labels AS b ON p.pack_id = b.pack_id
    LEFT JOIN LATERAL unnest(b.slice_counts, b.truths, b.model_words) AS r (slices, truth, model_word) ON true
    WHERE p.volume = 0
) AS a ON q.plane = a.plane AND q.tumor = a.tumor
GROUP BY q.name
ORDER BY q.position
