/* state.c - takes the memory of a shard's tables, fills them from a checkpoint, rebuilds what is
 * derived, and sums them up for the digest.
 *
 * Thread: the recovery's at start, then the shard's. Bounds: struct ledger_limits. */
#include "ledger/tables.h"

#include "base/mem.h"
#include <stdio.h>

static uint32_t capacity(const struct ledger_limits *limits, uint32_t table)
{
    switch ((enum ledger_table)table) {
#define TABLE(name, type, rows, help)                                                              \
    case LEDGER_TABLE_##name:                                                                      \
        return rows;
#define EVENT(name, type, help) case LEDGER_EVENT_##name:
#include "ledger/table.def"
#undef TABLE
#undef EVENT
    case LEDGER_TABLES_COUNT:
    case LEDGER_EVENTS_BEFORE:
    case LEDGER_EVENTS_END:
        return 0;
    }
    return 0;
}

static const char *const what[LEDGER_TABLES_COUNT] = {
#define TABLE(name, type, rows, help) "ledger " #name,
#define EVENT(name, type, help)
#include "ledger/table.def"
#undef TABLE
#undef EVENT
};

static size_t free_bytes(uint32_t rows)
{
    return 2 * (size_t)rows * sizeof(uint32_t);
}

static size_t derived_bytes(const struct ledger_limits *limits)
{
    return ledger_map_bytes(limits->txns_max) +
           2 * ledger_index_bytes(limits->txns_max, LEDGER_AGES) +
           ledger_index_bytes(limits->txns_max, 1) + ledger_index_bytes(limits->accounts_max, 1) +
           ledger_index_bytes(limits->cards_max, 1) + ledger_index_bytes(limits->holds_max, 1) +
           ledger_index_bytes(limits->counter_slots_max, 1) +
           ledger_index_bytes(limits->saf_max, 1) + free_bytes(limits->holds_max) +
           free_bytes(limits->saf_max) + free_bytes(limits->exceptions_max) +
           free_bytes(limits->counter_slots_max) +
           (size_t)limits->saf_max * (2 * sizeof(uint32_t) + 1);
}

size_t ledger_state_bytes(const struct ledger_limits *limits)
{
    size_t bytes = sizeof(struct ledger_state) + derived_bytes(limits);
    for (uint32_t table = 0; table < LEDGER_TABLES_COUNT; table++) {
        bytes += (size_t)capacity(limits, table) * ledger_effect_row_bytes((uint16_t)table);
    }
    return bytes;
}

/* ---- free rows ------------------------------------------------------------------------------- */

uint32_t ledger_free_row(const struct ledger_free *rows, uint32_t skip)
{
    return rows->count > skip ? rows->rows[rows->count - 1 - skip] + 1 : 0;
}

void ledger_free_take(struct ledger_free *rows, uint32_t row)
{
    uint32_t place = rows->places[row];
    must(place != 0 && rows->count > 0);
    uint32_t last = rows->rows[rows->count - 1];
    rows->rows[place - 1] = last;
    rows->places[last] = place;
    rows->places[row] = 0;
    rows->count--;
}

void ledger_free_give(struct ledger_free *rows, uint32_t row)
{
    must(rows->places[row] == 0);
    rows->rows[rows->count++] = row;
    rows->places[row] = rows->count;
}

/* ---- memory ---------------------------------------------------------------------------------- */

static void place_index(struct ledger_index *index, uint8_t **memory, uint32_t rows, uint32_t ages,
                        uint64_t seed)
{
    ledger_index_init(index, *memory, rows, ages, seed);
    *memory += ledger_index_bytes(rows, ages);
}

static void place_free(struct ledger_free *rows, uint8_t **memory, uint32_t count)
{
    rows->rows = (uint32_t *)(void *)*memory;
    rows->places = rows->rows + count;
    *memory += free_bytes(count);
}

