-- The series published last, for the front page.
SELECT
    s.series_id,
    s.series_uid,
    t.study_uid,
    c.archive,
    c.name AS collection,
    u.patient_id AS subject,
    s.species,
    s.sex,
    s.age_years,
    s.series_date,
    s.series_description,
    s.modality,
    s.sequence,
    s.plane,
    s.obliquity_deg,
    s.manufacturer,
    s.manufacturer_model,
    s.field_strength_tesla,
    s.rows,
    s.columns,
    s.slice_count,
    s.row_spacing_mm,
    s.column_spacing_mm,
    s.slice_spacing_mm,
    s.license_name,
    s.license_url,
    s.citation_url,
    s.source_url,
    cover.pack_id AS cover_pack_id,
    cover.slice_count / 2 AS cover_index
FROM series AS s
INNER JOIN collection AS c ON s.collection_id = c.collection_id
INNER JOIN subject AS u ON s.subject_id = u.subject_id
INNER JOIN study AS t ON s.study_id = t.study_id
LEFT JOIN LATERAL (
    SELECT
        p.pack_id,
        p.slice_count
    FROM pack AS p
    WHERE p.series_id = s.series_id
    ORDER BY p.acquired DESC, p.volume ASC, p.plane ASC
    LIMIT 1
) AS cover ON true
ORDER BY s.published_at DESC, s.series_id ASC
LIMIT %(limit)s
