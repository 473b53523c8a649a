-- Staging of one scoring run: temporary tables, gone with the transaction, in the shape of the Parquet files.

CREATE TEMP TABLE stage_score_run (
    model_id integer NOT NULL,
    published_at timestamptz NOT NULL
) ON COMMIT DROP;

CREATE TEMP TABLE stage_series_score (
    part integer NOT NULL,
    series_id bigint NOT NULL,
    input_sha256 text,
    tumor_logit real,
    tumor_probability real,
    peak_pack_id bigint,
    peak_slice_index integer,
    slice_count integer,
    accepted_count integer,
    declined boolean
) ON COMMIT DROP;

CREATE TEMP TABLE stage_slice_score (
    pack_id bigint NOT NULL,
    slice_index integer NOT NULL,
    tumor_logit real NOT NULL,
    tumor_probability real NOT NULL,
    brain_probability real NOT NULL,
    lesion_area_px real NOT NULL
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
