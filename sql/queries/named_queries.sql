-- The predefined queries with their counts, which every load refreshes.
SELECT
    name,
    plane,
    tumor,
    slice_count,
    series_count,
    subject_count,
    model_slice_count,
    model_series_count,
    model_subject_count
FROM named_query
ORDER BY position
