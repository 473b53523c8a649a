-- Accounts by number, for an administrator.
SELECT
    account_id,
    email,
    role,
    created_at,
    disabled_at
FROM account.account
WHERE account_id > %(after)s
ORDER BY account_id
LIMIT %(limit)s
