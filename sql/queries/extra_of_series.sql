-- Tags of one series that have no column, and its labels as a whole.
SELECT
    s.extra,
    s.profile,
    s.raw_sha256,
    s.text_plane,
    s.protocol_name,
    s.study_description,
    s.echo_time_ms,
    s.repetition_time_ms,
    s.inversion_time_ms,
    s.flip_angle_deg,
    s.slice_gaps,
    s.slice_duplicates,
    s.volume_count,
    s.window_low,
    s.window_high,
    st.tumor
FROM series AS s
LEFT JOIN series_truth AS st ON s.series_id = st.series_id
WHERE s.series_uid = %(uid)s
