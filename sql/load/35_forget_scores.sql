-- What a model said of other pixels is no longer said; the next scoring run takes these series again.

CREATE TEMP TABLE repacked ON COMMIT DROP AS
SELECT p.series_id
FROM stage_pack AS p
INNER JOIN current_series AS c ON p.series_id = c.series_id
WHERE c.stands
UNION
SELECT p.series_id FROM gone_pack AS p;

DELETE FROM slice_prediction AS s
USING pack AS p, repacked AS r
WHERE s.pack_id = p.pack_id AND p.series_id = r.series_id;

DELETE FROM series_prediction AS s USING repacked AS r
WHERE s.series_id = r.series_id;

DROP TABLE repacked;
