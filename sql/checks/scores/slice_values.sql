-- Probabilities are probabilities, logits and areas are finite: NaN is greater than all else to PostgreSQL.
SELECT
    pack_id::text AS pack,
    'value' AS trouble
FROM stage_slice_score
WHERE
    (
        tumor_probability BETWEEN 0 AND 1
        AND brain_probability BETWEEN 0 AND 1
        AND tumor_logit BETWEEN -1e6 AND 1e6
        AND lesion_area_px BETWEEN 0 AND 1e9
    ) IS NOT TRUE
LIMIT 20
