-- What a model said of other pixels is no longer said; the next scoring run takes these series again.

CREATE TEMP TABLE repacked ON COMMIT DROP AS
SELECT i.series_id
FROM incoming_pack AS i
INNER JOIN changed_pack AS c ON i.pack_id = c.pack_id
INNER JOIN current_series AS s ON i.series_id = s.series_id
WHERE s.stands
UNION
SELECT p.series_id
FROM pack AS p
INNER JOIN current_series AS s ON p.series_id = s.series_id
WHERE
    s.stands
    AND NOT EXISTS (
        SELECT FROM incoming_pack AS i
        WHERE i.pack_id = p.pack_id
    );

DELETE FROM slice_prediction AS s
USING pack AS p, repacked AS r
WHERE s.pack_id = p.pack_id AND p.series_id = r.series_id;

DELETE FROM series_prediction AS s USING repacked AS r
WHERE s.series_id = r.series_id;

DROP TABLE repacked;
