-- The old one leaves before the new one comes: the unique index knows one active model at most.
UPDATE model SET active = false
WHERE active AND version <> %(version)s
