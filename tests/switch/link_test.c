/* link_test.c - frames in pieces, windows, half-close, back-pressure, drain. */
#include "tests/switch/fixture.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

Test(link, a_frame_may_come_in_any_pieces)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t frames[4 * FRAME_MAX];
    uint32_t size = 0;
    for (uint32_t i = 0; i < 3; i++) {
        char stan[7] = "000001";
        stan[5] = (char)('1' + i);
        size += fixture_purchase(&f, frames + size, "0100", stan);
        frames[size++] = 0; /* a keep-alive between them */
        frames[size++] = 0;
    }
    for (uint32_t piece = 1; piece < 200; piece += 7) {
        for (uint32_t at = 0; at < size; at += piece) {
            fixture_send(&f, client, frames + at, piece < size - at ? piece : size - at);
        }
        for (uint32_t i = 1; i <= 3; i++) {
            cr_assert(fixture_command(&f), "piece %u, frame %u", piece, i);
            cr_assert_eq(f.command.request.stan, i);
            fixture_approve(&f);
            cr_assert(fixture_answer(&f, client));
        }
        cr_assert_not(fixture_command(&f));
    }
    fixture_end(&f);
}

Test(link, answers_of_one_turn_go_out_in_one_send)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t frames[8 * 512];
    uint32_t size = 0;
    for (uint32_t i = 0; i < 8; i++) {
        size += fixture_message(&f, frames + size, "0800", "7", "1121030000", "11", "000001", "70",
                                "301", NULL);
    }
    fixture_send(&f, client, frames, size);
    cr_assert_eq(f.io->sockets[client].sends_count, 1);
    for (uint32_t i = 0; i < 8; i++) {
        cr_assert(fixture_answer(&f, client));
    }
    fixture_end(&f);
}

Test(link, beyond_the_window_everything_is_busy)
{
    struct fixture f;
    fixture_init(&f);
    f.parties[0].window = 4;
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t frame[FRAME_MAX];
    uint32_t size;
    for (uint32_t i = 0; i < 4; i++) {
        size = fixture_purchase(&f, frame, "0100", "000001");
        fixture_send(&f, client, frame, size);
    }
    cr_assert_not(fixture_answer(&f, client));
    size = fixture_purchase(&f, frame, "0420", "000005"); /* also without DE90 */
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_answer(&f, client));
    cr_assert_str_eq(fixture_mti(&f), "0430");
    cr_assert_str_eq(fixture_field(&f, 39), "91");
    cr_assert_str_eq(fixture_field(&f, 44), "BUSY");
    cr_assert_str_eq(fixture_field(&f, 11), "000005");
    size = fixture_message(&f, frame, "0800", "7", "1121030000", "11", "000001", "70", "301", NULL);
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_answer(&f, client));
    cr_assert_str_eq(fixture_field(&f, 44), "BUSY");
    fixture_command(&f);
    fixture_approve(&f); /* one place is free again */
    cr_assert(fixture_answer(&f, client));
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_answer(&f, client));
    cr_assert_str_eq(fixture_field(&f, 39), "00");
    cr_assert_eq(worker_numbers(f.worker).shed_count, 2);
    fixture_end(&f);
}

Test(link, an_overloaded_ledger_is_busy)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t frame[FRAME_MAX];
    uint32_t size = fixture_purchase(&f, frame, "0100", "000001");

    f.ledger_board.busy = 1;
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_answer(&f, client));
    cr_assert_str_eq(fixture_field(&f, 44), "BUSY");
    f.ledger_board.busy = 0;

    f.ledger_board.oldest_write_ns = f.boot_ns - 251 * NS_PER_MS;
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_answer(&f, client));
    cr_assert_str_eq(fixture_field(&f, 44), "BUSY");
    f.ledger_board.oldest_write_ns = f.boot_ns - 249 * NS_PER_MS;
    fixture_send(&f, client, frame, size);
    cr_assert_not(fixture_answer(&f, client));
    cr_assert(fixture_command(&f));
    fixture_verdict(&f, LEDGER_VERDICT_BUSY, NULL, 0);
    cr_assert(fixture_answer(&f, client));
    cr_assert_str_eq(fixture_field(&f, 39), "91");
    cr_assert_str_eq(fixture_field(&f, 44), "BUSY");
    fixture_end(&f);
}

