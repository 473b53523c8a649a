-- Everything that is known of one series. Its key as an equality: a plan for any key is as good as one for this key.
SELECT
    v.*,
    s.echo_time_ms,
    s.repetition_time_ms,
    s.inversion_time_ms,
    s.flip_angle_deg,
    s.text_plane,
    s.volume_count,
    s.slice_gaps,
    s.slice_duplicates,
    s.window_low,
    s.window_high,
    s.raw_sha256,
    s.profile,
    s.extra,
    (
        SELECT coalesce(json_agg(row_to_json(k) ORDER BY k.volume, k.plane), '[]')
        FROM (
            SELECT
                p.volume,
                p.plane,
                p.acquired,
                p.slice_count,
                p.width,
                p.height,
                p.pixel_width_mm,
                p.pixel_height_mm,
                p.slice_spacing_mm
            FROM pack AS p
            WHERE p.series_id = v.series_id
        ) AS k
    ) AS packs
FROM series_snapshot AS v
INNER JOIN series AS s ON v.series_id = s.series_id
WHERE v.series_id = %(series_id)s::bigint
