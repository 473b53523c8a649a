-- Revocations of tokens that have ended anyway, a few at a time; what another one is deleting is left to it.
DELETE FROM account.revoked_token
WHERE jti IN (
    SELECT r.jti FROM account.revoked_token AS r
    WHERE r.expires_at < current_timestamp - interval '1 hour'
    LIMIT 100
    FOR UPDATE SKIP LOCKED
)
