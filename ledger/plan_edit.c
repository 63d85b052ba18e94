/* plan_edit.c - the images that a plan works on, and their way into a record.
 *
 * A row is copied when it is first edited; every later look sees the copy. A record has few
 * effects, so they are searched one after the other. */
#include "ledger/plan.h"

static void *find(const struct ledger_plan *plan, uint16_t table, uint32_t row)
{
    for (uint32_t i = plan->edits_count; i-- > 0;) {
        if (plan->edits[i].row == row && plan->edits[i].table == table) {
            return plan->edits[i].image;
        }
    }
    return NULL;
}

static void *add(struct ledger_plan *plan, uint16_t table, uint32_t row, uint32_t size)
{
    must(plan->edits_count < LEDGER_EFFECTS_MAX);
    must(plan->images_size + size <= LEDGER_PLAN_IMAGE_BYTES);
    struct ledger_edit *edit = &plan->edits[plan->edits_count++];
    edit->table = table;
    edit->row = row;
    edit->image = plan->images + plan->images_size;
    plan->images_size += size;
    return edit->image;
}

void *plan_edit(struct ledger_plan *plan, uint16_t table, uint32_t row)
{
    must(row > 0);
    void *image = find(plan, table, row);
    if (image == NULL) {
        uint32_t size;
        const void *now = ledger_state_row(plan->state, table, row - 1, &size);
        image = add(plan, table, row, size);
        memcpy(image, now, size);
    }
    return image;
}

void *plan_fresh(struct ledger_plan *plan, uint16_t table, uint32_t row)
{
    must(row > 0 && row <= ledger_state_rows(plan->state, table));
    uint32_t size = ledger_effect_row_bytes(table);
    void *image = find(plan, table, row);
    if (image == NULL) {
        image = add(plan, table, row, size);
    }
    memset(image, 0, size);
    return image;
}

const void *plan_see(const struct ledger_plan *plan, uint16_t table, uint32_t row)
{
    must(row > 0);
    const void *image = plan->edits_count > 0 ? find(plan, table, row) : NULL;
    uint32_t size;
    return image != NULL ? image : ledger_state_row(plan->state, table, row - 1, &size);
}

void *plan_event(struct ledger_plan *plan, uint16_t event)
{
    must(event > LEDGER_EVENTS_BEFORE);
    uint32_t size = ledger_effect_row_bytes(event);
    void *image = add(plan, event, ++plan->events_count, size);
    return memset(image, 0, size);
}

void plan_drop_edits(struct ledger_plan *plan)
{
    plan->edits_count = plan->events_count = plan->images_size = 0;
    plan->holds_taken = plan->safs_taken = plan->marks_taken = plan->counters_taken = 0;
}

uint32_t plan_new_hold(struct ledger_plan *plan)
{
    uint32_t row = ledger_free_row(&plan->state->holds_free, plan->holds_taken);
    if (row == 0) {
        plan->is_full = true;
        return 0;
    }
    plan->holds_taken++;
    plan_fresh(plan, LEDGER_TABLE_hold, row);
    return row;
}

uint32_t plan_new_saf(struct ledger_plan *plan)
{
    uint32_t row = ledger_free_row(&plan->state->safs_free, plan->safs_taken);
    if (row == 0) {
        plan->is_full = true;
        return 0;
    }
    plan->safs_taken++;
    plan_fresh(plan, LEDGER_TABLE_saf, row);
    plan_fresh(plan, LEDGER_TABLE_relay, row);
    return row;
}

/* Without the zeros at its end: they need not be kept. */
static uint32_t image_size(const struct ledger_edit *edit)
{
    const uint64_t *words = edit->image;
    uint32_t count = ledger_effect_row_bytes(edit->table) / 8;
    while (count > 0 && words[count - 1] == 0) {
        count--;
    }
    return count * 8;
}

uint32_t ledger_plan_pack(const struct ledger_plan *plan, uint8_t *out)
{
    if (plan->edits_count == 0) {
        return 0;
    }
    uint32_t at = sizeof(struct ledger_record);
    for (uint32_t i = 0; i < plan->edits_count; i++) {
        const struct ledger_edit *edit = &plan->edits[i];
        uint32_t size = image_size(edit);
        must(at + sizeof(struct ledger_effect) + size <= LEDGER_RECORD_BYTES_MAX);
        struct ledger_effect effect = {
            .table = edit->table,
            .size = (uint16_t)size,
            .row = edit->table > LEDGER_EVENTS_BEFORE ? 0 : edit->row - 1,
        };
        memcpy(out + at, &effect, sizeof effect);
        at += (uint32_t)sizeof effect;
        memcpy(out + at, edit->image, size);
        at += size;
    }
    struct ledger_record record = {
        .size = at,
        .kind = plan->kind,
        .sender = plan->sender,
        .reason = plan->reason,
        .effects_count = (uint16_t)plan->edits_count,
        .txn = plan->txn,
        .utc_ns = plan->now->utc_ns,
        .ruleset = plan->ruleset,
        .ref_batch = plan->ref_batch,
    };
    memcpy(out, &record, sizeof record);
    ((struct ledger_record *)(void *)out)->crc32c = ledger_record_crc((const void *)out);
    return at;
}
