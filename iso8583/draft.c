/* draft.c - collects the values of a message to send. */
#include "iso8583/msg.h"

static void set(struct iso_draft *draft, uint32_t de, struct iso_value value);

void iso_draft_init(struct iso_draft *draft, const char mti[4])
{
    memcpy(draft->mti, mti, sizeof(draft->mti));
    draft->blocks_min = 0;
    draft->keep_bit1 = draft->bit1_set = false;
    draft->header = (struct span){NULL, 0};
    memset(draft->present, 0, sizeof(draft->present));
}

static void set(struct iso_draft *draft, uint32_t de, struct iso_value value)
{
    must(de >= 2 && de <= ISO_FIELDS_MAX);
    uint32_t bit = de - 1;
    draft->present[bit >> 6] |= UINT64_C(1) << (63 - (bit & 63));
    draft->values[de] = value;
}

void iso_draft_text(struct iso_draft *draft, uint32_t de, const void *text, uint32_t size)
{
    set(draft, de, (struct iso_value){text, size, 0, ISO_FORM_CANONICAL});
}

void iso_draft_wire(struct iso_draft *draft, uint32_t de, struct span wire, uint16_t count)
{
    set(draft, de, (struct iso_value){wire.data, wire.size, count, ISO_FORM_WIRE});
}

void iso_draft_parts(struct iso_draft *draft, uint32_t de, const struct iso_part *parts,
                     uint32_t count)
{
    set(draft, de, (struct iso_value){parts, count, 0, ISO_FORM_PARTS});
}

void iso_draft_remove(struct iso_draft *draft, uint32_t de)
{
    must(de >= 2 && de <= ISO_FIELDS_MAX);
    uint32_t bit = de - 1;
    draft->present[bit >> 6] &= ~(UINT64_C(1) << (63 - (bit & 63)));
}

void iso_draft_copy(struct iso_draft *draft, const struct iso_msg *msg, uint32_t de)
{
    if (iso_msg_has(msg, de))
        iso_draft_wire(draft, de, iso_msg_field(msg, de), msg->fields[de].count);
}

void iso_draft_from_msg(struct iso_draft *draft, const struct iso_msg *msg)
{
    iso_draft_init(draft, msg->mti);
    draft->blocks_min = msg->blocks;
    draft->keep_bit1 = true;
    draft->bit1_set = msg->bitmap[0] >> 63 != 0;
    draft->header = iso_msg_header(msg);
    for (uint32_t de = iso_msg_next(msg, 0); de != 0; de = iso_msg_next(msg, de))
        iso_draft_copy(draft, msg, de);
}
