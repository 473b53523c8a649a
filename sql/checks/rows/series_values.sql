-- Values that no scanner makes: not a number, endless, zero or negative lengths, a plane or species nobody knows.
SELECT series_uid, 'value' AS trouble
FROM stage_series
WHERE
    series_uid IS NULL OR study_uid IS NULL OR archive IS NULL OR collection IS NULL OR subject IS NULL
    OR modality IS NULL OR raw_key IS NULL OR sidecar_key IS NULL OR profile IS NULL
    OR raw_sha256 !~ '^[0-9a-f]{64}$' IS NOT FALSE
    OR series_uid !~ '^[0-9.]{1,64}$' OR study_uid !~ '^[0-9.]{1,64}$'
    OR species IN ('human', 'dog', 'mouse', 'rat', 'phantom', 'other') IS NOT TRUE
    OR plane IN ('axial', 'coronal', 'sagittal') IS NOT TRUE
    OR text_plane NOT IN ('axial', 'coronal', 'sagittal')
    OR obliquity_deg BETWEEN 0 AND 90 IS NOT TRUE
    OR row_spacing_mm BETWEEN 0.001 AND 1000 IS NOT TRUE
    OR column_spacing_mm BETWEEN 0.001 AND 1000 IS NOT TRUE
    OR slice_spacing_mm BETWEEN 0.001 AND 1000 IS NOT TRUE
    OR least(rows, columns, slice_count, volume_count) > 0 IS NOT TRUE
    OR least(slice_gaps, slice_duplicates) >= 0 IS NOT TRUE
    OR (window_low BETWEEN -1e300 AND 1e300 AND window_high BETWEEN -1e300 AND 1e300) IS NOT TRUE
    OR age_years NOT BETWEEN 0 AND 200
    OR field_strength_tesla NOT BETWEEN 0 AND 1000
    OR greatest(echo_time_ms, repetition_time_ms, inversion_time_ms, flip_angle_deg, slice_thickness_mm) > 1e9
LIMIT 20
