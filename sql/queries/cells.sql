-- All cells.
SELECT
    cell_id,
    series_count,
    slices_axial,
    slices_coronal,
    slices_sagittal,
    shows_axial,
    shows_coronal,
    shows_sagittal,
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
