-- The account with everything that refers to it; the audit trail keeps its number.
DELETE FROM account.account
WHERE account_id = %(account_id)s
RETURNING account_id
