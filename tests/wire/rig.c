/* rig.c - see rig.h: processes, directories, the control socket. */
#include "tests/wire/rig.h"

#include "base/clock.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SETS           6u /* made for each rig */
#define ARGUMENTS_MAX  96
#define START_MS       60000
#define STOP_MS        15000
#define FAILURES_SHOWN 20u

extern char **environ;

uint32_t checks_passed, checks_failed;

bool check(bool holds, const char *file, int line, const char *format, ...)
{
    if (holds) {
        checks_passed++;
        return true;
    }
    if (checks_failed++ < FAILURES_SHOWN) {
        va_list arguments;
        va_start(arguments, format);
        printf("%s:%d: ", file, line);
        (void)vprintf(format, arguments);
        printf("\n");
        va_end(arguments);
    }
    (void)fflush(stdout);
    return false;
}

int checks_report(void)
{
    printf("%u passed, %u failed\n", checks_passed, checks_failed);
    return checks_failed != 0;
}

int64_t rig_now_ms(void)
{
    return clock_system.boot_ns(clock_system.context) / NS_PER_MS;
}

void rig_sleep_ms(int64_t milliseconds)
{
    struct timespec time = {.tv_sec = milliseconds / 1000,
                            .tv_nsec = milliseconds % 1000 * NS_PER_MS};
    (void)nanosleep(&time, NULL);
}

uint64_t rig_seed(void)
{
    const char *text = getenv("RS_SEED");
    uint64_t seed = text != NULL ? (uint64_t)strtoull(text, NULL, 10) : (uint64_t)getpid();
    printf("RS_SEED=%llu\n", (unsigned long long)seed);
    return seed;
}