static void place_derived(struct ledger_state *state, uint8_t *memory, uint64_t seed)
{
    const struct ledger_limits *limits = &state->limits;
    ledger_map_init(&state->by_replay, memory, limits->txns_max, seed + 6);
    memory += ledger_map_bytes(limits->txns_max);
    place_index(&state->by_name, &memory, limits->accounts_max, 1, seed + 1);
    place_index(&state->by_card, &memory, limits->cards_max, 1, seed + 2);
    place_index(&state->holds_by_rrn, &memory, limits->holds_max, 1, seed + 3);
    place_index(&state->by_counter, &memory, limits->counter_slots_max, 1, seed + 4);
    place_index(&state->by_item, &memory, limits->saf_max, 1, seed + 5);
    place_index(&state->by_self, &memory, limits->txns_max, LEDGER_AGES, seed + 7);
    place_index(&state->by_rrn, &memory, limits->txns_max, LEDGER_AGES, seed + 8);
    place_index(&state->by_loose, &memory, limits->txns_max, 1, seed + 9);
    place_free(&state->holds_free, &memory, limits->holds_max);
    place_free(&state->safs_free, &memory, limits->saf_max);
    place_free(&state->marks_free, &memory, limits->exceptions_max);
    place_free(&state->counters_free, &memory, limits->counter_slots_max);
    state->saf_nexts = (uint32_t *)(void *)memory;
    state->saf_befores = state->saf_nexts + limits->saf_max;
    state->saf_in_flight = (uint8_t *)(state->saf_befores + limits->saf_max);
}

struct ledger_state *ledger_state_create(const struct ledger_limits *limits, uint64_t seed)
{
    struct ledger_state *state = mem_take(MEM_PLAIN, sizeof *state, "ledger state");
    state->limits = *limits;
    state->seed = seed;
    for (uint32_t table = 0; table < LEDGER_TABLES_COUNT; table++) {
        state->rows_count[table] = capacity(limits, table);
        size_t bytes = (size_t)state->rows_count[table] * ledger_effect_row_bytes((uint16_t)table);
        state->rows[table] = mem_take(MEM_PLAIN, bytes, what[table]);
    }
    state->meta = (void *)state->rows[LEDGER_TABLE_meta];
    state->accounts = (void *)state->rows[LEDGER_TABLE_account];
    state->names = (void *)state->rows[LEDGER_TABLE_account_name];
    state->cards = (void *)state->rows[LEDGER_TABLE_card];
    state->holds = (void *)state->rows[LEDGER_TABLE_hold];
    state->counters = (void *)state->rows[LEDGER_TABLE_counter];
    state->txns = (void *)state->rows[LEDGER_TABLE_txn];
    state->safs = (void *)state->rows[LEDGER_TABLE_saf];
    state->relays = (void *)state->rows[LEDGER_TABLE_relay];
    state->marks = (void *)state->rows[LEDGER_TABLE_mark];
    state->endpoints = (void *)state->rows[LEDGER_TABLE_endpoint];
    place_derived(state, mem_take(MEM_PLAIN, derived_bytes(limits), "ledger indexes"), seed);
    ledger_state_rebuild(state);
    return state;
}

void ledger_state_configure(struct ledger_state *state, const struct ledger_options *options)
{
    must(options->parties_count <= LIMIT_PARTIES_MAX &&
         options->endpoints_count <= LIMIT_ENDPOINTS_MAX);
    state->parties_count = options->parties_count;
    state->endpoints_count = options->endpoints_count;
    for (uint32_t i = 0; i < options->parties_count; i++) {
        ledger_account_name_tidy(state->party_names[i], options->parties[i].settlement_account);
        state->party_accounts[i] = ledger_account_find(state, state->party_names[i]);
    }
    for (uint32_t i = 0; i < options->endpoints_count; i++) {
        ledger_account_name_tidy(state->endpoint_names[i],
                                 options->endpoints[i].settlement_account);
        state->endpoint_accounts[i] = ledger_account_find(state, state->endpoint_names[i]);
        state->policies[i].reversal_mti = options->endpoints[i].reversal_mti;
        state->policies[i].next_attempt_after = options->endpoints[i].next_attempt_after;
    }
}

uint32_t ledger_state_rows(const struct ledger_state *state, uint16_t table)
{
    return table < LEDGER_TABLES_COUNT ? state->rows_count[table] : 0;
}

