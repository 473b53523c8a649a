-- Three roles of the catalogue and one of the accounts, each with the least it needs. Run once by an administrator in
-- the catalogue's database, before or after the migrations, and again whenever this file changes:
--
--     psql --set ON_ERROR_STOP=1 --file sql/roles.sql "$ADMINISTRATOR_DSN"
--
-- granary_accounts is the front door's second login: it keeps accounts and cannot read the catalogue, as the readers of
-- the catalogue cannot read accounts.
--
-- They cannot log in themselves: give a login role one of them, as in `GRANT granary_reader TO front_door`. Migrations
-- run as a login that is in granary_owner and acts as it (`ALTER ROLE migrator SET role = granary_owner`).

BEGIN;

DO $roles$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['granary_owner', 'granary_writer', 'granary_reader', 'granary_accounts'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', wanted);
        END IF;
    END LOOP;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    -- CREATE on the database is for the schema account, which migrations make where it is not there.
    EXECUTE format('GRANT CONNECT, CREATE, TEMPORARY ON DATABASE %I TO granary_owner', current_database());
    -- A load stages its rows in temporary tables.
    EXECUTE format('GRANT CONNECT, TEMPORARY ON DATABASE %I TO granary_writer', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO granary_reader, granary_accounts', current_database());
END
$roles$;

REVOKE ALL ON SCHEMA public FROM public;
GRANT USAGE, CREATE ON SCHEMA public TO granary_owner;
GRANT USAGE ON SCHEMA public TO granary_writer, granary_reader;

-- Tables that stand already, and, for those that migrations will make, the same as a default of their owner.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO granary_reader;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO granary_writer;
ALTER DEFAULT PRIVILEGES FOR ROLE granary_owner IN SCHEMA public GRANT SELECT ON TABLES TO granary_reader;
ALTER DEFAULT PRIVILEGES FOR ROLE granary_owner IN SCHEMA public
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO granary_writer;

CREATE SCHEMA IF NOT EXISTS account AUTHORIZATION granary_owner;
GRANT USAGE ON SCHEMA account TO granary_accounts;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA account TO granary_accounts;
ALTER DEFAULT PRIVILEGES FOR ROLE granary_owner IN SCHEMA account
GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO granary_accounts;

COMMIT;
