-- A series is scored once, and what is said of it is whole: four values, or none where the model declines.
SELECT
    series_id::text AS series,
    'value' AS trouble
FROM stage_series_score
WHERE
    input_sha256 ~ '^[0-9a-f]{64}$' IS NOT TRUE
    OR declined IS NULL
    OR slice_count > 0 IS NOT TRUE
    OR accepted_count BETWEEN 0 AND slice_count IS NOT TRUE
    OR num_nulls(tumor_logit, tumor_probability, peak_pack_id, peak_slice_index)
    <> CASE WHEN declined THEN 4 ELSE 0 END
    OR tumor_probability NOT BETWEEN 0 AND 1
    OR tumor_logit NOT BETWEEN -1e6 AND 1e6
UNION ALL
SELECT
    series_id::text,
    'twice'
FROM stage_series_score
GROUP BY series_id
HAVING count(*) > 1
LIMIT 20
