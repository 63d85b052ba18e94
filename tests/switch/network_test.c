/* network_test.c - our own 0800, short sends, requests of a scheme, echo fields of each answer. */
#include "tests/switch/fixture.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static void answer_network(struct fixture *f, int32_t scheme, const char *de39)
{
    char de7[11], de11[7];
    memcpy(de7, fixture_field(f, 7), sizeof de7);
    memcpy(de11, fixture_field(f, 11), sizeof de11);
    uint8_t frame[FRAME_MAX];
    uint32_t size = fixture_message(f, frame, "0810", "7", de7, "11", de11, "39", de39, NULL);
    fixture_send(f, scheme, frame, size);
}

Test(network, sign_on_comes_before_everything)
{
    struct fixture f;
    fixture_init(&f);
    struct adapter adapter = *adapter_at(ADAPTER_ISO_HOST);
    adapter.sign_on = true;
    f.endpoints[0].adapter = &adapter;
    fixture_serve(&f);
    int32_t scheme = fixture_scheme(&f);
    cr_assert(fixture_answer(&f, scheme));
    cr_assert_str_eq(fixture_mti(&f), "0800");
    cr_assert_str_eq(fixture_field(&f, 70), "001");
    cr_assert_str_eq(fixture_field(&f, 33), "990001");
    cr_assert_eq(f.board.endpoints[0].is_up, 0);
    answer_network(&f, scheme, "05"); /* refused: asked again */
    cr_assert_eq(f.board.endpoints[0].is_up, 0);
    fixture_advance(&f, 6 * NS_PER_S);
    cr_assert(fixture_answer(&f, scheme));
    cr_assert_str_eq(fixture_field(&f, 70), "001");
    answer_network(&f, scheme, "00");
    cr_assert_eq(f.board.endpoints[0].is_up, 1);
    fixture_advance(&f, 20 * NS_PER_S);
    cr_assert_not(fixture_answer(&f, scheme)); /* no echo unless one is asked for */
    fixture_end(&f);
}

Test(network, unanswered_echoes_end_the_connection)
{
    struct fixture f;
    fixture_init(&f);
    f.endpoints[0].echo_interval_ns = 10 * NS_PER_S;
    fixture_serve(&f);
    int32_t scheme = fixture_scheme(&f);
    fixture_advance(&f, 11 * NS_PER_S);
    cr_assert(fixture_answer(&f, scheme));
    cr_assert_str_eq(fixture_field(&f, 70), "301");
    answer_network(&f, scheme, "00");
    fixture_advance(&f, 40 * NS_PER_S);
    cr_assert(f.io->sockets[scheme].is_closed);
    cr_assert_neq(fixture_scheme(&f), scheme);
    fixture_end(&f);
}

Test(network, a_scheme_may_ask_us_too)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t scheme = fixture_scheme(&f);
    uint8_t frame[FRAME_MAX];
    uint32_t size =
        fixture_message(&f, frame, "0800", "7", "1121030000", "11", "000001", "70", "301", NULL);
    fixture_send(&f, scheme, frame, size);
    cr_assert(fixture_answer(&f, scheme));
    cr_assert_str_eq(fixture_mti(&f), "0810");
    cr_assert_str_eq(fixture_field(&f, 39), "00");
    size = fixture_purchase(&f, frame, "0100", "000001");
    fixture_send(&f, scheme, frame, size);
    cr_assert(fixture_command(&f));
    cr_assert_eq(f.command.request.party, 1);
    fixture_approve(&f);
    cr_assert(fixture_answer(&f, scheme));
    cr_assert_str_eq(fixture_mti(&f), "0110");
    fixture_end(&f);
}

/* Contract section 2: what an answer carries, and nothing else. */
Test(network, echo_fields_of_each_answer)
{
    static const struct {
        const char *mti, *answer, *echoes;
    } rows[] = {
        {"0100", "0110", "2 3 4 7 11 12 13 32 37 39 41 42 49 90 95"},
        {"0120", "0130", "2 3 4 7 11 12 13 32 37 38 39 41 42 49 90 95"},
        {"0201", "0210", "2 3 4 7 11 12 13 32 37 39 41 42 49 90 95"},
        {"0221", "0230", "2 3 4 7 11 12 13 32 37 38 39 41 42 49 90 95"},
        {"0400", "0410", "2 3 4 7 11 12 13 32 37 38 39 41 42 49 90 95"},
        {"0421", "0430", "2 3 4 7 11 12 13 32 37 38 39 41 42 49 90 95"},
    };
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    for (uint32_t i = 0; i < countof(rows); i++) {
        uint8_t frame[FRAME_MAX];
        uint32_t size = fixture_message(
            &f, frame, rows[i].mti, "2", "9900010000000019", "3", "000000", "4", "000000010000",
            "7", "1121030000", "11", "000001", "12", "080000", "13", "1121", "14", "3012", "15",
            "1121", "18", "5411", "22", "012", "25", "00", "32", "123456", "33", "111111", "37",
            "632503000001", "38", "ABC123", "41", "TERM0001", "42", "MERCHANT0000001", "43",
            "ACME STORE                              ", "49", "398", "90",
            "010000000111210300000000012345600000000000", "95",
            "000000006000000000000000C00000000C00000000", "102", "card/1", NULL);
        fixture_send(&f, client, frame, size);
        cr_assert(fixture_command(&f), "%s", rows[i].mti);
        fixture_decline(&f, "05");
        cr_assert(fixture_answer(&f, client));
        cr_assert_str_eq(fixture_mti(&f), rows[i].answer);
        char fields[256] = "";
        for (uint32_t de = iso_msg_next(&f.msg, 1); de != 0; de = iso_msg_next(&f.msg, de)) {
            size_t used = strlen(fields);
            (void)snprintf(fields + used, sizeof fields - used, used == 0 ? "%u" : " %u", de);
        }
        cr_assert_str_eq(fields, rows[i].echoes, "%s: %s", rows[i].mti, fields);
    }
    fixture_end(&f);
}
