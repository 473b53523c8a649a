-- One account as its owner sees it.
SELECT
    account_id,
    email,
    role,
    created_at,
    disabled_at
FROM account.account
WHERE account_id = %(account_id)s