Test(link, without_slots_or_credits_requests_are_busy)
{
    struct fixture f;
    fixture_init(&f);
    f.options.txns_max = 2;
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t frame[FRAME_MAX];
    uint32_t size = fixture_purchase(&f, frame, "0100", "000001");
    for (uint32_t i = 0; i < 3; i++) {
        fixture_send(&f, client, frame, size);
    }
    cr_assert(fixture_answer(&f, client));
    cr_assert_str_eq(fixture_field(&f, 44), "BUSY");
    fixture_end(&f);

    fixture_init(&f);
    f.port.credits = 5;
    fixture_serve(&f);
    client = fixture_client(&f);
    for (uint32_t i = 0; i < 3; i++) {
        fixture_send(&f, client, frame, size);
        cr_assert(fixture_command(&f));
    }
    fixture_send(&f, client, frame, size); /* two are left: too few for what may be forwarded */
    cr_assert(fixture_answer(&f, client));
    cr_assert_str_eq(fixture_field(&f, 44), "BUSY");
    fixture_end(&f);
}

Test(link, after_half_close_what_is_in_flight_is_answered_then_closed)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t frame[FRAME_MAX];
    uint32_t size = fixture_purchase(&f, frame, "0100", "000001");
    fixture_send(&f, client, frame, size);
    fixture_send(&f, client, frame, size);
    fake_end(f.io, client);
    fixture_run(&f);
    cr_assert_not(f.io->sockets[client].is_closed);
    cr_assert(fixture_command(&f));
    fixture_approve(&f);
    cr_assert(fixture_answer(&f, client));
    cr_assert_not(f.io->sockets[client].is_closed);
    cr_assert(fixture_command(&f));
    fixture_approve(&f);
    cr_assert(fixture_answer(&f, client));
    cr_assert(f.io->sockets[client].is_shut);
    cr_assert(f.io->sockets[client].is_closed);
    cr_assert_eq(worker_numbers(f.worker).links_accepted, 0);
    fixture_end(&f);
}

Test(link, the_answer_and_the_end_in_one_turn)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t frame[FRAME_MAX];
    uint32_t size =
        fixture_message(&f, frame, "0800", "7", "1121030000", "11", "000001", "70", "301", NULL);
    fake_receive(f.io, client, frame, size);
    fake_end(f.io, client);
    fixture_run(&f);
    cr_assert(fixture_answer(&f, client));
    cr_assert(f.io->sockets[client].is_closed);
    fixture_end(&f);
}

Test(link, one_connection_too_many_is_closed_at_once)
{
    struct fixture f;
    fixture_init(&f);
    f.options.links_max = 3;
    fixture_serve(&f);
    int32_t clients[4];
    for (uint32_t i = 0; i < 4; i++) {
        clients[i] = fixture_client(&f);
    }
    cr_assert_not(f.io->sockets[clients[2]].is_closed);
    cr_assert(f.io->sockets[clients[3]].is_closed);
    fake_end(f.io, clients[0]);
    fixture_run(&f);
    int32_t next = fixture_client(&f);
    cr_assert_not(f.io->sockets[next].is_closed);
    fixture_end(&f);
}

Test(link, a_length_above_8192_closes_that_connection_only)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f), other = fixture_client(&f);
    static const uint8_t most[] = {0x20, 0x00}, more[] = {0x20, 0x01};
    fixture_send(&f, other, most, 2);
    cr_assert_not(f.io->sockets[other].is_closed);
    fixture_send(&f, client, more, 2);
    cr_assert(f.io->sockets[client].is_closed);
    uint8_t rest[8192];
    memset(rest, 'A', sizeof rest);
    fixture_send(&f, other, rest, sizeof rest);
    cr_assert_not(f.io->sockets[other].is_closed);
    fixture_end(&f);
}

