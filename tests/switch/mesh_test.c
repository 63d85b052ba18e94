/* mesh_test.c - two workers: the acquirer's link on one, the scheme's on the other. */
#include "switch/mesh.h"
#include "tests/switch/fixture.h"

#include <criterion/criterion.h>
#include <string.h>

struct pair {
    struct fixture near, far; /* of the acquirer, of the scheme */
};

static void run(struct pair *p)
{
    for (uint32_t i = 0; i < 4; i++) {
        fixture_run(&p->near);
        fixture_run(&p->far);
    }
}

static void advance(struct pair *p, int64_t ns)
{
    for (int64_t at = 0; at < ns; at += 10 * NS_PER_MS) {
        p->near.boot_ns += 10 * NS_PER_MS;
        p->far.boot_ns += 10 * NS_PER_MS;
        run(p);
    }
}

static void start(struct pair *p)
{
    fixture_init(&p->near);
    fixture_init(&p->far);
    struct mesh *mesh = mesh_create(2);
    p->near.endpoints[0].owner = p->far.endpoints[0].owner = 1;
    p->near.options.workers_count = p->far.options.workers_count = 2;
    p->near.options.mesh = p->far.options.mesh = mesh;
    p->far.options.index = 1;
    p->far.options.board = &p->near.board;
    fixture_serve(&p->near);
    fixture_serve(&p->far);
}

static void end(struct pair *p)
{
    fixture_end(&p->far);
    fixture_end(&p->near);
}

/* Up to the durable intent; the scheme's link has the message when it is up. */
static void forward(struct pair *p, int32_t client)
{
    uint8_t frame[FRAME_MAX];
    uint32_t size = fixture_message(&p->near, frame, "0100", "2", "4000010000000019", "3", "000000",
                                    "4", "000000010000", "7", "1121030000", "11", "000001", "32",
                                    "123456", "37", "632503000001", "41", "TERM0001", "42",
                                    "MERCHANT0000001", "49", "398", NULL);
    fixture_send(&p->near, client, frame, size);
    cr_assert(fixture_command(&p->near));
    fixture_forward(&p->near, 700001);
    run(p);
}

static void scheme_answers(struct pair *p, int32_t scheme, const char *stan)
{
    uint8_t frame[FRAME_MAX];
    uint32_t size = fixture_message(&p->far, frame, "0110", "7", "1121030001", "11", stan, "38",
                                    "S12345", "39", "00", NULL);
    fixture_send(&p->far, scheme, frame, size);
    run(p);
}

Test(mesh, goes_there_and_comes_back)
{
    struct pair p;
    start(&p);
    int32_t client = fixture_client(&p.near), scheme = fixture_scheme(&p.far);
    forward(&p, client);
    cr_assert(fixture_answer(&p.far, scheme));
    cr_assert_str_eq(fixture_field(&p.far, 11), "700001");
    scheme_answers(&p, scheme, "700001");
    cr_assert(fixture_command(&p.near));
    cr_assert_eq(p.near.outcome.outcome, LEDGER_OUTCOME_APPROVED);
    cr_assert_eq(memcmp(p.near.outcome.de38, "S12345", 6), 0);
    fixture_approve(&p.near);
    cr_assert(fixture_answer(&p.near, client));
    cr_assert_str_eq(fixture_field(&p.near, 39), "00");
    cr_assert_not(fixture_command(&p.far));
    end(&p);
}

Test(mesh, late_over_there_is_late_here)
{
    struct pair p;
    start(&p);
    int32_t client = fixture_client(&p.near), scheme = fixture_scheme(&p.far);
    forward(&p, client);
    cr_assert(fixture_answer(&p.far, scheme));
    advance(&p, 3100 * NS_PER_MS);
    cr_assert(fixture_command(&p.near));
    cr_assert_eq(p.near.header.kind, LEDGER_TIMEOUT);
    scheme_answers(&p, scheme, "700001");
    cr_assert_not(fixture_command(&p.near));
    cr_assert_eq(worker_numbers(p.far.worker).late_count, 1);
    end(&p);
}

Test(mesh, no_link_over_there_is_not_sent)
{
    struct pair p;
    start(&p);
    int32_t client = fixture_client(&p.near);
    p.far.io->refuse_connects = true;
    fake_end(p.far.io, fixture_scheme(&p.far));
    run(&p);
    forward(&p, client);
    cr_assert(fixture_command(&p.near));
    cr_assert_eq(p.near.header.kind, LEDGER_OUTCOME);
    cr_assert_eq(p.near.outcome.outcome, LEDGER_OUTCOME_NOT_SENT);
    end(&p);
}
