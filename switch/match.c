/* match.c - see match.h. */
#include "switch/state.h"

#include "base/bytes.h"

#include <string.h>

struct match_key match_key(uint16_t endpoint, const char mti[4], uint64_t de7, uint32_t stan)
{
    must(endpoint < LIMIT_ENDPOINTS_MAX);
    uint64_t class = (uint64_t)(unsigned)(mti[1] - '0') & 15u;
    uint64_t function = (uint64_t)(unsigned)(mti[2] - '0') & 14u; /* an answer's less one */
    uint64_t time = de7 & UINT64_C(0x7FFFFFFF);
    return (struct match_key){(uint64_t)endpoint << 59 | class << 55 | function << 51 | time << 20 |
                              (stan & 0xFFFFFu)};
}
_Static_assert(LIMIT_ENDPOINTS_MAX <= 32, "an endpoint is five bits of a key");

size_t match_bytes(uint32_t entries_max)
{
    uint32_t buckets = 16;
    while (buckets < entries_max) {
        buckets *= 2;
    }
    return entries_max * sizeof(struct match_entry) + buckets * sizeof(uint32_t);
}

/* match->entries points at zeroed memory of match_bytes(). */
void match_create(struct match *match, uint32_t entries_max, uint64_t seed)
{
    match->entries_max = entries_max;
    match->buckets = (uint32_t *)(match->entries + entries_max);
    match->buckets_count = 16;
    while (match->buckets_count < entries_max) {
        match->buckets_count *= 2;
    }
    match->seed = seed;
    memset(match->buckets, 0xFF, match->buckets_count * sizeof(uint32_t)); /* MATCH_NONE */
    match->free = MATCH_NONE;
    for (uint32_t i = entries_max; i-- > 0;) {
        match->entries[i].timer.kind = TIMER_MATCH;
        match->entries[i].next = match->free;
        match->free = i;
    }
}

static uint32_t *bucket_of(struct match *match, uint64_t key)
{
    return &match->buckets[hash64(&key, sizeof key, match->seed) & (match->buckets_count - 1)];
}

struct match_entry *match_find(struct match *match, struct match_key key)
{
    for (uint32_t i = *bucket_of(match, key.packed); i != MATCH_NONE; i = match->entries[i].next) {
        if (match->entries[i].key == key.packed) {
            return &match->entries[i];
        }
    }
    return NULL;
}

static uint32_t index_of(const struct match *match, const struct match_entry *entry)
{
    return (uint32_t)(entry - match->entries);
}

static void outstanding_add(struct worker *worker, uint16_t endpoint, int32_t delta)
{
    struct endpoint *of = &worker->endpoints[endpoint];
    must(delta > 0 || of->outstanding > 0);
    of->outstanding += (uint32_t)delta;
    dial_show(worker, of);
}

uint32_t match_add(struct worker *worker, struct match_key key, enum match_kind kind, uint32_t slot,
                   uint32_t generation, int64_t deadline_ns)
{
    struct match *match = &worker->match;
    struct match_entry *same = match_find(match, key);
    if (same != NULL && same->kind != MATCH_LATE) {
        return MATCH_NONE;
    }
    if (same != NULL) {
        match_remove(worker, index_of(match, same));
    }
    uint32_t index = match->free;
    if (index == MATCH_NONE) {
        return MATCH_NONE;
    }
    struct match_entry *entry = &match->entries[index];
    match->free = entry->next;
    match->used_count++;
    uint32_t *bucket = bucket_of(match, key.packed);
    entry->key = key.packed;
    entry->next = *bucket;
    *bucket = index;
    entry->kind = (uint8_t)kind;
    entry->slot = slot;
    entry->generation = generation;
    entry->endpoint = (uint16_t)(key.packed >> 59);
    entry->worker = worker->options.index;
    entry->attempt = 0;
    if (deadline_ns != INT64_MAX) {
        wheel_arm(&worker->wheel, &entry->timer.entry, deadline_ns);
    }
    outstanding_add(worker, entry->endpoint, 1);
    return index;
}

void match_remove(struct worker *worker, uint32_t index)
{
    struct match *match = &worker->match;
    must(index < match->entries_max);
    struct match_entry *entry = &match->entries[index];
    must(entry->kind != MATCH_FREE);
    wheel_disarm(&worker->wheel, &entry->timer.entry);
    uint32_t *link = bucket_of(match, entry->key);
    while (*link != index) {
        must(*link != MATCH_NONE);
        link = &match->entries[*link].next;
    }
    *link = entry->next;
    if (entry->kind != MATCH_LATE) {
        outstanding_add(worker, entry->endpoint, -1);
    }
    entry->kind = MATCH_FREE;
    entry->next = match->free;
    match->free = index;
    match->used_count--;
}

void match_make_late(struct worker *worker, uint32_t index)
{
    struct match *match = &worker->match;
    must(index < match->entries_max);
    struct match_entry *entry = &match->entries[index];
    must(entry->kind != MATCH_FREE && entry->kind != MATCH_LATE);
    outstanding_add(worker, entry->endpoint, -1);
    entry->kind = MATCH_LATE;
    if (match->used_count > match->entries_max / 2) {
        match_remove(worker, index); /* room for the living */
        return;
    }
    wheel_arm(&worker->wheel, &entry->timer.entry, worker_now_ns(worker) + MATCH_LATE_NS);
}

