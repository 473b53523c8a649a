-- Counts of the six named queries: by truth, and what the active model would add where no truth speaks. Counted anew
-- for the series that this load touched and somebody spoke of, from packs and what is said of their slices.

CREATE TEMP TABLE spoken_series ON COMMIT DROP AS
SELECT t.series_id
FROM touched_series AS t
WHERE
    EXISTS (SELECT FROM label AS l WHERE l.series_id = t.series_id)
    OR EXISTS (SELECT FROM series_prediction AS p WHERE p.series_id = t.series_id);

ANALYZE spoken_series;

CREATE TEMP TABLE fresh_answer ON COMMIT DROP AS
SELECT
    a.series_id,
    a.name,
    a.subject_id,
    sum(a.slices)::bigint AS slice_count,
    sum(a.model_slices)::bigint AS model_slice_count
FROM (
    SELECT
        q.name,
        s.series_id,
        s.subject_id,
        CASE WHEN q.tumor THEN l.with_tumor ELSE l.without_tumor END
        + CASE WHEN st.tumor = q.tumor THEN p.slice_count - l.with_tumor - l.without_tumor ELSE 0 END AS slices,
        CASE
            WHEN st.series_id IS NOT NULL THEN 0
            WHEN q.tumor THEN l.model_with_tumor
            ELSE l.model_without_tumor
        END AS model_slices
    FROM spoken_series AS t
    INNER JOIN series AS s ON t.series_id = s.series_id
    INNER JOIN pack AS p ON s.series_id = p.series_id AND p.volume = 0
    INNER JOIN named_query AS q ON p.plane = q.plane
    LEFT JOIN LATERAL (
        SELECT
            r.series_id,
            r.tumor
        FROM series_truth AS r
        WHERE r.series_id = s.series_id
    ) AS st ON true
    LEFT JOIN pack_labels AS k ON p.pack_id = k.pack_id
    CROSS JOIN LATERAL (
        SELECT
            coalesce(sum(r.slices) FILTER (WHERE r.truth), 0) AS with_tumor,
            coalesce(sum(r.slices) FILTER (WHERE NOT r.truth), 0) AS without_tumor,
            coalesce(sum(r.slices) FILTER (WHERE r.model_word), 0) AS model_with_tumor,
            coalesce(sum(r.slices) FILTER (WHERE NOT r.model_word), 0) AS model_without_tumor
        FROM unnest(k.slice_counts, k.truths, k.model_words) AS r (slices, truth, model_word)
    ) AS l
) AS a
GROUP BY a.series_id, a.name, a.subject_id
HAVING sum(a.slices) > 0 OR sum(a.model_slices) > 0;

CREATE TEMP TABLE answer_subject ON COMMIT DROP AS
SELECT f.subject_id FROM fresh_answer AS f
UNION
SELECT a.subject_id
FROM named_answer AS a
INNER JOIN touched_series AS t ON a.series_id = t.series_id;

ANALYZE fresh_answer, answer_subject;

-- What the touched series answered goes off, what they answer comes on; subjects are looked at whole.
CREATE TEMP TABLE answer_change ON COMMIT DROP AS
SELECT
    a.name,
    -1 AS sign,
    a.series_id,
    NULL::bigint AS subject_id,
    a.slice_count,
    a.model_slice_count
FROM named_answer AS a
INNER JOIN touched_series AS t ON a.series_id = t.series_id
UNION ALL
SELECT
    a.name,
    -1 AS sign,
    NULL::bigint AS series_id,
    a.subject_id,
    sum(a.slice_count)::bigint AS slice_count,
    sum(a.model_slice_count)::bigint AS model_slice_count
FROM named_answer AS a
INNER JOIN answer_subject AS u ON a.subject_id = u.subject_id
GROUP BY a.name, a.subject_id;

DELETE FROM named_answer AS a
USING touched_series AS t
WHERE
    a.series_id = t.series_id
    AND NOT EXISTS (
        SELECT FROM fresh_answer AS f
        WHERE
            f.series_id = a.series_id
            AND (f.name, f.subject_id, f.slice_count, f.model_slice_count)
            = (a.name, a.subject_id, a.slice_count, a.model_slice_count)
    );

INSERT INTO named_answer (series_id, name, subject_id, slice_count, model_slice_count)
SELECT
    f.series_id,
    f.name,
    f.subject_id,
    f.slice_count,
    f.model_slice_count
FROM fresh_answer AS f
ORDER BY f.series_id, f.name
ON CONFLICT (series_id, name) DO NOTHING;

INSERT INTO answer_change (name, sign, series_id, subject_id, slice_count, model_slice_count)
SELECT
    f.name,
    1,
    f.series_id,
    NULL,
    f.slice_count,
    f.model_slice_count
FROM fresh_answer AS f
UNION ALL
SELECT
    a.name,
    1,
    NULL,
    a.subject_id,
    sum(a.slice_count)::bigint,
    sum(a.model_slice_count)::bigint
FROM named_answer AS a
INNER JOIN answer_subject AS u ON a.subject_id = u.subject_id
GROUP BY a.name, a.subject_id;

UPDATE named_query AS q
SET
    slice_count = q.slice_count + d.slices,
    series_count = q.series_count + d.series,
    subject_count = q.subject_count + d.subjects,
    model_slice_count = q.model_slice_count + d.model_slices,
    model_series_count = q.model_series_count + d.model_series,
    model_subject_count = q.model_subject_count + d.model_subjects
FROM (
    SELECT
        name,
        coalesce(sum(sign * slice_count) FILTER (WHERE series_id IS NOT NULL), 0) AS slices,
        coalesce(sum(sign) FILTER (WHERE series_id IS NOT NULL AND slice_count > 0), 0) AS series,
        coalesce(sum(sign) FILTER (WHERE subject_id IS NOT NULL AND slice_count > 0), 0) AS subjects,
        coalesce(sum(sign * model_slice_count) FILTER (WHERE series_id IS NOT NULL), 0) AS model_slices,
        coalesce(sum(sign) FILTER (WHERE series_id IS NOT NULL AND model_slice_count > 0), 0) AS model_series,
        coalesce(sum(sign) FILTER (WHERE subject_id IS NOT NULL AND model_slice_count > 0), 0) AS model_subjects
    FROM answer_change
    GROUP BY name
) AS d
WHERE
    q.name = d.name
    AND (d.slices, d.series, d.subjects, d.model_slices, d.model_series, d.model_subjects) <> (0, 0, 0, 0, 0, 0);

DROP TABLE spoken_series, fresh_answer, answer_subject, answer_change;
