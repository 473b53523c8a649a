COPY stage_series (
    part, series_id, study_id, subject_id, collection_id, series_uid, study_uid, archive, collection, subject,
    species, sex, age_years, study_date, study_description, series_date, series_description, series_number,
    protocol_name, modality, body_part, sequence, manufacturer, manufacturer_model, software_versions,
    field_strength_tesla, echo_time_ms, repetition_time_ms, inversion_time_ms, flip_angle_deg, plane,
    text_plane, obliquity_deg, rows, columns, slice_count, volume_count, row_spacing_mm, column_spacing_mm,
    slice_spacing_mm, slice_thickness_mm, slice_gaps, slice_duplicates, window_low, window_high,
    transfer_syntax, license_name, license_url, citation_url, source_url, raw_key, raw_sha256, sidecar_key,
    profile, extra
) FROM STDIN (FORMAT csv)
