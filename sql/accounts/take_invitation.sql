-- Take an invitation: it is gone with the transaction that registers its holder, and stays when that fails.
DELETE FROM account.invitation
WHERE token_hash = %(token_hash)s AND expires_at > current_timestamp
RETURNING role
