-- Loaded runs, the newest first.
SELECT
    step,
    run,
    published_at,
    series_count,
    pack_count,
    slice_count,
    label_count,
    reject_count
FROM ingest_run
ORDER BY published_at DESC, run_id ASC
LIMIT %(limit)s
