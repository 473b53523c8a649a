-- What is searched has changed: copies of it are out of date.
UPDATE catalogue_state
SET
    version = version + 1,
    changed_at = current_timestamp
