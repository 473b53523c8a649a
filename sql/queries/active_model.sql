-- The model whose word is asked for, and where its verdict on a series begins.
SELECT
    model_id,
    series_threshold
FROM model
WHERE active
