COPY stage_series_score (
    part, series_id, input_sha256, tumor_logit, tumor_probability, peak_pack_id, peak_slice_index, slice_count,
    accepted_count, declined
) FROM STDIN (FORMAT csv)
