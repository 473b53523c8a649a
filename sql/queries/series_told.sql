-- Series as the API tells them, one JSON object each: what stands written down, and the addresses, which are told by
-- who has them, as they stand in JSON. Put before this text: a table expression `kept` with rows of series_told.
SELECT
    k.series_id,
    concat(
        '{', k.members,
        ',"url":"', %(series_address)s::text, k.series_uid,
        '","slices_url":"', %(series_address)s::text, k.series_uid,
        '/slices","thumbnail_url":', coalesce('"' || %(slice_address)s::text || k.cover || '.jpg"', 'null'), '}'
    ) AS told
FROM kept AS k
