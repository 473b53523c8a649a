-- A label names a source we know, and either a slice in full or a series.
SELECT series_uid, 'value' AS trouble
FROM stage_label
WHERE
    tumor IS NULL
    OR (source IN ('collection', 'mask', 'reader') OR source LIKE 'model:_%') IS NOT TRUE
    OR num_nulls(plane, volume, slice_index) NOT IN (0, 3)
    OR slice_index < 0
LIMIT 20
