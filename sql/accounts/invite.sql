-- An invitation, and away with those that nobody took in time.
WITH ended AS (
    DELETE FROM account.invitation WHERE expires_at < current_timestamp
)

INSERT INTO account.invitation (token_hash, role, invited_by, expires_at)
VALUES (%(token_hash)s, %(role)s, %(invited_by)s, %(expires_at)s)
