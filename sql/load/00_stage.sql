-- Staging of one load: temporary tables, gone with the transaction, in the shape of the Parquet files.

CREATE TEMP TABLE stage_run (published_at timestamptz NOT NULL) ON COMMIT DROP;

CREATE TEMP TABLE stage_series (
    part integer NOT NULL,
    series_id bigint NOT NULL,
    study_id bigint NOT NULL,
    subject_id bigint NOT NULL,
    collection_id bigint NOT NULL,
    series_uid text,
    study_uid text,
    archive text,
    collection text,
    subject text,
    species text,
    sex text,
    age_years real,
    study_date date,
    study_description text,
    series_date date,
    series_description text,
    series_number integer,
    protocol_name text,
    modality text,
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
    plane text,
    text_plane text,
    obliquity_deg real,
    rows integer,
    columns integer,
    slice_count integer,
    volume_count integer,
    row_spacing_mm real,
    column_spacing_mm real,
    slice_spacing_mm real,
    slice_thickness_mm real,
    slice_gaps integer,
    slice_duplicates integer,
    window_low double precision,
    window_high double precision,
    transfer_syntax text,
    license_name text,
    license_url text,
    citation_url text,
    source_url text,
    raw_key text,
    raw_sha256 text,
    sidecar_key text,
    profile text,
    extra text
) ON COMMIT DROP;

CREATE TEMP TABLE stage_pack (
    part integer NOT NULL,
    pack_id bigint NOT NULL,
    series_id bigint NOT NULL,
    series_uid text,
    volume smallint,
    plane text,
    acquired boolean,
    object_key text,
    pack_bytes bigint,
    sha256 text,
    slice_count integer,
    width integer,
    height integer,
    pixel_width_mm real,
    pixel_height_mm real,
    slice_spacing_mm real
) ON COMMIT DROP;

CREATE TEMP TABLE stage_slice (
    pack_id bigint NOT NULL,
    byte_offset bigint NOT NULL,
    crc32 bigint NOT NULL,
    part integer NOT NULL,
    slice_index integer NOT NULL,
    byte_length integer NOT NULL,
    position_mm real NOT NULL
) ON COMMIT DROP;

CREATE TEMP TABLE stage_label (
    part integer NOT NULL,
    series_id bigint NOT NULL,
    pack_id bigint,
    series_uid text,
    plane text,
    volume smallint,
    slice_index integer,
    tumor boolean,
    source text
) ON COMMIT DROP;

CREATE TEMP TABLE stage_reject (
    part integer NOT NULL,
    reject_id bigint NOT NULL,
    archive text,
    collection text,
    series_uid text,
    code text,
    step text,
    detail text,
    object_key text,
    fatal boolean
) ON COMMIT DROP;
