-- migrate:up

-- What the detector says, by model version. Raw answers are kept and thresholds stand with the model, so that a verdict
-- is computed when it is asked for (views at the end) and never stored with a row.

CREATE TABLE model (
    model_id integer PRIMARY KEY,
    version text NOT NULL UNIQUE CHECK (version ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
    sha256 text NOT NULL UNIQUE CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    weights_key text NOT NULL,
    data_sha256 text NOT NULL,
    trained_on text NOT NULL,
    figures jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(figures) = 'object'),
    calibration_slope double precision NOT NULL,
    calibration_offset double precision NOT NULL,
    tumor_threshold double precision NOT NULL,
    series_threshold double precision NOT NULL,
    brain_threshold double precision NOT NULL,
    lesion_threshold double precision NOT NULL,
    active boolean NOT NULL DEFAULT false,
    registered_at timestamptz NOT NULL DEFAULT now()
);
CREATE UNIQUE INDEX model_active ON model (active) WHERE active;

CREATE TABLE series_prediction (
    series_id bigint NOT NULL REFERENCES series ON DELETE CASCADE,
    peak_pack_id bigint,
    published_at timestamptz NOT NULL,
    model_id integer NOT NULL REFERENCES model,
    peak_slice_index integer,
    tumor_logit real,
    tumor_probability real CHECK (tumor_probability BETWEEN 0 AND 1),
    slice_count integer NOT NULL CHECK (slice_count > 0),
    accepted_count integer NOT NULL CHECK (accepted_count BETWEEN 0 AND slice_count),
    declined boolean NOT NULL,
    input_sha256 text NOT NULL CHECK (input_sha256 ~ '^[0-9a-f]{64}$'),
    PRIMARY KEY (series_id, model_id),
    CHECK (
        num_nulls(peak_pack_id, peak_slice_index, tumor_logit, tumor_probability) = CASE WHEN declined THEN 4 ELSE 0 END
    )
);
CREATE INDEX series_prediction_by_score ON series_prediction (model_id, tumor_probability, series_id);

-- Fixed-width columns only, widest first: 32 bytes a row and no padding, so ten million rows take about 650 MB. The key
-- begins with the pack, which serves both the strip of one pack and the cascade. The model is held by the load, which
-- locks its row, and by series_prediction: a second foreign key would be looked up ten million times.
CREATE TABLE slice_prediction (
    pack_id bigint NOT NULL REFERENCES pack ON DELETE CASCADE,
    model_id integer NOT NULL,
    slice_index integer NOT NULL CHECK (slice_index >= 0),
    tumor_logit real NOT NULL,
    tumor_probability real NOT NULL CHECK (tumor_probability BETWEEN 0 AND 1),
    brain_probability real NOT NULL CHECK (brain_probability BETWEEN 0 AND 1),
    lesion_area_px real NOT NULL CHECK (lesion_area_px >= 0),
    PRIMARY KEY (pack_id, model_id, slice_index)
);

CREATE TABLE score_run (
    run_id bigint PRIMARY KEY,
    run text NOT NULL UNIQUE,
    model_id integer NOT NULL REFERENCES model,
    published_key text NOT NULL UNIQUE,
    published_sha256 text NOT NULL,
    published_at timestamptz NOT NULL,
    series_count bigint NOT NULL,
    slice_count bigint NOT NULL,
    reject_count bigint NOT NULL
);

-- Truth with its source, and the word of the active model in the same shape. The two never mix: whoever wants the
-- model's word asks for it, and takes it only where no truth speaks.
CREATE OR REPLACE VIEW slice_truth AS
SELECT DISTINCT ON (pack_id, slice_index)
    pack_id,
    slice_index,
    tumor,
    source
FROM label
WHERE pack_id IS NOT NULL AND source IN ('reader', 'mask', 'collection')
ORDER BY pack_id ASC, slice_index ASC, array_position(ARRAY['reader', 'mask', 'collection'], source) ASC;

CREATE OR REPLACE VIEW series_truth AS
SELECT DISTINCT ON (series_id)
    series_id,
    tumor,
    source
FROM label
WHERE pack_id IS NULL AND source IN ('reader', 'mask', 'collection')
ORDER BY series_id ASC, array_position(ARRAY['reader', 'mask', 'collection'], source) ASC;

CREATE VIEW series_model AS
SELECT
    p.series_id,
    p.tumor_probability >= m.series_threshold AS tumor,
    'model:' || m.version AS source
FROM series_prediction AS p
INNER JOIN model AS m ON p.model_id = m.model_id AND m.active
WHERE NOT p.declined;

