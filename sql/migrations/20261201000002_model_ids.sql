-- migrate:up

ALTER TABLE model
ADD COLUMN architecture text,
ADD COLUMN preprocessing text,
ADD COLUMN license text;
COMMENT ON COLUMN model.architecture IS
'Id of the network that the weights fit; null in a row from before ids were recorded, until it is registered again.';
COMMENT ON COLUMN model.preprocessing IS 'Id of the way from a picture to the network; null as architecture.';
COMMENT ON COLUMN model.license IS 'SPDX id of the licence of the weights; null where the weights file names none.';

-- migrate:down

ALTER TABLE model
DROP COLUMN architecture,
DROP COLUMN preprocessing,
DROP COLUMN license;
