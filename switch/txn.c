/* txn.c - see txn.h. */
#include "switch/state.h"

#include "base/secret.h"

#include <string.h>

size_t txn_bytes(uint32_t txns_max)
{
    return ((size_t)txns_max + 1) * sizeof(struct txn); /* and the scratch slot */
}

static void identify(struct txn *txn, uint32_t index)
{
    txn->timer.kind = TIMER_TXN;
    txn->index = index;
    txn->generation = 1;
    txn->match = MATCH_NONE;
    txn->link_index = LINK_NONE;
}

void txn_pool_create(struct worker *worker)
{
    uint32_t txns_max = worker->options.txns_max;
    worker->txns_free = TXN_NONE;
    for (uint32_t i = txns_max; i-- > 0;) {
        identify(&worker->txns[i], i);
        worker->txns[i].next_free = worker->txns_free;
        worker->txns_free = i;
    }
    worker->scratch = &worker->txns[txns_max];
    identify(worker->scratch, TXN_NONE);
}

struct txn *txn_take(struct worker *worker)
{
    if (worker->txns_free == TXN_NONE) {
        return NULL;
    }
    struct txn *txn = &worker->txns[worker->txns_free];
    must(!txn->is_open);
    worker->txns_free = txn->next_free;
    worker->txns_open_count++;
    txn->is_open = true;
    return txn;
}

/* Back to what txn_take() promises, and nothing of the card left. */
static void clean(struct txn *txn)
{
    secret_wipe(txn->frame, txn->frame_size);
    secret_wipe(txn->pan, sizeof txn->pan);
    secret_wipe(txn->track2, txn->track2_size);
    txn->frame_size = 0;
    txn->pan_size = 0;
    txn->track2_size = 0;
    secret_wipe(txn->cvv2, sizeof txn->cvv2);
    txn->has_cvv2 = txn->has_track_data = false;
    txn->stage = STAGE_PARSE;
    txn->class = LEDGER_CLASS_NONE;
    txn->is_admitted = false;
    txn->stale_until_ns = 0;
    txn->came = TXN_NOTHING_YET;
    txn->is_shed = txn->is_hsm_out = txn->is_our_card = txn->is_on_us = false;
    txn->link_index = LINK_NONE;
    txn->decided_ns = txn->sent_ns = txn->answered_ns = 0;
    txn->match = MATCH_NONE;
}

void txn_release(struct worker *worker, struct txn *txn)
{
    must(!txn->is_command_out);
    wheel_disarm(&worker->wheel, &txn->timer.entry);
    struct link *link = link_find(worker, txn->link_index, txn->link_generation);
    bool was_admitted = txn->is_admitted;
    worker->credits += txn->credits;
    txn->credits = 0;
    clean(txn);
    if (txn->is_open) {
        txn->is_open = false;
        txn->generation++;
        txn->next_free = worker->txns_free;
        worker->txns_free = txn->index;
        worker->txns_open_count--;
    }
    if (link != NULL && was_admitted) {
        link_settle(worker, link);
    }
}

struct txn *txn_find(struct worker *worker, uint32_t index, uint32_t generation)
{
    must(index < worker->options.txns_max);
    struct txn *txn = &worker->txns[index];
    return txn->is_open && txn->generation == generation ? txn : NULL;
}
