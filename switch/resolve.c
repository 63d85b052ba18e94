/* resolve.c - see resolve.h. */
#include "switch/state.h"

#include "hsm/seal.h"

#include <string.h>

#define NONE_WAIT_NS    (20 * NS_PER_MS) /* after SAF_NONE: the board may be a moment behind */
#define REFUSED_WAIT_NS NS_PER_S         /* what could not be said: not at once again */

void resolve_create(struct worker *worker)
{
    for (uint32_t i = 0; i < RESOLVE_ITEMS_MAX; i++) {
        struct resolve_item *item = &worker->resolve.items[i];
        item->index = i;
        item->generation = 1;
        item->endpoint = (uint16_t)(i / RESOLVE_WINDOW);
        item->match = MATCH_NONE;
        item->timer.kind = TIMER_RESOLVE;
    }
}

static void item_free(struct worker *worker, struct resolve_item *item)
{
    wheel_disarm(&worker->wheel, &item->timer.entry);
    if (item->match != MATCH_NONE) {
        match_remove(worker, item->match);
        item->match = MATCH_NONE;
    }
    item->state = RESOLVE_FREE;
    item->generation++;
    item->item.item = 0;
}

static struct ledger_command_saf *command(struct worker *worker, struct resolve_item *item,
                                          enum ledger_command_kind kind)
{
    must(worker->credits > 0 && !item->is_command_out);
    worker->credits--;
    item->is_command_out = true;
    struct ledger_command_saf *saf =
        decide_command(worker, kind, sizeof *saf, item->index | RESOLVE_SLOT, item->generation,
                       worker_now_ns(worker));
    saf->endpoint = item->endpoint;
    return saf;
}

/* ---- pulling
 * ---------------------------------------------------------------------------------------- */

static bool may_work(const struct worker *worker, uint16_t endpoint)
{
    return worker_owns(worker, endpoint) && dial_is_up(worker, endpoint) &&
           worker->credits > CREDITS_FORWARD &&
           atomic_load_explicit(&worker->state, memory_order_relaxed) == WORKER_SERVING;
}

/* The item of an endpoint with which to ask now; RESOLVE_ITEMS_MAX: nothing waits, the window is
 * full, or a question is out: one at a time. */
static uint32_t wanted_item(const struct worker *worker, uint16_t endpoint)
{
    const struct ledger_board *board = worker->options.ledger_board;
    if (atomic_load_explicit(&board->saf_waiting[endpoint], memory_order_relaxed) == 0 ||
        worker_now_ns(worker) < worker->resolve.none_until_ns[endpoint] ||
        !may_work(worker, endpoint)) {
        return RESOLVE_ITEMS_MAX;
    }
    uint32_t found = RESOLVE_ITEMS_MAX;
    for (uint32_t i = endpoint * RESOLVE_WINDOW; i < (endpoint + 1u) * RESOLVE_WINDOW; i++) {
        uint8_t state = worker->resolve.items[i].state;
        if (state == RESOLVE_PULLING) {
            return RESOLVE_ITEMS_MAX;
        }
        found = state == RESOLVE_FREE ? i : found;
    }
    return found;
}

bool resolve_pending(const struct worker *worker)
{
    for (uint32_t endpoint = 0; endpoint < worker->options.endpoints_count; endpoint++) {
        if (wanted_item(worker, (uint16_t)endpoint) != RESOLVE_ITEMS_MAX) {
            return true;
        }
    }
    return false;
}

uint32_t resolve_pull(struct worker *worker)
{
    uint32_t pulled = 0;
    for (uint32_t endpoint = 0; endpoint < worker->options.endpoints_count; endpoint++) {
        uint32_t index = wanted_item(worker, (uint16_t)endpoint);
        if (index != RESOLVE_ITEMS_MAX) {
            struct resolve_item *item = &worker->resolve.items[index];
            item->state = RESOLVE_PULLING;
            (void)command(worker, item, LEDGER_PULL);
            pulled++;
        }
    }
    return pulled;
}

int64_t resolve_deadline(const struct worker *worker)
{
    int64_t earliest_ns = INT64_MAX;
    for (uint32_t endpoint = 0; endpoint < worker->options.endpoints_count; endpoint++) {
        int64_t until_ns = worker->resolve.none_until_ns[endpoint];
        bool waits = until_ns > worker_now_ns(worker) && until_ns < earliest_ns;
        earliest_ns = waits ? until_ns : earliest_ns;
    }
    return earliest_ns;
}

/* ---- saying
 * ------------------------------------------------------------------------------------------- */

static enum iso_err build(struct worker *worker, const struct resolve_item *item, uint8_t *buffer,
                          size_t room, uint32_t *size)
{
    const struct worker_endpoint *endpoint = &worker->options.endpoints[item->endpoint];
    struct secret_pan pan;
    if (!hsm_unseal_pan(worker->options.seal, item->item.relay.pan_sealed, &pan)) {
        return ISO_VALUE;
    }
    enum iso_err err =
        adapter_stored_build(&item->item, endpoint->dialect, (struct span){pan.digits, pan.size},
                             endpoint->institution, buffer, room, size);
    secret_wipe(&pan, sizeof pan);
    return err;
}

