-- Brings a database of the history before the baseline to what the baseline makes: run by the migrator where the last
-- migration of that history is applied, in one transaction with the change of the versions. What came
-- between that migration and the baseline may be applied or not.

-- Search reads a snapshot of the view series_snapshot: nothing is counted or written down by a load any more.
DROP VIEW IF EXISTS series_snapshot;
DROP VIEW series_told_fresh, series_shown, cell_facet, series_search_fresh;
DROP TABLE series_told, series_search, series_cell, search_version, facet, collection_total, collection_source,
named_answer, pack_size, pack_labels;
DROP EXTENSION pg_trgm;
ALTER TABLE named_query
DROP COLUMN slice_count, DROP COLUMN series_count, DROP COLUMN subject_count,
DROP COLUMN model_slice_count, DROP COLUMN model_series_count, DROP COLUMN model_subject_count;
ALTER VIEW pack_labels_fresh RENAME TO pack_labels;
COMMENT ON VIEW pack_labels IS 'What is said of single slices, one row a pack that has such, as runs of neighbours.';
COMMENT ON TABLE named_query IS 'The six predefined queries.';

-- Which state of the catalogue a copy of it shows: who keeps one (the search snapshot) asks for this row, and makes a
-- new copy when it differs. The time stands beside the number because a database restored from a backup counts again
-- from an older one.
CREATE TABLE IF NOT EXISTS catalogue_state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version bigint NOT NULL,
    changed_at timestamptz NOT NULL
);
INSERT INTO catalogue_state (version, changed_at) VALUES (0, current_timestamp)
ON CONFLICT (only_row) DO NOTHING;
COMMENT ON TABLE catalogue_state IS
'The state of what is searched: one row, raised by every transaction that changes it.';
COMMENT ON COLUMN catalogue_state.only_row IS 'There is one row.';
COMMENT ON COLUMN catalogue_state.version IS 'Raised by one or more with each change; nothing new leaves it as it is.';
COMMENT ON COLUMN catalogue_state.changed_at IS 'When the transaction that raised it began.';

ALTER TABLE model
ADD COLUMN IF NOT EXISTS architecture text,
ADD COLUMN IF NOT EXISTS preprocessing text,
ADD COLUMN IF NOT EXISTS license text;
COMMENT ON COLUMN model.architecture IS
'Id of the network that the weights fit; null in a row from before ids were recorded, until it is registered again.';
COMMENT ON COLUMN model.preprocessing IS 'Id of the way from a picture to the network; null as architecture.';
COMMENT ON COLUMN model.license IS 'SPDX id of the licence of the weights; null where the weights file names none.';

-- A series that came as NIfTI has no DICOM transfer syntax.
ALTER TABLE series ALTER COLUMN transfer_syntax DROP NOT NULL;
COMMENT ON COLUMN series.transfer_syntax IS 'UID of the DICOM encoding it arrived in; null where it was no DICOM.';

CREATE VIEW series_slices AS
SELECT
    p.series_id,
    coalesce(sum(p.slice_count) FILTER (WHERE p.plane = 'axial'), 0)::integer AS slices_axial,
    coalesce(sum(p.slice_count) FILTER (WHERE p.plane = 'coronal'), 0)::integer AS slices_coronal,
    coalesce(sum(p.slice_count) FILTER (WHERE p.plane = 'sagittal'), 0)::integer AS slices_sagittal,
    coalesce(
        sum(l.with_tumor + CASE WHEN t.tumor THEN l.unlabelled ELSE 0 END)
        FILTER (WHERE p.plane = 'axial' AND p.volume = 0), 0
    )::integer AS tumor_axial,
    coalesce(
        sum(l.with_tumor + CASE WHEN t.tumor THEN l.unlabelled ELSE 0 END)
        FILTER (WHERE p.plane = 'coronal' AND p.volume = 0), 0
    )::integer AS tumor_coronal,
    coalesce(
        sum(l.with_tumor + CASE WHEN t.tumor THEN l.unlabelled ELSE 0 END)
        FILTER (WHERE p.plane = 'sagittal' AND p.volume = 0), 0
    )::integer AS tumor_sagittal,
    coalesce(
        sum(l.without_tumor + CASE WHEN NOT t.tumor THEN l.unlabelled ELSE 0 END)
        FILTER (WHERE p.plane = 'axial' AND p.volume = 0), 0
    )::integer AS no_tumor_axial,
    coalesce(
        sum(l.without_tumor + CASE WHEN NOT t.tumor THEN l.unlabelled ELSE 0 END)
        FILTER (WHERE p.plane = 'coronal' AND p.volume = 0), 0
    )::integer AS no_tumor_coronal,
    coalesce(
        sum(l.without_tumor + CASE WHEN NOT t.tumor THEN l.unlabelled ELSE 0 END)
        FILTER (WHERE p.plane = 'sagittal' AND p.volume = 0), 0
    )::integer AS no_tumor_sagittal,
    coalesce(
        sum(l.model_with_tumor)
        FILTER (WHERE t.tumor IS NULL AND p.plane = 'axial' AND p.volume = 0), 0
    )::integer AS model_tumor_axial,
    coalesce(
        sum(l.model_with_tumor)
        FILTER (WHERE t.tumor IS NULL AND p.plane = 'coronal' AND p.volume = 0), 0
    )::integer AS model_tumor_coronal,
    coalesce(
        sum(l.model_with_tumor)
        FILTER (WHERE t.tumor IS NULL AND p.plane = 'sagittal' AND p.volume = 0), 0
    )::integer AS model_tumor_sagittal,
    coalesce(
        sum(l.model_without_tumor)
        FILTER (WHERE t.tumor IS NULL AND p.plane = 'axial' AND p.volume = 0), 0
    )::integer AS model_no_tumor_axial,
    coalesce(
        sum(l.model_without_tumor)
        FILTER (WHERE t.tumor IS NULL AND p.plane = 'coronal' AND p.volume = 0), 0
    )::integer AS model_no_tumor_coronal,
    coalesce(
        sum(l.model_without_tumor)
        FILTER (WHERE t.tumor IS NULL AND p.plane = 'sagittal' AND p.volume = 0), 0
    )::integer AS model_no_tumor_sagittal,
    (array_agg(p.pack_id ORDER BY p.acquired DESC, p.volume ASC, p.plane ASC))[1] AS cover_pack_id,
    (array_agg(p.slice_count ORDER BY p.acquired DESC, p.volume ASC, p.plane ASC))[1] / 2 AS cover_index
