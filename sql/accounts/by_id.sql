-- The same, of an account that is known by its number.
SELECT
    account_id,
    role,
    password_hash,
    token_generation,
    disabled_at IS NOT NULL AS disabled
FROM account.account
WHERE account_id = %(account_id)s
