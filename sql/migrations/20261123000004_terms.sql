-- migrate:up

-- Terms of use that an account must accept before it gets pixels of some collections. What is restricted is told by
-- the names an archive gives, not by keys of collections, which come and go with their series.
CREATE TABLE terms (
    name text NOT NULL CHECK (name ~ '^[a-z][a-z0-9-]{0,63}$'),
    version text NOT NULL CHECK (version ~ '^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$'),
    title text NOT NULL,
    url text NOT NULL CHECK (url LIKE 'https://%'),
    in_force boolean NOT NULL DEFAULT true,
    PRIMARY KEY (name, version)
);
CREATE UNIQUE INDEX terms_in_force ON terms (name) WHERE in_force;
INSERT INTO terms (name, version, title, url) VALUES (
    'hcp-open-access',
    '1',
    'WU-Minn HCP Consortium Open Access Data Use Terms',
    'https://www.humanconnectome.org/study/hcp-young-adult/document/wu-minn-hcp-consortium-open-access-data-use-terms'
);

CREATE TABLE restricted_collection (
    archive text NOT NULL,
    collection text,
    terms text NOT NULL,
    UNIQUE NULLS NOT DISTINCT (archive, collection, terms)
);
INSERT INTO restricted_collection (archive, collection, terms) VALUES ('hcp', NULL, 'hcp-open-access');

CREATE VIEW collection_terms AS
SELECT
    c.collection_id,
    c.archive,
    c.name AS collection,
    t.name AS terms,
    t.version,
    t.title,
    t.url
FROM restricted_collection AS r
INNER JOIN collection AS c ON r.archive = c.archive AND (r.collection IS NULL OR r.collection = c.name)
INNER JOIN terms AS t ON r.terms = t.name AND t.in_force;

-- Accepted terms outlive nothing but the account itself: a new version has to be accepted anew, the old row stays.
CREATE TABLE account.accepted_terms (
    account_id bigint NOT NULL REFERENCES account.account ON DELETE CASCADE,
    terms text NOT NULL,
    version text NOT NULL,
    accepted_at timestamptz NOT NULL DEFAULT current_timestamp,
    PRIMARY KEY (account_id, terms, version)
);

COMMENT ON TABLE terms IS 'Terms of use by name and version; at most one version of a name is in force.';
COMMENT ON COLUMN terms.name IS 'Stable word, part of addresses.';
COMMENT ON COLUMN terms.version IS 'Counted by us: who accepted another one has not accepted this one.';
COMMENT ON COLUMN terms.title IS 'As its author calls it.';
COMMENT ON COLUMN terms.url IS 'Where its text stands.';
COMMENT ON COLUMN terms.in_force IS 'Whether this is the version to accept.';
COMMENT ON TABLE restricted_collection IS 'Collections whose pixels need accepted terms.';
COMMENT ON COLUMN restricted_collection.archive IS 'The archive.';
COMMENT ON COLUMN restricted_collection.collection IS 'Name of the collection; null for all of the archive.';
COMMENT ON COLUMN restricted_collection.terms IS 'Name of the terms; a collection may need several.';
COMMENT ON VIEW collection_terms IS 'Restricted collections of the catalogue with the terms in force for each.';
COMMENT ON TABLE account.accepted_terms IS 'Who accepted which version of which terms, and when.';
COMMENT ON COLUMN account.accepted_terms.account_id IS 'The account.';
COMMENT ON COLUMN account.accepted_terms.terms IS 'Name of the terms.';
COMMENT ON COLUMN account.accepted_terms.version IS 'Version of the terms.';
COMMENT ON COLUMN account.accepted_terms.accepted_at IS 'When it was accepted first.';

-- migrate:down

DROP TABLE account.accepted_terms;
DROP VIEW collection_terms;
DROP TABLE restricted_collection, terms;
