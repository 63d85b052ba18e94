/* forward_test.c - out to a scheme and back: identity, matching, deadlines, what was not sent. */
#include "tests/switch/fixture.h"

#include <criterion/criterion.h>
#include <string.h>

static uint32_t forwarded(struct fixture *f, uint8_t *out, const char *mti, const char *stan)
{
    return fixture_message(f, out, mti, "2", "4000010000000019", "3", "000000", "4", "000000010000",
                           "7", "1121030000", "11", stan, "12", "080000", "13", "1121", "22", "012",
                           "32", "123456", "41", "TERM0001", "42", "MERCHANT0000001", "48",
                           "9203025", "49", "398", NULL);
}

/* The scheme's answer to the message in f->frame. */
static void scheme_answers(struct fixture *f, int32_t scheme, const char *mti, const char *de39)
{
    char de7[11], de11[7];
    memcpy(de7, fixture_field(f, 7), sizeof de7);
    memcpy(de11, fixture_field(f, 11), sizeof de11);
    uint8_t frame[FRAME_MAX];
    uint32_t size = fixture_message(f, frame, mti, "7", de7, "11", de11, "38", "S12345", "39", de39,
                                    "4", "000000010000", NULL);
    fixture_send(f, scheme, frame, size);
}

Test(forward, has_our_identity_and_comes_back_with_theirs)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f), scheme = fixture_scheme(&f);
    uint8_t frame[FRAME_MAX];
    uint32_t size = forwarded(&f, frame, "0101", "000001");
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_command(&f));
    cr_assert_eq(f.header.kind, LEDGER_INTENT);
    cr_assert_eq(f.command.request.flags & LEDGER_REQUEST_ON_US, 0);
    cr_assert_eq(f.command.request.routes_count, 1);
    cr_assert_eq(worker_numbers(f.worker).credits_free, FIXTURE_CREDITS - 3);
    cr_assert_not(fixture_answer(&f, scheme));
    uint8_t rrn[13] = {0};
    memcpy(rrn, f.command.request.rrn, 12);
    cr_assert_neq(rrn[0], ' ');

    fixture_forward(&f, 700001);
    cr_assert(fixture_answer(&f, scheme));
    cr_assert_str_eq(fixture_mti(&f), "0100");
    cr_assert_str_eq(fixture_field(&f, 2), "4000010000000019");
    cr_assert_str_eq(fixture_field(&f, 7), "1121030001");
    cr_assert_str_eq(fixture_field(&f, 11), "700001");
    cr_assert_str_eq(fixture_field(&f, 32), "123456");
    cr_assert_str_eq(fixture_field(&f, 33), "990001");
    cr_assert_str_eq(fixture_field(&f, 37), (const char *)rrn);
    cr_assert_str_eq(fixture_field(&f, 48), "9203025");
    cr_assert_eq(f.board.endpoints[0].in_flight, 1);

    scheme_answers(&f, scheme, "0110", "05");
    cr_assert_eq(f.board.endpoints[0].in_flight, 0);
    cr_assert(fixture_command(&f));
    cr_assert_eq(f.header.kind, LEDGER_OUTCOME);
    cr_assert_eq(f.outcome.txn, 4711);
    cr_assert_eq(f.outcome.attempt, 1);
    cr_assert_eq(f.outcome.outcome, LEDGER_OUTCOME_DECLINED);
    cr_assert_eq(memcmp(f.outcome.de39, "05", 2), 0);
    cr_assert_not(fixture_answer(&f, client));
    fixture_decline(&f, "05");
    cr_assert(fixture_answer(&f, client));
    cr_assert_str_eq(fixture_mti(&f), "0110");
    cr_assert_str_eq(fixture_field(&f, 11), "000001");
    cr_assert_str_eq(fixture_field(&f, 7), "1121030000");
    cr_assert_str_eq(fixture_field(&f, 39), "05");
    cr_assert_eq(worker_numbers(f.worker).credits_free, FIXTURE_CREDITS);
    fixture_end(&f);
}

