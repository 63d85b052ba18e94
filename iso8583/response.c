/* response.c - the answer's echo fields, from the rules of the answer's MTI. */
#include "iso8583/build.h"
#include "iso8583/mti.h"
#include "iso8583/program.h"

static void answer_header(const struct iso_dialect *dialect, const struct iso_msg *request,
                          struct iso_draft *draft, uint8_t *room);

void iso_response(const struct iso_dialect *dialect, const struct iso_msg *request,
                  struct iso_draft *draft, uint8_t header_room[ISO_HEADER_BYTES_MAX])
{
    char mti[4];
    if (!iso_mti_response(request->mti, mti))
        return;
    memcpy(draft->mti, mti, sizeof(mti));
    answer_header(dialect, request, draft, header_room);
    const struct iso_mti_rules *rules = iso_dialect_mti_rules(dialect, mti);
    if (rules == NULL)
        return;
    for (uint32_t word = 0; word < 3; word++) {
        uint64_t bits = rules->echo[word] & request->present[word] & ~draft->present[word];
        while (bits != 0) {
            uint32_t bit = (uint32_t)__builtin_clzll(bits);
            bits &= ~(UINT64_C(1) << (63 - bit));
            iso_draft_copy(draft, request, word * 64 + bit + 1);
        }
    }
}

static void answer_header(const struct iso_dialect *dialect, const struct iso_msg *request,
                          struct iso_draft *draft, uint8_t *room)
{
    struct span header = iso_msg_header(request);
    if (draft->header.size != 0 || header.size == 0 || header.size > ISO_HEADER_BYTES_MAX)
        return;
    memcpy(room, header.data, header.size);
    if (dialect->header.kind == ISO_HEADER_TPDU && header.size == 5) {
        memcpy(room + 1, header.data + 3, 2);
        memcpy(room + 3, header.data + 1, 2);
    }
    draft->header = (struct span){room, header.size};
}
