-- Every registered model, the newest first.
SELECT
    model_id, version, sha256, weights_key, data_sha256, trained_on, figures, calibration_slope, calibration_offset,
    tumor_threshold, series_threshold, brain_threshold, lesion_threshold, architecture, preprocessing, license,
    active, registered_at
FROM model
ORDER BY registered_at DESC, version ASC
