-- Restricted collections of the catalogue, each with the terms in force.
SELECT
    t.collection_id,
    t.archive,
    t.collection,
    t.terms,
    t.version,
    t.title,
    t.url
FROM collection_terms AS t
ORDER BY t.collection, t.terms
