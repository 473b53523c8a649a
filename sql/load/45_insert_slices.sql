-- Slices were staged for new and changed packs alone: equal packs have equal slices.

INSERT INTO slice
SELECT s.* FROM stage_slice AS s;
