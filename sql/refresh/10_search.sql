-- Brings the search up to date for the series that this load touched: their rows, the cells that count them, in
-- how many facet values each of their subjects counts, and how many subjects and studies their collections hold.
-- Nothing else is read, so that a small load into a large catalogue stays small.

CREATE TEMP TABLE fresh_search (LIKE series_search) ON COMMIT DROP;
INSERT INTO fresh_search
SELECT f.*
FROM series_search_fresh AS f
INNER JOIN touched_series AS t ON f.series_id = t.series_id
LEFT JOIN series_search AS s ON f.series_id = s.series_id
WHERE s.series_id IS NULL OR s IS DISTINCT FROM f;

CREATE TEMP TABLE touched_subject ON COMMIT DROP AS
SELECT f.subject_id FROM fresh_search AS f
UNION
SELECT s.subject_id
FROM series_search AS s
INNER JOIN fresh_search AS f ON s.series_id = f.series_id;

CREATE TEMP TABLE touched_study ON COMMIT DROP AS
SELECT f.study_id FROM fresh_search AS f
UNION
SELECT s.study_id
FROM series_search AS s
INNER JOIN fresh_search AS f ON s.series_id = f.series_id;

ANALYZE fresh_search, touched_subject, touched_study;

-- Subjects and studies of each collection, of the touched ones alone: what they were goes off, what they are comes on.
CREATE TEMP TABLE collection_change ON COMMIT DROP AS
SELECT
    r.collection_id,
    -count(DISTINCT r.subject_id) AS subject_count,
    0::bigint AS study_count
FROM series_search AS r
INNER JOIN touched_subject AS t ON r.subject_id = t.subject_id
GROUP BY r.collection_id
UNION ALL
SELECT
    r.collection_id,
    0::bigint AS subject_count,
    -count(DISTINCT r.study_id) AS study_count
FROM series_search AS r
INNER JOIN touched_study AS t ON r.study_id = t.study_id
GROUP BY r.collection_id;

CREATE TEMP TABLE subject_change ON COMMIT DROP AS
SELECT
    k.facet,
    k.value,
    -count(DISTINCT s.subject_id) AS subject_count
FROM (
    SELECT DISTINCT
        r.subject_id,
        r.cell_id
    FROM series_search AS r
    INNER JOIN touched_subject AS t ON r.subject_id = t.subject_id
) AS s
INNER JOIN cell_facet AS k ON s.cell_id = k.cell_id
GROUP BY k.facet, k.value;

INSERT INTO series_cell (
    cell_id, series_count, slices_axial, slices_coronal, slices_sagittal, shows_axial, shows_coronal, shows_sagittal,
    archive, collection, species, plane, sequence, manufacturer, model, sex, license, field_strength, tumor,
    label_source
)
SELECT DISTINCT ON (f.cell_id)
    f.cell_id, 0, 0, 0, 0, f.slices_axial > 0, f.slices_coronal > 0, f.slices_sagittal > 0, c.archive, c.name,
    f.species, f.plane, f.sequence, f.manufacturer, f.model, f.sex, f.license, f.field_strength, f.tumor,
    f.label_source
FROM fresh_search AS f
INNER JOIN collection AS c ON f.collection_id = c.collection_id
ORDER BY f.cell_id
ON CONFLICT (cell_id) DO NOTHING;

UPDATE series_cell AS c
SET
    series_count = c.series_count + d.series,
    slices_axial = c.slices_axial + d.axial,
    slices_coronal = c.slices_coronal + d.coronal,
    slices_sagittal = c.slices_sagittal + d.sagittal
FROM (
    SELECT
        m.cell_id,
        sum(m.sign) AS series,
        sum(m.sign * m.slices_axial) AS axial,
        sum(m.sign * m.slices_coronal) AS coronal,
        sum(m.sign * m.slices_sagittal) AS sagittal
    FROM (
        SELECT
            1 AS sign,
            f.cell_id,
            f.slices_axial,
            f.slices_coronal,
            f.slices_sagittal
        FROM fresh_search AS f
        UNION ALL
        SELECT
            -1 AS sign,
            s.cell_id,
            s.slices_axial,
            s.slices_coronal,
            s.slices_sagittal
        FROM series_search AS s
        INNER JOIN fresh_search AS f ON s.series_id = f.series_id
    ) AS m
    GROUP BY m.cell_id
) AS d
WHERE c.cell_id = d.cell_id AND (d.series, d.axial, d.coronal, d.sagittal) <> (0, 0, 0, 0);

DELETE FROM series_cell
WHERE series_count = 0;

UPDATE search_version AS v
SET row_hash = v.row_hash + d.hash
FROM (
    SELECT
        (SELECT coalesce(sum(hash_record_extended(f, 0)), 0) FROM fresh_search AS f)
        - coalesce(sum(hash_record_extended(s, 0)), 0) AS hash
    FROM series_search AS s
    WHERE s.series_id = any(array(SELECT f.series_id FROM fresh_search AS f))
) AS d
WHERE d.hash <> 0;

-- By key, also where the planner knows nothing of how many there are.
DELETE FROM series_search
WHERE series_id = any(array(SELECT f.series_id FROM fresh_search AS f));
INSERT INTO series_search
SELECT f.* FROM fresh_search AS f
ORDER BY f.series_id;

INSERT INTO subject_change (facet, value, subject_count)
SELECT
    k.facet,
    k.value,
    count(DISTINCT s.subject_id)
FROM (
    SELECT DISTINCT
        r.subject_id,
        r.cell_id
    FROM series_search AS r
    INNER JOIN touched_subject AS t ON r.subject_id = t.subject_id
) AS s
INNER JOIN cell_facet AS k ON s.cell_id = k.cell_id
GROUP BY k.facet, k.value;

INSERT INTO collection_change (collection_id, subject_count, study_count)
SELECT
    r.collection_id,
    count(DISTINCT r.subject_id),
    0
FROM series_search AS r
INNER JOIN touched_subject AS t ON r.subject_id = t.subject_id
GROUP BY r.collection_id
UNION ALL
SELECT
    r.collection_id,
    0,
    count(DISTINCT r.study_id)
FROM series_search AS r
INNER JOIN touched_study AS t ON r.study_id = t.study_id
GROUP BY r.collection_id;

DROP TABLE fresh_search, touched_subject, touched_study;
