-- The audit trail, newest first.
SELECT
    audit_id,
    happened_at,
    event,
    account_id,
    origin,
    request_id,
    facts
FROM account.audit
WHERE
    audit_id < %(before)s
    AND (%(event)s::text IS NULL OR event = %(event)s)
    AND (%(account_id)s::bigint IS NULL OR account_id = %(account_id)s)
ORDER BY audit_id DESC
LIMIT %(limit)s
