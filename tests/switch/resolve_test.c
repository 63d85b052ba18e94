/* resolve_test.c - stored messages: pulled, said, said again, acknowledged, resolved. */
#include "tests/switch/fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static struct ledger_saf_item reversal(struct fixture *f, uint32_t sends)
{
    struct ledger_saf_item item = {.item = 9,
                                   .txn = 4711,
                                   .de7 = 1121030004,
                                   .original_de7 = 1121030001,
                                   .original_de32 = 123456,
                                   .amount_minor = 10000,
                                   .stan = 700009,
                                   .original_stan = 700001,
                                   .sends_count = sends,
                                   .mti = 420,
                                   .original_mti = 100,
                                   .is_reversal = 1,
                                   .rrn = "632503000001"};
    struct secret_pan pan = {.digits = "4000010000000019", .size = 16};
    cr_assert(hsm_seal_pan(f->options.seal, &pan, item.relay.pan_sealed));
    static const char fields[] = "\x03\x06"
                                 "000000"
                                 "\x20\x06"
                                 "123456"
                                 "\x27\x02"
                                 "00"
                                 "\x29\x08"
                                 "TERM0001"
                                 "\x2A\x0F"
                                 "MERCHANT0000001"
                                 "\x31\x03"
                                 "398";
    item.relay.size = sizeof fields - 1;
    memcpy(item.relay.fields, fields, sizeof fields - 1);
    return item;
}

static void acknowledge(struct fixture *f, int32_t scheme, const char *de39)
{
    uint8_t frame[FRAME_MAX];
    uint32_t size =
        fixture_message(f, frame, "0430", "7", "1121030004", "11", "700009", "39", de39, NULL);
    fixture_send(f, scheme, frame, size);
}

Test(resolve, reversal_until_acknowledged)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t scheme = fixture_scheme(&f);
    cr_assert_not(fixture_command(&f));
    f.ledger_board.saf_waiting[0] = 1;
    fixture_run(&f);
    cr_assert(fixture_command(&f));
    cr_assert_eq(f.header.kind, LEDGER_PULL);
    cr_assert_eq(f.saf.endpoint, 0);
    cr_assert_not(fixture_command(&f)); /* one question at a time */
    f.ledger_board.saf_waiting[0] = 0;
    struct ledger_saf_item item = reversal(&f, 1);
    fixture_verdict(&f, LEDGER_VERDICT_SAF_ITEM, &item, sizeof item);
    cr_assert(fixture_answer(&f, scheme));
    cr_assert_str_eq(fixture_mti(&f), "0420");
    cr_assert_str_eq(fixture_field(&f, 2), "4000010000000019");
    cr_assert_str_eq(fixture_field(&f, 4), "000000010000");
    cr_assert_str_eq(fixture_field(&f, 7), "1121030004");
    cr_assert_str_eq(fixture_field(&f, 11), "700009");
    cr_assert_str_eq(fixture_field(&f, 32), "123456");
    cr_assert_str_eq(fixture_field(&f, 33), "990001");
    cr_assert_str_eq(fixture_field(&f, 37), "632503000001");
    cr_assert_str_eq(fixture_field(&f, 39), "");
    cr_assert_str_eq(fixture_field(&f, 49), "398");
    cr_assert_str_eq(fixture_field(&f, 90), "010070000111210300010000012345600000990001");

    fixture_advance(&f, 4900 * NS_PER_MS);
    cr_assert_not(fixture_command(&f));
    fixture_advance(&f, 200 * NS_PER_MS); /* no acknowledgement: back, and out again as a repeat */
    cr_assert(fixture_command(&f));
    cr_assert_eq(f.header.kind, LEDGER_PULL);
    cr_assert_eq(f.saf.item, 9);
    item = reversal(&f, 2);
    fixture_verdict(&f, LEDGER_VERDICT_SAF_ITEM, &item, sizeof item);
    cr_assert(fixture_answer(&f, scheme));
    cr_assert_str_eq(fixture_mti(&f), "0421");

    acknowledge(&f, scheme, "96"); /* could not take it */
    cr_assert_not(fixture_command(&f));
    fixture_advance(&f, 5100 * NS_PER_MS);
    cr_assert(fixture_command(&f));
    fixture_verdict(&f, LEDGER_VERDICT_SAF_ITEM, &item, sizeof item);
    cr_assert(fixture_answer(&f, scheme));

    acknowledge(&f, scheme, "00");
    cr_assert(fixture_command(&f));
    cr_assert_eq(f.header.kind, LEDGER_RESOLVED);
    cr_assert_eq(f.saf.item, 9);
    cr_assert_eq(memcmp(f.saf.de39, "00", 2), 0);
    fixture_verdict(&f, LEDGER_VERDICT_DONE, NULL, 0);
    fixture_advance(&f, 10 * NS_PER_S);
    cr_assert_not(fixture_command(&f));
    cr_assert_eq(worker_numbers(f.worker).credits_free, FIXTURE_CREDITS);
    cr_assert_eq(f.board.endpoints[0].in_flight, 0);
    fixture_end(&f);
}

Test(resolve, not_while_the_link_is_down)
{
    struct fixture f;
    fixture_init(&f);
    f.io->refuse_connects = true;
    fixture_serve(&f);
    f.ledger_board.saf_waiting[0] = 1;
    fixture_advance(&f, NS_PER_S);
    cr_assert_not(fixture_command(&f));
    f.io->refuse_connects = false;
    fixture_advance(&f, 6 * NS_PER_S);
    cr_assert(fixture_command(&f));
    cr_assert_eq(f.header.kind, LEDGER_PULL);
    fixture_verdict(&f, LEDGER_VERDICT_SAF_NONE, NULL, 0);
    cr_assert_not(fixture_command(&f)); /* not at once again */
    fixture_advance(&f, 100 * NS_PER_MS);
    cr_assert(fixture_command(&f));
    fixture_end(&f);
}

Test(resolve, a_window_of_several)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t scheme = fixture_scheme(&f);
    f.ledger_board.saf_waiting[0] = 10;
    for (uint32_t i = 0; i < 4; i++) {
        fixture_run(&f);
        cr_assert(fixture_command(&f));
        struct ledger_saf_item item = reversal(&f, 1);
        item.item = 20 + i;
        item.stan = 700020 + i;
        fixture_verdict(&f, LEDGER_VERDICT_SAF_ITEM, &item, sizeof item);
        cr_assert(fixture_answer(&f, scheme));
    }
    fixture_run(&f);
    cr_assert_not(fixture_command(&f));
    cr_assert_eq(f.board.endpoints[0].in_flight, 4);
    fixture_end(&f);
}

Test(resolve, partial_reversal_says_what_remains)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    f.ledger_board.saf_waiting[0] = 1;
    fixture_run(&f);
    cr_assert(fixture_command(&f));
    struct ledger_saf_item item = reversal(&f, 1);
    item.has_remains = 1;
    item.remains_minor = 6000;
    fixture_verdict(&f, LEDGER_VERDICT_SAF_ITEM, &item, sizeof item);
    cr_assert(fixture_answer(&f, fixture_scheme(&f)));
    cr_assert_str_eq(fixture_field(&f, 95), "000000006000000000000000C00000000C00000000");
    fixture_end(&f);
}
