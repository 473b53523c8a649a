-- The packs whose slices are wanted, by part.

SELECT
    s.part,
    array_agg(p.pack_id)
FROM stage_pack AS p
INNER JOIN stage_parent AS s ON p.series_id = s.series_id
GROUP BY s.part
