-- What this run would change. `incoming_*` hold the staged rows in the shape of the catalogue's tables, so that whole
-- rows can be compared; `changed` tells those that are new or differ. Rows of a run that was published before the one
-- already loaded are left out: the end state does not depend on the order of loads.

CREATE TEMP TABLE incoming_series (LIKE series) ON COMMIT DROP;
INSERT INTO incoming_series (
    series_id, series_uid, study_id, subject_id, collection_id, species, sex, age_years, study_date,
    study_description, series_date, series_description, series_number, protocol_name, modality, body_part,
    sequence, manufacturer, manufacturer_model, software_versions, field_strength_tesla, echo_time_ms,
    repetition_time_ms, inversion_time_ms, flip_angle_deg, plane, text_plane, obliquity_deg, rows, columns,
    slice_count, volume_count, row_spacing_mm, column_spacing_mm, slice_spacing_mm, slice_thickness_mm,
    slice_gaps, slice_duplicates, window_low, window_high, transfer_syntax, license_name, license_url,
    citation_url, source_url, raw_key, raw_sha256, sidecar_key, profile, extra, published_at
)
SELECT
    s.series_id, s.series_uid, s.study_id, s.subject_id, s.collection_id, s.species, s.sex, s.age_years,
    s.study_date, s.study_description, s.series_date, s.series_description, s.series_number, s.protocol_name,
    s.modality, s.body_part, s.sequence, s.manufacturer, s.manufacturer_model, s.software_versions,
    s.field_strength_tesla, s.echo_time_ms, s.repetition_time_ms, s.inversion_time_ms, s.flip_angle_deg,
    s.plane, s.text_plane, s.obliquity_deg, s.rows, s.columns, s.slice_count, s.volume_count, s.row_spacing_mm,
    s.column_spacing_mm, s.slice_spacing_mm, s.slice_thickness_mm, s.slice_gaps, s.slice_duplicates,
    s.window_low, s.window_high, s.transfer_syntax, s.license_name, s.license_url, s.citation_url,
    s.source_url, s.raw_key, s.raw_sha256, s.sidecar_key, s.profile, s.extra::jsonb, r.published_at
FROM stage_series AS s
CROSS JOIN stage_run AS r;

CREATE TEMP TABLE current_series ON COMMIT DROP AS
SELECT
    i.series_id,
    (s.series_id IS NULL OR i IS DISTINCT FROM s) AS changed,
    s.series_id IS NOT NULL AS stands
FROM incoming_series AS i
LEFT JOIN series AS s ON i.series_id = s.series_id
WHERE
    s.series_id IS NULL
    OR i.published_at > s.published_at
    -- Two runs published in the same second: any rule will do that gives the same answer in either order.
    OR (i.published_at = s.published_at AND i >= s);

CREATE TEMP TABLE touched ON COMMIT DROP AS
SELECT s.study_id, s.subject_id, s.collection_id
FROM current_series AS c
INNER JOIN series AS s ON c.series_id = s.series_id
WHERE c.changed
UNION
SELECT i.study_id, i.subject_id, i.collection_id
FROM current_series AS c
INNER JOIN incoming_series AS i ON c.series_id = i.series_id
WHERE c.changed;

CREATE TEMP TABLE incoming_pack (LIKE pack) ON COMMIT DROP;
INSERT INTO incoming_pack (
    pack_id, series_id, volume, plane, acquired, object_key, pack_bytes, sha256, slice_count, width, height,
    pixel_width_mm, pixel_height_mm, slice_spacing_mm
)
SELECT
    s.pack_id, s.series_id, s.volume, s.plane, s.acquired, s.object_key, s.pack_bytes, s.sha256, s.slice_count,
    s.width, s.height, s.pixel_width_mm, s.pixel_height_mm, s.slice_spacing_mm
FROM stage_pack AS s
INNER JOIN current_series AS c ON s.series_id = c.series_id;

CREATE TEMP TABLE changed_pack ON COMMIT DROP AS
SELECT
    i.pack_id,
    s.part,
    p.pack_id IS NOT NULL AS stands
FROM incoming_pack AS i
INNER JOIN stage_pack AS s ON i.pack_id = s.pack_id
LEFT JOIN pack AS p ON i.pack_id = p.pack_id
WHERE p.pack_id IS NULL OR i IS DISTINCT FROM p;

ANALYZE incoming_series, current_series, incoming_pack, changed_pack;
