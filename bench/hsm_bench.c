/* hsm_bench.c - `ringbench hsm`: card checks a second through a real token, a real hsmd and the
 * client's rings, in a closed loop of DEPTH jobs. Makes its own SoftHSM token in a folder of its
 * own. */
#include "bench/bench.h"

#include "base/clock.h"
#include "hsm/token.h"
#include <ftw.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEPTH       64u
#define SECONDS_NS  NS_PER_S /* a figure */
#define DEADLINE_NS (5 * NS_PER_S)

enum { ZONE_PIN, CVK, PVK, KEYS };

/* Published test keys: the figures do not depend on the values. */
static const struct hsm_token_key keys[KEYS] = {
    {{"bench-zone-pin", HSM_KEY_ZONE_PIN, {0x66, 0x6E, 0xA8}}, "ECC25208B6FD2023E9767A5489BC9415"},
    {{"bench-cvk", HSM_KEY_CVK, {0x26, 0x77, 0x7F}}, "6D61BA0EAED6548F1A86086208A886AB"},
    {{"bench-pvk", HSM_KEY_PVK, {0xF5, 0x05, 0xB7}}, "D9867045BC1343B3025D7A0EE3BC2AE9"},
};

static int run_all(const char *folder, bool json);

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

int bench_hsm(bool json)
{
    char folder[] = "/tmp/ringbench-hsm-XXXXXX";
    if (mkdtemp(folder) == NULL) {
        (void)fprintf(stderr, "ringbench: no folder can be made in /tmp\n");
        return 2;
    }
    int exit_status = run_all(folder, json);
    (void)nftw(folder, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
    return exit_status;
}

static int64_t now_ns(void)
{
    return clock_system.boot_ns(clock_system.context);
}

static struct hsm_job job_of(uint32_t checks)
{
    return (struct hsm_job){
        .deadline_ns = now_ns() + DEADLINE_NS,
        .checks = checks,
        .pan = {.digits = "9900010000000019", .size = 16},
        .zone_pin_key = ZONE_PIN,
        .pvk = PVK,
        .cvk = CVK,
        .pin_block = {0x11, 0x9D, 0x82, 0xF4, 0x0D, 0xFF, 0x2B, 0x03},
        .pvki = '1',
        .pvv = {'4', '0', '2', '2'},
        .expiry = {'3', '0', '1', '2'},
        .cvv2 = {'0', '2', '5'},
    };
}

static void sleep_until_rung(struct hsm_client *client)
{
    struct pollfd bell = {.fd = hsm_client_wake_fd(client), .events = POLLIN};
    uint64_t rung;
    if (!hsm_client_pending(client) && poll(&bell, 1, 100) > 0) {
        (void)!read(bell.fd, &rung, sizeof rung);
    }
}

/* Answers a second, or a negative number when one was not OK. */
static double measure(struct hsm_client *client, uint32_t checks)
{
    struct hsm_result results[DEPTH];
    uint32_t in_flight = 0;
    uint64_t done_count = 0;
    int64_t start_ns = now_ns(), time_ns = start_ns;
    while (time_ns - start_ns < SECONDS_NS || in_flight > 0) {
        while (in_flight < DEPTH && time_ns - start_ns < SECONDS_NS) {
            struct hsm_job job = job_of(checks);
            if (!hsm_submit(client, &job)) {
                return -1;
            }
            in_flight++;
        }
        hsm_flush(client);
        uint32_t count = hsm_drain(client, results, DEPTH, time_ns);
        for (uint32_t i = 0; i < count; i++) {
            if (results[i].status != HSM_OK || results[i].pin == HSM_WRONG ||
                results[i].cvv2 == HSM_WRONG) {
                return -1;
            }
        }
        in_flight -= count;
        done_count += count;
        if (count == 0) {
            sleep_until_rung(client);
        }
        time_ns = now_ns();
    }
    return (double)done_count * (double)NS_PER_S / (double)(time_ns - start_ns);
}

static int run_all(const char *folder, bool json)
{
    static const struct {
        const char *name;
        uint32_t checks;
    } rows[] = {{"hsm.cvv", HSM_CHECK_CVV2}, {"hsm.pvv", HSM_CHECK_PIN}};
    char text[HSM_TEXT_BYTES] = "";
    struct hsm_token_options token = {.directory = folder};
    struct hsm_key table[KEYS];
    for (uint32_t i = 0; i < KEYS; i++) {
        table[i] = keys[i].key;
    }
    struct hsm_options options = {
        .token_directory = folder, .keys = table, .keys_count = KEYS, .clients_count = 1};
    struct hsm_supervisor *supervisor = NULL;
    if (hsm_token_init(&token, keys, KEYS, NULL, NULL, text, sizeof text) == HSM_TOKEN_OK) {
        supervisor = hsm_supervisor_start(&options, text, sizeof text);
    }
    if (supervisor == NULL) {
        (void)fprintf(stderr, "ringbench: %s\n", text);
        return 2;
    }
    struct hsm_client *client = hsm_client_create(hsm_supervisor_shared(supervisor), 0);
    int exit_status = 0;
    for (uint32_t i = 0; i < countof(rows) && exit_status == 0; i++) {
        double per_second = measure(client, rows[i].checks);
        if (per_second < 0) {
            (void)fprintf(stderr, "ringbench: %s: the token gave no right answer\n", rows[i].name);
            exit_status = 1;
        } else if (json) {
            (void)printf("{\"bench\":\"%s\",\"depth\":%u,\"per_second\":%.0f}\n", rows[i].name,
                         DEPTH, per_second);
        } else {
            (void)printf("%-24s depth %u %12.0f per second\n", rows[i].name, DEPTH, per_second);
        }
    }
    hsm_supervisor_stop(supervisor);
    return exit_status;
}
