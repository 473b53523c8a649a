-- The same password under newer parameters, unless somebody set another one meanwhile.
UPDATE account.account
SET password_hash = %(password_hash)s
WHERE account_id = %(account_id)s AND password_hash = %(known_hash)s
