-- Packs of the series in `wanted`, of one plane where one is asked for, and the label that their slices must have: that
-- of a named query, which looks at the volume that stands for the series (0) alone, or null, which any will do for.
SELECT
    p.pack_id,
    q.tumor
FROM wanted AS w
INNER JOIN pack AS p ON w.series_id = p.series_id
LEFT JOIN named_query AS q ON q.name = %(query)s::text
WHERE
    (%(shown_plane)s::text IS NULL OR p.plane = %(shown_plane)s::text)
    AND (%(query)s::text IS NULL OR (p.plane = q.plane AND p.volume = 0))
