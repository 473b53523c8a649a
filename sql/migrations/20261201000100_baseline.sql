-- migrate:up

-- Keys are records.stable_id: a 63-bit hash of the natural key, so that the order of loads leaves no trace. Beside
-- each stands a unique constraint on the natural key, which turns a collision into an error.

CREATE TABLE collection (
    collection_id bigint PRIMARY KEY,
    archive text NOT NULL,
    name text NOT NULL,
    UNIQUE (archive, name)
);

CREATE TABLE subject (
    subject_id bigint PRIMARY KEY,
    patient_id text NOT NULL UNIQUE,
    species text NOT NULL,
    sex text
);

CREATE TABLE study (
    study_id bigint PRIMARY KEY,
    study_uid text NOT NULL UNIQUE CHECK (length(study_uid) <= 64),
    subject_id bigint NOT NULL REFERENCES subject,
    study_date date,
    study_description text
);
CREATE INDEX study_of_subject ON study (subject_id);

CREATE TABLE series (
    series_id bigint PRIMARY KEY,
    series_uid text NOT NULL UNIQUE CHECK (length(series_uid) <= 64),
    study_id bigint NOT NULL REFERENCES study,
    subject_id bigint NOT NULL REFERENCES subject,
    collection_id bigint NOT NULL REFERENCES collection,
    species text NOT NULL,
    sex text,
    age_years real,
    study_date date,
    study_description text,
    series_date date,
    series_description text,
    series_number integer,
    protocol_name text,
    modality text NOT NULL,
    body_part text,
    sequence text,
    manufacturer text,
    manufacturer_model text,
    software_versions text,
    field_strength_tesla real,
    echo_time_ms real,
    repetition_time_ms real,
    inversion_time_ms real,
    flip_angle_deg real,
    plane text NOT NULL CHECK (plane IN ('axial', 'coronal', 'sagittal')),
    text_plane text CHECK (text_plane IN ('axial', 'coronal', 'sagittal')),
    obliquity_deg real NOT NULL,
    rows integer NOT NULL CHECK (rows > 0),
    columns integer NOT NULL CHECK (columns > 0),
    slice_count integer NOT NULL CHECK (slice_count > 0),
    volume_count integer NOT NULL CHECK (volume_count > 0),
    row_spacing_mm real NOT NULL,
    column_spacing_mm real NOT NULL,
    slice_spacing_mm real NOT NULL,
    slice_thickness_mm real,
    slice_gaps integer NOT NULL CHECK (slice_gaps >= 0),
    slice_duplicates integer NOT NULL CHECK (slice_duplicates >= 0),
    window_low double precision NOT NULL,
    window_high double precision NOT NULL,
    transfer_syntax text,
    license_name text,
    license_url text,
    citation_url text,
    source_url text,
    raw_key text NOT NULL,
    raw_sha256 text NOT NULL,
    sidecar_key text NOT NULL,
    profile text NOT NULL,
    extra jsonb NOT NULL CHECK (jsonb_typeof(extra) = 'object'),
    published_at timestamptz NOT NULL
);
CREATE INDEX series_by_collection ON series (collection_id, series_id);
CREATE INDEX series_of_study ON series (study_id);
CREATE INDEX series_of_subject ON series (subject_id);
CREATE INDEX series_extra ON series USING gin (extra jsonb_path_ops);

CREATE TABLE pack (
    pack_id bigint PRIMARY KEY,
    series_id bigint NOT NULL REFERENCES series ON DELETE CASCADE,
    volume smallint NOT NULL CHECK (volume >= 0),
    plane text NOT NULL CHECK (plane IN ('axial', 'coronal', 'sagittal')),
    acquired boolean NOT NULL,
    object_key text NOT NULL UNIQUE,
    pack_bytes bigint NOT NULL CHECK (pack_bytes > 0),
    sha256 text NOT NULL CHECK (length(sha256) = 64),
    slice_count integer NOT NULL CHECK (slice_count > 0),
    width integer NOT NULL CHECK (width > 0),
    height integer NOT NULL CHECK (height > 0),
    pixel_width_mm real NOT NULL,
    pixel_height_mm real NOT NULL,
    slice_spacing_mm real NOT NULL,
    UNIQUE (series_id, volume, plane)
);
CREATE INDEX pack_by_plane ON pack (plane, object_key);

