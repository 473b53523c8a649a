-- One line of the audit trail.
INSERT INTO account.audit (event, account_id, origin, request_id, facts)
VALUES (%(event)s, %(account_id)s, %(origin)s, %(request_id)s, %(facts)s)
