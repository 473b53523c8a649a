-- The packs of one series.
SELECT
    p.pack_id,
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
INNER JOIN series AS s ON p.series_id = s.series_id
WHERE s.series_uid = %(uid)s
ORDER BY p.volume, p.plane
