-- Where the slices of some packs lie, as fixed-width records in the order of their number; packs that changed are left
-- out.
SELECT
    p.pack_id,
    string_agg(
        int8send(l.byte_offset) || int4send(l.byte_length) || int8send(l.crc32) || float4send(l.position_mm),
        ''::bytea ORDER BY l.slice_index
    ) AS facts
FROM unnest(%(pack_ids)s::bigint[], %(sha256s)s::text[]) AS w (pack_id, sha256)
INNER JOIN pack AS p ON w.pack_id = p.pack_id AND w.sha256 = p.sha256
INNER JOIN slice AS l ON p.pack_id = l.pack_id
GROUP BY p.pack_id
