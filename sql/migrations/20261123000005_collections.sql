-- migrate:up

CREATE TABLE collection_total (
    collection_id bigint PRIMARY KEY REFERENCES collection ON DELETE CASCADE,
    subject_count bigint NOT NULL,
    study_count bigint NOT NULL,
    series_count bigint NOT NULL,
    slice_count bigint NOT NULL,
    species text[] NOT NULL,
    licenses jsonb NOT NULL CHECK (jsonb_typeof(licenses) = 'array'),
    citation_urls text[] NOT NULL,
    published_at timestamptz NOT NULL
);

COMMENT ON TABLE collection_total IS
'What each collection holds, refreshed by every load, so that a list never counts.';
COMMENT ON COLUMN collection_total.collection_id IS 'The collection counted.';
COMMENT ON COLUMN collection_total.subject_count IS 'Subjects with at least one series in it.';
COMMENT ON COLUMN collection_total.study_count IS 'Studies with at least one series in it.';
COMMENT ON COLUMN collection_total.series_count IS 'Series in it.';
COMMENT ON COLUMN collection_total.slice_count IS 'Slices of all planes in it.';
COMMENT ON COLUMN collection_total.species IS 'Whose heads it shows, in the order of the alphabet.';
COMMENT ON COLUMN collection_total.licenses IS
'Licences its series may be passed on under: objects with name, url and series_count.';
COMMENT ON COLUMN collection_total.citation_urls IS 'What to cite, in the order of the alphabet.';
COMMENT ON COLUMN collection_total.published_at IS
'When the newest run that carried one of its series was published.';

-- migrate:down

DROP TABLE collection_total;
