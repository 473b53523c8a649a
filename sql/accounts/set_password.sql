-- Another password voids every token that the old one gave out.
UPDATE account.account
SET password_hash = %(password_hash)s, token_generation = token_generation + 1
WHERE account_id = %(account_id)s
RETURNING token_generation
