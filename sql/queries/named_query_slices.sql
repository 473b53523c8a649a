-- The slices that a named query answers.
--
-- withtumor_ax|cor|sag: slices that show the axial, coronal or sagittal plane and have a tumour; notumor_ax|cor|sag:
-- the same with no tumour, said explicitly. What nobody labelled is in neither. The planes are those the slice shows,
-- acquired or reformatted, of the volume that stands for the series (0). Truth is told by the views slice_truth and
-- series_truth:
--   * sources `reader`, `mask` and `collection` count, in this order of precedence; `model:<version>` never does;
--   * a label of the slice itself goes before the label of its series. So the slices of a tumour collection have a
--     tumour unless a mask or a reader says of one of them that it has none, and the mask of a lesion, which labels
--     every slice of the series it was drawn on, puts the lesion-free ones among notumor.
-- What may answer is chosen by `labels`: `truth` alone; `model`, the word of the active model about the slices it
-- looked at (view slice_model), where no truth speaks; `all`, both. label_source tells for each slice which it was.
SELECT
    p.object_key,
    c.name AS collection,
    u.patient_id AS subject,
    s.series_uid,
    p.volume,
    p.plane,
    l.slice_index,
    l.byte_offset,
    l.byte_length,
    l.crc32,
    coalesce(lt.source, st.source, lm.source) AS label_source
FROM named_query AS q
INNER JOIN pack AS p ON q.plane = p.plane AND p.volume = 0
INNER JOIN series AS s ON p.series_id = s.series_id
INNER JOIN subject AS u ON s.subject_id = u.subject_id
INNER JOIN collection AS c ON s.collection_id = c.collection_id
INNER JOIN slice AS l ON p.pack_id = l.pack_id
LEFT JOIN slice_truth AS lt ON l.pack_id = lt.pack_id AND l.slice_index = lt.slice_index
LEFT JOIN series_truth AS st ON s.series_id = st.series_id
LEFT JOIN slice_model AS lm ON %(labels)s <> 'truth' AND l.pack_id = lm.pack_id AND l.slice_index = lm.slice_index
WHERE
    q.name = %(name)s
    AND CASE
        WHEN coalesce(lt.tumor, st.tumor) IS NULL THEN lm.tumor
        WHEN %(labels)s <> 'model' THEN coalesce(lt.tumor, st.tumor)
    END = q.tumor
ORDER BY p.object_key, l.slice_index
