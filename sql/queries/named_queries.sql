-- The predefined queries with their counts, which every load refreshes.
SELECT
    name,
    plane,
    tumor,
    slice_count,
    series_count,
    subject_count
FROM named_query
ORDER BY position
