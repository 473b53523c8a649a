-- Ids and licence of a row from before they were recorded.
UPDATE model
SET architecture = %(architecture)s, preprocessing = %(preprocessing)s, license = %(license)s
WHERE version = %(version)s AND architecture IS NULL AND %(architecture)s::text IS NOT NULL
