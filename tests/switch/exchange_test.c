/* exchange_test.c - whole messages through a worker: on-us, refused, repeated, secured. */
#include "tests/switch/fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static const char request_hex[] =
    "008F30313030723C448108C18000313639393030303130303030303030303139303030303030303030303030303130"
    "3030303131323130333030303030303030303130383030303031313231333031323534313130313230303036313233"
    "3435363633323530333030303030315445524D303030314D45524348414E5430303030303031303037393230333032"
    "35333938";
static const char answer_hex[] =
    "008C30313130723A00010EC18000313639393030303130303030303030303139303030303030303030303030303130"
    "3030303131323130333030303030303030303130383030303031313231313132313036313233343536363332353033"
    "30303030303141314232433330305445524D303030314D45524348414E5430303030303031303035383730314D3339"
    "38";

static void answer_hsm(struct fixture *f, enum hsm_answer pin, enum hsm_answer cvv2,
                       enum hsm_answer cvv)
{
    cr_assert_eq(f->jobs_count, 1);
    f->results[0] = (struct hsm_result){
        .token = f->jobs[0].token, .status = HSM_OK, .pin = pin, .cvv2 = cvv2, .cvv = cvv};
    f->results_count = 1;
    f->jobs_count = 0;
    fixture_run(f);
}

static void give_card(struct fixture *f)
{
    f->has_card = true;
    f->card = (struct ledger_ref_card){
        .version = 5, .expiry = 3012, .service_code = 201, .pvki = 1, .pvv = "4022"};
}

