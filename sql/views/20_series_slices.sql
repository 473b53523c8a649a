CREATE VIEW series_slices AS
SELECT
    p.series_id,
    coalesce(sum(p.slice_count) FILTER (WHERE p.plane = 'axial'), 0)::integer AS slices_axial,
    coalesce(sum(p.slice_count) FILTER (WHERE p.plane = 'coronal'), 0)::integer AS slices_coronal,
    coalesce(sum(p.slice_count) FILTER (WHERE p.plane = 'sagittal'), 0)::integer AS slices_sagittal,
    coalesce(
        sum(l.with_tumor + CASE WHEN t.tumor THEN l.unlabelled ELSE 0 END)
        FILTER (WHERE p.plane = 'axial' AND p.volume = 0), 0
    )::integer AS tumor_axial,
    coalesce(
        sum(l.with_tumor + CASE WHEN t.tumor THEN l.unlabelled ELSE 0 END)
        FILTER (WHERE p.plane = 'coronal' AND p.volume = 0), 0
    )::integer AS tumor_coronal,
    coalesce(
        sum(l.with_tumor + CASE WHEN t.tumor THEN l.unlabelled ELSE 0 END)
        FILTER (WHERE p.plane = 'sagittal' AND p.volume = 0), 0
    )::integer AS tumor_sagittal,
    coalesce(
        sum(l.without_tumor + CASE WHEN NOT t.tumor THEN l.unlabelled ELSE 0 END)
        FILTER (WHERE p.plane = 'axial' AND p.volume = 0), 0
    )::integer AS no_tumor_axial,
    coalesce(
        sum(l.without_tumor + CASE WHEN NOT t.tumor THEN l.unlabelled ELSE 0 END)
        FILTER (WHERE p.plane = 'coronal' AND p.volume = 0), 0
    )::integer AS no_tumor_coronal,
    coalesce(
        sum(l.without_tumor + CASE WHEN NOT t.tumor THEN l.unlabelled ELSE 0 END)
        FILTER (WHERE p.plane = 'sagittal' AND p.volume = 0), 0
    )::integer AS no_tumor_sagittal,
    coalesce(
        sum(l.model_with_tumor)
        FILTER (WHERE t.tumor IS NULL AND p.plane = 'axial' AND p.volume = 0), 0
    )::integer AS model_tumor_axial,
    coalesce(
        sum(l.model_with_tumor)
        FILTER (WHERE t.tumor IS NULL AND p.plane = 'coronal' AND p.volume = 0), 0
    )::integer AS model_tumor_coronal,
    coalesce(
        sum(l.model_with_tumor)
        FILTER (WHERE t.tumor IS NULL AND p.plane = 'sagittal' AND p.volume = 0), 0
    )::integer AS model_tumor_sagittal,
    coalesce(
        sum(l.model_without_tumor)
        FILTER (WHERE t.tumor IS NULL AND p.plane = 'axial' AND p.volume = 0), 0
    )::integer AS model_no_tumor_axial,
    coalesce(
        sum(l.model_without_tumor)
        FILTER (WHERE t.tumor IS NULL AND p.plane = 'coronal' AND p.volume = 0), 0
    )::integer AS model_no_tumor_coronal,
    coalesce(
        sum(l.model_without_tumor)
        FILTER (WHERE t.tumor IS NULL AND p.plane = 'sagittal' AND p.volume = 0), 0
    )::integer AS model_no_tumor_sagittal,
    (array_agg(p.pack_id ORDER BY p.acquired DESC, p.volume ASC, p.plane ASC))[1] AS cover_pack_id,
    (array_agg(p.slice_count ORDER BY p.acquired DESC, p.volume ASC, p.plane ASC))[1] / 2 AS cover_index
FROM pack AS p
LEFT JOIN series_truth AS t ON p.series_id = t.series_id
LEFT JOIN pack_labels AS b ON p.pack_id = b.pack_id
CROSS JOIN
    LATERAL (
        SELECT
            coalesce(sum(r.slices) FILTER (WHERE r.truth), 0) AS with_tumor,
            coalesce(sum(r.slices) FILTER (WHERE NOT r.truth), 0) AS without_tumor,
            p.slice_count - coalesce(sum(r.slices) FILTER (WHERE r.truth IS NOT NULL), 0) AS unlabelled,
            coalesce(sum(r.slices) FILTER (WHERE r.model_word), 0) AS model_with_tumor,
            coalesce(sum(r.slices) FILTER (WHERE NOT r.model_word), 0) AS model_without_tumor
        FROM unnest(b.slice_counts, b.truths, b.model_words) AS r (slices, truth, model_word)
    ) AS l
GROUP BY p.series_id;
COMMENT ON VIEW series_slices IS
'Slices of each series by plane, by label and by the word of the active model, and its cover.';
