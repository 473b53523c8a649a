-- Every series that any model spoke of: with another active model all of them are counted anew.
INSERT INTO touched_series (series_id)
SELECT DISTINCT p.series_id
FROM series_prediction AS p
ON CONFLICT DO NOTHING