Test(forward, approvals_carry_what_the_scheme_said)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f), scheme = fixture_scheme(&f);
    uint8_t frame[FRAME_MAX];
    static const struct {
        const char *de39;
        enum ledger_outcome outcome;
        int64_t amount_minor;
    } rows[] = {{"00", LEDGER_OUTCOME_APPROVED, 0},  {"10", LEDGER_OUTCOME_APPROVED, 10000},
                {"85", LEDGER_OUTCOME_APPROVED, 0},  {"51", LEDGER_OUTCOME_DECLINED, 0},
                {"91", LEDGER_OUTCOME_TECHNICAL, 0}, {"96", LEDGER_OUTCOME_TECHNICAL, 0}};
    for (uint32_t i = 0; i < countof(rows); i++) {
        uint32_t size = forwarded(&f, frame, "0200", "000001");
        fixture_send(&f, client, frame, size);
        cr_assert(fixture_command(&f));
        fixture_forward(&f, 700001 + i);
        cr_assert(fixture_answer(&f, scheme));
        scheme_answers(&f, scheme, "0210", rows[i].de39);
        cr_assert(fixture_command(&f));
        cr_assert_eq(f.outcome.outcome, rows[i].outcome, "%s", rows[i].de39);
        cr_assert_eq(f.outcome.amount_minor, rows[i].amount_minor);
        cr_assert(f.outcome.has_de38);
        cr_assert_eq(memcmp(f.outcome.de38, "S12345", 6), 0);
        fixture_decline(&f, rows[i].de39);
        cr_assert(fixture_answer(&f, client));
    }
    fixture_end(&f);
}

Test(forward, silence_is_a_timeout_and_the_late_answer_is_only_counted)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f), scheme = fixture_scheme(&f);
    uint8_t frame[FRAME_MAX];
    uint32_t size = forwarded(&f, frame, "0100", "000001");
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_command(&f));
    fixture_forward(&f, 700001);
    cr_assert(fixture_answer(&f, scheme));
    fixture_advance(&f, 2900 * NS_PER_MS);
    cr_assert_not(fixture_command(&f));
    fixture_advance(&f, 200 * NS_PER_MS);
    cr_assert(fixture_command(&f));
    cr_assert_eq(f.header.kind, LEDGER_TIMEOUT);
    cr_assert_eq(f.outcome.txn, 4711);
    fixture_decline(&f, "91");
    uint8_t sent[256];
    cr_assert_gt(fake_take(f.io, client, sent, sizeof sent), 0);

    fixture_advance(&f, 2 * NS_PER_S);
    scheme_answers(&f, scheme, "0110", "00");
    cr_assert_not(fixture_command(&f));
    cr_assert_not(fixture_answer(&f, client));
    cr_assert_eq(worker_numbers(f.worker).late_count, 1);
    scheme_answers(&f, scheme, "0110", "00"); /* and once more: nobody knows it */
    cr_assert_eq(worker_numbers(f.worker).late_count, 1);
    cr_assert_eq(worker_numbers(f.worker).unmatched_count, 1);
    cr_assert_eq(f.board.endpoints[0].in_flight, 0);
    fixture_end(&f);
}

