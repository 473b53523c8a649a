-- The run itself, so that it is not loaded again.

INSERT INTO ingest_run (
    run_id, step, run, published_key, published_sha256, published_at,
    series_count, pack_count, slice_count, label_count, reject_count
)
VALUES (
    %(run_id)s, %(step)s, %(run)s, %(published_key)s, %(published_sha256)s, %(published_at)s,
    %(series_count)s, %(pack_count)s, %(slice_count)s, %(label_count)s, %(reject_count)s
)
ON CONFLICT (run_id) DO UPDATE SET
    published_sha256 = excluded.published_sha256,
    published_at = excluded.published_at,
    series_count = excluded.series_count,
    pack_count = excluded.pack_count,
    slice_count = excluded.slice_count,
    label_count = excluded.label_count,
    reject_count = excluded.reject_count
WHERE ingest_run IS DISTINCT FROM excluded;
