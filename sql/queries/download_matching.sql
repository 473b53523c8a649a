-- Packs of some series, of some planes where they are asked for, and the label that their slices must have: that of a
-- named query, which looks at the volume that stands for the series (0) alone, or null, which any will do for.
SELECT
    p.pack_id,
    q.tumor
FROM unnest(%(series_ids)s::bigint[]) AS w (series_id)
INNER JOIN pack AS p ON w.series_id = p.series_id
LEFT JOIN named_query AS q ON q.name = %(query)s::text
WHERE
    (%(planes)s::text[] IS NULL OR p.plane = any(%(planes)s::text[]))
    AND (%(query)s::text IS NULL OR (p.plane = q.plane AND p.volume = 0))