Test(exchange, contract_section_8_byte_by_byte)
{
    struct fixture f;
    fixture_init(&f);
    give_card(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t request[256], answer[256], sent[256];
    uint32_t request_size = fixture_bytes(request_hex, request, sizeof request);
    uint32_t answer_size = fixture_bytes(answer_hex, answer, sizeof answer);
    cr_assert_eq(request_size, 145);
    cr_assert_eq(answer_size, 142);
    fixture_send(&f, client, request, request_size);

    cr_assert_eq(f.jobs_count, 1);
    cr_assert_eq(f.jobs[0].checks, HSM_CHECK_CVV2);
    cr_assert_eq(memcmp(f.jobs[0].cvv2, "025", 3), 0);
    cr_assert_eq(memcmp(f.jobs[0].expiry, "3012", 4), 0);
    cr_assert_not(fixture_command(&f));
    answer_hsm(&f, HSM_NOT_ASKED, HSM_OK, HSM_NOT_ASKED);

    cr_assert(fixture_command(&f));
    cr_assert_eq(f.header.kind, LEDGER_AUTH);
    const struct ledger_request *r = &f.command.request;
    cr_assert_eq(r->amount_minor, 10000);
    cr_assert_eq(r->stan, 1);
    cr_assert_eq(r->de7, 1121030000);
    cr_assert_eq(r->local_time, 1121080000);
    cr_assert_eq(r->de32, 123456);
    cr_assert_eq(r->currency, 398);
    cr_assert_eq(r->expiry, 3012);
    cr_assert_eq(r->mcc, 5411);
    cr_assert_eq(r->entry_mode, 12);
    cr_assert_eq(r->mti, 100);
    cr_assert_eq(r->class, LEDGER_CLASS_AUTH);
    cr_assert_eq(r->cvv2, LEDGER_CHECK_OK);
    cr_assert_eq(r->pin, LEDGER_CHECK_NONE);
    cr_assert_eq(r->card_version, 5);
    cr_assert_eq(r->ref_batch, 100);
    cr_assert_eq(r->ruleset, 77);
    cr_assert_eq(r->flags, LEDGER_REQUEST_HAS_RRN | LEDGER_REQUEST_ASKS_CVV2 |
                               LEDGER_REQUEST_ON_US | LEDGER_REQUEST_HAS_EXPIRY);
    cr_assert_eq(r->findings, 0);
    cr_assert_eq(memcmp(r->pan_first6_last4, "9900010019", 10), 0);
    cr_assert_eq(memcmp(r->rrn, "632503000001", 12), 0);

    struct ledger_reply reply = {.settlement_date = 1121,
                                 .currency = 398,
                                 .de39 = "00",
                                 .de38 = "A1B2C3",
                                 .has_de38 = 1,
                                 .cvv2_result = 'M'};
    fixture_reply(&f, &reply);
    cr_assert_eq(fake_take(f.io, client, sent, sizeof sent), answer_size);
    cr_assert_arr_eq(sent, answer, answer_size);
    cr_assert_eq(worker_numbers(f.worker).txns_in_flight, 0);
    cr_assert_eq(worker_numbers(f.worker).credits_free, FIXTURE_CREDITS);
    fixture_end(&f);
}

Test(exchange, nothing_of_the_card_is_left_in_a_command)
{
    struct fixture f;
    fixture_init(&f);
    give_card(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t frame[FRAME_MAX];
    uint32_t size = fixture_message(
        &f, frame, "0200", "2", "9900010000000019", "3", "000000", "4", "000000010000", "7",
        "1121030000", "11", "000002", "12", "080000", "13", "1121", "32", "123456", "35",
        "9900010000000019=301220114022130", "41", "TERM0001", "42", "MERCHANT0000001", "48",
        "9203025", "49", "398", "52", "#119D82F40DFF2B03", NULL);
    fixture_send(&f, client, frame, size);
    cr_assert_eq(f.jobs[0].checks, HSM_CHECK_PIN | HSM_CHECK_CVV2 | HSM_CHECK_CVV);
    cr_assert_eq(memcmp(f.jobs[0].service_code, "201", 3), 0);
    cr_assert_eq(memcmp(f.jobs[0].cvv, "130", 3), 0);
    cr_assert_eq(memcmp(f.jobs[0].pvv, "4022", 4), 0);
    cr_assert_eq(f.jobs[0].pvki, '1');
    cr_assert_eq(f.jobs[0].zone_pin_key, 1);
    answer_hsm(&f, HSM_WRONG, HSM_UNAVAILABLE, HSM_OK);
    cr_assert(fixture_command(&f));
    cr_assert_eq(f.command.request.pin, LEDGER_CHECK_WRONG);
    cr_assert_eq(f.command.request.cvv2, LEDGER_CHECK_UNAVAILABLE);
    cr_assert_eq(f.command.request.cvv, LEDGER_CHECK_OK);
    uint8_t block[8];
    (void)fixture_bytes("119D82F40DFF2B03", block, sizeof block);
    const void *command = &f.command;
    cr_assert(memmem(command, sizeof f.command, "990001000000001", 15) == NULL);
    cr_assert(memmem(command, sizeof f.command, block, 8) == NULL);
    cr_assert(memmem(command, sizeof f.command, "301220114022", 12) == NULL);
    fixture_decline(&f, "55");
    cr_assert(fixture_answer(&f, client));
    cr_assert_str_eq(fixture_field(&f, 39), "55");
    fixture_end(&f);
}

Test(exchange, hsm_down_is_unavailable_and_never_fails_open)
{
    struct fixture f;
    fixture_init(&f);
    give_card(&f);
    f.hsm_is_down = true;
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t request[256];
    uint32_t size = fixture_bytes(request_hex, request, sizeof request);
    fixture_send(&f, client, request, size);
    cr_assert(fixture_command(&f));
    cr_assert_eq(f.command.request.cvv2, LEDGER_CHECK_UNAVAILABLE);
    fixture_decline(&f, "96");
    cr_assert(fixture_answer(&f, client));
    fixture_end(&f);
}

Test(exchange, refusals_of_the_worker_in_order)
{
    static const struct {
        const char *what, *de, *value, *de39, *de44;
    } rows[] = {
        {"missing PAN", "2", NULL, "30", "002"},
        {"missing amount", "4", NULL, "30", "004"},
        {"missing currency", "49", NULL, "30", "049"},
        {"unknown pair", "3", "990000", "12", ""},
        {"transfer only in 0200", "3", "400000", "12", ""},
        {"MAC", "64", "#0000000000000000", "12", ""},
        {"chip of ours", "55", "#9F3602000A", "12", ""},
        {"another PAN in DE35", "35", "4000000000000002=301220114022130", "30", "035"},
        {"ours in another form", "35", "9900010000000019=3012201", "30", "035"},
    };
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    for (uint32_t i = 0; i < countof(rows); i++) {
        uint8_t frame[FRAME_MAX];
        uint32_t size = fixture_message(&f, frame, "0100", "2", "9900010000000019", "3", "000000",
                                        "4", "000000010000", "7", "1121030000", "11", "000001",
                                        "32", "123456", "41", "TERM0001", "42", "MERCHANT0000001",
                                        "49", "398", rows[i].de, rows[i].value, NULL);
        fixture_send(&f, client, frame, size);
        cr_assert(fixture_answer(&f, client), "%s", rows[i].what);
        cr_assert_str_eq(fixture_mti(&f), "0110");
        cr_assert_str_eq(fixture_field(&f, 39), rows[i].de39, "%s", rows[i].what);
        cr_assert_str_eq(fixture_field(&f, 44), rows[i].de44, "%s", rows[i].what);
        cr_assert_str_eq(fixture_field(&f, 11), "000001");
        cr_assert_not(fixture_command(&f), "%s", rows[i].what);
    }
    cr_assert_eq(worker_numbers(f.worker).txns_in_flight, 0);
    fixture_end(&f);
}

Test(exchange, a_message_of_a_later_version_is_12_with_the_common_echoes)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t frame[FRAME_MAX];
    uint32_t size = fixture_message(&f, frame, "0500", "7", "1121030000", "11", "000007", "12",
                                    "080000", "15", "1121", "32", "123456", "41", "TERM0001", "42",
                                    "MERCHANT0000001", "50", "398", NULL);
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_answer(&f, client));
    cr_assert_str_eq(fixture_mti(&f), "0510");
    cr_assert_str_eq(fixture_field(&f, 39), "12");
    cr_assert_str_eq(fixture_field(&f, 12), "080000");
    cr_assert_str_eq(fixture_field(&f, 41), "TERM0001");
    cr_assert_str_eq(fixture_field(&f, 42), "MERCHANT0000001");
    cr_assert_str_eq(fixture_field(&f, 15), "");
    cr_assert_str_eq(fixture_field(&f, 50), "");
    fixture_end(&f);
}

