-- Void one token until it ends by itself; twice is fine.
INSERT INTO account.revoked_token (jti, account_id, expires_at)
VALUES (%(jti)s, %(account_id)s, %(expires_at)s)
ON CONFLICT (jti) DO NOTHING
