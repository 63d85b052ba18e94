/* facts_test.c - what the ledger is told of a message: keys, flags, numbers, in tables. */
#include "tests/switch/fixture.h"

#include <criterion/criterion.h>
#include <string.h>

struct change { /* of the usual message: DE, value; NULL removes */
    const char *de, *value;
};

static struct ledger_request request_of(struct fixture *f, int32_t client, const char *mti,
                                        struct change a, struct change b)
{
    uint8_t frame[FRAME_MAX];
    uint32_t size =
        fixture_message(f, frame, mti, "2", "9900010000000019", "3", "000000", "4", "000000010000",
                        "7", "1121030000", "11", "000001", "12", "080000", "13", "1121", "32",
                        "123456", "37", "632503000001", "41", "TERM0001", "42", "MERCHANT0000001",
                        "49", "398", a.de, a.value, a.de == NULL ? NULL : b.de, b.value, NULL);
    fixture_send(f, client, frame, size);
    cr_assert(fixture_command(f), "DE%s was refused", a.de);
    struct ledger_request request = f->command.request;
    fixture_decline(f, "05");
    while (fixture_answer(f, client)) {
    }
    return request;
}

static bool same(struct hash128 a, struct hash128 b)
{
    return a.low == b.low && a.high == b.high;
}

#define USUAL ((struct change){NULL, NULL})

Test(facts, what_makes_the_key_and_the_content)
{
    static const struct {
        const char *what, *mti;
        struct change a, b;
        bool same_key, same_content, same_rrn, same_self;
    } rows[] = {
        {"itself", "0100", {"4", "000000010000"}, {NULL, NULL}, true, true, true, true},
        {"repeat", "0101", {"4", "000000010000"}, {NULL, NULL}, true, true, true, true},
        {"new DE7", "0100", {"7", "1121030005"}, {NULL, NULL}, true, true, true, true},
        {"other amount", "0100", {"4", "000000020000"}, {NULL, NULL}, true, false, true, true},
        {"other type", "0100", {"3", "010000"}, {NULL, NULL}, true, false, true, true},
        {"other card", "0100", {"2", "9900010000000027"}, {NULL, NULL}, true, false, false, false},
        {"other STAN", "0100", {"11", "000002"}, {NULL, NULL}, false, true, true, false},
        {"other time", "0100", {"12", "080001"}, {NULL, NULL}, false, true, true, true},
        {"other date", "0100", {"13", "1122"}, {NULL, NULL}, false, true, true, true},
        {"other acquirer", "0100", {"32", "123457"}, {NULL, NULL}, false, true, false, false},
        {"other terminal", "0100", {"41", "TERM0002"}, {NULL, NULL}, false, true, false, false},
        {"other merchant",
         "0100",
         {"42", "MERCHANT0000002"},
         {NULL, NULL},
         false,
         true,
         false,
         false},
        {"other RRN", "0100", {"37", "632503000002"}, {NULL, NULL}, false, true, false, true},
        {"no RRN", "0100", {"37", NULL}, {NULL, NULL}, false, true, false, true},
        {"other class", "0200", {"4", "000000010000"}, {NULL, NULL}, false, true, true, false},
        {"other country", "0100", {"19", "398"}, {NULL, NULL}, true, true, true, true},
        {"DE95",
         "0100",
         {"95", "000000006000000000000000C00000000C00000000"},
         {NULL, NULL},
         true,
         false,
         true,
         true},
    };
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    struct ledger_request usual = request_of(&f, client, "0100", USUAL, USUAL);
    for (uint32_t i = 0; i < countof(rows); i++) {
        struct ledger_request r = request_of(&f, client, rows[i].mti, rows[i].a, rows[i].b);
        cr_assert_eq(same(r.replay_key, usual.replay_key), rows[i].same_key, "%s", rows[i].what);
        cr_assert_eq(r.content == usual.content, rows[i].same_content, "%s", rows[i].what);
        cr_assert_eq(same(r.rrn_key, usual.rrn_key), rows[i].same_rrn, "%s", rows[i].what);
        cr_assert_eq(same(r.self_key, usual.self_key), rows[i].same_self, "%s", rows[i].what);
    }
    fixture_end(&f);
}

Test(facts, without_local_time_de7_is_in_the_key)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t frame[FRAME_MAX];
    struct hash128 keys[2];
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t size = fixture_message(
            &f, frame, "0100", "2", "9900010000000019", "3", "000000", "4", "000000010000", "7",
            i == 0 ? "1121030000" : "1121030001", "11", "000001", "32", "123456", "41", "TERM0001",
            "42", "MERCHANT0000001", "49", "398", NULL);
        fixture_send(&f, client, frame, size);
        cr_assert(fixture_command(&f));
        keys[i] = f.command.request.replay_key;
        fixture_decline(&f, "05");
    }
    cr_assert_not(same(keys[0], keys[1]));
    fixture_end(&f);
}

Test(facts, a_reversal_names_its_original)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    struct ledger_request usual = request_of(&f, client, "0100", USUAL, USUAL);
    struct ledger_request r = request_of(
        &f, client, "0400", (struct change){"90", "010000000111210300000000012345600000000000"},
        (struct change){"95", "000000006000000000000000C00000000C00000000"});
    cr_assert_eq(f.header.kind, LEDGER_REVERSAL);
    cr_assert(same(r.original_key, usual.self_key));
    cr_assert_eq(r.original_mti, 100);
    cr_assert_eq(r.original_class, LEDGER_CLASS_AUTH);
    cr_assert_eq(r.original_stan, 1);
    cr_assert_eq(r.original_de7, 1121030000);
    cr_assert_eq(r.remains_minor, 6000);
    cr_assert_eq(
        r.flags & (LEDGER_REQUEST_HAS_DE90 | LEDGER_REQUEST_HAS_REMAINS | LEDGER_REQUEST_IS_ADVICE),
        LEDGER_REQUEST_HAS_DE90 | LEDGER_REQUEST_HAS_REMAINS);
    r = request_of(&f, client, "0421",
                   (struct change){"90", "000000000000000000000000012345600000000000"}, USUAL);
    cr_assert_eq(r.flags & (LEDGER_REQUEST_HAS_DE90 | LEDGER_REQUEST_IS_ADVICE),
                 LEDGER_REQUEST_IS_ADVICE);
    cr_assert(same(r.rrn_key, usual.rrn_key));
    fixture_end(&f);
}

