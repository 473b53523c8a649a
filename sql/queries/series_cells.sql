-- How many of the series in `wanted`, of the first ones found, each cell counts.
SELECT
    w.cell_id,
    count(*) AS series_count,
    sum(w.slices_axial) AS slices_axial,
    sum(w.slices_coronal) AS slices_coronal,
    sum(w.slices_sagittal) AS slices_sagittal
FROM (
    SELECT
        cell_id,
        slices_axial,
        slices_coronal,
        slices_sagittal
    FROM wanted
    LIMIT %(bound)s
) AS w
GROUP BY w.cell_id
