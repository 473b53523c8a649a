-- The series of some cells: the table expression `wanted` where a filter is of facets alone and leaves few series. One
-- index holds all that they are sorted by, so that no row is read. OFFSET 0 holds the planner to this way: it would
-- else walk along the sort where it thinks that a page is soon full, and where that is wrong walk a million rows.
SELECT
    s.series_id,
    s.published_at,
    s.series_date,
    s.age_years,
    s.field_strength_tesla,
    s.slice_count,
    s.spacing_mm
FROM series_search AS s
WHERE s.cell_id = any(%(cell_ids)s::bigint[])
OFFSET 0
