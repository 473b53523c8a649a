-- Packs of the series in `wanted`, of one plane where one is asked for; any label will do.
SELECT
    p.pack_id,
    NULL::boolean AS tumor
FROM wanted AS w
INNER JOIN pack AS p ON w.series_id = p.series_id
WHERE %(shown_plane)s::text IS NULL OR p.plane = %(shown_plane)s::text
