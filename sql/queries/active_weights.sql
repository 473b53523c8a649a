-- The weights of the active model: its version, the hash that was pinned when it was registered, and where they stand.
SELECT
    version,
    sha256,
    weights_key
FROM model
WHERE active
