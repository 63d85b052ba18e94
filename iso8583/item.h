/* item.h - what the readers of sub-structure share. Internal. */
#ifndef ISO8583_ITEM_H
#define ISO8583_ITEM_H

#include "iso8583/program.h"

enum iso_walk item_read_tlv(struct iso_cursor *cursor, struct iso_item *item,
                            struct problem *problem); /* item_tlv.c */

static inline enum iso_walk walk_fault(struct problem *problem, enum iso_err code, uint32_t offset,
                                       uint32_t found, uint32_t expected)
{
    (void)problem_set(problem, code, offset, found, expected);
    return ISO_WALK_FAULT;
}

/* A sub-field's own value. What is cut here is cut by the field around it, which itself was whole.
 */
static inline enum iso_walk read_child(struct iso_cursor *cursor, struct iso_item *item,
                                       uint32_t position, uint32_t limit, struct problem *problem)
{
    const struct iso_node *node = item->node;
    enum iso_err err =
        value_read(cursor->dialect, node, cursor->frame, position, limit, &item->at, problem);
    if (err != ISO_OK) {
        if (err == ISO_NEED_MORE)
            problem->code = ISO_SUBFIELD_CUT;
        return ISO_WALK_FAULT;
    }
    item->is_composite = node->composite.kind != ISO_COMPOSITE_NONE;
    cursor->position = (uint16_t)(item->at.offset + item->at.size);
    return ISO_WALK_ITEM;
}

#endif
