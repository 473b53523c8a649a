-- migrate:up

-- Licences and citations of a collection with the series that carry them, kept up by differences: a load that touches
-- one series of a collection of half a million reads this one.
CREATE TABLE collection_source (
    collection_id bigint NOT NULL REFERENCES collection ON DELETE CASCADE,
    license_name text,
    license_url text,
    citation_url text,
    series_count bigint NOT NULL,
    UNIQUE NULLS NOT DISTINCT (collection_id, license_name, license_url, citation_url)
);
INSERT INTO collection_source (collection_id, license_name, license_url, citation_url, series_count)
SELECT
    collection_id,
    license_name,
    license_url,
    citation_url,
    count(*)
FROM series
GROUP BY collection_id, license_name, license_url, citation_url;

COMMENT ON TABLE collection_source IS 'Under what licence, and citing what, the series of a collection are passed on.';
COMMENT ON COLUMN collection_source.collection_id IS 'The collection.';
COMMENT ON COLUMN collection_source.license_name IS 'As in series.';
COMMENT ON COLUMN collection_source.license_url IS 'As in series.';
COMMENT ON COLUMN collection_source.citation_url IS 'As in series.';
COMMENT ON COLUMN collection_source.series_count IS 'Series of the collection that carry exactly these.';

-- What each series answers of the named queries, so that their counts are kept up by differences too.
CREATE TABLE named_answer (
    series_id bigint NOT NULL REFERENCES series ON DELETE CASCADE,
    subject_id bigint NOT NULL,
    slice_count bigint NOT NULL,
    model_slice_count bigint NOT NULL,
    name text NOT NULL REFERENCES named_query,
    PRIMARY KEY (series_id, name)
);
WITH labelled AS (
    SELECT
        t.pack_id,
        count(*) FILTER (WHERE t.tumor) AS with_tumor,
        count(*) FILTER (WHERE NOT t.tumor) AS without_tumor
    FROM slice_truth AS t
    INNER JOIN pack AS p ON t.pack_id = p.pack_id
    WHERE t.slice_index < p.slice_count
    GROUP BY t.pack_id
),

spoken AS (
    SELECT
        m.pack_id,
        count(*) FILTER (WHERE m.tumor) AS with_tumor,
        count(*) FILTER (WHERE NOT m.tumor) AS without_tumor
    FROM slice_model AS m
    LEFT JOIN slice_truth AS t ON m.pack_id = t.pack_id AND m.slice_index = t.slice_index
    WHERE t.pack_id IS NULL
    GROUP BY m.pack_id
),

answered AS (
    SELECT
        q.name,
        s.series_id,
        s.subject_id,
        CASE WHEN q.tumor THEN coalesce(l.with_tumor, 0) ELSE coalesce(l.without_tumor, 0) END
        + CASE
            WHEN st.tumor = q.tumor
                THEN p.slice_count - coalesce(l.with_tumor, 0) - coalesce(l.without_tumor, 0)
            ELSE 0
        END AS slices,
        CASE
            WHEN st.series_id IS NOT NULL THEN 0
            WHEN q.tumor THEN coalesce(m.with_tumor, 0)
            ELSE coalesce(m.without_tumor, 0)
        END AS model_slices
    FROM named_query AS q
    INNER JOIN pack AS p ON q.plane = p.plane
    INNER JOIN series AS s ON p.series_id = s.series_id
    LEFT JOIN labelled AS l ON p.pack_id = l.pack_id
    LEFT JOIN spoken AS m ON p.pack_id = m.pack_id
    LEFT JOIN series_truth AS st ON p.series_id = st.series_id
    WHERE num_nonnulls(l.pack_id, m.pack_id, st.series_id) > 0
)

INSERT INTO named_answer (series_id, name, subject_id, slice_count, model_slice_count)
SELECT
    series_id,
    name,
    subject_id,
    sum(slices),
    sum(model_slices)
FROM answered
GROUP BY series_id, name, subject_id
HAVING sum(slices) > 0 OR sum(model_slices) > 0;
CREATE INDEX named_answer_of_subject ON named_answer (subject_id);

COMMENT ON TABLE named_answer IS
'Slices of each series that a named query answers; series that answer none have no row.';
COMMENT ON COLUMN named_answer.series_id IS 'The series.';
COMMENT ON COLUMN named_answer.name IS 'The named query.';
COMMENT ON COLUMN named_answer.subject_id IS 'Subject of the series.';
COMMENT ON COLUMN named_answer.slice_count IS 'Slices that it answers by truth.';
COMMENT ON COLUMN named_answer.model_slice_count IS
'Slices that it would answer beyond these by the word of the active model, where no truth speaks.';

-- migrate:down

DROP TABLE named_answer, collection_source;
