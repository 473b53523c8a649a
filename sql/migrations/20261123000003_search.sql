-- migrate:up

-- One narrow row a series with everything that a list is filtered or sorted by. Why beside `series`: its rows are wide
-- (keys, hashes, jsonb), and a filter that no index serves alone walks rows; ten of these lie where one of those lies.
-- Derived by the view series_search_fresh and refreshed by each load for the series it touched, never by hand.
CREATE TABLE series_search (
    series_id bigint PRIMARY KEY REFERENCES series ON DELETE CASCADE,
    subject_id bigint NOT NULL,
    study_id bigint NOT NULL,
    collection_id bigint NOT NULL,
    cell_id bigint NOT NULL,
    published_at timestamptz NOT NULL,
    series_date date,
    age_years real,
    field_strength_tesla real,
    slice_count integer NOT NULL,
    spacing_mm real NOT NULL,
    slice_thickness_mm real,
    slices_axial integer NOT NULL,
    slices_coronal integer NOT NULL,
    slices_sagittal integer NOT NULL,
    species text NOT NULL,
    plane text NOT NULL,
    sequence text NOT NULL,
    manufacturer text NOT NULL,
    model text NOT NULL,
    sex text NOT NULL,
    license text NOT NULL,
    field_strength text NOT NULL,
    tumor text NOT NULL CHECK (tumor IN ('true', 'false', 'unknown')),
    label_source text NOT NULL,
    words text NOT NULL
);

-- How many series share one combination of the filters with few values: thousands of rows stand for a million, so
-- that facets and exact counts under any of these filters never read a series.
CREATE TABLE series_cell (
    cell_id bigint PRIMARY KEY,
    series_count bigint NOT NULL,
    slices_axial bigint NOT NULL,
    slices_coronal bigint NOT NULL,
    slices_sagittal bigint NOT NULL,
    shows_axial boolean NOT NULL,
    shows_coronal boolean NOT NULL,
    shows_sagittal boolean NOT NULL,
    archive text NOT NULL,
    collection text NOT NULL,
    species text NOT NULL,
    plane text NOT NULL,
    sequence text NOT NULL,
    manufacturer text NOT NULL,
    model text NOT NULL,
    sex text NOT NULL,
    license text NOT NULL,
    field_strength text NOT NULL,
    tumor text NOT NULL,
    label_source text NOT NULL
);

-- A hash of the cells and facets as of the last load: who keeps a copy of them asks whether it still holds.
CREATE TABLE search_version (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version numeric NOT NULL
);
INSERT INTO search_version (version) VALUES (0);

-- The rule of series_search. Lateral, so that a few series cost a few index look-ups. `unknown` stands for null, which
-- lets one equality serve a filter. The label that counts: a reader goes before a mask, a mask before the word of a
-- collection; of one source, one slice with tumour is enough.
CREATE VIEW series_search_fresh AS
SELECT -- noqa: ST06
    f.series_id,
    f.subject_id,
    f.study_id,
    f.collection_id,
    hashtextextended(
        concat_ws(
            chr(31), f.collection_id, f.slices_axial > 0, f.slices_coronal > 0, f.slices_sagittal > 0,
            f.species, f.plane,
            f.sequence, f.manufacturer, f.model, f.sex, f.license, f.field_strength, f.tumor, f.label_source
        ),
        0
    ) AS cell_id,
    f.published_at,
    f.series_date,
    f.age_years,
    f.field_strength_tesla,
    f.slice_count,
    f.spacing_mm,
    f.slice_thickness_mm,
    f.slices_axial,
    f.slices_coronal,
    f.slices_sagittal,
    f.species,
    f.plane,
    f.sequence,
    f.manufacturer,
    f.model,
    f.sex,
    f.license,
    f.field_strength,
    f.tumor,
    f.label_source,
    f.words