-- Fixed-width columns only, widest first, so that no byte of a row is padding; ten million rows take about 650 MB.
CREATE TABLE slice (
    pack_id bigint NOT NULL REFERENCES pack ON DELETE CASCADE,
    byte_offset bigint NOT NULL CHECK (byte_offset >= 0),
    crc32 bigint NOT NULL CHECK (crc32 BETWEEN 0 AND 4294967295),
    slice_index integer NOT NULL CHECK (slice_index >= 0),
    byte_length integer NOT NULL CHECK (byte_length > 0),
    position_mm real NOT NULL,
    PRIMARY KEY (pack_id, slice_index)
);

CREATE TABLE label (
    series_id bigint NOT NULL,
    pack_id bigint,
    slice_index integer,
    tumor boolean NOT NULL,
    source text NOT NULL CHECK (source IN ('collection', 'mask', 'reader') OR source LIKE 'model:_%'),
    published_at timestamptz NOT NULL,
    CHECK ((pack_id IS NULL) = (slice_index IS NULL)),
    UNIQUE NULLS NOT DISTINCT (series_id, pack_id, slice_index, source)
);
CREATE INDEX label_of_slice ON label (pack_id, slice_index) WHERE pack_id IS NOT NULL;

-- What counts as truth for the named queries. Predictions of a model never do. Where several sources speak, a reader
-- goes before a mask and a mask before the word of a collection; where a slice has a label of its own, that goes before
-- the label of its series.
CREATE VIEW slice_truth AS
SELECT DISTINCT ON (pack_id, slice_index)
    pack_id,
    slice_index,
    tumor,
    source
FROM label
WHERE pack_id IS NOT NULL AND source IN ('reader', 'mask', 'collection')
ORDER BY pack_id ASC, slice_index ASC, array_position(ARRAY['reader', 'mask', 'collection'], source) ASC;

CREATE VIEW series_truth AS
SELECT DISTINCT ON (series_id)
    series_id,
    tumor,
    source
FROM label
WHERE pack_id IS NULL AND source IN ('reader', 'mask', 'collection')
ORDER BY series_id ASC, array_position(ARRAY['reader', 'mask', 'collection'], source) ASC;

CREATE TABLE reject (
    reject_id bigint PRIMARY KEY,
    archive text NOT NULL,
    collection text NOT NULL,
    series_uid text NOT NULL,
    code text NOT NULL,
    step text NOT NULL,
    detail text NOT NULL,
    object_key text,
    fatal boolean NOT NULL,
    published_at timestamptz NOT NULL
);
CREATE INDEX reject_by_code ON reject (code, reject_id);
CREATE INDEX reject_of_collection ON reject (archive, collection);
CREATE INDEX reject_of_series ON reject USING hash (series_uid);

CREATE TABLE ingest_run (
    run_id bigint PRIMARY KEY,
    step text NOT NULL CHECK (step IN ('ingest', 'normalize')),
    run text NOT NULL,
    published_key text NOT NULL UNIQUE,
    published_sha256 text NOT NULL,
    published_at timestamptz NOT NULL,
    series_count bigint NOT NULL,
    pack_count bigint NOT NULL,
    slice_count bigint NOT NULL,
    label_count bigint NOT NULL,
    reject_count bigint NOT NULL,
    UNIQUE (step, run)
);
CREATE INDEX ingest_run_newest ON ingest_run (published_at DESC, run_id);

CREATE TABLE named_query (
    name text PRIMARY KEY,
    plane text NOT NULL,
    tumor boolean NOT NULL,
    position integer NOT NULL UNIQUE,
    UNIQUE (plane, tumor)
);
INSERT INTO named_query (name, plane, tumor, position) VALUES
('withtumor_ax', 'axial', true, 1),
('withtumor_cor', 'coronal', true, 2),
('withtumor_sag', 'sagittal', true, 3),
('notumor_ax', 'axial', false, 4),
('notumor_cor', 'coronal', false, 5),
('notumor_sag', 'sagittal', false, 6);

COMMENT ON TABLE collection IS 'A named set of studies of one archive.';
COMMENT ON COLUMN collection.collection_id IS 'Stable hash of archive and name.';
COMMENT ON COLUMN collection.archive IS 'Where it came from: tcia, idc, hcp, folder.';
COMMENT ON COLUMN collection.name IS 'The archive''s own name of the collection.';

