-- The series of a page as one text, in the order of their keys, with commas between them. Put before this text: a table
-- expression `told (series_id, told)`.
SELECT string_agg(t.told, ',' ORDER BY array_position(%(series_ids)s::bigint[], t.series_id)) AS told
FROM told AS t
