-- Series and what they belong to. Conflicts are told by the natural key: another key with the same hash is an error.

INSERT INTO collection (collection_id, archive, name)
SELECT DISTINCT s.collection_id, s.archive, s.collection
FROM stage_series AS s
INNER JOIN current_series AS c ON s.series_id = c.series_id
WHERE c.changed
ON CONFLICT (archive, name) DO NOTHING;

INSERT INTO subject (subject_id, patient_id, species)
SELECT s.subject_id, s.subject, min(s.species)
FROM stage_series AS s
INNER JOIN current_series AS c ON s.series_id = c.series_id
WHERE c.changed
GROUP BY s.subject_id, s.subject
ON CONFLICT (patient_id) DO NOTHING;

INSERT INTO study (study_id, study_uid, subject_id)
SELECT s.study_id, s.study_uid, min(s.subject_id)
FROM stage_series AS s
INNER JOIN current_series AS c ON s.series_id = c.series_id
WHERE c.changed
GROUP BY s.study_id, s.study_uid
ON CONFLICT (study_uid) DO NOTHING;

INSERT INTO series
SELECT i.*
FROM incoming_series AS i
INNER JOIN current_series AS c ON i.series_id = c.series_id
WHERE c.changed
ORDER BY i.series_id
ON CONFLICT (series_id) DO UPDATE SET
    series_uid = excluded.series_uid,
    study_id = excluded.study_id,
    subject_id = excluded.subject_id,
    collection_id = excluded.collection_id,
    species = excluded.species,
    sex = excluded.sex,
    age_years = excluded.age_years,
    study_date = excluded.study_date,
    study_description = excluded.study_description,
    series_date = excluded.series_date,
    series_description = excluded.series_description,
    series_number = excluded.series_number,
    protocol_name = excluded.protocol_name,
    modality = excluded.modality,
    body_part = excluded.body_part,
    sequence = excluded.sequence,
    manufacturer = excluded.manufacturer,
    manufacturer_model = excluded.manufacturer_model,
    software_versions = excluded.software_versions,
    field_strength_tesla = excluded.field_strength_tesla,
    echo_time_ms = excluded.echo_time_ms,
    repetition_time_ms = excluded.repetition_time_ms,
    inversion_time_ms = excluded.inversion_time_ms,
    flip_angle_deg = excluded.flip_angle_deg,
    plane = excluded.plane,
    text_plane = excluded.text_plane,
    obliquity_deg = excluded.obliquity_deg,
    rows = excluded.rows,
    columns = excluded.columns,
    slice_count = excluded.slice_count,
    volume_count = excluded.volume_count,
    row_spacing_mm = excluded.row_spacing_mm,
    column_spacing_mm = excluded.column_spacing_mm,
    slice_spacing_mm = excluded.slice_spacing_mm,
    slice_thickness_mm = excluded.slice_thickness_mm,
    slice_gaps = excluded.slice_gaps,
    slice_duplicates = excluded.slice_duplicates,
    window_low = excluded.window_low,
    window_high = excluded.window_high,
    transfer_syntax = excluded.transfer_syntax,
    license_name = excluded.license_name,
    license_url = excluded.license_url,
    citation_url = excluded.citation_url,
    source_url = excluded.source_url,
    raw_key = excluded.raw_key,
    raw_sha256 = excluded.raw_sha256,
    sidecar_key = excluded.sidecar_key,
    profile = excluded.profile,
    extra = excluded.extra,
    published_at = excluded.published_at
WHERE series IS DISTINCT FROM excluded;
