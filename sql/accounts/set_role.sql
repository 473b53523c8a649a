-- Another role; no row when there is no such account.
UPDATE account.account AS a
SET role = %(role)s
FROM (SELECT account_id, role FROM account.account WHERE account_id = %(account_id)s FOR UPDATE) AS before
WHERE a.account_id = before.account_id
RETURNING before.role AS role_before