const void *ledger_state_row(const struct ledger_state *state, uint16_t table, uint32_t row,
                             uint32_t *size)
{
    must(row < ledger_state_rows(state, table));
    *size = ledger_effect_row_bytes((uint16_t)table);
    return state->rows[table] + (size_t)row * *size;
}

/* Transactions stand where their number says: a file of another txns_max cannot be loaded. */
bool ledger_row_fits(const struct ledger_state *state, uint16_t table, uint32_t row,
                     const void *image, uint32_t size)
{
    uint64_t id = 0;
    if (table != LEDGER_TABLE_txn) {
        return true;
    }
    memcpy(&id, image, size < sizeof id ? size : sizeof id);
    return id == 0 || ledger_txn_row(state, id) == row;
}

bool ledger_state_load_row(struct ledger_state *state, uint16_t table, uint32_t row,
                           const void *image, uint32_t size)
{
    uint32_t full = ledger_effect_row_bytes((uint16_t)table);
    if (row >= ledger_state_rows(state, table) || size > full || size % 8 != 0 ||
        !ledger_row_fits(state, table, row, image, size)) {
        return false;
    }
    uint8_t *to = state->rows[table] + (size_t)row * full;
    ledger_row_used(state, table, row);
    memcpy(to, image, size);
    memset(to + size, 0, full - size);
    return true;
}

void ledger_state_clear(struct ledger_state *state)
{
    for (uint32_t table = 0; table < LEDGER_TABLES_COUNT; table++) {
        memset(state->rows[table], 0,
               (size_t)state->rows_used[table] * ledger_effect_row_bytes((uint16_t)table));
        state->rows_used[table] = 0;
    }
    ledger_state_rebuild(state);
}

/* ---- what is derived ------------------------------------------------------------------------- */

static void rebuild_free(struct ledger_free *rows, uint32_t count)
{
    rows->count = 0;
    memset(rows->places, 0, (size_t)count * sizeof *rows->places);
}

static void rebuild_accounts(struct ledger_state *state)
{
    for (uint32_t row = 0; row < state->rows_used[LEDGER_TABLE_account]; row++) {
        const struct ledger_account *account = &state->accounts[row];
        if (account->currency == 0) {
            continue;
        }
        state->accounts_count = row + 1;
        ledger_account_indexed(state, row);
        struct ledger_sum *sum = ledger_sum_of(state, account->currency);
        must(sum != NULL);
        sum->posted_debit += account->posted_debit;
        sum->posted_credit += account->posted_credit;
        sum->pending_debit += account->pending_debit;
        sum->pending_credit += account->pending_credit;
    }
    for (uint32_t row = 0; row < state->limits.cards_max && state->cards[row].account != 0; row++) {
        state->cards_count = row + 1;
        ledger_index_add(&state->by_card, ledger_hash_bytes(&state->cards[row].key, 16), row);
    }
}

/* Free rows are given from the highest down, so that the lowest is taken first. */
static void rebuild_rows(struct ledger_state *state)
{
    for (uint32_t row = state->limits.holds_max; row-- > 0;) {
        const struct ledger_hold *hold = &state->holds[row];
        if (hold->state == LEDGER_HOLD_NONE) {
            ledger_free_give(&state->holds_free, row);
        } else {
            ledger_index_add(&state->holds_by_rrn, hold->rrn_key.low, row);
            state->holds_open_count++;
        }
    }
    for (uint32_t row = state->limits.counter_slots_max; row-- > 0;) {
        const struct ledger_counter *counter = &state->counters[row];
        if (counter->declaration == 0) {
            ledger_free_give(&state->counters_free, row);
        } else {
            ledger_index_add(&state->by_counter,
                             ledger_counter_hash(counter->declaration, counter->key), row);
        }
    }
    for (uint32_t row = state->limits.exceptions_max; row-- > 0;) {
        const struct ledger_mark *mark = &state->marks[row];
        if (mark->id >= state->mark_next) {
            state->mark_next = mark->id + 1;
        }
        if (mark->is_open) {
            state->marks_open_count++;
        } else {
            ledger_free_give(&state->marks_free, row);
        }
    }
    for (uint32_t row = state->limits.saf_max; row-- > 0;) {
        if (state->safs[row].state == LEDGER_SAF_NONE) {
            ledger_free_give(&state->safs_free, row);
        }
    }
    for (uint32_t row = 0; row < state->limits.saf_max; row++) {
        if (state->safs[row].state == LEDGER_SAF_QUEUED) {
            ledger_saf_queued(state, row);
        }
    }
}

