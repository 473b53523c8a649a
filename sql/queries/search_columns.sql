-- Some series after a key, in the order of their keys, column by column: each as the array that PostgreSQL sends in
-- binary form, every value there (what is not known is the least of its kind, or not a number) and of one length, so
-- that who reads it takes no row apart. Words have one space between them at most, so a line feed ends those of one.
SELECT
    count(*) AS series_count,
    array_send(array_agg(s.series_id)) AS series_id,
    array_send(array_agg(s.cell_id)) AS cell_id,
    array_send(array_agg(s.published_at)) AS published_at,
    array_send(array_agg(coalesce(s.series_date, '-infinity'))) AS series_date,
    array_send(array_agg(coalesce(s.age_years, 'NaN'))) AS age_years,
    array_send(array_agg(coalesce(s.field_strength_tesla, 'NaN'))) AS field_strength_tesla,
    array_send(array_agg(s.slice_count)) AS slice_count,
    array_send(array_agg(s.spacing_mm)) AS spacing_mm,
    array_send(array_agg(coalesce(s.slice_thickness_mm, 'NaN'))) AS slice_thickness_mm,
    array_send(array_agg(s.slices_axial)) AS slices_axial,
    array_send(array_agg(s.slices_coronal)) AS slices_coronal,
    array_send(array_agg(s.slices_sagittal)) AS slices_sagittal,
    string_agg(s.words, E'\n') AS words
FROM (
    SELECT
        series_id,
        cell_id,
        published_at,
        series_date,
        age_years,
        field_strength_tesla,
        slice_count,
        spacing_mm,
        slice_thickness_mm,
        slices_axial,
        slices_coronal,
        slices_sagittal,
        words
    FROM series_search
    WHERE series_id > %(after)s::bigint
    ORDER BY series_id
    LIMIT %(rows)s
) AS s
