#include "ledger/map.h"

#include "base/bytes.h"
#include "base/mem.h"
#include <criterion/criterion.h>
#include <string.h>

#define ROWS 600u

static struct ledger_map map;

static void start(uint32_t rows)
{
    ledger_map_init(&map, mem_take(MEM_PLAIN, ledger_map_bytes(rows), "map"), rows, 7);
}

static bool has(uint64_t hash, uint32_t row)
{
    struct ledger_map_walk walk;
    for (uint32_t at = ledger_map_first(&walk, &map, hash); at != 0; at = ledger_map_next(&walk)) {
        if (at == row + 1) {
            return true;
        }
    }
    return false;
}

static uint32_t candidates(uint64_t hash)
{
    struct ledger_map_walk walk;
    uint32_t count = 0;
    for (uint32_t at = ledger_map_first(&walk, &map, hash); at != 0; at = ledger_map_next(&walk)) {
        count++;
    }
    return count;
}

static uint64_t hash_of(uint32_t row)
{
    return hash64(&row, sizeof row, 0);
}

static void must_be_empty(void)
{
    const uint8_t *bytes = (const uint8_t *)map.lines;
    cr_assert_eq(map.entries_count, 0);
    for (size_t i = 0; i < ledger_map_bytes(map.entries_max); i++) {
        cr_assert_eq(bytes[i], 0, "byte %zu: nothing is left of what was removed", i);
    }
}

Test(map, gives_the_row_of_a_key)
{
    start(ROWS);
    cr_assert_eq(candidates(hash_of(1)), 0);
    ledger_map_add(&map, hash_of(1), 1);
    cr_assert(has(hash_of(1), 1));
    cr_assert_eq(candidates(hash_of(2)), 0);
    ledger_map_remove(&map, hash_of(1), 1);
    cr_assert_eq(candidates(hash_of(1)), 0);
    must_be_empty();
}

Test(map, full_and_emptied_in_another_order)
{
    start(ROWS);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t row = 0; row < ROWS; row++) {
            ledger_map_add(&map, hash_of(row), row);
        }
        for (uint32_t row = 0; row < ROWS; row++) {
            cr_assert(has(hash_of(row), row));
        }
        for (uint32_t i = 0; i < ROWS; i++) { /* 7 and 600 have no common factor */
            uint32_t row = i * 7 % ROWS;
            ledger_map_remove(&map, hash_of(row), row);
            cr_assert_not(has(hash_of(row), row));
            for (uint32_t k = i + 1; k < ROWS; k += 37) {
                cr_assert(has(hash_of(k * 7 % ROWS), k * 7 % ROWS), "%u stays", k * 7 % ROWS);
            }
        }
        must_be_empty();
    }
}

/* As many as fill several lines, all at home on the last one: they go on at the first. */
Test(map, keys_that_fall_on_one_line_pass_to_the_next)
{
    uint32_t count = 3 * LEDGER_MAP_PLACES + 5;
    start(ROWS);
    uint64_t hash = 0;
    while (ledger_map_home(&map, ledger_map_mix(&map, hash)) != map.lines_count - 1) {
        hash++;
    }
    for (uint32_t row = 0; row < count; row++) {
        ledger_map_add(&map, hash, row);
    }
    cr_assert_eq(candidates(hash), count);
    cr_assert_eq(map.lines[map.lines_count - 1].passed_count, count - LEDGER_MAP_PLACES);
    cr_assert_eq(map.lines[2].rows_count, 5);
    cr_assert_eq(map.lines[2].passed_count, 0);
    ledger_map_remove(&map, hash, count - 1); /* of the last line */
    ledger_map_remove(&map, hash, 0);         /* of the first: a hole before the others */
    cr_assert_not(has(hash, 0));
    for (uint32_t row = 1; row < count - 1; row++) {
        cr_assert(has(hash, row));
    }
    ledger_map_add(&map, hash, 0); /* into the hole */
    cr_assert_eq(map.lines[map.lines_count - 1].rows_count, LEDGER_MAP_PLACES);
    for (uint32_t row = 0; row < count - 1; row++) {
        ledger_map_remove(&map, hash, row);
    }
    must_be_empty();
}

Test(map, of_a_single_row)
{
    start(1);
    cr_assert_eq(map.lines_count, 1);
    ledger_map_add(&map, 5, 0);
    cr_assert(has(5, 0));
    ledger_map_clear(&map);
    must_be_empty();
}