/* Indexes give the latest first, so transactions go in from the oldest on: rows are a circle. */
static void rebuild_txns(struct ledger_state *state)
{
    uint32_t rows = state->limits.txns_max;
    uint64_t newest = 0;
    for (uint32_t row = 0; row < state->rows_used[LEDGER_TABLE_txn]; row++) {
        uint64_t sequence = state->txns[row].id & LEDGER_SEQUENCE_MASK;
        newest = sequence > newest ? sequence : newest;
    }
    state->txn_next = newest + 1;
    uint64_t oldest = newest >= rows ? newest - rows + 1 : 0;
    for (uint64_t sequence = oldest; sequence <= newest; sequence++) {
        uint32_t row = (uint32_t)(sequence % rows);
        const struct ledger_txn *txn = &state->txns[row];
        if (txn->id != 0) {
            ledger_txn_added(state, row);
            state->utc_last_ns =
                txn->decided_utc_ns > state->utc_last_ns ? txn->decided_utc_ns : state->utc_last_ns;
        }
    }
}

static void clear_indexes(struct ledger_state *state)
{
    struct ledger_index *indexes[] = {
        &state->by_name, &state->by_card, &state->holds_by_rrn, &state->by_counter,
        &state->by_item, &state->by_self, &state->by_rrn,       &state->by_loose,
    };
    for (uint32_t i = 0; i < countof(indexes); i++) {
        if (indexes[i]->entries_count > 0) { /* else its pages stay untouched */
            ledger_index_clear(indexes[i]);
        }
    }
    if (state->by_replay.entries_count > 0) {
        ledger_map_clear(&state->by_replay);
    }
    rebuild_free(&state->holds_free, state->limits.holds_max);
    rebuild_free(&state->safs_free, state->limits.saf_max);
    rebuild_free(&state->marks_free, state->limits.exceptions_max);
    rebuild_free(&state->counters_free, state->limits.counter_slots_max);
    memset(state->queues, 0, sizeof state->queues);
    memset(state->saf_nexts, 0, (size_t)state->limits.saf_max * sizeof *state->saf_nexts);
    memset(state->saf_befores, 0, (size_t)state->limits.saf_max * sizeof *state->saf_befores);
    memset(state->saf_in_flight, 0, state->limits.saf_max);
    memset(state->sums, 0, sizeof state->sums);
    memset(state->party_accounts, 0, sizeof state->party_accounts);
    memset(state->endpoint_accounts, 0, sizeof state->endpoint_accounts);
}

void ledger_state_rebuild(struct ledger_state *state)
{
    clear_indexes(state);
    state->tombstones_count = state->accounts_count = state->cards_count = 0;
    state->saf_queued_count = state->sums_count = 0;
    state->txns_count = state->open_count = state->unknown_count = 0;
    state->holds_open_count = state->marks_open_count = 0;
    state->mark_next = 1;
    state->in_doubt_minor = 0;
    state->utc_last_ns = 0;
    state->recover_from = 0;
    rebuild_accounts(state);
    rebuild_rows(state);
    rebuild_txns(state);
}

uint64_t ledger_state_digest(const struct ledger_state *state)
{
    static const uint8_t zeros[LEDGER_RECORD_BYTES_MAX];
    uint64_t digest = 0;
    for (uint32_t table = 0; table < LEDGER_TABLES_COUNT; table++) {
        uint32_t size = ledger_effect_row_bytes((uint16_t)table);
        for (uint32_t row = 0; row < state->rows_used[table]; row++) {
            const uint8_t *image = state->rows[table] + (size_t)row * size;
            if (memcmp(image, zeros, size) != 0) {
                digest += hash64(image, size, (uint64_t)table << 32 | row);
            }
        }
    }
    return digest;
}
