-- Terms in force, restricted collections or not.
SELECT
    name,
    version,
    title,
    url
FROM terms
WHERE in_force
ORDER BY name
