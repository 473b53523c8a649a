-- The rest of the tags is a JSON object, or a later schema could not use it.
SELECT series_uid, 'extra' AS trouble
FROM stage_series
WHERE (extra IS JSON OBJECT) IS NOT TRUE
LIMIT 20
