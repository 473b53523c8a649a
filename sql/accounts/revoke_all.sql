-- Void every token of an account.
UPDATE account.account
SET token_generation = token_generation + 1
WHERE account_id = %(account_id)s
RETURNING account_id