static void wait_and_repeat(struct worker *worker, struct resolve_item *item, int64_t wait_ns)
{
    wheel_arm(&worker->wheel, &item->timer.entry, worker_now_ns(worker) + wait_ns);
}

static void say(struct worker *worker, struct resolve_item *item)
{
    const struct worker_endpoint *endpoint = &worker->options.endpoints[item->endpoint];
    struct link *link = dial_link(worker, item->endpoint);
    size_t room;
    uint8_t *buffer = link == NULL ? NULL : link_reserve(link, &room);
    uint32_t size;
    item->state = RESOLVE_SENT;
    if (buffer == NULL) {
        wait_and_repeat(worker, item, REFUSED_WAIT_NS);
        return;
    }
    enum iso_err err = build(worker, item, buffer, room, &size);
    if (err != ISO_OK) {
        log_event(LOG_ALARM, "resolution.not_buildable", log_text("endpoint", endpoint->name),
                  log_number("stan", item->item.stan), log_text("why", iso_err_name(err)));
        wait_and_repeat(worker, item, endpoint->repeat_ns + REFUSED_WAIT_NS);
        return;
    }
    char mti[4];
    bytes_put_number((uint8_t *)mti, 4, item->item.mti);
    struct match_key key = match_key(item->endpoint, mti, item->item.de7, item->item.stan);
    item->match = match_add(worker, key, MATCH_ITEM, item->index, item->generation, INT64_MAX);
    if (item->match == MATCH_NONE) {
        wait_and_repeat(worker, item, REFUSED_WAIT_NS);
        return;
    }
    link_send(worker, link, size);
    dial_count_sent(worker, item->endpoint);
    metric_add(worker->options.metrics, METRIC_resolutions_sent, 1);
    worker->crash_notes |= CRASH_RESOLUTION_SENT;
    wait_and_repeat(worker, item, endpoint->repeat_ns);
}

static void acknowledge(struct worker *worker, struct resolve_item *item)
{
    if (worker->credits == 0) {
        wait_and_repeat(worker, item, NS_PER_MS);
        return;
    }
    wheel_disarm(&worker->wheel, &item->timer.entry);
    struct ledger_command_saf *saf = command(worker, item, LEDGER_RESOLVED);
    saf->item = item->item.item;
    memcpy(saf->de39, item->de39, sizeof saf->de39);
}

/* Not acknowledged in time: it goes back, and the oldest that waits comes, most often the same. */
void resolve_timer(struct worker *worker, struct resolve_item *item)
{
    if (item->state == RESOLVE_ACKNOWLEDGED) {
        acknowledge(worker, item);
        return;
    }
    must(item->state == RESOLVE_SENT);
    if (!may_work(worker, item->endpoint)) {
        wait_and_repeat(worker, item, REFUSED_WAIT_NS / 4);
        return;
    }
    if (item->match != MATCH_NONE) {
        match_remove(worker, item->match); /* the repeat has the same key */
        item->match = MATCH_NONE;
    }
    item->state = RESOLVE_PULLING;
    struct ledger_command_saf *saf = command(worker, item, LEDGER_PULL);
    saf->item = item->item.item;
}

void resolve_answer(struct worker *worker, uint32_t index, uint32_t generation,
                    const struct adapter_answer *answer)
{
    must(index < RESOLVE_ITEMS_MAX);
    struct resolve_item *item = &worker->resolve.items[index];
    must(item->generation == generation && item->state == RESOLVE_SENT);
    item->match = MATCH_NONE;
    if (answer->outcome == LEDGER_OUTCOME_TECHNICAL) {
        return; /* it could not take it: said again when its time has come */
    }
    item->state = RESOLVE_ACKNOWLEDGED;
    memcpy(item->de39, answer->de39, sizeof item->de39);
    acknowledge(worker, item);
}

void resolve_verdict(struct worker *worker, const struct ledger_verdict *verdict)
{
    uint32_t index = verdict->slot & ~RESOLVE_SLOT;
    must(index < RESOLVE_ITEMS_MAX);
    struct resolve_item *item = &worker->resolve.items[index];
    must(item->generation == verdict->generation && item->is_command_out);
    item->is_command_out = false;
    if (item->state == RESOLVE_ACKNOWLEDGED) {
        must(verdict->kind == LEDGER_VERDICT_DONE);
        metric_add(worker->options.metrics, METRIC_resolutions_done, 1);
        worker_crash_point(worker, "resolution acknowledged");
        item_free(worker, item);
        return;
    }
    must(item->state == RESOLVE_PULLING);
    if (verdict->kind == LEDGER_VERDICT_SAF_ITEM) {
        item->item = ((const struct ledger_verdict_saf *)verdict)->item;
        say(worker, item);
        return;
    }
    if (item->item.item != 0 && verdict->kind != LEDGER_VERDICT_SAF_NONE) {
        item->state = RESOLVE_SENT; /* BUSY: the ledger still counts it as being with us */
        wait_and_repeat(worker, item, REFUSED_WAIT_NS);
        return;
    }
    worker->resolve.none_until_ns[item->endpoint] = worker_now_ns(worker) + NONE_WAIT_NS;
    item_free(worker, item);
}
