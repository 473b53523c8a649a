-- By which model, and when the run was published: of two runs by one model the later one has the last word.
INSERT INTO stage_score_run (model_id, published_at) VALUES (%(model_id)s, %(published_at)s)
