-- Predictions: of two runs by one model the one published later has the last word. Slices go with their series.

DELETE FROM slice_prediction AS s
USING incoming_scored_pack AS i, stage_score_run AS r
WHERE s.pack_id = i.pack_id AND s.model_id = r.model_id;

INSERT INTO slice_prediction (
    pack_id, model_id, slice_index, tumor_logit, tumor_probability, brain_probability, lesion_area_px
)
SELECT
    s.pack_id,
    r.model_id,
    s.slice_index,
    s.tumor_logit,
    s.tumor_probability,
    s.brain_probability,
    s.lesion_area_px
FROM stage_slice_score AS s
CROSS JOIN stage_score_run AS r
INNER JOIN incoming_scored_pack AS i ON s.pack_id = i.pack_id;

INSERT INTO series_prediction
SELECT i.*
FROM incoming_score AS i
ON CONFLICT (series_id, model_id) DO UPDATE SET
    peak_pack_id = excluded.peak_pack_id,
    published_at = excluded.published_at,
    peak_slice_index = excluded.peak_slice_index,
    tumor_logit = excluded.tumor_logit,
    tumor_probability = excluded.tumor_probability,
    slice_count = excluded.slice_count,
    accepted_count = excluded.accepted_count,
    declined = excluded.declined,
    input_sha256 = excluded.input_sha256;

INSERT INTO touched_series (series_id)
SELECT i.series_id
FROM incoming_score AS i
ON CONFLICT DO NOTHING;
