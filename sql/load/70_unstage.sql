-- Room for the next run of the same transaction.

DROP TABLE IF EXISTS
stage_series, stage_pack, stage_slice, stage_label, stage_reject, stage_parent, current_series, gone_pack, touched;
