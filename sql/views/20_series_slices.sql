CREATE VIEW series_slices AS
SELECT
    p.series_id,
    coalesce(sum(p.slice_count) FILTER (WHERE p.plane = 'axial'), 0)::integer AS slices_axial,
    coalesce(sum(p.slice_count) FILTER (WHERE p.plane = 'coronal'), 0)::integer AS slices_coronal,
    coalesce(sum(p.slice_count) FILTER (WHERE p.plane = 'sagittal'), 0)::integer AS slices_sagittal,
    (array_agg(p.pack_id ORDER BY p.acquired DESC, p.plane ASC))[1] AS cover_pack_id,
    (array_agg(p.slice_count ORDER BY p.acquired DESC, p.plane ASC))[1] / 2 AS cover_index
FROM pack AS p
WHERE p.volume = 0
GROUP BY p.series_id;
COMMENT ON VIEW series_slices IS 'Slices of each series by plane, of its reference volume, and its cover.';
