-- A reject tells of what, why and where.
SELECT series_uid, 'value' AS trouble
FROM stage_reject
WHERE
    archive IS NULL OR collection IS NULL OR series_uid IS NULL OR detail IS NULL OR fatal IS NULL
    OR code ~ '^[a-z0-9_]{1,64}$' IS NOT TRUE
    OR step IN ('manifest', 'stage', 'normalize') IS NOT TRUE
LIMIT 20