FROM pack AS p
LEFT JOIN series_truth AS t ON p.series_id = t.series_id
LEFT JOIN pack_labels AS b ON p.pack_id = b.pack_id
CROSS JOIN
    LATERAL (
        SELECT
            coalesce(sum(r.slices) FILTER (WHERE r.truth), 0) AS with_tumor,
            coalesce(sum(r.slices) FILTER (WHERE NOT r.truth), 0) AS without_tumor,
            p.slice_count - coalesce(sum(r.slices) FILTER (WHERE r.truth IS NOT NULL), 0) AS unlabelled,
            coalesce(sum(r.slices) FILTER (WHERE r.model_word), 0) AS model_with_tumor,
            coalesce(sum(r.slices) FILTER (WHERE NOT r.model_word), 0) AS model_without_tumor
        FROM unnest(b.slice_counts, b.truths, b.model_words) AS r (slices, truth, model_word)
    ) AS l
GROUP BY p.series_id;
COMMENT ON VIEW series_slices IS
'Slices of each series by plane, by label and by the word of the active model, and its cover.';

-- One row a series with all that it is filtered, sorted, counted and listed by: what the search snapshot is read from,
-- and what the answer for one series begins with. Subqueries are grouped by the key of the series, so that they serve
-- a read of the whole catalogue by hashing, and a read of one series by a look-up.
--
-- The label that counts: a reader goes before a mask, a mask before the word of a collection; of one source, one slice
-- with tumour is enough. The counts of labelled slices are those of the named queries, which look at the volume that
-- stands for a series (0) alone (see queries/named_query_slices.sql).
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
    coalesce(k.tumor_axial, 0) AS tumor_axial,
    coalesce(k.tumor_coronal, 0) AS tumor_coronal,
    coalesce(k.tumor_sagittal, 0) AS tumor_sagittal,
    coalesce(k.no_tumor_axial, 0) AS no_tumor_axial,
    coalesce(k.no_tumor_coronal, 0) AS no_tumor_coronal,
    coalesce(k.no_tumor_sagittal, 0) AS no_tumor_sagittal,
    coalesce(k.model_tumor_axial, 0) AS model_tumor_axial,
    coalesce(k.model_tumor_coronal, 0) AS model_tumor_coronal,
    coalesce(k.model_tumor_sagittal, 0) AS model_tumor_sagittal,
    coalesce(k.model_no_tumor_axial, 0) AS model_no_tumor_axial,
    coalesce(k.model_no_tumor_coronal, 0) AS model_no_tumor_coronal,
    coalesce(k.model_no_tumor_sagittal, 0) AS model_no_tumor_sagittal,
    v.tumor,
    v.source AS label_source,
    m.tumor_probability,
    m.version AS model_version,
    m.tumor AS model_tumor,
    k.cover_pack_id,
    k.cover_index
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
COMMENT ON VIEW series_snapshot IS 'One row a series with all that it is filtered, sorted, counted and listed by.';
