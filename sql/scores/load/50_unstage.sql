-- Room for the next run of the same transaction.

DROP TABLE IF EXISTS
stage_score_run, stage_series_score, stage_slice_score, stage_reject, incoming_score, incoming_scored_pack;
