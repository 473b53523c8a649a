-- The state that the catalogue is in.
SELECT
    version,
    changed_at
FROM catalogue_state