COMMENT ON TABLE subject IS
'One head. The identity is the public PatientID across collections, because the same person may stand in two of them: '
'splits for training group by subject.';
COMMENT ON COLUMN subject.subject_id IS 'Stable hash of patient_id.';
COMMENT ON COLUMN subject.patient_id IS 'Public pseudonym of the archive, never a clinical identifier.';
COMMENT ON COLUMN subject.species IS
'human, dog, mouse, rat, phantom or other: the smallest in the alphabet of what its series say, so that it does not '
'depend on the order of loads.';
COMMENT ON COLUMN subject.sex IS 'As its series tell it, the smallest in the alphabet; null where none does.';

COMMENT ON TABLE study IS 'One examination.';
COMMENT ON COLUMN study.study_id IS 'Stable hash of study_uid.';
COMMENT ON COLUMN study.study_uid IS 'StudyInstanceUID.';
COMMENT ON COLUMN study.subject_id IS 'Whose study it is.';
COMMENT ON COLUMN study.study_date IS 'Earliest date its series give; often shifted by the archive.';
COMMENT ON COLUMN study.study_description IS 'From the public record; the smallest in the alphabet of its series.';

COMMENT ON TABLE series IS 'One acquisition as normalized under one profile, with what is known of it.';
COMMENT ON COLUMN series.series_id IS 'Stable hash of series_uid; also the order of pages.';
COMMENT ON COLUMN series.series_uid IS 'SeriesInstanceUID.';
COMMENT ON COLUMN series.study_id IS 'The study it belongs to.';
COMMENT ON COLUMN series.subject_id IS 'The subject it shows.';
COMMENT ON COLUMN series.collection_id IS 'The collection it came with.';
COMMENT ON COLUMN series.species IS 'As this series tells it.';
COMMENT ON COLUMN series.sex IS 'As this series tells it.';
COMMENT ON COLUMN series.age_years IS 'Age at the study, years.';
COMMENT ON COLUMN series.study_date IS 'As this series tells it.';
COMMENT ON COLUMN series.study_description IS 'From the archive''s public record, never from a header.';
COMMENT ON COLUMN series.series_date IS 'Often shifted by the archive.';
COMMENT ON COLUMN series.series_description IS 'From the archive''s public record, never from a header.';
COMMENT ON COLUMN series.series_number IS 'Number of the series within its study.';
COMMENT ON COLUMN series.protocol_name IS 'From the archive''s public record, never from a header.';
COMMENT ON COLUMN series.modality IS 'MR, as a rule.';
COMMENT ON COLUMN series.body_part IS 'As the archive tells it: most brain series do not say BRAIN.';
COMMENT ON COLUMN series.sequence IS 'T1, T1CE, T2, FLAIR, DWI ...; null where it cannot be told.';
COMMENT ON COLUMN series.manufacturer IS 'Of the scanner.';
COMMENT ON COLUMN series.manufacturer_model IS 'Of the scanner.';
COMMENT ON COLUMN series.software_versions IS 'Of the scanner.';
COMMENT ON COLUMN series.field_strength_tesla IS 'Tesla.';
COMMENT ON COLUMN series.echo_time_ms IS 'Milliseconds.';
COMMENT ON COLUMN series.repetition_time_ms IS 'Milliseconds.';
COMMENT ON COLUMN series.inversion_time_ms IS 'Milliseconds.';
COMMENT ON COLUMN series.flip_angle_deg IS 'Degrees.';
COMMENT ON COLUMN series.plane IS 'Acquired plane, from geometry alone.';
COMMENT ON COLUMN series.text_plane IS 'Plane that the description claims, where it claims one.';
COMMENT ON COLUMN series.obliquity_deg IS 'Angle between the slice normal and its main axis, degrees.';
COMMENT ON COLUMN series.rows IS 'Acquired matrix.';
COMMENT ON COLUMN series.columns IS 'Acquired matrix.';
COMMENT ON COLUMN series.slice_count IS 'Acquired slices of one volume.';
COMMENT ON COLUMN series.volume_count IS 'Volumes in the series: echoes, directions, times.';
COMMENT ON COLUMN series.row_spacing_mm IS 'Distance between rows, millimetres.';
COMMENT ON COLUMN series.column_spacing_mm IS 'Distance between columns, millimetres.';
COMMENT ON COLUMN series.slice_spacing_mm IS 'Distance between slice centres, millimetres.';
COMMENT ON COLUMN series.slice_thickness_mm IS 'Nominal, millimetres.';
COMMENT ON COLUMN series.slice_gaps IS 'Places where a slice is missing.';
COMMENT ON COLUMN series.slice_duplicates IS 'Identical slices that were dropped.';
COMMENT ON COLUMN series.window_low IS 'Modality value shown as 0, of volume 0.';
COMMENT ON COLUMN series.window_high IS 'Modality value shown as 255, of volume 0.';
COMMENT ON COLUMN series.transfer_syntax IS 'UID of the DICOM encoding it arrived in; null where it was no DICOM.';
COMMENT ON COLUMN series.license_name IS 'Licence it may be passed on under.';
COMMENT ON COLUMN series.license_url IS 'Text of the licence.';
COMMENT ON COLUMN series.citation_url IS 'What to cite.';
COMMENT ON COLUMN series.source_url IS 'Where the archive shows it.';
COMMENT ON COLUMN series.raw_key IS 'Object with the bytes as received.';
COMMENT ON COLUMN series.raw_sha256 IS 'Of the bytes as received.';
COMMENT ON COLUMN series.sidecar_key IS 'Object that tells how the packs were made.';
COMMENT ON COLUMN series.profile IS 'Normalization profile.';
COMMENT ON COLUMN series.extra IS 'Allow-listed tags and archive fields that have no column yet.';
COMMENT ON COLUMN series.published_at IS
'When the newest run that carried this series was published; a run published earlier never replaces it.';

