-- When the run was published: of two runs the later one has the last word.

INSERT INTO stage_run (published_at) VALUES (%(published_at)s)
