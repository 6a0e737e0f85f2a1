/*
 * A record header of any bytes: what decodes must encode to the same bytes, under any key, and no
 * single flip of what the first 16 bytes encode to may decode.
 */
#include "base/ensure.h"
#include "log/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame_key key;
    struct frame_header h, again;
    uint8_t raw[FRAME_HEADER_LEN];
    if (size < sizeof key.b + FRAME_HEADER_LEN + 1)
        return 0;
    memcpy(key.b, data, sizeof key.b);
    data += sizeof key.b;
    if (frame_header_decode(data, &key, &h)) {
        frame_header_encode(&h, &key, raw);
        ENSURE(memcmp(raw, data, sizeof raw) == 0);
    }
    h = (struct frame_header){frame_u32(data), frame_u16(data + 4), frame_u16(data + 6),
                              frame_u64(data + 8)};
    frame_header_encode(&h, &key, raw);
    ENSURE(memcmp(raw, data, 16) == 0);
    ENSURE(frame_header_decode(raw, &key, &again) == (h.type != 0 || h.len == 0));
    ENSURE(frame_claim(&h) <= h.seq);
    size_t bit = data[FRAME_HEADER_LEN] % (FRAME_HEADER_LEN * 8);
    raw[bit / 8] ^= (uint8_t)(1 << bit % 8);
    ENSURE(!frame_header_decode(raw, &key, &again));
    return 0;
}
