COPY stage_slice_score (
    pack_id, slice_index, tumor_logit, tumor_probability, brain_probability, lesion_area_px
) FROM STDIN WITH BINARY
