-- migrate:up

-- Series as lists of the API tell them, written down by each load for the series that it touched: writing two thousand
-- values as JSON, and joining what they come from, was most of what a page cost.
CREATE TABLE series_told (
    series_id bigint PRIMARY KEY REFERENCES series ON DELETE CASCADE,
    series_uid text NOT NULL,
    cover text,
    members text NOT NULL
);
COMMENT ON TABLE series_told IS 'Series as lists of the API tell them; kept equal to series_told_fresh by each load.';
COMMENT ON COLUMN series_told.series_id IS 'Key of the series.';
COMMENT ON COLUMN series_told.series_uid IS 'Its UID, which its addresses end with.';
COMMENT ON COLUMN series_told.cover IS 'The slice that stands for it, as addresses name slices; null where none is.';
COMMENT ON COLUMN series_told.members IS 'The members of its JSON object, without braces and addresses.';

-- The columns within are those of the schema that is published, in its order, up to the addresses. Times are written in
-- UTC whatever the time zone of who loads.
CREATE VIEW series_told_fresh AS
SELECT
    v.series_id,
    v.series_uid,
    v.cover_pack_id || '-' || v.cover_index AS cover,
    left(substr(j.object, 2), -1) AS members
FROM series_shown AS v
CROSS JOIN LATERAL (
    SELECT row_to_json(d)::text AS object
    FROM (
        SELECT -- noqa: ST06
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
            (to_json(v.published_at AT TIME ZONE 'UTC') #>> '{}') || '+00:00' AS published_at,
            v.tumor,
            v.label_source,
            v.tumor_probability,
            v.model_version
    ) AS d
) AS j;
COMMENT ON VIEW series_told_fresh IS 'What series_told has to hold.';

INSERT INTO series_told
SELECT f.* FROM series_told_fresh AS f
ORDER BY f.series_id;

-- migrate:down

DROP VIEW series_told_fresh;
DROP TABLE series_told;
