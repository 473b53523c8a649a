-- A series that two parts of one run carry (a mirror, a part made twice) is taken whole from the part whose name sorts
-- last: never the rows of one with the packs of the other.

CREATE TEMP TABLE stage_loser ON COMMIT DROP AS
SELECT part, series_id
FROM (
    SELECT
        part,
        series_id,
        max(part) OVER (PARTITION BY series_id) AS winner
    FROM stage_series
) AS ranked
WHERE part < winner;

DELETE FROM stage_pack AS s USING stage_loser AS l
WHERE s.part = l.part AND s.series_id = l.series_id;

DELETE FROM stage_series AS s USING stage_loser AS l
WHERE s.part = l.part AND s.series_id = l.series_id;

DROP TABLE stage_loser;

ANALYZE stage_series, stage_pack;
