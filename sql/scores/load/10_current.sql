-- What of this run is news: series that are catalogued with exactly the packs that were scored, and that no run
-- published as late or later has scored by the same model.

ANALYZE stage_series_score, stage_slice_score;

CREATE TEMP TABLE incoming_score (LIKE series_prediction) ON COMMIT DROP;
INSERT INTO incoming_score (
    series_id, peak_pack_id, published_at, model_id, peak_slice_index, tumor_logit, tumor_probability, slice_count,
    accepted_count, declined, input_sha256
)
SELECT
    s.series_id,
    s.peak_pack_id,
    r.published_at,
    r.model_id,
    s.peak_slice_index,
    s.tumor_logit,
    s.tumor_probability,
    s.slice_count,
    s.accepted_count,
    s.declined,
    s.input_sha256
FROM stage_series_score AS s
CROSS JOIN stage_score_run AS r
INNER JOIN series AS c ON s.series_id = c.series_id
LEFT JOIN series_prediction AS p ON s.series_id = p.series_id AND r.model_id = p.model_id
WHERE
    scoring_input(s.series_id) = s.input_sha256
    AND (p.series_id IS NULL OR p.published_at < r.published_at);

CREATE TEMP TABLE incoming_scored_pack ON COMMIT DROP AS
SELECT
    p.pack_id,
    p.slice_count
FROM incoming_score AS i
INNER JOIN scored_pack AS p ON i.series_id = p.series_id;

ANALYZE incoming_score, incoming_scored_pack;
