-- All cells.
SELECT -- noqa: ST06
    cell_id,
    series_count,
    slices_axial,
    slices_coronal,
    slices_sagittal,
    CASE WHEN shows_axial THEN 1 ELSE 0 END
    + CASE WHEN shows_coronal THEN 2 ELSE 0 END
    + CASE WHEN shows_sagittal THEN 4 ELSE 0 END AS shows,
    archive,
    collection,
    species,
    plane,
    sequence,
    manufacturer,
    model,
    sex,
    license,
    field_strength,
    tumor,
    label_source
FROM series_cell
ORDER BY cell_id
