-- migrate:up

CREATE EXTENSION IF NOT EXISTS pg_trgm;

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
    transfer_syntax text NOT NULL,
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
-- One index a filter of /api/v1/series, each ending in the keyset column, so that a page is one short index range.
CREATE INDEX series_by_collection ON series (collection_id, series_id);
CREATE INDEX series_by_plane ON series (plane, series_id);
CREATE INDEX series_by_sequence ON series (sequence, series_id);
CREATE INDEX series_by_manufacturer ON series (manufacturer, series_id);
CREATE INDEX series_by_species ON series (species, series_id);
CREATE INDEX series_by_sex ON series (sex, series_id);
CREATE INDEX series_newest ON series (published_at DESC, series_id);
CREATE INDEX series_of_study ON series (study_id);
CREATE INDEX series_of_subject ON series (subject_id);
CREATE INDEX series_extra ON series USING gin (extra jsonb_path_ops);
CREATE INDEX series_description_trigrams ON series USING gin (series_description gin_trgm_ops);
CREATE INDEX series_study_description_trigrams ON series USING gin (study_description gin_trgm_ops);
CREATE INDEX series_protocol_trigrams ON series USING gin (protocol_name gin_trgm_ops);

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

CREATE TABLE facet (
    facet text NOT NULL,
    value text NOT NULL,
    series_count bigint NOT NULL,
    subject_count bigint NOT NULL,
    slice_count bigint NOT NULL,
    PRIMARY KEY (facet, value)
);

CREATE TABLE named_query (
    name text PRIMARY KEY,
    plane text NOT NULL,
    tumor boolean NOT NULL,
    position integer NOT NULL UNIQUE,
    slice_count bigint NOT NULL DEFAULT 0,
    series_count bigint NOT NULL DEFAULT 0,
    subject_count bigint NOT NULL DEFAULT 0,
    UNIQUE (plane, tumor)
);
INSERT INTO named_query (name, plane, tumor, position) VALUES
('withtumor_ax', 'axial', true, 1),
('withtumor_cor', 'coronal', true, 2),
('withtumor_sag', 'sagittal', true, 3),
('notumor_ax', 'axial', false, 4),
('notumor_cor', 'coronal', false, 5),
('notumor_sag', 'sagittal', false, 6);

-- migrate:down

DROP VIEW slice_truth, series_truth;
DROP TABLE named_query, facet, ingest_run, reject, label, slice, pack, series, study, subject, collection;
