-- The packs whose slices are wanted, by part.

SELECT part, array_agg(pack_id) FROM changed_pack
GROUP BY part
