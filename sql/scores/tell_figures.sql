-- A later evaluation of the same weights replaces the figures alone.
UPDATE model SET figures = %(figures)s
WHERE version = %(version)s AND figures IS DISTINCT FROM %(figures)s
