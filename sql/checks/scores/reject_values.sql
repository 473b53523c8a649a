-- A reject tells of what and why.
SELECT
    series_uid,
    'value' AS trouble
FROM stage_reject
WHERE
    num_nulls(archive, collection, series_uid, detail, fatal) > 0
    OR code ~ '^[a-z0-9_]{1,64}$' IS NOT TRUE
    OR step IS DISTINCT FROM 'score'
LIMIT 20