Test(exchange, an_amount_that_remains_must_be_a_number)
{
    static const struct {
        const char *mti, *de95, *de49, *de39, *de44;
    } rows[] = {
        {"0400", "0000000X0000000000000000C00000000C00000000", "398", "30", "095"},
        {"0420", "            000000000000C00000000C00000000", NULL, "30", "095"},
        {"0420", "000000006000000000000000C00000000C00000000", NULL, "30", "049"},
    };
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    for (uint32_t i = 0; i < countof(rows); i++) {
        uint8_t frame[FRAME_MAX];
        uint32_t size = fixture_message(
            &f, frame, rows[i].mti, "2", "9900010000000019", "3", "000000", "4", "000000010000",
            "7", "1121030000", "11", "000001", "32", "123456", "37", "632503000001", "41",
            "TERM0001", "42", "MERCHANT0000001", "49", rows[i].de49, "95", rows[i].de95, NULL);
        fixture_send(&f, client, frame, size);
        cr_assert(fixture_answer(&f, client));
        cr_assert_str_eq(fixture_field(&f, 39), rows[i].de39);
        cr_assert_str_eq(fixture_field(&f, 44), rows[i].de44);
        cr_assert_not(fixture_command(&f));
    }
    fixture_end(&f);
}

Test(exchange, a_field_that_cannot_be_read_is_30_and_the_link_stays)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t request[256];
    uint32_t size = fixture_bytes(request_hex, request, sizeof request);
    request[2 + 12 + 2 + 16] = 'X'; /* DE3 */
    fixture_send(&f, client, request, size);
    cr_assert(fixture_answer(&f, client));
    cr_assert_str_eq(fixture_field(&f, 39), "30");
    cr_assert_str_eq(fixture_field(&f, 44), "003");
    cr_assert_str_eq(fixture_field(&f, 2), "9900010000000019");
    cr_assert_str_eq(fixture_field(&f, 4), "");
    static const uint8_t alive[] = {0, 0};
    fixture_send(&f, client, alive, 2);
    cr_assert_not(fixture_answer(&f, client));
    cr_assert_not(f.io->sockets[client].is_closed);
    fixture_end(&f);
}