COMMENT ON TABLE pack IS 'One slice pack: a zip of stored JPEGs of one volume in one plane.';
COMMENT ON COLUMN pack.pack_id IS 'Stable hash of series UID, volume and plane.';
COMMENT ON COLUMN pack.series_id IS 'The series it was made of.';
COMMENT ON COLUMN pack.volume IS '0-based volume within the series.';
COMMENT ON COLUMN pack.plane IS 'Plane its slices show.';
COMMENT ON COLUMN pack.acquired IS 'False: a reformat of the acquired plane.';
COMMENT ON COLUMN pack.object_key IS 'Where the pack is.';
COMMENT ON COLUMN pack.pack_bytes IS 'Size of the pack, bytes.';
COMMENT ON COLUMN pack.sha256 IS 'Of the pack: equal packs have equal slices, so a replay skips them.';
COMMENT ON COLUMN pack.slice_count IS 'Slices in the pack.';
COMMENT ON COLUMN pack.width IS 'Pixels.';
COMMENT ON COLUMN pack.height IS 'Pixels.';
COMMENT ON COLUMN pack.pixel_width_mm IS 'Millimetres.';
COMMENT ON COLUMN pack.pixel_height_mm IS 'Millimetres.';
COMMENT ON COLUMN pack.slice_spacing_mm IS 'Distance between slice centres, millimetres.';

COMMENT ON TABLE slice IS 'Where each JPEG lies inside its pack: one slice is one range GET.';
COMMENT ON COLUMN slice.pack_id IS 'The pack it lies in.';
COMMENT ON COLUMN slice.byte_offset IS 'Of the first byte of the JPEG in the pack.';
COMMENT ON COLUMN slice.crc32 IS 'CRC-32 of the JPEG, as in a zip directory.';
COMMENT ON COLUMN slice.slice_index IS '0-based, by increasing R, A or S.';
COMMENT ON COLUMN slice.byte_length IS 'Of the JPEG.';
COMMENT ON COLUMN slice.position_mm IS 'Centre of the slice along R, A or S, millimetres.';

COMMENT ON TABLE label IS
'What somebody says about a slice or a whole series. No foreign keys: a label may arrive before the series it is of.';
COMMENT ON COLUMN label.series_id IS 'Stable hash of the series UID.';
COMMENT ON COLUMN label.pack_id IS 'Pack of the labelled slice; null: the label is of the whole series.';
COMMENT ON COLUMN label.slice_index IS 'Slice within the pack; null: the label is of the whole series.';
COMMENT ON COLUMN label.tumor IS 'True: tumour. False: explicitly none.';
COMMENT ON COLUMN label.source IS 'collection, mask, reader or model:<version>.';
COMMENT ON COLUMN label.published_at IS 'When the newest run that carried this label was published.';

