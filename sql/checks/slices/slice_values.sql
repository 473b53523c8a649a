-- Positions are finite and CRC-32 has 32 bits.
SELECT
    pack_id::text AS pack,
    'value' AS trouble
FROM stage_slice
WHERE position_mm NOT BETWEEN -100000 AND 100000 OR crc32 NOT BETWEEN 0 AND 4294967295
LIMIT 20
