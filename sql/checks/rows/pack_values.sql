-- A pack has slices, pixels and a digest.
SELECT series_uid, 'value' AS trouble
FROM stage_pack
WHERE
    object_key IS NULL OR acquired IS NULL
    OR sha256 ~ '^[0-9a-f]{64}$' IS NOT TRUE
    OR plane IN ('axial', 'coronal', 'sagittal') IS NOT TRUE
    OR volume >= 0 IS NOT TRUE
    OR least(slice_count, width, height, pack_bytes) > 0 IS NOT TRUE
    OR pixel_width_mm BETWEEN 0.001 AND 1000 IS NOT TRUE
    OR pixel_height_mm BETWEEN 0.001 AND 1000 IS NOT TRUE
    OR slice_spacing_mm BETWEEN 0.001 AND 1000 IS NOT TRUE
LIMIT 20
