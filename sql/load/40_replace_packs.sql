-- Packs that are gone, and the slices of those that changed, make room for what is staged.

DELETE FROM pack AS p
USING gone_pack AS g
WHERE p.pack_id = g.pack_id;

DELETE FROM slice AS s
USING stage_pack AS p
WHERE s.pack_id = p.pack_id;
