-- What of this run is news: series that are catalogued with exactly the packs that were scored, and that no run
-- published as late or later has scored by the same model.

ANALYZE stage_series_score, stage_slice_score;

CREATE TEMP TABLE incoming_score ON COMMIT DROP AS
SELECT s.*
FROM stage_series_score AS s
INNER JOIN series AS c ON s.series_id = c.series_id
LEFT JOIN series_prediction AS p ON s.series_id = p.series_id AND s.model_id = p.model_id
WHERE
    scoring_input(s.series_id) = s.input_sha256
    AND (p.series_id IS NULL OR p.published_at < s.published_at);

CREATE TEMP TABLE incoming_scored_pack ON COMMIT DROP AS
SELECT
    p.pack_id,
    i.model_id,
    p.slice_count
FROM incoming_score AS i
INNER JOIN scored_pack AS p ON i.series_id = p.series_id;

ANALYZE incoming_score, incoming_scored_pack;
