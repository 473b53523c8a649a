-- One page of series in the order of their key, after the key of the last one seen. A filter that is null filters
-- nothing: the planner folds it away, because these statements are planned for the values they run with.
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
WHERE
    s.series_id > %(after)s
    AND (%(uid)s::text IS NULL OR s.series_uid = %(uid)s)
    AND (
        %(collection)s::text IS NULL
        OR s.collection_id IN (SELECT k.collection_id FROM collection AS k WHERE k.name = %(collection)s)
    )
    AND (%(plane)s::text IS NULL OR s.plane = %(plane)s)
    AND (%(sequence)s::text IS NULL OR s.sequence = %(sequence)s)
    AND (%(manufacturer)s::text IS NULL OR s.manufacturer = %(manufacturer)s)
    AND (%(species)s::text IS NULL OR s.species = %(species)s)
    AND (%(sex)s::text IS NULL OR s.sex = %(sex)s)
ORDER BY s.series_id
LIMIT %(limit)s