/* A transaction's own timer decides about it; here an entry only changes what it is. */
void match_timer(struct worker *worker, struct match_entry *entry)
{
    uint32_t index = index_of(&worker->match, entry);
    switch ((enum match_kind)entry->kind) {
    case MATCH_TXN:
    case MATCH_ITEM:
        must(false && "its owner has the timer");
    case MATCH_REMOTE:
        match_make_late(worker, index);
        break;
    case MATCH_NETWORK: {
        struct endpoint *endpoint = &worker->endpoints[entry->endpoint];
        match_make_late(worker, index);
        network_silent(worker, endpoint);
        break;
    }
    case MATCH_LATE:
        match_remove(worker, index);
        break;
    case MATCH_FREE:
        must(false && "a free entry has no timer");
    }
}

/* ---- answers
 * -------------------------------------------------------------------------------------- */

/* For people: what was this the answer to? NULL when nothing that waits has its STAN or its time.
 */
static const struct match_entry *nearest_of(const struct worker *worker, uint16_t endpoint,
                                            const struct adapter_answer *answer)
{
    const struct match_entry *nearest = NULL;
    for (uint32_t i = 0; i < worker->match.entries_max; i++) {
        const struct match_entry *entry = &worker->match.entries[i];
        bool same_stan = (entry->key & 0xFFFFFu) == answer->stan;
        bool same_time = (entry->key >> 20 & UINT64_C(0x7FFFFFFF)) == answer->de7;
        if (entry->kind != MATCH_FREE && entry->endpoint == endpoint &&
            (same_stan || (same_time && nearest == NULL))) {
            nearest = entry;
        }
    }
    return nearest;
}

static void tell_unmatched(struct worker *worker, struct link *link, const char mti[4],
                           const struct adapter_answer *answer)
{
    worker->unmatched_count++;
    metric_add(worker->options.metrics, METRIC_unmatched_answers, 1);
    int64_t left_out;
    if (!tell_may(worker->tellers, TELL_UNMATCHED, worker_now_ns(worker), &left_out)) {
        return; /* the search below is not for every frame that a peer invents */
    }
    const struct match_entry *nearest = nearest_of(worker, link->endpoint, answer);
    char text[5] = {mti[0], mti[1], mti[2], mti[3], 0};
    int64_t near_stan = nearest == NULL ? -1 : (int64_t)(nearest->key & 0xFFFFFu);
    int64_t near_de7 = nearest == NULL ? -1 : (int64_t)(nearest->key >> 20 & 0x7FFFFFFFu);
    log_event(LOG_WARN, "answer.unmatched",
              log_text("endpoint", worker->options.endpoints[link->endpoint].name),
              log_text("mti", text), log_number("stan", answer->stan),
              log_number("de7", (int64_t)answer->de7), log_number("nearest_stan", near_stan),
              log_number("nearest_de7", near_de7), log_number("left_out", left_out));
}

static void tell_late(struct worker *worker, uint16_t endpoint, uint32_t stan)
{
    worker->late_count++;
    metric_add(worker->options.metrics, METRIC_late_answers, 1);
    atomic_fetch_add_explicit(&worker->options.board->endpoints[endpoint].late_count, 1,
                              memory_order_relaxed);
    WORKER_TELL(worker, TELL_LATE, LOG_WARN, "answer.late",
                log_text("endpoint", worker->options.endpoints[endpoint].name),
                log_number("stan", stan));
}

void match_answer(struct worker *worker, struct link *link, const struct iso_msg *msg)
{
    const struct worker_endpoint *endpoint = &worker->options.endpoints[link->endpoint];
    struct adapter_answer answer;
    if (!adapter_answer_read(endpoint->adapter, endpoint->dialect, msg, &answer)) {
        metric_add(worker->options.metrics, METRIC_frames_malformed, 1);
        WORKER_TELL(worker, TELL_MALFORMED, LOG_WARN, "answer.unusable",
                    log_text("endpoint", endpoint->name));
        return; /* it answers nothing: what it was meant for runs into its deadline */
    }
    struct match_key key = match_key(link->endpoint, msg->mti, answer.de7, answer.stan);
    struct match_entry *entry = match_find(&worker->match, key);
    if (entry == NULL) {
        tell_unmatched(worker, link, msg->mti, &answer);
        return;
    }
    if (entry->kind == MATCH_LATE) {
        tell_late(worker, link->endpoint, answer.stan);
        match_remove(worker, index_of(&worker->match, entry));
        return;
    }
    worker_crash_point(worker, "answer in");
    atomic_fetch_add_explicit(&worker->options.board->endpoints[link->endpoint].answered_count, 1,
                              memory_order_relaxed);
    struct match_entry found = *entry;
    match_remove(worker, index_of(&worker->match, entry));
    switch ((enum match_kind)found.kind) {
    case MATCH_TXN:
        match_txn_answer(worker, found.slot, found.generation, found.attempt, &answer);
        break;
    case MATCH_REMOTE:
        mesh_answer(worker, found.worker, found.slot, found.generation, found.attempt, &answer);
        break;
    case MATCH_ITEM:
        resolve_answer(worker, found.slot, found.generation, &answer);
        break;
    case MATCH_NETWORK:
        network_answer(worker, &worker->endpoints[found.endpoint], (uint16_t)found.slot,
                       answer.de39);
        break;
    case MATCH_FREE:
    case MATCH_LATE:
        must(false && "not an entry that waits");
    }
}

void match_txn_answer(struct worker *worker, uint32_t slot, uint32_t generation, uint8_t attempt,
                      const struct adapter_answer *answer)
{
    struct txn *txn = txn_find(worker, slot, generation);
    bool waits = txn != NULL && txn->stage == STAGE_MATCH && txn->forward.attempt == attempt;
    if (!waits) {
        /* Its deadline was first: from another worker's link it may cross the timer. */
        worker->late_count++;
        metric_add(worker->options.metrics, METRIC_late_answers, 1);
        return;
    }
    txn->match = MATCH_NONE;
    txn->came = TXN_ANSWER;
    txn->answer = *answer;
    pipeline_run(worker, txn);
}
