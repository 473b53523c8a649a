COPY stage_label (
    part, series_id, pack_id, series_uid, plane, volume, slice_index, tumor, source
) FROM STDIN (FORMAT csv)
