-- Shut or open an account. Both void its tokens: an opened account begins anew.
UPDATE account.account
SET
    disabled_at = CASE WHEN %(disabled)s THEN coalesce(disabled_at, current_timestamp) END,
    token_generation = token_generation + 1
WHERE account_id = %(account_id)s
RETURNING account_id
