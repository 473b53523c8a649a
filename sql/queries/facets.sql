-- Counts a filter value, the most frequent first.
SELECT
    facet,
    value,
    series_count,
    subject_count,
    slice_count
FROM facet
ORDER BY facet ASC, series_count DESC, value ASC
