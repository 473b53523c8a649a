-- Room for the next run of the same transaction.

DROP TABLE IF EXISTS
stage_run, stage_series, stage_pack, stage_slice, stage_label, stage_reject,
incoming_series, current_series, touched, incoming_pack, changed_pack;