Test(forward, an_answer_must_match_in_everything)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f), scheme = fixture_scheme(&f);
    uint8_t frame[FRAME_MAX];
    uint32_t size = forwarded(&f, frame, "0100", "000001");
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_command(&f));
    fixture_forward(&f, 700001);
    cr_assert(fixture_answer(&f, scheme));
    static const char *const wrong[][3] = {{"0110", "1121030001", "700002"},
                                           {"0110", "1121030002", "700001"},
                                           {"0210", "1121030001", "700001"},
                                           {"0130", "1121030001", "700001"}};
    for (uint32_t i = 0; i < countof(wrong); i++) {
        size = fixture_message(&f, frame, wrong[i][0], "7", wrong[i][1], "11", wrong[i][2], "39",
                               "00", NULL);
        fixture_send(&f, scheme, frame, size);
        cr_assert_not(fixture_command(&f), "row %u", i);
    }
    cr_assert_eq(worker_numbers(f.worker).unmatched_count, countof(wrong));
    /* Without DE39 it answers nothing. */
    size = fixture_message(&f, frame, "0110", "7", "1121030001", "11", "700001", NULL);
    fixture_send(&f, scheme, frame, size);
    cr_assert_not(fixture_command(&f));
    size = fixture_message(&f, frame, "0110", "7", "1121030001", "11", "700001", "39", "00", NULL);
    fixture_send(&f, scheme, frame, size);
    cr_assert(fixture_command(&f));
    cr_assert_eq(f.outcome.outcome, LEDGER_OUTCOME_APPROVED);
    fixture_send(&f, scheme, frame, size); /* twice: the second is for nobody */
    cr_assert_not(fixture_command(&f));
    fixture_approve(&f);
    cr_assert(fixture_answer(&f, client));
    fixture_end(&f);
}

Test(forward, no_link_is_not_sent)
{
    struct fixture f;
    fixture_init(&f);
    f.io->refuse_connects = true;
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t frame[FRAME_MAX];
    uint32_t size = forwarded(&f, frame, "0100", "000001");
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_command(&f));
    fixture_forward(&f, 700001);
    cr_assert(fixture_command(&f));
    cr_assert_eq(f.header.kind, LEDGER_OUTCOME);
    cr_assert_eq(f.outcome.outcome, LEDGER_OUTCOME_NOT_SENT);
    fixture_decline(&f, "91");
    cr_assert(fixture_answer(&f, client));
    cr_assert_str_eq(fixture_field(&f, 39), "91");
    /* The back-off grows, and the link comes back by itself. */
    fixture_advance(&f, 5 * NS_PER_S);
    uint32_t attempts = f.io->connects_count;
    cr_assert(attempts > 5 && attempts < 20, "%u attempts", attempts);
    f.io->refuse_connects = false;
    fixture_advance(&f, 6 * NS_PER_S);
    cr_assert_eq(f.board.endpoints[0].is_up, 1);
    fixture_end(&f);
}

Test(forward, a_full_window_is_not_sent)
{
    struct fixture f;
    fixture_init(&f);
    f.endpoints[0].window = 1;
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t frame[FRAME_MAX];
    uint32_t size = forwarded(&f, frame, "0100", "000001");
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_command(&f));
    fixture_forward(&f, 700001);
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_command(&f));
    fixture_forward(&f, 700002);
    cr_assert(fixture_command(&f));
    cr_assert_eq(f.outcome.outcome, LEDGER_OUTCOME_NOT_SENT);
    fixture_end(&f);
}

Test(forward, a_lost_link_leaves_the_attempt_unknown)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f), scheme = fixture_scheme(&f);
    uint8_t frame[FRAME_MAX];
    uint32_t size = forwarded(&f, frame, "0100", "000001");
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_command(&f));
    fixture_forward(&f, 700001);
    cr_assert(fixture_answer(&f, scheme));
    fake_end(f.io, scheme);
    fixture_run(&f);
    cr_assert_eq(f.board.endpoints[0].is_up, 0);
    cr_assert_not(fixture_command(&f));
    fixture_advance(&f, NS_PER_S); /* dialled again: the answer may come over the new connection */
    cr_assert_neq(fixture_scheme(&f), scheme);
    scheme_answers(&f, fixture_scheme(&f), "0110", "00");
    cr_assert(fixture_command(&f));
    cr_assert_eq(f.header.kind, LEDGER_OUTCOME);
    cr_assert_eq(f.outcome.outcome, LEDGER_OUTCOME_APPROVED);
    fixture_end(&f);
}

