-- What an account has accepted.
SELECT
    terms,
    version,
    accepted_at
FROM account.accepted_terms
WHERE account_id = %(account_id)s