FROM (
    SELECT -- noqa: ST06
        s.series_id,
        s.subject_id,
        s.study_id,
        s.collection_id,
        s.published_at,
        s.series_date,
        s.age_years,
        s.field_strength_tesla,
        s.slice_count,
        greatest(s.row_spacing_mm, s.column_spacing_mm, s.slice_spacing_mm) AS spacing_mm,
        s.slice_thickness_mm,
        p.slices_axial::integer AS slices_axial,
        p.slices_coronal::integer AS slices_coronal,
        p.slices_sagittal::integer AS slices_sagittal,
        s.species,
        s.plane,
        coalesce(s.sequence, 'unknown') AS sequence,
        coalesce(s.manufacturer, 'unknown') AS manufacturer,
        coalesce(s.manufacturer_model, 'unknown') AS model,
        coalesce(s.sex, 'unknown') AS sex,
        coalesce(s.license_name, 'unknown') AS license,
        -- Scanners tell 2.8936 for 3: halfway between the classes that are built lies the border.
        CASE
            WHEN s.field_strength_tesla IS NULL THEN 'unknown'
            WHEN s.field_strength_tesla < 0.75 THEN '<1'
            WHEN s.field_strength_tesla < 1.25 THEN '1'
            WHEN s.field_strength_tesla < 2.25 THEN '1.5'
            WHEN s.field_strength_tesla < 5 THEN '3'
            ELSE '7'
        END AS field_strength,
        coalesce(t.tumor::text, 'unknown') AS tumor,
        coalesce(t.source, 'unknown') AS label_source,
        ' ' || regexp_replace(
            lower(concat_ws(' ', s.series_description, s.study_description, s.protocol_name)), '[^[:alnum:]]+', ' ', 'g'
        ) AS words
    FROM series AS s
    CROSS JOIN
        LATERAL (
            SELECT
                coalesce(sum(k.slice_count) FILTER (WHERE k.plane = 'axial'), 0) AS slices_axial,
                coalesce(sum(k.slice_count) FILTER (WHERE k.plane = 'coronal'), 0) AS slices_coronal,
                coalesce(sum(k.slice_count) FILTER (WHERE k.plane = 'sagittal'), 0) AS slices_sagittal
            FROM pack AS k
            WHERE k.series_id = s.series_id
        ) AS p
    LEFT JOIN LATERAL (
        SELECT
            l.source,
            bool_or(l.tumor) AS tumor
        FROM label AS l
        WHERE l.series_id = s.series_id AND l.source IN ('reader', 'mask', 'collection')
        GROUP BY l.source
        ORDER BY array_position(ARRAY['reader', 'mask', 'collection'], l.source)
        LIMIT 1
    ) AS t ON true
) AS f;

-- The facets that one cell counts in: a series shows several planes, and counts in each with the slices of it.
CREATE VIEW cell_facet AS
SELECT
    c.cell_id,
    v.facet,
    v.value,
    c.series_count,
    v.slice_count
FROM series_cell AS c
CROSS JOIN LATERAL (SELECT c.slices_axial + c.slices_coronal + c.slices_sagittal AS slices) AS a
CROSS JOIN
    LATERAL (
        VALUES
        ('total', '', a.slices),
        ('archive', c.archive, a.slices),
        ('collection', c.collection, a.slices),
        ('species', c.species, a.slices),
        ('plane', c.plane, a.slices),
        ('shown_plane', CASE WHEN c.shows_axial THEN 'axial' END, c.slices_axial),
        ('shown_plane', CASE WHEN c.shows_coronal THEN 'coronal' END, c.slices_coronal),
        ('shown_plane', CASE WHEN c.shows_sagittal THEN 'sagittal' END, c.slices_sagittal),
        ('sequence', c.sequence, a.slices),
        ('manufacturer', c.manufacturer, a.slices),
        ('model', c.model, a.slices),
        ('sex', c.sex, a.slices),
        ('license', c.license, a.slices),
        ('field_strength', c.field_strength, a.slices),
        ('tumor', c.tumor, a.slices),
        ('label_source', c.label_source, a.slices)
    ) AS v (facet, value, slice_count)
WHERE v.value IS NOT NULL;

-- One series as lists and its own page show it.
CREATE VIEW series_shown AS
SELECT -- noqa: ST06
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
    s.study_description,
    s.protocol_name,
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
    f.slices_axial + f.slices_coronal + f.slices_sagittal AS shown_slices,
    s.row_spacing_mm,
    s.column_spacing_mm,
    s.slice_spacing_mm,
    f.spacing_mm,
    s.slice_thickness_mm,
    s.license_name,
    s.license_url,
    s.citation_url,
    s.source_url,
    s.published_at,
    CASE f.tumor WHEN 'true' THEN true WHEN 'false' THEN false END AS tumor,
    nullif(f.label_source, 'unknown') AS label_source,
    p.tumor_probability,
    p.version AS model_version,
    cover.pack_id AS cover_pack_id,
    cover.slice_count / 2 AS cover_index