Test(exchange, network_messages_are_answered_at_once)
{
    static const struct {
        const char *code, *de39;
    } rows[] = {{"001", "00"}, {"002", "00"}, {"301", "00"}, {"999", "12"}};
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    for (uint32_t i = 0; i < countof(rows); i++) {
        uint8_t frame[FRAME_MAX];
        uint32_t size = fixture_message(&f, frame, "0800", "7", "1121030000", "11", "000009", "70",
                                        rows[i].code, NULL);
        fixture_send(&f, client, frame, size);
        cr_assert(fixture_answer(&f, client));
        cr_assert_str_eq(fixture_mti(&f), "0810");
        cr_assert_str_eq(fixture_field(&f, 39), rows[i].de39);
        cr_assert_str_eq(fixture_field(&f, 70), rows[i].code);
    }
    uint8_t frame[FRAME_MAX];
    uint32_t size = fixture_message(&f, frame, "0800", "7", "1121030000", "70", "301", NULL);
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_answer(&f, client));
    cr_assert_str_eq(fixture_field(&f, 44), "011");
    fixture_end(&f);
}

Test(exchange, other_messages_get_12_and_answers_nothing)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t frame[FRAME_MAX];
    uint32_t size = fixture_purchase(&f, frame, "0300", "000001");
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_answer(&f, client));
    cr_assert_str_eq(fixture_mti(&f), "0310");
    cr_assert_str_eq(fixture_field(&f, 39), "12");
    cr_assert_str_eq(fixture_field(&f, 37), "632503000001");
    size = fixture_purchase(&f, frame, "0110", "000001");
    fixture_send(&f, client, frame, size);
    cr_assert_not(fixture_answer(&f, client));
    fixture_send(&f, client, (const uint8_t *)"\0\4ABCD", 6);
    cr_assert_not(fixture_answer(&f, client));
    fixture_send(&f, client, (const uint8_t *)"\0\2AB", 4);
    cr_assert_not(fixture_answer(&f, client));
    cr_assert_eq(worker_numbers(f.worker).unmatched_count, 3);
    cr_assert_not(f.io->sockets[client].is_closed);
    fixture_end(&f);
}

Test(exchange, our_rrn_is_returned_and_is_unique)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t last[12] = {0};
    for (uint32_t i = 0; i < 20; i++) {
        uint8_t frame[FRAME_MAX];
        uint32_t size =
            fixture_message(&f, frame, "0200", "2", "9900010000000019", "3", "000000", "4",
                            "000000010000", "7", "1121030000", "11", "000001", "32", "123456", "41",
                            "TERM0001", "42", "MERCHANT0000001", "49", "398", NULL);
        fixture_send(&f, client, frame, size);
        cr_assert(fixture_command(&f));
        cr_assert_eq(f.command.request.flags & LEDGER_REQUEST_HAS_RRN, 0);
        cr_assert_neq(memcmp(f.command.request.rrn, last, 12), 0);
        cr_assert_eq(memcmp(f.command.request.rrn, "632503", 6), 0); /* 2026, day 325, 03 h */
        memcpy(last, f.command.request.rrn, 12);
        struct ledger_reply reply = {.de39 = "51", .has_rrn = 1};
        memcpy(reply.rrn, last, 12);
        fixture_reply(&f, &reply);
        cr_assert(fixture_answer(&f, client));
        cr_assert_eq(memcmp(fixture_field(&f, 37), last, 12), 0);
        cr_assert_str_eq(fixture_field(&f, 39), "51");
        cr_assert_str_eq(fixture_field(&f, 38), "");
        cr_assert_str_eq(fixture_field(&f, 15), "");
    }
    fixture_end(&f);
}

