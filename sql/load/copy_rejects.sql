COPY stage_reject (
    part, reject_id, archive, collection, series_uid, code, step, detail, object_key, fatal
) FROM STDIN (FORMAT csv)
