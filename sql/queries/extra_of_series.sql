-- What only the page of one series shows, with the tags that have no column.
SELECT
    s.extra,
    s.profile,
    s.raw_sha256,
    s.text_plane,
    s.echo_time_ms,
    s.repetition_time_ms,
    s.inversion_time_ms,
    s.flip_angle_deg,
    s.slice_gaps,
    s.slice_duplicates,
    s.volume_count,
    s.window_low,
    s.window_high
FROM series AS s
WHERE s.series_uid = %(uid)s