COMMENT ON TABLE reject IS 'What could not be used, and why. Nothing is dropped without a row here.';
COMMENT ON COLUMN reject.reject_id IS 'Stable hash of archive, collection, series UID, code, step and object key.';
COMMENT ON COLUMN reject.archive IS 'Where it came from.';
COMMENT ON COLUMN reject.collection IS 'The collection it came with.';
COMMENT ON COLUMN reject.series_uid IS 'As claimed: not always a valid UID.';
COMMENT ON COLUMN reject.code IS 'Stable code of the reason.';
COMMENT ON COLUMN reject.step IS 'manifest, stage, normalize or score.';
COMMENT ON COLUMN reject.detail IS 'For people; free of header values.';
COMMENT ON COLUMN reject.object_key IS 'Where the bytes are kept, if there are any.';
COMMENT ON COLUMN reject.fatal IS 'False: single files were left out and the series is catalogued all the same.';
COMMENT ON COLUMN reject.published_at IS 'When the newest run that carried this reject was published.';

COMMENT ON TABLE ingest_run IS 'Every published run that was loaded, with its own counts.';
COMMENT ON COLUMN ingest_run.run_id IS 'Stable hash of step and run.';
COMMENT ON COLUMN ingest_run.step IS 'ingest or normalize.';
COMMENT ON COLUMN ingest_run.run IS 'Name of the run, unique within its step.';
COMMENT ON COLUMN ingest_run.published_key IS 'Object that lists what the run made.';
COMMENT ON COLUMN ingest_run.published_sha256 IS 'Of that object: the same bytes are not loaded again.';
COMMENT ON COLUMN ingest_run.published_at IS 'When the run was published, by the object store''s clock.';
COMMENT ON COLUMN ingest_run.series_count IS 'Series the run carried.';
COMMENT ON COLUMN ingest_run.pack_count IS 'Packs the run carried.';
COMMENT ON COLUMN ingest_run.slice_count IS 'Slices the run carried.';
COMMENT ON COLUMN ingest_run.label_count IS 'Labels the run carried.';
COMMENT ON COLUMN ingest_run.reject_count IS 'Rejects the run carried.';

COMMENT ON TABLE named_query IS 'The six predefined queries.';
COMMENT ON COLUMN named_query.name IS 'As it stands in the address /Images/<name>.';
COMMENT ON COLUMN named_query.plane IS 'Plane its slices show.';
COMMENT ON COLUMN named_query.tumor IS 'True: slices with a tumour. False: slices explicitly without one.';
COMMENT ON COLUMN named_query.position IS 'Place in the list.';

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
    registered_at timestamptz NOT NULL DEFAULT now(),
    architecture text,
    preprocessing text,
    license text
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

-- The word of the active model in the shape of the truth. The two never mix: a caller who wants it asks for it by name,
-- and takes it only where no truth speaks.
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

COMMENT ON COLUMN model.architecture IS
'Id of the network that the weights fit; null in a row from before ids were recorded, until it is registered again.';
COMMENT ON COLUMN model.preprocessing IS 'Id of the way from a picture to the network; null as architecture.';
COMMENT ON COLUMN model.license IS 'SPDX id of the licence of the weights; null where the weights file names none.';

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

-- A schema of its own: every table of public may be read by granary_reader, and nobody who only reads the catalogue may
-- see a password hash. sql/roles.sql makes it too, whichever comes first.
CREATE SCHEMA IF NOT EXISTS account;

CREATE TABLE account.account (
    account_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text NOT NULL UNIQUE CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 320),
    password_hash text NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
    role text NOT NULL CHECK (role IN ('reader', 'operator', 'admin')),
    token_generation integer NOT NULL DEFAULT 0 CHECK (token_generation >= 0),
    created_at timestamptz NOT NULL DEFAULT current_timestamp,
    disabled_at timestamptz
);