FROM series AS s
INNER JOIN series_search AS f ON s.series_id = f.series_id
INNER JOIN collection AS c ON s.collection_id = c.collection_id
INNER JOIN subject AS u ON s.subject_id = u.subject_id
INNER JOIN study AS t ON s.study_id = t.study_id
LEFT JOIN LATERAL (
    SELECT
        k.tumor_probability,
        m.version
    FROM model AS m
    INNER JOIN series_prediction AS k ON m.model_id = k.model_id
    WHERE m.active AND k.series_id = s.series_id
) AS p ON true
LEFT JOIN LATERAL (
    SELECT
        k.pack_id,
        k.slice_count
    FROM pack AS k
    WHERE k.series_id = s.series_id
    ORDER BY k.acquired DESC, k.volume ASC, k.plane ASC
    LIMIT 1
) AS cover ON true;

-- What stands already is filled in; from here on each load refreshes what it touched.
INSERT INTO series_search
SELECT f.* FROM series_search_fresh AS f
ORDER BY f.series_id;
INSERT INTO series_cell
SELECT
    s.cell_id,
    count(*),
    sum(s.slices_axial),
    sum(s.slices_coronal),
    sum(s.slices_sagittal),
    s.slices_axial > 0,
    s.slices_coronal > 0,
    s.slices_sagittal > 0,
    k.archive,
    k.name,
    s.species,
    s.plane,
    s.sequence,
    s.manufacturer,
    s.model,
    s.sex,
    s.license,
    s.field_strength,
    s.tumor,
    s.label_source
FROM series_search AS s
INNER JOIN collection AS k ON s.collection_id = k.collection_id
GROUP BY
    s.cell_id, k.archive, k.name, s.slices_axial > 0, s.slices_coronal > 0, s.slices_sagittal > 0, s.species, s.plane,
    s.sequence, s.manufacturer, s.model, s.sex, s.license, s.field_strength, s.tumor, s.label_source;
DELETE FROM facet WHERE facet <> 'reject';
INSERT INTO facet (facet, value, series_count, subject_count, slice_count)
SELECT
    c.facet,
    c.value,
    sum(c.series_count),
    (
        SELECT count(DISTINCT s.subject_id)
        FROM series_search AS s
        INNER JOIN cell_facet AS k ON s.cell_id = k.cell_id
        WHERE k.facet = c.facet AND k.value = c.value
    ),
    sum(c.slice_count)
FROM cell_facet AS c
GROUP BY c.facet, c.value;
UPDATE search_version
SET version = (SELECT coalesce(sum(hashtextextended(c::text, 0)), 0) FROM series_cell AS c);

-- Nothing filters the wide rows any more. Those that joins and cascades use stay: study, subject, collection, extra.
DROP INDEX series_by_plane, series_by_sequence, series_by_manufacturer, series_by_species, series_by_sex,
series_newest, series_description_trigrams, series_study_description_trigrams, series_protocol_trigrams;

-- migrate:down

DROP VIEW series_shown, cell_facet, series_search_fresh;
DROP TABLE search_version, series_cell, series_search;
CREATE INDEX series_by_plane ON series (plane, series_id);
CREATE INDEX series_by_sequence ON series (sequence, series_id);
CREATE INDEX series_by_manufacturer ON series (manufacturer, series_id);
CREATE INDEX series_by_species ON series (species, series_id);
CREATE INDEX series_by_sex ON series (sex, series_id);
CREATE INDEX series_newest ON series (published_at DESC, series_id);
CREATE INDEX series_description_trigrams ON series USING gin (series_description gin_trgm_ops);
CREATE INDEX series_study_description_trigrams ON series USING gin (study_description gin_trgm_ops);
CREATE INDEX series_protocol_trigrams ON series USING gin (protocol_name gin_trgm_ops);