Test(exchange, balance_and_part_approval)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t frame[FRAME_MAX];
    uint32_t size = fixture_message(&f, frame, "0100", "2", "9900010000000019", "3", "310000", "7",
                                    "1121030000", "11", "000001", "32", "123456", "41", "TERM0001",
                                    "42", "MERCHANT0000001", "49", "398", NULL);
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_command(&f));
    struct ledger_reply reply = {.currency = 398,
                                 .de39 = "00",
                                 .de54 = LEDGER_DE54_BALANCE,
                                 .ledger_minor = 100000000,
                                 .available_minor = 100000000};
    fixture_reply(&f, &reply);
    cr_assert(fixture_answer(&f, client));
    cr_assert_str_eq(fixture_field(&f, 54), "0001398C0001000000000002398C000100000000");

    size = fixture_purchase(&f, frame, "0100", "000002");
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_command(&f));
    reply = (struct ledger_reply){.currency = 398,
                                  .de39 = "10",
                                  .has_amount = 1,
                                  .amount_minor = 100,
                                  .de54 = LEDGER_DE54_PARTIAL,
                                  .available_minor = 10000};
    fixture_reply(&f, &reply);
    cr_assert(fixture_answer(&f, client));
    cr_assert_str_eq(fixture_field(&f, 4), "000000000100");
    cr_assert_str_eq(fixture_field(&f, 54), "0057398D000000010000");
    fixture_end(&f);
}

Test(exchange, stale_is_repeated_when_the_follower_has_caught_up)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t frame[FRAME_MAX];
    uint32_t size = fixture_purchase(&f, frame, "0100", "000001");
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_command(&f));
    fixture_verdict(&f, LEDGER_VERDICT_STALE, NULL, 0);
    cr_assert_not(fixture_command(&f));
    f.ref_batch = 101;
    fixture_advance(&f, 20 * NS_PER_MS);
    cr_assert(fixture_command(&f));
    cr_assert_eq(f.command.request.ref_batch, 101);
    fixture_verdict(&f, LEDGER_VERDICT_STALE, NULL, 0); /* not yet far enough */
    f.ref_batch = 102;
    fixture_advance(&f, 20 * NS_PER_MS);
    cr_assert(fixture_command(&f));
    cr_assert_eq(f.command.request.ref_batch, 102);
    fixture_approve(&f);
    cr_assert(fixture_answer(&f, client));
    cr_assert_str_eq(fixture_field(&f, 39), "00");
    cr_assert_eq(worker_numbers(f.worker).credits_free, FIXTURE_CREDITS);
    fixture_end(&f);
}

/* BUSY is not stored; a 96 would be, and is none of the answers that an advice may have. */
Test(exchange, a_follower_that_stands_still_makes_busy)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t frame[FRAME_MAX];
    uint32_t size = fixture_purchase(&f, frame, "0100", "000001");
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_command(&f));
    fixture_verdict(&f, LEDGER_VERDICT_STALE, NULL, 0);
    fixture_advance(&f, 600 * NS_PER_MS);
    cr_assert(fixture_command(&f)); /* a last time */
    cr_assert_not(fixture_command(&f));
    fixture_verdict(&f, LEDGER_VERDICT_STALE, NULL, 0);
    cr_assert(fixture_answer(&f, client));
    cr_assert_str_eq(fixture_field(&f, 39), "91");
    cr_assert_str_eq(fixture_field(&f, 44), "BUSY");
    cr_assert_eq(worker_numbers(f.worker).shed_count, 1);
    cr_assert_eq(worker_numbers(f.worker).credits_free, FIXTURE_CREDITS);
    fixture_end(&f);
}

Test(exchange, the_answer_to_a_connection_that_is_gone_is_dropped)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t frame[FRAME_MAX];
    uint32_t size = fixture_purchase(&f, frame, "0100", "000001");
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_command(&f));
    uint8_t huge[2] = {0xFF, 0xFF};
    fixture_send(&f, client, huge, 2); /* larger than 8,192: that connection is closed */
    cr_assert(f.io->sockets[client].is_closed);
    int32_t other = fixture_client(&f); /* takes the link's place */
    fixture_approve(&f);
    cr_assert_not(fixture_answer(&f, other));
    cr_assert_eq(worker_numbers(f.worker).txns_in_flight, 0);
    fixture_end(&f);
}

Test(exchange, silent_verdict_answers_nobody)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t frame[FRAME_MAX];
    uint32_t size = fixture_purchase(&f, frame, "0100", "000001");
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_command(&f));
    fixture_verdict(&f, LEDGER_VERDICT_SILENT, NULL, 0);
    cr_assert_not(fixture_answer(&f, client));
    cr_assert_eq(worker_numbers(f.worker).txns_in_flight, 0);
    fixture_end(&f);
}