CREATE VIEW slice_model AS
SELECT
    p.pack_id,
    p.slice_index,
    p.tumor_probability >= m.tumor_threshold AS tumor,
    'model:' || m.version AS source
FROM slice_prediction AS p
INNER JOIN model AS m ON p.model_id = m.model_id AND m.active
INNER JOIN pack AS k ON p.pack_id = k.pack_id
INNER JOIN series_prediction AS s ON k.series_id = s.series_id AND p.model_id = s.model_id
WHERE p.brain_probability >= m.brain_threshold AND NOT s.declined;

-- What of a series a model looks at: every plane of its first volume, since echoes, directions and times of one series
-- show the same head again. The acquired plane alone decides about the series.
CREATE VIEW scored_pack AS
SELECT
    p.series_id,
    p.pack_id,
    p.object_key,
    p.sha256,
    p.pack_bytes,
    p.slice_count,
    p.acquired
FROM pack AS p
WHERE
    p.volume = (
        SELECT min(f.volume)
        FROM pack AS f
        WHERE f.series_id = p.series_id AND f.acquired
    );

-- The name of exactly these packs. The one place where it is made: the plan takes it along, the load compares it.
CREATE FUNCTION scoring_input(wanted bigint) RETURNS text LANGUAGE sql STABLE STRICT
RETURN (
    SELECT encode(sha256(convert_to(string_agg(p.sha256, ',' ORDER BY p.pack_id), 'UTF8')), 'hex')
    FROM scored_pack AS p
    WHERE p.series_id = scoring_input.wanted
);

ALTER TABLE named_query ADD COLUMN model_slice_count bigint NOT NULL DEFAULT 0;
ALTER TABLE named_query ADD COLUMN model_series_count bigint NOT NULL DEFAULT 0;
ALTER TABLE named_query ADD COLUMN model_subject_count bigint NOT NULL DEFAULT 0;

COMMENT ON TABLE model IS 'Every registered version of the tumour detector; a version never changes its bytes.';
COMMENT ON COLUMN model.model_id IS 'Stable 31-bit hash of version: narrow, because every scored slice carries it.';
COMMENT ON COLUMN model.version IS 'Name of the version, as in label sources model:<version>.';
COMMENT ON COLUMN model.sha256 IS
'Of the weights file, which also holds its calibration; checked wherever it is loaded.';
COMMENT ON COLUMN model.weights_key IS 'Object with the weights file.';
COMMENT ON COLUMN model.data_sha256 IS 'Of the slices it was trained and validated on.';
COMMENT ON COLUMN model.trained_on IS 'Sources and patients in words.';
COMMENT ON COLUMN model.figures IS 'The evaluation run, as the model card tells it; empty where none was given.';
COMMENT ON COLUMN model.calibration_slope IS 'probability = 1 / (1 + exp(-(slope * logit + offset))).';
COMMENT ON COLUMN model.calibration_offset IS 'See calibration_slope.';
COMMENT ON COLUMN model.tumor_threshold IS
'A slice is called Tumor from this probability on; chosen on validation patients.';
COMMENT ON COLUMN model.series_threshold IS
'A series is called Tumor from this probability on; chosen on validation patients.';
COMMENT ON COLUMN model.brain_threshold IS 'A slice is declined below this brain probability.';
COMMENT ON COLUMN model.lesion_threshold IS 'Pixel probability from which on a pixel belongs to the outline.';
COMMENT ON COLUMN model.active IS 'The one whose word the named queries offer; at most one.';
COMMENT ON COLUMN model.registered_at IS 'When it was registered first.';

COMMENT ON TABLE series_prediction IS 'What one model says of one series, from its acquired plane.';
COMMENT ON COLUMN series_prediction.series_id IS 'The series.';
COMMENT ON COLUMN series_prediction.peak_pack_id IS
'Pack of the acquired plane, where the peak lies; null where declined.';
COMMENT ON COLUMN series_prediction.published_at IS
'When the run that scored it was published; a run published earlier never replaces it.';
COMMENT ON COLUMN series_prediction.model_id IS 'The model.';
COMMENT ON COLUMN series_prediction.peak_slice_index IS 'Slice with the largest probability; null where declined.';
COMMENT ON COLUMN series_prediction.tumor_logit IS
'Raw: largest mean over neighbouring accepted slices, before calibration; null where declined.';
COMMENT ON COLUMN series_prediction.tumor_probability IS 'Calibrated; null where declined.';
COMMENT ON COLUMN series_prediction.slice_count IS 'Slices of the acquired plane that were looked at.';
COMMENT ON COLUMN series_prediction.accepted_count IS 'Slices among them that look like brain MR.';
COMMENT ON COLUMN series_prediction.declined IS 'Too few slices look like brain MR: the model does not speak.';
COMMENT ON COLUMN series_prediction.input_sha256 IS
'SHA-256 over the hashes of the packs that were scored: other packs are scored again.';

