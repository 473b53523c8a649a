-- migrate:up

-- A schema of its own: every table of public may be read by granary_reader, and nobody who only reads the catalogue may
-- see a password hash. sql/roles.sql makes it too, whichever comes first.
CREATE SCHEMA IF NOT EXISTS account;

CREATE TABLE account.account (
    account_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text NOT NULL UNIQUE CHECK (email = lower(email) AND length(email) BETWEEN 3 AND 320),
    password_hash text NOT NULL CHECK (password_hash LIKE '$argon2id$%'),
    role text NOT NULL CHECK (role IN ('reader', 'operator', 'admin')),
    token_generation integer NOT NULL DEFAULT 0 CHECK (token_generation >= 0),
    created_at timestamptz NOT NULL DEFAULT current_timestamp,
    disabled_at timestamptz
);

CREATE TABLE account.revoked_token (
    jti uuid PRIMARY KEY,
    account_id bigint NOT NULL REFERENCES account.account ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
CREATE INDEX revoked_token_of_account ON account.revoked_token (account_id);
CREATE INDEX revoked_token_expiry ON account.revoked_token (expires_at);

CREATE TABLE account.invitation (
    token_hash bytea PRIMARY KEY CHECK (length(token_hash) = 32),
    role text NOT NULL CHECK (role IN ('reader', 'operator', 'admin')),
    invited_by bigint REFERENCES account.account ON DELETE SET NULL,
    expires_at timestamptz NOT NULL
);

-- No reference to account.account: what an account did outlives it, as a number that nobody else ever gets.
CREATE TABLE account.audit (
    audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    happened_at timestamptz NOT NULL DEFAULT current_timestamp,
    event text NOT NULL CHECK (event ~ '^[a-z][a-z0-9_]{0,63}$'),
    account_id bigint,
    origin text CHECK (length(origin) <= 64),
    request_id text CHECK (length(request_id) <= 64),
    facts jsonb NOT NULL CHECK (jsonb_typeof(facts) = 'object')
);
CREATE INDEX audit_of_account ON account.audit (account_id, audit_id);
CREATE INDEX audit_of_event ON account.audit (event, audit_id);

CREATE FUNCTION account.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $refuse$
BEGIN
    RAISE EXCEPTION 'the audit trail is only ever added to' USING ERRCODE = 'insufficient_privilege';
END
$refuse$;
CREATE TRIGGER audit_is_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON account.audit
FOR EACH STATEMENT EXECUTE FUNCTION account.refuse_change();

COMMENT ON SCHEMA account IS 'Who may use the front door; closed to the roles of the catalogue.';

COMMENT ON TABLE account.account IS 'People and programs that sign in.';
COMMENT ON COLUMN account.account.account_id IS 'Number by which everything else knows the account.';
COMMENT ON COLUMN account.account.email IS 'Normalized address in lower case.';
COMMENT ON COLUMN account.account.password_hash IS 'argon2id with its own parameters and salt.';
COMMENT ON COLUMN account.account.role IS 'reader, operator or admin; each includes the ones before it.';
COMMENT ON COLUMN account.account.token_generation IS 'Tokens of another generation are void.';
COMMENT ON COLUMN account.account.created_at IS 'When it was registered.';
COMMENT ON COLUMN account.account.disabled_at IS 'Since when it may not sign in; NULL while it may.';

COMMENT ON TABLE account.revoked_token IS 'Tokens given back before they ended, kept until they end.';
COMMENT ON COLUMN account.revoked_token.jti IS 'Id of the token.';
COMMENT ON COLUMN account.revoked_token.account_id IS 'Whose token it was.';
COMMENT ON COLUMN account.revoked_token.expires_at IS 'When it ends by itself, so that this row may go.';

COMMENT ON TABLE account.invitation IS 'Invitations that are still open; taken ones are deleted.';
COMMENT ON COLUMN account.invitation.token_hash IS 'SHA-256 of what the invited person holds.';
COMMENT ON COLUMN account.invitation.role IS 'Role that the new account gets.';
COMMENT ON COLUMN account.invitation.invited_by IS 'Account that invited; NULL for the command line.';
COMMENT ON COLUMN account.invitation.expires_at IS 'Until when it can be taken.';

COMMENT ON TABLE account.audit IS 'Who did what and when: ids and counts, nothing about patients, no e-mail addresses.';
COMMENT ON COLUMN account.audit.audit_id IS 'Number in order of recording.';
COMMENT ON COLUMN account.audit.happened_at IS 'When.';
COMMENT ON COLUMN account.audit.event IS 'What, as a stable word.';
COMMENT ON COLUMN account.audit.account_id IS 'Who; NULL for somebody unknown.';
COMMENT ON COLUMN account.audit.origin IS 'Keyed hash of the network address.';
COMMENT ON COLUMN account.audit.request_id IS 'Id that the log lines of the request carry.';
COMMENT ON COLUMN account.audit.facts IS 'Ids, counts and codes of the event.';

-- migrate:down

DROP SCHEMA account CASCADE;
