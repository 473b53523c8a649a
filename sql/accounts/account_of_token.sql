-- The account that a token speaks for, while neither account nor token has been taken back.
SELECT
    a.account_id,
    a.role
FROM account.account AS a
WHERE
    a.account_id = %(account_id)s
    AND a.token_generation = %(generation)s
    AND a.disabled_at IS NULL
    AND NOT EXISTS (SELECT FROM account.revoked_token AS r WHERE r.jti = %(jti)s)
