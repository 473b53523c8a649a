-- What only the answer for one series holds, as a JSON object of its own, beside what lists tell of it. Put before this
-- text: a table expression `listed (series_id, told)` with that series.
SELECT
    l.told,
    (
        SELECT row_to_json(d)
        FROM (
            SELECT -- noqa: ST06
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
                        WHERE p.series_id = l.series_id
                    ) AS k
                ) AS packs,
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
        ) AS d
    )::text AS rest
FROM listed AS l
INNER JOIN series AS s ON l.series_id = s.series_id
