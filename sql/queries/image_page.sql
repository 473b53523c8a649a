-- One page of all slices in the order of their key.
SELECT
    l.pack_id,
    l.slice_index,
    s.series_uid,
    p.volume,
    p.plane,
    s.series_date,
    s.manufacturer,
    s.manufacturer_model,
    p.pixel_width_mm,
    p.pixel_height_mm,
    s.source_url,
    s.license_name
FROM slice AS l
INNER JOIN pack AS p ON l.pack_id = p.pack_id
INNER JOIN series AS s ON p.series_id = s.series_id
WHERE (l.pack_id, l.slice_index) > (%(pack_id)s::bigint, %(slice_index)s::bigint)
ORDER BY l.pack_id, l.slice_index
LIMIT %(limit)s
