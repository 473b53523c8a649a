COPY stage_slice (
    pack_id, byte_offset, crc32, part, slice_index, byte_length, position_mm
) FROM STDIN WITH BINARY
