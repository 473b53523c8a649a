-- The run itself, so that it is not loaded again.

INSERT INTO score_run (
    run_id, run, model_id, published_key, published_sha256, published_at, series_count, slice_count, reject_count
)
VALUES (
    %(run_id)s, %(run)s, %(model_id)s, %(published_key)s, %(published_sha256)s, %(published_at)s, %(series_count)s,
    %(slice_count)s, %(reject_count)s
)
ON CONFLICT (run_id) DO UPDATE SET
    model_id = excluded.model_id,
    published_sha256 = excluded.published_sha256,
    published_at = excluded.published_at,
    series_count = excluded.series_count,
    slice_count = excluded.slice_count,
    reject_count = excluded.reject_count
