-- Series as the API tells them: one JSON object each, in the order of the columns here, which is that of its schema.
-- Made here because what PostgreSQL writes down at once need not be taken apart and put together again for every row.
-- Put before this text: a table expression `shown` with rows of the view series_shown. The addresses of the API are
-- told by who has them.
SELECT
    v.series_id,
    (
        SELECT row_to_json(d)
        FROM (
            SELECT
                v.series_uid,
                v.study_uid,
                v.archive,
                v.collection,
                v.subject,
                v.species,
                v.sex,
                v.age_years,
                v.series_date,
                v.series_description,
                v.study_description,
                v.protocol_name,
                v.modality,
                v.sequence,
                v.plane,
                v.obliquity_deg,
                v.manufacturer,
                v.manufacturer_model,
                v.field_strength_tesla,
                v.rows,
                v.columns,
                v.slice_count,
                v.shown_slices,
                v.row_spacing_mm,
                v.column_spacing_mm,
                v.slice_spacing_mm,
                v.spacing_mm,
                v.slice_thickness_mm,
                v.license_name,
                v.license_url,
                v.citation_url,
                v.source_url,
                v.published_at,
                v.tumor,
                v.label_source,
                v.tumor_probability,
                v.model_version,
                %(series_address)s::text || v.series_uid AS url,
                %(series_address)s::text || v.series_uid || '/slices' AS slices_url,
                %(slice_address)s::text || v.cover_pack_id || '-' || v.cover_index || '.jpg' AS thumbnail_url
        ) AS d
    )::text AS told
FROM shown AS v
