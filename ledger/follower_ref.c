/* follower_ref.c - cards and lists into ref.mdb, as soon as a batch changes them.
 *
 * A card's row also changes with each wrong PIN: what workers read of it is then the same, nothing
 * is committed, and only the cursor moves, once a second or when the journal needs its segments. */
#include "ledger/follower_internal.h"
#include "ledger/row.h"

#include <stdio.h>
#include <string.h>

static struct ref_follower *of(struct follower *follower)
{
    return (struct ref_follower *)follower;
}

static bool concerns(const struct ledger_effect *effect)
{
    return effect->table == LEDGER_TABLE_card || effect->table == LEDGER_EVENT_list_change;
}

enum io_err ledger_ref_take(struct ledger_ref *ref, const struct ledger_effect *effect,
                            bool *changed)
{
    if (!concerns(effect)) {
        return IO_OK;
    }
    if (effect->table == LEDGER_EVENT_list_change) {
        struct ledger_list_change change = {.is_remove = 0};
        memcpy(&change, ledger_effect_image(effect), effect->size);
        *changed = true;
        return ref->ops->list(ref, &change);
    }
    struct ledger_card row = {.account = 0};
    memcpy(&row, ledger_effect_image(effect), effect->size);
    struct ledger_ref_card card = {
        .version = row.version,
        .expiry = row.expiry,
        .service_code = row.service_code,
        .pvki = row.pvki,
        .status = row.status,
    };
    memcpy(card.pvv, row.pvv, sizeof card.pvv);
    return ref->ops->card(ref, &row.key, &card, changed);
}

/* An error closes the transaction; the flush that follows then says so. */
static bool take(struct follower *follower, const struct journal_frame *frame)
{
    struct ref_follower *self = of(follower);
    struct ledger_ref *ref = follower->all->options.ref;
    const struct ledger_record *record = NULL;
    while ((record = frame_record_next(frame, record)) != NULL) {
        const struct ledger_effect *effect = NULL;
        while ((effect = ledger_effect_next(record, effect)) != NULL) {
            if (!concerns(effect)) {
                continue;
            }
            if (!self->is_open) {
                self->take_err = ref->ops->begin(ref);
                self->is_open = self->take_err == IO_OK;
            }
            if (self->take_err == IO_OK) {
                self->take_err = ledger_ref_take(ref, effect, &self->changed);
                self->is_open = self->take_err == IO_OK;
            }
            if (self->take_err != IO_OK) {
                return false;
            }
        }
    }
    return true;
}

static void publish(struct follower *follower)
{
    if (follower->all->options.board != NULL) {
        atomic_store_explicit(&follower->all->options.board->ref_batch, follower->taken,
                              memory_order_release);
    }
}

static bool due(const struct follower *follower, int64_t now_ns, bool caught_up)
{
    const struct ref_follower *self = (const struct ref_follower *)follower;
    if (self->changed) {
        return caught_up || now_ns - follower->since_ns >= FOLLOWER_REF_WITHIN_NS;
    }
    return follower_pressed(follower) ||
           (follower->since_ns != 0 && now_ns - follower->since_ns >= FOLLOWER_STATE_EVERY_NS);
}

static enum io_err flush(struct follower *follower, bool *done)
{
    struct ref_follower *self = of(follower);
    struct ledger_ref *ref = follower->all->options.ref;
    enum io_err err = self->take_err;
    if (err == IO_OK && !self->is_open) {
        err = ref->ops->begin(ref);
        self->is_open = err == IO_OK;
    }
    if (err == IO_OK) {
        err = ref->ops->commit(ref, follower->taken);
        self->is_open = false;
    }
    if (err != IO_OK) {
        (void)snprintf(follower->error, sizeof follower->error, "%s", ref->text);
        return err;
    }
    self->changed = false;
    *done = true;
    publish(follower);
    return IO_OK;
}

static void drop(struct follower *follower)
{
    struct ref_follower *self = of(follower);
    if (self->is_open) {
        follower->all->options.ref->ops->abort(follower->all->options.ref);
    }
    self->is_open = self->changed = false;
    self->take_err = IO_OK;
}

const struct follower_ops follower_ref_ops = {"ref", take, due, flush, drop};
