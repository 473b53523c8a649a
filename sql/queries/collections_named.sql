-- Keys of the collections of a name, of an archive, or both: the same name may stand in two archives.
SELECT collection_id
FROM collection
WHERE
    (%(collection)s::text IS NULL OR name = %(collection)s::text)
    AND (%(archive)s::text IS NULL OR archive = %(archive)s::text)
