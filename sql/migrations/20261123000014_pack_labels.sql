-- migrate:up

-- What is said of single slices, one row a pack that has such: a download is planned by pack, and the labels and bytes
-- of every labelled slice were most of what planning one took. Neighbours of which the same is said stand together. The
-- label of the series is not in it, nor whose word counts: that is what a question says.
CREATE TABLE pack_labels (
    pack_id bigint PRIMARY KEY REFERENCES pack ON DELETE CASCADE,
    slice_counts integer[] NOT NULL,
    slice_bytes bigint[] NOT NULL,
    truths boolean[],
    truth_sources text[],
    model_words boolean[],
    model_source text,
    CHECK (num_nonnulls(truths, model_words) > 0),
    CHECK (num_nulls(truths, truth_sources) IN (0, 2) AND num_nulls(model_words, model_source) IN (0, 2))
);
COMMENT ON TABLE pack_labels IS
'Labels of single slices, by pack and run of neighbours; kept equal to pack_labels_fresh by each load.';
COMMENT ON COLUMN pack_labels.pack_id IS 'The pack.';
COMMENT ON COLUMN pack_labels.slice_counts IS
'Slices of each run; the runs follow each other from the first slice of the pack to its last.';
COMMENT ON COLUMN pack_labels.slice_bytes IS 'Bytes of the JPEGs of each run.';
COMMENT ON COLUMN pack_labels.truths IS
'What truth says of the slices themselves, by run; null where nothing, and as a whole where nothing of any.';
COMMENT ON COLUMN pack_labels.truth_sources IS 'Who says so, by run.';
COMMENT ON COLUMN pack_labels.model_words IS
'What the active model says of slices of which no truth of their own speaks, by run; nulls as in truths.';
COMMENT ON COLUMN pack_labels.model_source IS 'The active model as the source of a label; null where it says nothing.';

-- For some packs it is read by their keys: what stands in the subquery is asked pack by pack.
CREATE VIEW pack_labels_fresh AS
SELECT
    p.pack_id,
    r.slice_counts,
    r.slice_bytes,
    r.truths,
    r.truth_sources,
    r.model_words,
    r.model_source
FROM pack AS p
INNER JOIN LATERAL (
    SELECT
        array_agg(n.slice_count ORDER BY n.first_slice) AS slice_counts,
        array_agg(n.slice_bytes ORDER BY n.first_slice) AS slice_bytes,
        CASE WHEN count(n.truth) > 0 THEN array_agg(n.truth ORDER BY n.first_slice) END AS truths,
        CASE WHEN count(n.truth) > 0 THEN array_agg(n.truth_source ORDER BY n.first_slice) END AS truth_sources,
        CASE WHEN count(n.model_word) > 0 THEN array_agg(n.model_word ORDER BY n.first_slice) END AS model_words,
        max(n.model_source) AS model_source
    FROM (
        SELECT
            i.truth,
            i.truth_source,
            i.model_word,
            i.model_source,
            min(i.slice_index) AS first_slice,
            count(*)::integer AS slice_count,
            sum(i.byte_length) AS slice_bytes
        FROM (
            SELECT
                l.slice_index,
                l.byte_length,
                t.tumor AS truth,
                t.source AS truth_source,
                m.tumor AS model_word,
                m.source AS model_source,
                l.slice_index - row_number() OVER (
                    PARTITION BY t.tumor, t.source, m.tumor
                    ORDER BY l.slice_index
                ) AS island
            FROM slice AS l
            LEFT JOIN slice_truth AS t ON l.pack_id = t.pack_id AND l.slice_index = t.slice_index
            LEFT JOIN slice_model AS m
                ON l.pack_id = m.pack_id AND l.slice_index = m.slice_index AND t.pack_id IS NULL
            WHERE l.pack_id = p.pack_id
        ) AS i
        GROUP BY i.truth, i.truth_source, i.model_word, i.model_source, i.island
    ) AS n
) AS r ON num_nonnulls(r.truths, r.model_words) > 0
WHERE
    EXISTS (SELECT FROM label AS l WHERE l.pack_id = p.pack_id)
    OR EXISTS (SELECT FROM slice_prediction AS l WHERE l.pack_id = p.pack_id);
COMMENT ON VIEW pack_labels_fresh IS 'What pack_labels has to hold.';

INSERT INTO pack_labels
SELECT f.* FROM pack_labels_fresh AS f
ORDER BY f.pack_id;

-- migrate:down

DROP VIEW pack_labels_fresh;
DROP TABLE pack_labels;