CREATE TABLE account.revoked_token (
    jti uuid PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES account.account ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
CREATE INDEX revoked_token_of_account ON account.revoked_token (account_id);
CREATE INDEX revoked_token_expiry ON account.revoked_token (expires_at);

CREATE TABLE account.invitation (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    role text NOT NULL CHECK (role IN ('reader', 'operator', 'admin')),
    invited_by bigint REFERENCES account.account ON DELETE SET NULL,
    expires_at timestamptz NOT NULL
);

-- No reference to account.account: what an account did outlives it, as a number that nobody else ever gets.
CREATE TABLE account.audit (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    happened_at timestamptz NOT NULL DEFAULT current_timestamp,
    event text NOT NULL CHECK (event ~ '^[a-z][a-z0-9_]{0,63}$'),
    account_id bigint,
    origin text CHECK (length(origin) <= 64),
    request_id text CHECK (length(request_id) <= 64),
    facts jsonb NOT NULL CHECK (jsonb_typeof(facts) = 'object')
);
CREATE INDEX audit_of_account ON account.audit (account_id, audit_id);
CREATE INDEX audit_of_event ON account.audit (event, audit_id);

CREATE FUNCTION account.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $refuse$
BEGIN
    RAISE EXCEPTION 'the audit trail is only ever added to' USING ERRCODE = 'insufficient_privilege';
END
$refuse$;
CREATE TRIGGER audit_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON account.audit
FOR EACH STATEMENT EXECUTE FUNCTION account.refuse_change();

COMMENT ON SCHEMA account IS 'Who may use the front door; closed to the roles of the catalogue.';

COMMENT ON TABLE account.account IS 'People and programs that sign in.';
COMMENT ON COLUMN account.account.account_id IS 'Number by which everything else knows the account.';
COMMENT ON COLUMN account.account.email IS 'Normalized address in lower case.';
COMMENT ON COLUMN account.account.password_hash IS 'argon2id with its own parameters and salt.';
COMMENT ON COLUMN account.account.role IS 'reader, operator or admin; each includes the ones before it.';
COMMENT ON COLUMN account.account.token_generation IS 'Tokens of another generation are void.';
COMMENT ON COLUMN account.account.created_at IS 'When it was registered.';
COMMENT ON COLUMN account.account.disabled_at IS 'Since when it may not sign in; NULL while it may.';

COMMENT ON TABLE account.revoked_token IS 'Tokens given back before they ended, kept until they end.';
COMMENT ON COLUMN account.revoked_token.jti IS 'Id of the token.';
COMMENT ON COLUMN account.revoked_token.account_id IS 'Whose token it was.';
COMMENT ON COLUMN account.revoked_token.expires_at IS 'When it ends by itself, so that this row may go.';

COMMENT ON TABLE account.invitation IS 'Invitations that are still open; taken ones are deleted.';
COMMENT ON COLUMN account.invitation.token_hash IS 'SHA-256 of what the invited person holds.';
COMMENT ON COLUMN account.invitation.role IS 'Role that the new account gets.';
COMMENT ON COLUMN account.invitation.invited_by IS 'Account that invited; NULL for the command line.';
COMMENT ON COLUMN account.invitation.expires_at IS 'Until when it can be taken.';

COMMENT ON TABLE account.audit IS 'Who did what and when: ids and counts, nothing about patients, no e-mail addresses.';
COMMENT ON COLUMN account.audit.audit_id IS 'Number in order of recording.';
COMMENT ON COLUMN account.audit.happened_at IS 'When.';
COMMENT ON COLUMN account.audit.event IS 'What, as a stable word.';
COMMENT ON COLUMN account.audit.account_id IS 'Who; NULL for somebody unknown.';
COMMENT ON COLUMN account.audit.origin IS 'Keyed hash of the network address.';
COMMENT ON COLUMN account.audit.request_id IS 'Id that the log lines of the request carry.';
COMMENT ON COLUMN account.audit.facts IS 'Ids, counts and codes of the event.';

-- Terms of use that an account must accept before it gets pixels of some collections. What is restricted is told by
-- the names an archive gives, not by keys of collections, which come and go with their series.
CREATE TABLE terms (
    name text NOT NULL CHECK (name ~ '^[a-z][a-z0-9-]{0,63}$'),
    version text NOT NULL CHECK (version ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
    title text NOT NULL,
    url text NOT NULL CHECK (url LIKE 'https://%'),
    in_force boolean NOT NULL DEFAULT true,
    PRIMARY KEY (name, version)
);
CREATE UNIQUE INDEX terms_in_force ON terms (name) WHERE in_force;
INSERT INTO terms (name, version, title, url) VALUES (
    'hcp-open-access',
    '1',
    'WU-Minn HCP Consortium Open Access Data Use Terms',
    'https://www.humanconnectome.org/study/hcp-young-adult/document/wu-minn-hcp-consortium-open-access-data-use-terms'
);

CREATE TABLE restricted_collection (
    archive text NOT NULL,
    collection text,
    terms text NOT NULL,
    UNIQUE NULLS NOT DISTINCT (archive, collection, terms)
);
INSERT INTO restricted_collection (archive, collection, terms) VALUES ('hcp', NULL, 'hcp-open-access');

CREATE VIEW collection_terms AS
SELECT
    c.collection_id,
    c.archive,
    c.name AS collection,
    t.name AS terms,
    t.version,
    t.title,
    t.url
FROM restricted_collection AS r
INNER JOIN collection AS c ON r.archive = c.archive AND (r.collection IS NULL OR r.collection = c.name)
INNER JOIN terms AS t ON r.terms = t.name AND t.in_force;

-- Accepted terms outlive nothing but the account itself: a new version has to be accepted anew, the old row stays.
CREATE TABLE account.accepted_terms (
    account_id bigint NOT NULL REFERENCES account.account ON DELETE CASCADE,
    terms text NOT NULL,
    version text NOT NULL,
    accepted_at timestamptz NOT NULL DEFAULT current_timestamp,
    PRIMARY KEY (account_id, terms, version)
);

COMMENT ON TABLE terms IS 'Terms of use by name and version; at most one version of a name is in force.';
COMMENT ON COLUMN terms.name IS 'Stable word, part of addresses.';
COMMENT ON COLUMN terms.version IS 'Counted by us: who accepted another one has not accepted this one.';
COMMENT ON COLUMN terms.title IS 'As its author calls it.';
COMMENT ON COLUMN terms.url IS 'Where its text stands.';
COMMENT ON COLUMN terms.in_force IS 'Whether this is the version to accept.';
COMMENT ON TABLE restricted_collection IS 'Collections whose pixels need accepted terms.';
COMMENT ON COLUMN restricted_collection.archive IS 'The archive.';
COMMENT ON COLUMN restricted_collection.collection IS 'Name of the collection; null for all of the archive.';
COMMENT ON COLUMN restricted_collection.terms IS 'Name of the terms; a collection may need several.';
COMMENT ON VIEW collection_terms IS 'Restricted collections of the catalogue with the terms in force for each.';
COMMENT ON TABLE account.accepted_terms IS 'Who accepted which version of which terms, and when.';
COMMENT ON COLUMN account.accepted_terms.account_id IS 'The account.';
COMMENT ON COLUMN account.accepted_terms.terms IS 'Name of the terms.';
COMMENT ON COLUMN account.accepted_terms.version IS 'Version of the terms.';
COMMENT ON COLUMN account.accepted_terms.accepted_at IS 'When it was accepted first.';

-- Which state of the catalogue a copy of it shows: who keeps one (the search snapshot) asks for this row, and makes a
-- new copy when it differs. The time stands beside the number because a database restored from a backup counts again
-- from an older one.
CREATE TABLE catalogue_state (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    version bigint NOT NULL,
    changed_at timestamptz NOT NULL
);
INSERT INTO catalogue_state (version, changed_at) VALUES (0, current_timestamp);
COMMENT ON TABLE catalogue_state IS
'The state of what is searched: one row, raised by every transaction that changes it.';
COMMENT ON COLUMN catalogue_state.only_row IS 'There is one row.';
COMMENT ON COLUMN catalogue_state.version IS 'Raised by one or more with each change; nothing new leaves it as it is.';
COMMENT ON COLUMN catalogue_state.changed_at IS 'When the transaction that raised it began.';

-- migrate:down

DROP SCHEMA account CASCADE;
DROP VIEW IF EXISTS series_snapshot, series_slices, pack_labels;
DROP VIEW collection_terms, slice_model, series_model, slice_truth, series_truth;
DROP FUNCTION scoring_input;
DROP VIEW scored_pack;
DROP TABLE
catalogue_state, restricted_collection, terms, score_run, slice_prediction, series_prediction, model, named_query,
ingest_run, reject, label, slice, pack, series, study, subject, collection;
