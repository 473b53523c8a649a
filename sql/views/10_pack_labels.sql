-- What is said of single slices, one row a pack that has such: a download is planned by pack. Neighbours of which the
-- same is said stand together. The label of the series and whose word counts are not in it: that is for the query.
-- For some packs it is read by their keys: what stands in the subquery is asked pack by pack.
CREATE VIEW pack_labels AS
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
COMMENT ON VIEW pack_labels IS 'What is said of single slices, one row a pack that has such, as runs of neighbours.';
