-- Licences and citations that the changed series carry from now on.

INSERT INTO source_change (collection_id, license_name, license_url, citation_url, series_count)
SELECT
    s.collection_id,
    s.license_name,
    s.license_url,
    s.citation_url,
    count(*)
FROM series AS s
INNER JOIN current_series AS c ON s.series_id = c.series_id
WHERE c.changed
GROUP BY s.collection_id, s.license_name, s.license_url, s.citation_url
