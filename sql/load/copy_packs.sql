COPY stage_pack (
    part, pack_id, series_id, series_uid, volume, plane, acquired, object_key, pack_bytes, sha256, slice_count,
    width, height, pixel_width_mm, pixel_height_mm, slice_spacing_mm
) FROM STDIN (FORMAT csv)
