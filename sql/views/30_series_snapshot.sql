-- One row a series with all that it is filtered, sorted, counted and listed by: what the search snapshot is read from,
-- and what the answer for one series begins with. Subqueries are grouped by the key of the series, so that they serve
-- a read of the whole catalogue by hashing, and a read of one series by a look-up.
--
-- The label that counts: a reader goes before a mask, a mask before the word of a collection; of one source, one slice
-- with tumour is enough.
CREATE VIEW series_snapshot AS
SELECT -- noqa: ST06
    s.series_id,
    s.study_id,
    s.subject_id,
    s.collection_id,
    s.series_uid,
    e.study_uid,
    c.archive,
    c.name AS collection,
    u.patient_id AS subject,
    s.species,
    s.sex,
    s.age_years,
    s.study_description,
    s.series_date,
    s.series_description,
    s.protocol_name,
    s.modality,
    s.sequence,
    s.manufacturer,
    s.manufacturer_model,
    s.field_strength_tesla,
    s.plane,
    s.obliquity_deg,
    s.rows,
    s.columns,
    s.slice_count,
    s.row_spacing_mm,
    s.column_spacing_mm,
    s.slice_spacing_mm,
    s.slice_thickness_mm,
    s.license_name,
    s.license_url,
    s.citation_url,
    s.source_url,
    s.published_at,
    greatest(s.row_spacing_mm, s.column_spacing_mm, s.slice_spacing_mm) AS spacing_mm,
    -- Scanners tell 2.8936 for 3: halfway between the classes that are built lies the border.
    CASE
        WHEN s.field_strength_tesla < 0.75 THEN '<1'
        WHEN s.field_strength_tesla < 1.25 THEN '1'
        WHEN s.field_strength_tesla < 2.25 THEN '1.5'
        WHEN s.field_strength_tesla < 5 THEN '3'
        WHEN s.field_strength_tesla >= 5 THEN '7'
    END AS field_strength,
    coalesce(k.slices_axial + k.slices_coronal + k.slices_sagittal, 0) AS shown_slices,
    coalesce(k.slices_axial, 0) AS slices_axial,
    coalesce(k.slices_coronal, 0) AS slices_coronal,
    coalesce(k.slices_sagittal, 0) AS slices_sagittal,
    v.tumor,
    v.source AS label_source,
    m.tumor_probability,
    m.version AS model_version,
    m.tumor AS model_tumor,
    k.cover_pack_id,
    k.cover_index,
    s.acquisition_type
FROM series AS s
INNER JOIN collection AS c ON s.collection_id = c.collection_id
INNER JOIN subject AS u ON s.subject_id = u.subject_id
INNER JOIN study AS e ON s.study_id = e.study_id
LEFT JOIN series_slices AS k ON s.series_id = k.series_id
LEFT JOIN (
    SELECT DISTINCT ON (l.series_id)
        l.series_id,
        l.source,
        bool_or(l.tumor) AS tumor
    FROM label AS l
    WHERE l.source IN ('reader', 'mask', 'collection')
    GROUP BY l.series_id, l.source
    ORDER BY l.series_id ASC, array_position(ARRAY['reader', 'mask', 'collection'], l.source) ASC
) AS v ON s.series_id = v.series_id
LEFT JOIN (
    SELECT
        d.series_id,
        d.tumor_probability,
        a.version,
        CASE WHEN NOT d.declined THEN d.tumor_probability >= a.series_threshold END AS tumor
    FROM series_prediction AS d
    INNER JOIN model AS a ON d.model_id = a.model_id
    WHERE a.active
) AS m ON s.series_id = m.series_id;