uint64_t rig_random(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

/* ---- processes ----------------------------------------------------------------------------- */

/* Output goes to DIR/NAME.log. 0: could not be started. */
static pid_t start(const struct rig *rig, const char *log, const char *const *arguments)
{
    char path[600];
    pid_t child = 0;
    posix_spawn_file_actions_t actions;
    (void)snprintf(path, sizeof path, "%s/%s.log", rig->dir, log);
    must(posix_spawn_file_actions_init(&actions) == 0);
    must(posix_spawn_file_actions_addopen(&actions, 1, path, O_WRONLY | O_CREAT | O_APPEND, 0600) ==
         0);
    must(posix_spawn_file_actions_adddup2(&actions, 1, 2) == 0);
    int error = posix_spawn(&child, arguments[0], &actions, NULL,
                            (char *const *)(uintptr_t)arguments, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    return error == 0 ? child : 0;
}

/* Exit status; -1: it was killed, or did not end in time and is now. */
static int await(pid_t child, int64_t timeout_ms)
{
    int status;
    int64_t give_up_ms = rig_now_ms() + timeout_ms;
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (rig_now_ms() > give_up_ms) {
            (void)kill(child, SIGKILL);
            (void)waitpid(child, &status, 0);
            return -1;
        }
        rig_sleep_ms(5);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int run_to_end(const struct rig *rig, const char *log, const char *const *arguments)
{
    pid_t child = start(rig, log, arguments);
    return child == 0 ? -1 : await(child, START_MS);
}

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    must(fd >= 0 && bind(fd, (struct sockaddr *)&address, size) == 0 &&
         getsockname(fd, (struct sockaddr *)&address, &size) == 0);
    (void)close(fd);
    return ntohs(address.sin_port);
}

/* The --set arguments of this rig; texts live in `room`. */
static int add_sets(const struct rig *rig, const char **arguments, int count, char room[][384],
                    uint32_t room_count)
{
    must(room_count >= SETS);
    (void)snprintf(room[0], 384, "data=%s", rig->dir);
    (void)snprintf(room[1], 384, "listeners.ascii.address=127.0.0.1:%u", rig->port);
    (void)snprintf(room[2], 384, "http.address=127.0.0.1:%u", rig->http_port);
    (void)snprintf(room[3], 384, "parties.demo-a.connect=127.0.0.1:%u", rig->scheme_ports[0]);
    (void)snprintf(room[4], 384, "parties.demo-b.connect=127.0.0.1:%u", rig->scheme_ports[1]);
    (void)snprintf(room[5], 384, "listeners.hex.address=127.0.0.1:%u", rig->hex_port);
    for (uint32_t i = 0; i < SETS; i++) {
        arguments[count++] = "--set";
        arguments[count++] = room[i];
    }
    /* No test may fail because the disk was slow: a test of shedding sets journal.slow itself. */
    static const char *const small[] = {"pin=off", "limits.txns=512Ki", "limits.replays=512Ki",
                                        "journal.slow=10s"};
    for (size_t i = 0; i < countof(small); i++) {
        arguments[count++] = "--set";
        arguments[count++] = small[i];
    }
    for (uint32_t i = 0; i < rig->sets_count; i++) {
        arguments[count++] = "--set";
        arguments[count++] = rig->sets[i];
    }
    return count;
}

/* ---- opening ------------------------------------------------------------------------------- */

static bool find_folders(struct rig *rig, bool use_release)
{
    const char *root = getenv("RS_ROOT"), *build = getenv("RS_BUILD_DIR");
    if (root == NULL || build == NULL) {
        return CHECK(false, "RS_ROOT and RS_BUILD_DIR are wanted: run `./dev test wire`");
    }
    (void)snprintf(rig->root, sizeof rig->root, "%s", root);
    (void)snprintf(rig->build, sizeof rig->build, "%s", build);
    if (use_release) {
        (void)snprintf(rig->build, sizeof rig->build, "%.480s/build/release", root);
    }
    return true;
}

static bool make_token(struct rig *rig)
{
    char room[SETS][384], ringctl[600], conf[600];
    const char *arguments[ARGUMENTS_MAX] = {ringctl, "hsm", "init", "-c", conf};
    (void)snprintf(ringctl, sizeof ringctl, "%s/ringctl", rig->build);
    (void)snprintf(conf, sizeof conf, "%s/conf/ringswitch.yaml", rig->root);
    int count = add_sets(rig, arguments, 5, room, countof(room));
    arguments[count] = NULL;
    return CHECK(run_to_end(rig, "token", arguments) == 0, "the token cannot be made: %s/token.log",
                 rig->dir);
}

bool rig_open(struct rig *rig, const char *name, bool use_release)
{
    char path[600], text[300];
    *rig = (struct rig){.daemon = 0};
    if (!find_folders(rig, use_release)) {
        return false;
    }
    const char *base = getenv("TMPDIR");
    (void)snprintf(rig->dir, sizeof rig->dir, "%s/ringswitch-%s-XXXXXX",
                   base == NULL ? "/tmp" : base, name);
    if (!CHECK(mkdtemp(rig->dir) != NULL, "%s: %s", rig->dir, strerror(errno))) {
        return false;
    }
    (void)snprintf(rig->socket, sizeof rig->socket, "%s/ringswitch.sock", rig->dir);
    rig->port = free_port();
    rig->hex_port = free_port();
    rig->http_port = free_port();
    rig->scheme_ports[0] = free_port();
    rig->scheme_ports[1] = free_port();
    struct iso_report *report = calloc(1, sizeof *report);
    must(report != NULL);
    (void)snprintf(path, sizeof path, "%s/conf/dialects", rig->root);
    rig->dialect = iso_dialect_by_name("iso87-ascii", path, report);
    bool read = CHECK(rig->dialect != NULL, "%s", report->texts[0]);
    free(report);
    (void)snprintf(path, sizeof path, "%s/conf/demo-keys.yaml", rig->root);
    return read && CHECK(demo_keys_read(path, &rig->keys, text, sizeof text), "%s", text) &&
           make_token(rig);
}

/* ---- starting ------------------------------------------------------------------------------ */

bool rig_start_schemes(struct rig *rig)
{
    char ringsim[600], listen[64], dialects[600], audit[600], log[32];
    (void)snprintf(ringsim, sizeof ringsim, "%s/ringsim", rig->build);
    (void)snprintf(dialects, sizeof dialects, "%s/conf/dialects", rig->root);
    for (uint32_t i = 0; i < 2; i++) {
        const char *arguments[ARGUMENTS_MAX] = {ringsim,      "scheme", "--listen", listen,
                                                "--dialects", dialects, "--audit",  audit};
        int count = 8;
        (void)snprintf(listen, sizeof listen, "127.0.0.1:%u", rig->scheme_ports[i]);
        (void)snprintf(audit, sizeof audit, "%s/demo-%c.audit", rig->dir, 'a' + (int)i);
        (void)snprintf(log, sizeof log, "demo-%c", 'a' + (int)i);
        for (uint32_t k = 0; rig->scheme_options[k] != NULL; k++) {
            arguments[count++] = rig->scheme_options[k];
        }
        arguments[count] = NULL;
        rig->schemes[i] = start(rig, log, arguments);
        if (!CHECK(rig->schemes[i] != 0, "a scheme does not start")) {
            return false;
        }
    }
    return true;
}

static bool is_answered(struct rig *rig)
{
    struct caller *caller = calloc(1, sizeof *caller);
    char text[200], address[32];
    struct rig_answer answer;
    struct rig_message echo = {.mti = "0800", .stan = 1};
    (void)snprintf(address, sizeof address, "127.0.0.1:%u", rig->port);
    must(caller != NULL);
    bool done = caller_open(caller, address, text, sizeof text) &&
                rig_ask(rig, caller, &echo, &answer) && strcmp(answer.de39, "00") == 0;
    caller_close(caller);
    free(caller);
    return done;
}

bool rig_start_daemon(struct rig *rig)
{
    char room[SETS][384], ringswitch[600], conf[600];
    const char *arguments[ARGUMENTS_MAX] = {ringswitch, "-c", conf};
    (void)snprintf(ringswitch, sizeof ringswitch, "%s/ringswitch", rig->build);
    (void)snprintf(conf, sizeof conf, "%s/conf/ringswitch.yaml", rig->root);
    int count = add_sets(rig, arguments, 3, room, countof(room));
    arguments[count] = NULL;
    rig->daemon = start(rig, "start", arguments);
    int64_t give_up_ms = rig_now_ms() + START_MS;
    while (rig->daemon != 0 && !is_answered(rig)) {
        int status;
        if (waitpid(rig->daemon, &status, WNOHANG) != 0) {
            rig->daemon = 0;
        } else if (rig_now_ms() > give_up_ms) {
            rig_kill(rig);
        }
        rig_sleep_ms(10);
    }
    return CHECK(rig->daemon != 0, "the daemon does not start: %s/start.log", rig->dir);
}

bool rig_start(struct rig *rig)
{
    return rig_start_schemes(rig) && rig_start_daemon(rig);
}

void rig_kill(struct rig *rig)
{
    if (rig->daemon != 0) {
        (void)kill(rig->daemon, SIGKILL);
        (void)waitpid(rig->daemon, NULL, 0);
        rig->daemon = 0;
    }
}

int rig_stop_daemon(struct rig *rig)
{
    if (rig->daemon == 0) {
        return 0;
    }
    (void)kill(rig->daemon, SIGTERM);
    int status = await(rig->daemon, STOP_MS);
    rig->daemon = 0;
    return status;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)status;
    (void)kind;
    (void)place;
    return remove(path);
}

void rig_end(struct rig *rig)
{
    int status = rig_stop_daemon(rig);
    (void)CHECK(status == 0, "the daemon ended with %d", status);
    for (uint32_t i = 0; i < 2; i++) {
        if (rig->schemes[i] != 0) {
            (void)kill(rig->schemes[i], SIGTERM);
            (void)await(rig->schemes[i], STOP_MS);
            rig->schemes[i] = 0;
        }
    }
    iso_dialect_free(rig->dialect);
    rig->dialect = NULL;
    if (checks_failed == 0) {
        (void)nftw(rig->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    } else {
        printf("left behind: %s\n", rig->dir);
    }
}

pid_t rig_hsmd(const struct rig *rig)
{
    char path[64], text[128];
    (void)snprintf(path, sizeof path, "/proc/%d/task/%d/children", rig->daemon, rig->daemon);
    FILE *file = fopen(path, "re");
    pid_t found = 0;
    if (file != NULL && fgets(text, sizeof text, file) != NULL) {
        found = (pid_t)strtol(text, NULL, 10);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return found;
}

/* ---- control ------------------------------------------------------------------------------- */

bool rig_call(struct rig *rig, const char *command, json_t *args, struct ctl_answer *answer)
{
    struct ctl_client client;
    char text[300];
    *answer = (struct ctl_answer){.rows = json_array(), .exit = 2};
    if (!ctl_open(&client, rig->socket, text, sizeof text)) {
        json_decref(args);
        return CHECK(false, "%s", text);
    }
    ctl_answer_free(answer);
    ctl_call(&client, command, args, answer);
    ctl_close(&client);
    return answer->exit == 0;
}

static bool call_done(struct rig *rig, const char *command, json_t *args)
{
    struct ctl_answer answer;
    bool done = rig_call(rig, command, args, &answer);
    (void)CHECK(done, "%s: exit %d %s", command, answer.exit, answer.error);
    ctl_answer_free(&answer);
    return done;
}

static void import_card(struct ctl_client *client, const struct rig *rig, uint32_t card)
{
    char pan[17], pin[5], pvv[5], account[24];
    demo_pan(card, pan);
    demo_pin(card, pin);
    demo_pvv(&rig->keys, pan, pin, pvv);
    (void)snprintf(account, sizeof account, "card/%u", card);
    json_t *args =
        json_pack("{s:s, s:s, s:i, s:i, s:s, s:i, s:i, s:i}", "card", pan, "account", account,
                  "expiry", card == 298 ? 2001 : 3012, "service_code", 201, "pvv", pvv, "pvki", 1,
                  "balance_minor", card == 300 ? 100 : 100000000, "currency", 398);
    (void)CHECK(ctl_send(client, "card import", args), "the control socket does not take more");
    json_decref(args);
}

static bool import_cards(struct rig *rig)
{
    static const uint32_t others[] = {901, 902, 904};
    struct ctl_client client;
    struct ctl_answer answer;
    char text[300];
    if (!CHECK(ctl_open(&client, rig->socket, text, sizeof text), "%s", text)) {
        return false;
    }
    uint32_t count = 0, refused = 0;
    for (uint32_t card = 1; card <= DEMO_CARDS_MAX; card++, count++) {
        import_card(&client, rig, card);
    }
    for (size_t i = 0; i < countof(others); i++, count++) {
        import_card(&client, rig, others[i]);
    }
    for (uint32_t i = 0; i < count; i++) {
        ctl_collect(&client, &answer);
        refused += answer.exit != 0;
        ctl_answer_free(&answer);
    }
    ctl_close(&client);
    return CHECK(refused == 0, "%u cards were refused", refused);
}

bool rig_fill(struct rig *rig)
{
    static const char *const house[] = {"funding", "settlement/acquirer", "settlement/demo-a",
                                        "settlement/demo-b"};
    static const struct {
        const char *command;
        uint32_t card;
    } changes[] = {{"card block", 299}, {"card lost", 901}, {"card stolen", 902}};
    char pan[17];
    bool done = true;
    for (size_t i = 0; i < countof(house); i++) {
        struct ctl_answer answer; /* the daemon may have made it by itself */
        (void)rig_call(rig, "account create",
                       json_pack("{s:s, s:b}", "account", house[i], "house", 1), &answer);
        ctl_answer_free(&answer);
    }
    done &= import_cards(rig);
    for (size_t i = 0; i < countof(changes); i++) {
        demo_pan(changes[i].card, pan);
        done &= call_done(rig, changes[i].command, json_pack("{s:s}", "card", pan));
    }
    demo_pan(904, pan);
    return done && call_done(rig, "account freeze", json_pack("{s:s}", "account", "card/297")) &&
           call_done(rig, "list add",
                     json_pack("{s:s, s:s}", "list", "velocity_cards", "card", pan));
}

static int64_t account_number(struct rig *rig, const char *account, const char *key)
{
    struct ctl_answer answer;
    bool done = rig_call(rig, "account show", json_pack("{s:s}", "account", account), &answer);
    (void)CHECK(done, "account show %s: %s", account, answer.error);
    int64_t value = json_integer_value(json_object_get(json_array_get(answer.rows, 0), key));
    ctl_answer_free(&answer);
    return value;
}

int64_t rig_balance(struct rig *rig, const char *account)
{
    return account_number(rig, account, "balance_minor");
}

int64_t rig_held(struct rig *rig, const char *account)
{
    return account_number(rig, account, "held_minor");
}

void rig_sums(struct rig *rig, const char *prefix, int64_t *balance, int64_t *held)
{
    struct ctl_answer answer;
    size_t index;
    json_t *row;
    *balance = *held = 0;
    bool done = rig_call(rig, "account list", NULL, &answer);
    (void)CHECK(done, "account list: %s", answer.error);
    json_array_foreach(answer.rows, index, row)
    {
        const char *name = json_string_value(json_object_get(row, "account"));
        if (name != NULL && strncmp(name, prefix, strlen(prefix)) == 0) {
            *balance += json_integer_value(json_object_get(row, "balance_minor"));
            *held += json_integer_value(json_object_get(row, "held_minor"));
        }
    }
    ctl_answer_free(&answer);
}

bool rig_settle(struct rig *rig, int64_t timeout_ms)
{
    int64_t give_up_ms = rig_now_ms() + timeout_ms;
    for (;;) {
        struct ctl_answer answer;
        bool done = rig_call(rig, "saf list", NULL, &answer);
        size_t left = json_array_size(answer.rows);
        ctl_answer_free(&answer);
        if (!done || left == 0 || rig_now_ms() > give_up_ms) {
            return done && left == 0;
        }
        rig_sleep_ms(50);
    }
}

void rig_check_books(struct rig *rig)
{
    struct ctl_answer answer;
    size_t index;
    json_t *row;
    bool done = rig_call(rig, "ledger verify", NULL, &answer);
    (void)CHECK(done && json_is_true(json_object_get(json_array_get(answer.rows, 0), "ok")),
                "ledger verify: exit %d %s", answer.exit, answer.error);
    ctl_answer_free(&answer);
    done = rig_call(rig, "ledger trial-balance", NULL, &answer);
    (void)CHECK(done, "trial-balance: %s", answer.error);
    json_array_foreach(answer.rows, index, row)
    {
        (void)CHECK(json_integer_value(json_object_get(row, "difference_minor")) == 0,
                    "debits and credits differ");
    }
    ctl_answer_free(&answer);
}
