-- A model that is not known yet. What is known keeps its row; the caller compares.
INSERT INTO model (
    model_id, version, sha256, weights_key, data_sha256, trained_on, figures, calibration_slope, calibration_offset,
    tumor_threshold, series_threshold, brain_threshold, lesion_threshold, architecture, preprocessing, license
)
VALUES (
    %(model_id)s, %(version)s, %(sha256)s, %(weights_key)s, %(data_sha256)s, %(trained_on)s, %(figures)s,
    %(calibration_slope)s, %(calibration_offset)s, %(tumor_threshold)s, %(series_threshold)s, %(brain_threshold)s,
    %(lesion_threshold)s, %(architecture)s, %(preprocessing)s, %(license)s
)
ON CONFLICT (version) DO NOTHING
