-- Packs that may hold slices of a named query, and the label that those must have.
SELECT
    p.pack_id,
    q.tumor
FROM named_query AS q
INNER JOIN pack AS p ON q.plane = p.plane
WHERE q.name = %(name)s
