-- Scoring runs that are loaded, with the hash of what was loaded.
SELECT published_key, published_sha256 FROM score_run
