-- The one whose word counts from now on.
UPDATE model SET active = true
WHERE version = %(version)s AND NOT active
