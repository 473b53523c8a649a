-- What is needed to check a password.
SELECT
    account_id,
    role,
    password_hash,
    token_generation,
    disabled_at IS NOT NULL AS disabled
FROM account.account
WHERE email = %(email)s
