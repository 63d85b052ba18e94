/* match_test.c - the table of our messages that wait for an answer. */
#include "switch/state.h"
#include "tests/switch/fixture.h"

#include <criterion/criterion.h>

Test(match, keys_tell_everything_apart)
{
    static const struct {
        uint16_t endpoint;
        const char *mti;
        uint64_t de7;
        uint32_t stan;
        bool same;
    } rows[] = {
        {1, "0110", 1121030000, 123456, true},  {1, "0100", 1121030000, 123456, true},
        {2, "0110", 1121030000, 123456, false}, {1, "0210", 1121030000, 123456, false},
        {1, "0130", 1121030000, 123456, false}, {1, "0110", 1121030001, 123456, false},
        {1, "0110", 1121030000, 123457, false}, {1, "0111", 1121030000, 123456, true},
        {1, "0110", 1231235959, 999999, false},
    };
    struct match_key key = match_key(1, "0100", 1121030000, 123456);
    for (uint32_t i = 0; i < countof(rows); i++) {
        struct match_key other =
            match_key(rows[i].endpoint, rows[i].mti, rows[i].de7, rows[i].stan);
        cr_assert_eq(other.packed == key.packed, rows[i].same, "row %u", i);
    }
}

Test(match, full_and_late)
{
    struct fixture f;
    fixture_init(&f);
    f.options.txns_max = 4;
    fixture_serve(&f);
    struct worker *worker = f.worker;
    uint32_t most = worker->match.entries_max, added = 0;
    while (match_add(worker, match_key(0, "0100", 1121030000, added), MATCH_TXN, added, 1,
                     INT64_MAX) != MATCH_NONE) {
        added++;
    }
    cr_assert_eq(added, most);
    cr_assert_eq(worker->endpoints[0].outstanding, most);
    for (uint32_t i = 0; i < added; i++) {
        struct match_entry *entry = match_find(&worker->match, match_key(0, "0110", 1121030000, i));
        cr_assert(entry != NULL && entry->slot == i);
        match_make_late(worker, (uint32_t)(entry - worker->match.entries));
    }
    cr_assert_eq(worker->endpoints[0].outstanding, 0);
    cr_assert_leq(worker->match.used_count, most / 2); /* late ones never fill it */
    fixture_advance(&f, MATCH_LATE_NS + NS_PER_S);
    cr_assert_eq(worker->match.used_count, 0);
    /* A late entry gives its key to a new message. */
    struct match_key key = match_key(0, "0100", 1121030000, 1);
    uint32_t index = match_add(worker, key, MATCH_TXN, 1, 1, INT64_MAX);
    cr_assert_eq(match_add(worker, key, MATCH_TXN, 2, 1, INT64_MAX), MATCH_NONE);
    match_make_late(worker, index);
    index = match_add(worker, key, MATCH_TXN, 2, 1, INT64_MAX);
    cr_assert_neq(index, MATCH_NONE);
    cr_assert_eq(match_find(&worker->match, key)->slot, 2);
    match_remove(worker, index);
    fixture_end(&f);
}
