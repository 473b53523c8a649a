-- A new account; no row when the address is taken, also by a registration that runs at the same time.
INSERT INTO account.account (email, password_hash, role)
VALUES (%(email)s, %(password_hash)s, %(role)s)
ON CONFLICT (email) DO NOTHING
RETURNING account_id, role, password_hash, token_generation, false AS disabled