Test(forward, the_next_attempt_goes_elsewhere)
{
    struct fixture f;
    fixture_init(&f);
    f.options.endpoints_count = 2;
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    int32_t second = fixture_scheme(&f); /* the newest */
    uint8_t frame[FRAME_MAX];
    uint32_t size = forwarded(&f, frame, "0100", "000001");
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_command(&f));
    fixture_forward(&f, 700001);
    fixture_advance(&f, 3100 * NS_PER_MS);
    cr_assert(fixture_command(&f));
    cr_assert_eq(f.header.kind, LEDGER_TIMEOUT);
    struct ledger_forward next = {.txn = 4711,
                                  .de7 = 1121030005,
                                  .stan = 700002,
                                  .attempt = 2,
                                  .endpoint = 1,
                                  .rrn = "632503000001"};
    fixture_verdict(&f, LEDGER_VERDICT_FORWARD, &next, sizeof next);
    cr_assert(fixture_answer(&f, second));
    cr_assert_str_eq(fixture_field(&f, 11), "700002");
    scheme_answers(&f, second, "0110", "00");
    cr_assert(fixture_command(&f));
    cr_assert_eq(f.outcome.attempt, 2);
    fixture_approve(&f);
    cr_assert(fixture_answer(&f, client));
    cr_assert_eq(worker_numbers(f.worker).credits_free, FIXTURE_CREDITS);
    fixture_end(&f);
}

Test(forward, findings_of_the_switch_itself)
{
    static const struct {
        const char *de, *value;
        uint32_t findings;
    } rows[] = {
        {"49", "840", LEDGER_FOUND_NOT_PERMITTED | LEDGER_FOUND_CURRENCY},
        {"3", "310000", LEDGER_FOUND_NOT_PERMITTED},
        {"3", "200000", 0},
        {"52", "#119D82F40DFF2B03", LEDGER_FOUND_NO_TRANSLATE},
        {"2", "4000010000000010", LEDGER_FOUND_LUHN},
    };
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    for (uint32_t i = 0; i < countof(rows); i++) {
        uint8_t frame[FRAME_MAX];
        uint32_t size = fixture_message(&f, frame, "0200", "2", "4000010000000019", "3", "000000",
                                        "4", "000000010000", "7", "1121030000", "11", "000001",
                                        "32", "123456", "41", "TERM0001", "42", "MERCHANT0000001",
                                        "49", "398", rows[i].de, rows[i].value, NULL);
        fixture_send(&f, client, frame, size);
        cr_assert(fixture_command(&f));
        cr_assert_eq(f.command.request.findings, rows[i].findings, "row %u: %x", i,
                     f.command.request.findings);
        fixture_decline(&f, "57");
    }
    fixture_end(&f);
}

Test(forward, the_relay_keeps_nothing_sensitive)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t frame[FRAME_MAX];
    uint32_t size = fixture_message(
        &f, frame, "0200", "2", "4000010000000019", "3", "000000", "4", "000000010000", "7",
        "1121030000", "11", "000001", "32", "123456", "35", "4000010000000019=30122010000000000",
        "41", "TERM0001", "42", "MERCHANT0000001", "48", "9203025", "49", "398", NULL);
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_command(&f));
    const void *command = &f.command;
    cr_assert(memmem(command, f.header.size, "400001000000001", 15) == NULL);
    cr_assert(memmem(command, f.header.size, "9203025", 7) == NULL);
    cr_assert(memmem(command, f.header.size, "30122010", 8) == NULL);
    cr_assert_gt(f.command.relay.size, 40);
    struct secret_pan pan;
    cr_assert(hsm_unseal_pan(f.options.seal, f.command.relay.pan_sealed, &pan));
    cr_assert_eq(pan.size, 16);
    cr_assert_eq(memcmp(pan.digits, "4000010000000019", 16), 0);
    fixture_end(&f);
}