Test(link, a_peer_that_does_not_read_is_closed)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    f.io->sockets[client].is_stuck = true;
    uint8_t frame[FRAME_MAX];
    uint32_t size =
        fixture_message(&f, frame, "0800", "7", "1121030000", "11", "000001", "70", "301", NULL);
    uint32_t sent = 0;
    while (!f.io->sockets[client].is_closed && sent < 10000) {
        fixture_send(&f, client, frame, size);
        sent++;
    }
    cr_assert(f.io->sockets[client].is_closed);
    cr_assert_gt(sent, 1000);
    fixture_end(&f);
}

Test(link, drain_answers_what_is_in_flight_and_takes_nothing_new)
{
    struct fixture f;
    fixture_init(&f);
    fixture_serve(&f);
    int32_t client = fixture_client(&f);
    uint8_t frame[FRAME_MAX];
    uint32_t size = fixture_purchase(&f, frame, "0100", "000001");
    fixture_send(&f, client, frame, size);
    cr_assert(fixture_command(&f));
    worker_drain(f.worker);
    fixture_run(&f);
    cr_assert_eq(worker_state(f.worker), WORKER_DRAINING);
    uint8_t second[FRAME_MAX];
    uint32_t second_size = fixture_purchase(&f, second, "0100", "000002");
    fixture_send(&f, client, second, second_size);
    cr_assert(fixture_answer(&f, client));
    cr_assert_str_eq(fixture_field(&f, 44), "BUSY");
    fixture_approve(&f);
    cr_assert(fixture_answer(&f, client));
    cr_assert_str_eq(fixture_field(&f, 39), "00");
    fixture_run(&f);
    cr_assert(f.io->sockets[client].is_closed);
    cr_assert_eq(worker_state(f.worker), WORKER_DRAINED);
    fixture_end(&f);
}

Test(link, a_port_in_use_is_refused_with_its_address)
{
    struct fixture f;
    fixture_init(&f);
    f.io->listen_err = IO_ERR_IN_USE;
    fixture_serve(&f);
    cr_assert_eq(worker_state(f.worker), WORKER_REFUSED);
    cr_assert(strstr(worker_refusal(f.worker), "127.0.0.1:8583") != NULL);
    fixture_end(&f);
}

/* Nothing that arrives may break the worker, or another link's answers. */
Test(link, mutated_frames)
{
    struct fixture f;
    fixture_init(&f);
    f.options.links_max = 64;
    fixture_serve(&f);
    int32_t good = fixture_client(&f), bad = fixture_client(&f);
    uint8_t pattern[FRAME_MAX], frame[FRAME_MAX];
    uint32_t pattern_size = fixture_purchase(&f, pattern, "0100", "000001");
    uint64_t random = 1;
    for (uint32_t i = 0; i < 600; i++) {
        memcpy(frame, pattern, pattern_size);
        uint32_t size = pattern_size;
        for (uint32_t flips = 0; flips < 1 + i % 4; flips++) {
            random = random * 6364136223846793005u + 1442695040888963407u;
            frame[(random >> 33) % size] ^= (uint8_t)(1u << (random >> 60 & 7u));
        }
        if (i % 3 == 0) {
            size = (uint32_t)(random >> 20) % size;
        }
        if (f.io->sockets[bad].is_closed) {
            bad = fixture_client(&f);
        }
        if (size > 0) {
            fixture_send(&f, bad, frame, size);
        }
        if (i % 5 == 0 && !f.io->sockets[bad].is_closed) {
            fake_end(f.io, bad);
            fixture_run(&f);
            bad = fixture_client(&f);
        }
        while (fixture_command(&f)) {
            fixture_approve(&f);
        }
        fixture_send(&f, good, pattern, pattern_size);
        cr_assert(fixture_command(&f));
        fixture_approve(&f);
        cr_assert(fixture_answer(&f, good));
        cr_assert_str_eq(fixture_field(&f, 39), "00");
    }
    cr_assert_eq(worker_numbers(f.worker).txns_in_flight, 0);
    cr_assert_eq(worker_numbers(f.worker).credits_free, FIXTURE_CREDITS);
    fixture_end(&f);
}