Test(facts, flags_and_numbers)
{
    static const struct {
        const char *mti;
        struct change a;
        uint32_t set, clear;
    } rows[] = {
        {"0100", {"48", "61011"}, LEDGER_REQUEST_PARTIAL, LEDGER_REQUEST_ASKS_CVV2},
        {"0100", {"48", "6101092030259300"}, LEDGER_REQUEST_ASKS_CVV2, LEDGER_REQUEST_PARTIAL},
        {"0120", {"48", "9203025"}, LEDGER_REQUEST_IS_ADVICE, LEDGER_REQUEST_ASKS_CVV2},
        {"0220", {"38", "ABC123"}, LEDGER_REQUEST_HAS_DE38 | LEDGER_REQUEST_IS_ADVICE, 0},
        {"0201", {"14", "3012"}, LEDGER_REQUEST_HAS_EXPIRY | LEDGER_REQUEST_REPEAT, 0},
        {"0200", {"35", "9900010000000019=301220114022130"}, LEDGER_REQUEST_HAS_EXPIRY, 0},
        {"0100", {"37", NULL}, 0, LEDGER_REQUEST_HAS_RRN},
    };
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    for (uint32_t i = 0; i < countof(rows); i++) {
        struct ledger_request r = request_of(&f, client, rows[i].mti, rows[i].a, USUAL);
        cr_assert_eq(r.flags & rows[i].set, rows[i].set, "row %u: %x", i, r.flags);
        cr_assert_eq(r.flags & rows[i].clear, 0, "row %u: %x", i, r.flags);
    }
    struct ledger_request r = request_of(&f, client, "0100", (struct change){"4", "000000000000"},
                                         (struct change){"25", "51"});
    cr_assert(r.flags & LEDGER_REQUEST_VERIFY);
    r = request_of(&f, client, "0120", (struct change){"39", "05"}, USUAL);
    cr_assert_eq(memcmp(r.de39, "05", 2), 0);
    r = request_of(&f, client, "0220", USUAL, USUAL);
    cr_assert_eq(memcmp(r.de39, "00", 2), 0);
    cr_assert_eq(f.header.kind, LEDGER_ADVICE);
    /* DE14 and the track differ: no card has both. */
    r = request_of(&f, client, "0200", (struct change){"35", "9900010000000019=301220114022130"},
                   (struct change){"14", "3011"});
    cr_assert_eq(r.expiry, 0);
    r = request_of(&f, client, "0200", (struct change){"3", "400000"},
                   (struct change){"103", "card/2"});
    cr_assert_eq(memcmp(r.transfer_to, "card/2                      ", 28), 0);
    fixture_end(&f);
}

Test(facts, mandatory_fields_of_each_kind)
{
    static const struct {
        const char *mti, *de3, *gone, *de44;
    } rows[] = {
        {"0100", "000000", "2", "002"},  {"0100", "000000", "3", "003"},
        {"0120", "000000", "7", "007"},  {"0200", "000000", "11", "011"},
        {"0220", "000000", "32", "032"}, {"0200", "000000", "41", "041"},
        {"0400", "000000", "42", "042"}, {"0420", "000000", "49", "049"},
        {"0400", "000000", "37", "090"}, {"0200", "400000", "18", "103"},
        {"0420", "000000", "4", "004"},
    };
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    for (uint32_t i = 0; i < countof(rows); i++) {
        uint8_t frame[FRAME_MAX];
        uint32_t size = fixture_message(
            &f, frame, rows[i].mti, "2", "9900010000000019", "3", rows[i].de3, "4", "000000010000",
            "7", "1121030000", "11", "000001", "32", "123456", "37", "632503000001", "41",
            "TERM0001", "42", "MERCHANT0000001", "49", "398", rows[i].gone, NULL, NULL);
        fixture_send(&f, client, frame, size);
        cr_assert(fixture_answer(&f, client), "row %u", i);
        cr_assert_str_eq(fixture_field(&f, 39), "30", "row %u", i);
        cr_assert_str_eq(fixture_field(&f, 44), rows[i].de44, "row %u", i);
    }
    /* DE35 stands for DE2, but not in a reversal. */
    uint8_t frame[FRAME_MAX];
    uint32_t size = fixture_message(&f, frame, "0420", "3", "000000", "4", "000000010000", "7",
                                    "1121030000", "11", "000001", "32", "123456", "35",
                                    "9900010000000019=301220114022130", "37", "632503000001", "41",
                                    "TERM0001", "42", "MERCHANT0000001", "49", "398", NULL);
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_answer(&f, client));
    cr_assert_str_eq(fixture_field(&f, 44), "002");
    size = fixture_message(&f, frame, "0200", "3", "000000", "4", "000000010000", "7", "1121030000",
                           "11", "000001", "32", "123456", "35", "9900010000000019=301220114022130",
                           "41", "TERM0001", "42", "MERCHANT0000001", "49", "398", NULL);
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_command(&f));
    cr_assert_eq(f.command.request.expiry, 3012);
    fixture_end(&f);
}
