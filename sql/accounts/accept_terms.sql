-- Accepted is accepted: a second time changes nothing, not even the date.
INSERT INTO account.accepted_terms (account_id, terms, version)
VALUES (%(account_id)s, %(terms)s, %(version)s)
ON CONFLICT (account_id, terms, version) DO NOTHING
