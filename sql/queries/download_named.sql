-- Packs that may hold slices of a named query, of the volumes that stand for their series (0), and the label that those
-- slices must have.
SELECT
    p.pack_id,
    q.tumor
FROM named_query AS q
INNER JOIN pack AS p ON q.plane = p.plane AND p.volume = 0
WHERE q.name = %(name)s
