-- Predictions: of two runs by one model the one published later has the last word. Slices go with their series.

DELETE FROM slice_prediction AS s
USING incoming_scored_pack AS i
WHERE s.pack_id = i.pack_id AND s.model_id = i.model_id;

INSERT INTO slice_prediction
SELECT s.*
FROM stage_slice_score AS s
INNER JOIN incoming_scored_pack AS i ON s.pack_id = i.pack_id;

DELETE FROM series_prediction AS s
USING incoming_score AS i
WHERE s.series_id = i.series_id AND s.model_id = i.model_id;

INSERT INTO series_prediction
SELECT i.* FROM incoming_score AS i;
