-- Series that could not be used and may be tried once more.
SELECT
    archive,
    series_uid,
    code,
    step,
    object_key
FROM reject
WHERE
    fatal
    AND (%(code)s::text IS NULL OR code = %(code)s)
    AND (%(any_series)s OR series_uid = any(%(series)s))
ORDER BY archive, series_uid, code
