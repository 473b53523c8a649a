-- The pack that a contact sheet shows: of the wanted volume and plane, or the acquired plane of the volume.
SELECT
    p.pack_id,
    p.object_key,
    p.sha256,
    p.slice_count,
    p.plane,
    p.pixel_width_mm,
    p.pixel_height_mm
FROM pack AS p
INNER JOIN series AS s ON p.series_id = s.series_id
WHERE
    s.series_uid = %(uid)s
    AND p.volume = %(volume)s
    AND (%(plane)s::text IS NULL OR p.plane = %(plane)s)
ORDER BY p.acquired DESC, p.plane ASC
LIMIT 1