COMMENT ON TABLE slice_prediction IS 'What one model says of one slice; raw, no threshold applied.';
COMMENT ON COLUMN slice_prediction.pack_id IS 'The pack it lies in.';
COMMENT ON COLUMN slice_prediction.model_id IS 'The model.';
COMMENT ON COLUMN slice_prediction.slice_index IS '0-based place in the pack.';
COMMENT ON COLUMN slice_prediction.tumor_logit IS 'As the network gives it, before calibration.';
COMMENT ON COLUMN slice_prediction.tumor_probability IS 'Calibrated.';
COMMENT ON COLUMN slice_prediction.brain_probability IS 'That this is a brain MR at all; 0 for a blank slice.';
COMMENT ON COLUMN slice_prediction.lesion_area_px IS
'Expected area of the lesion: the sum of the pixel probabilities, in pixels of the slice.';

COMMENT ON TABLE score_run IS 'Every published scoring run that was loaded, with its own counts.';
COMMENT ON COLUMN score_run.run_id IS 'Stable hash of step and run.';
COMMENT ON COLUMN score_run.run IS 'Name of the run.';
COMMENT ON COLUMN score_run.model_id IS 'The model that scored.';
COMMENT ON COLUMN score_run.published_key IS 'Object that lists what the run made.';
COMMENT ON COLUMN score_run.published_sha256 IS 'Of that object: the same bytes are not loaded again.';
COMMENT ON COLUMN score_run.published_at IS 'When the run was published, by the object store''s clock.';
COMMENT ON COLUMN score_run.series_count IS 'Series the run scored.';
COMMENT ON COLUMN score_run.slice_count IS 'Slices the run scored.';
COMMENT ON COLUMN score_run.reject_count IS 'Series the run could not score.';

COMMENT ON VIEW slice_truth IS 'The label of a slice that counts as truth, with its source; never a model.';
COMMENT ON VIEW series_truth IS 'The label of a series that counts as truth, with its source; never a model.';
COMMENT ON VIEW slice_model IS 'What the active model says of a slice at its threshold; nothing where it declines.';
COMMENT ON VIEW series_model IS 'What the active model says of a series at its threshold; nothing where it declines.';
COMMENT ON VIEW scored_pack IS 'The packs of a series that a model looks at: all planes of its first volume.';

COMMENT ON FUNCTION scoring_input IS 'SHA-256 over the hashes of the packs that a model looks at; null without such.';

COMMENT ON COLUMN reject.step IS 'manifest, stage, normalize or score.';
COMMENT ON COLUMN named_query.slice_count IS 'Slices it answers by truth.';
COMMENT ON COLUMN named_query.model_slice_count IS
'Slices that it would answer beyond these by the word of the active model, where no truth speaks.';
COMMENT ON COLUMN named_query.model_series_count IS 'Series with at least one such slice.';
COMMENT ON COLUMN named_query.model_subject_count IS 'Subjects with at least one such slice.';

-- migrate:down

ALTER TABLE named_query DROP COLUMN model_slice_count;
ALTER TABLE named_query DROP COLUMN model_series_count;
ALTER TABLE named_query DROP COLUMN model_subject_count;
DROP FUNCTION scoring_input;
DROP VIEW scored_pack, slice_model, series_model, slice_truth, series_truth;
DROP TABLE score_run, slice_prediction, series_prediction, model;
CREATE VIEW slice_truth AS
SELECT DISTINCT ON (pack_id, slice_index)
    pack_id,
    slice_index,
    tumor
FROM label
WHERE pack_id IS NOT NULL AND source IN ('reader', 'mask', 'collection')
ORDER BY pack_id ASC, slice_index ASC, array_position(ARRAY['reader', 'mask', 'collection'], source) ASC;
CREATE VIEW series_truth AS
SELECT DISTINCT ON (series_id)
    series_id,
    tumor
FROM label
WHERE pack_id IS NULL AND source IN ('reader', 'mask', 'collection')
ORDER BY series_id ASC, array_position(ARRAY['reader', 'mask', 'collection'], source) ASC;
