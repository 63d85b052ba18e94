#include "ledger/index.h"

#include "base/bytes.h"
#include "base/mem.h"
#include <criterion/criterion.h>

#define ROWS 1000u /* of 16 to an age: 63 ages, the last one has 8 rows */

static struct ledger_index one;

static void start(uint32_t rows, uint32_t ages)
{
    ledger_index_init(&one, mem_take(MEM_PLAIN, ledger_index_bytes(rows, ages), "index"), rows,
                      ages, 7);
}

/* Candidates of a search, which have to be `count` rows falling from `from`, on the circle. */
static void must_give(uint64_t hash, uint32_t circle_row, uint32_t from, uint32_t count)
{
    struct ledger_walk walk;
    uint32_t row = ledger_walk_first(&walk, &one, hash, circle_row);
    for (uint32_t i = 0; i < count; i++) {
        cr_assert_eq(row, (from + ROWS - i) % ROWS + 1, "candidate %u is row %u", i, row - 1);
        row = ledger_walk_next(&walk);
    }
    cr_assert_eq(row, 0);
}

Test(index, of_one_age)
{
    start(100, 1);
    cr_assert_eq(one.ages_count, 1);
    for (uint32_t row = 0; row < 100; row++) {
        ledger_index_add(&one, 5, row);
    }
    ledger_index_remove(&one, 5, 99);
    ledger_index_remove(&one, 5, 50);
    ledger_index_remove(&one, 5, 0);
    uint32_t row = ledger_index_first(&one, 5);
    for (uint32_t wanted = 98; wanted > 0; wanted--) {
        if (wanted != 50) {
            cr_assert_eq(row, wanted + 1);
            row = ledger_index_next(&one, row);
        }
    }
    cr_assert_eq(row, 0);
    cr_assert_eq(one.entries_count, 97);
}

Test(index, a_walk_gives_the_newest_first)
{
    start(ROWS, LEDGER_AGES);
    cr_assert_eq(one.ages_count, 63);
    must_give(5, 0, 0, 0);
    for (uint32_t row = 0; row < ROWS; row++) {
        ledger_index_add(&one, 5, row);
        must_give(5, (row + 1) % ROWS, row, row + 1);
    }
}

/* Each age holds rows of two rounds in turn. */
Test(index, the_circle_goes_round)
{
    start(ROWS, LEDGER_AGES);
    for (uint32_t row = 0; row < ROWS; row++) {
        ledger_index_add(&one, 5, row);
    }
    for (uint32_t i = 0; i < 2 * ROWS + 9; i++) {
        uint32_t row = i % ROWS;
        ledger_index_remove(&one, 5, row);
        must_give(5, row, (row + ROWS - 1) % ROWS, ROWS - 1);
        ledger_index_add(&one, 5, row);
        must_give(5, (row + 1) % ROWS, row, ROWS);
    }
    cr_assert_eq(one.entries_count, ROWS);
    cr_assert_eq(one.age_entries[0], 16);
    cr_assert_eq(one.age_entries[62], 8);
}

Test(index, keys_do_not_meet)
{
    start(ROWS, LEDGER_AGES);
    for (uint32_t row = 0; row < ROWS; row++) {
        ledger_index_add(&one, hash64(&row, sizeof row, 0), row);
    }
    for (uint32_t row = 0; row < ROWS; row++) {
        struct ledger_walk walk;
        uint64_t hash = hash64(&row, sizeof row, 0);
        uint32_t found = ledger_walk_first(&walk, &one, hash, 0), looked_at = 1;
        while (found != row + 1) {
            cr_assert_neq(found, 0);
            found = ledger_walk_next(&walk);
            looked_at++;
        }
        cr_assert_lt(looked_at, 100, "neighbours of the same place, a quarter an age");
    }
}

Test(index, a_walk_is_bounded)
{
    uint32_t rows = 4 * LEDGER_WALK_MAX, count = 0;
    struct ledger_walk walk;
    start(rows, LEDGER_AGES);
    for (uint32_t row = 0; row < rows; row++) {
        ledger_index_add(&one, 5, row);
    }
    for (uint32_t at = ledger_walk_first(&walk, &one, 5, 0); at != 0;
         at = ledger_walk_next(&walk)) {
        count++;
    }
    cr_assert_eq(count, LEDGER_WALK_MAX);
}

Test(index, clear)
{
    start(ROWS, LEDGER_AGES);
    for (uint32_t row = 0; row < ROWS; row++) {
        ledger_index_add(&one, row, row);
    }
    ledger_index_clear(&one);
    cr_assert_eq(one.entries_count, 0);
    cr_assert_eq(one.age_entries[3], 0);
    must_give(5, 0, 0, 0);
}
