-- Registered models, the newest first.
SELECT
    version,
    sha256,
    data_sha256,
    trained_on,
    architecture,
    preprocessing,
    license,
    figures,
    calibration_slope,
    calibration_offset,
    tumor_threshold,
    series_threshold,
    brain_threshold,
    lesion_threshold,
    active,
    registered_at
FROM model
ORDER BY registered_at DESC, model_id ASC
LIMIT %(limit)s
