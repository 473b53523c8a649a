-- Raw objects without the receipt that is written after them, and receipts without their raw object. What is younger
-- than the grace time may still be on its way.
WITH raw AS (
    SELECT
        key,
        modified,
        regexp_replace(key, '\.(zip|nii\.gz|nii)$', '') AS stem
    FROM stored_object
    WHERE key ~ '^raw/.*\.(zip|nii\.gz|nii)$'
),

receipt AS (
    SELECT
        key,
        modified,
        left(key, -length('.receipt.json')) AS stem
    FROM stored_object
    WHERE key LIKE 'raw/%%.receipt.json'
)

SELECT
    CASE WHEN receipt.key IS NULL THEN 'receipt_missing' ELSE 'receipt_without_raw' END AS code,
    coalesce(raw.key, receipt.key) AS key
FROM raw
FULL JOIN receipt ON raw.stem = receipt.stem
WHERE
    (raw.key IS NULL OR receipt.key IS NULL)
    AND coalesce(raw.modified, receipt.modified) < %(older_than)s
ORDER BY 2
