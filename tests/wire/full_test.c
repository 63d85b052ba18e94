/* full_test.c - the disk fills up while the daemon works, and has room again.
 *
 * The directory is a small file system of its own; where none may be mounted, a limit on the sizes
 * of the daemon's files takes its place. The journal's segments are there already, so approvals go
 * on until they are full: then requests are answered 91 BUSY, and alarms say which follower wants
 * room. With room again everything goes on by itself; what was answered 00 is booked. */
#include "tests/wire/rig.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#define DISK_BYTES  "size=48m"
#define FILE_LIMIT  (2u << 20) /* of a file, where nothing can be mounted */
#define DEPTH       32u
#define BUSY_ENOUGH 300u
#define WITHIN_MS   60000

static struct rig rig;
static struct caller caller;
static char disk[300], log_path[320], filler[320], log_setting[340];
static bool is_mounted;
static uint32_t said, heard, approved, busy, others;

static void say_one(void)
{
    char pan[17];
    uint8_t bytes[512];
    demo_pan(1 + said % 250, pan);
    struct rig_message message = {.mti = "0200", .pan = pan, .amount_minor = 1, .stan = said + 1};
    (void)snprintf(message.rrn, sizeof message.rrn, "F%011u", said + 1);
    uint32_t size = rig_build(&rig, &message, bytes, sizeof bytes);
    (void)CHECK(caller_say(&caller, (struct span){bytes, size}), "said");
    said++;
}

static bool hear_one(void)
{
    struct span bytes;
    struct rig_answer answer;
    if (!CHECK(caller_hear(&caller, 30000, &bytes) == CALLER_MESSAGE &&
                   rig_read(&rig, bytes, &answer),
               "an answer comes (%u of %u)", heard, said)) {
        return false;
    }
    heard++;
    approved += strcmp(answer.de39, "00") == 0;
    busy += rig_is_busy(&answer);
    others += strcmp(answer.de39, "00") != 0 && !rig_is_busy(&answer);
    return true;
}

/* `depth` in flight until *count has grown by `wanted`; false: it has not within the time. */
static bool load_until(const uint32_t *count, uint32_t wanted, uint32_t depth)
{
    uint32_t before = *count;
    int64_t give_up_ms = rig_now_ms() + WITHIN_MS;
    bool going = true;
    while (going && *count - before < wanted && rig_now_ms() < give_up_ms) {
        while (said - heard < depth) {
            say_one();
        }
        going = hear_one();
    }
    while (going && heard < said) {
        going = hear_one();
    }
    return going && *count - before >= wanted;
}

/* The last piece that fits is a byte: nothing is left. */
static void fill_up(void)
{
    if (!is_mounted) {
        const struct rlimit limit = {FILE_LIMIT, RLIM_INFINITY};
        (void)CHECK(prlimit(rig.daemon, RLIMIT_FSIZE, &limit, NULL) == 0, "a limit of file sizes");
        return;
    }
    static char zeros[1 << 16];
    FILE *file = fopen(filler, "we");
    if (CHECK(file != NULL, "%s", filler)) {
        (void)setvbuf(file, NULL, _IONBF, 0);
        for (size_t size = sizeof zeros; size > 0; size /= 2) {
            while (fwrite(zeros, 1, size, file) == size) {
            }
        }
        (void)fclose(file);
    }
}

static void make_room(void)
{
    const struct rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    int done = is_mounted ? unlink(filler) : prlimit(rig.daemon, RLIMIT_FSIZE, &none, NULL);
    (void)CHECK(done == 0, "room is made");
}

static bool log_has(const char *event)
{
    char wanted[64], line[1024];
    (void)snprintf(wanted, sizeof wanted, "\"event\":\"%s\"", event);
    for (uint32_t i = 0; i < 50; i++) {
        FILE *file = fopen(log_path, "re");
        bool found = false;
        while (file != NULL && !found && fgets(line, sizeof line, file) != NULL) {
            found = strstr(line, wanted) != NULL;
        }
        if (file != NULL) {
            (void)fclose(file);
        }
        if (found) {
            return CHECK(true, "%s", event);
        }
        rig_sleep_ms(100);
    }
    return CHECK(false, "the log has no %s", event);
}

static void story(void)
{
    int64_t before = rig_balance(&rig, "settlement/acquirer");
    (void)CHECK(load_until(&approved, 200, DEPTH) && others == 0, "before: %u others", others);
    fill_up();
    (void)CHECK(load_until(&busy, BUSY_ENOUGH, DEPTH) && others == 0,
                "the full disk: %u approved, %u busy, %u others", approved, busy, others);
    (void)log_has("follower.retries");
    (void)log_has("ledger.busy");
    (void)CHECK(rig_balance(&rig, "settlement/acquirer") - before == approved,
                "on the full disk: %u approved, booked is another sum", approved);
    make_room();
    (void)log_has("follower.goes_on");
    (void)CHECK(load_until(&approved, 500, 1), "with room: %u approved, %u busy", approved, busy);
    (void)log_has("ledger.admits");
    (void)CHECK(rig_balance(&rig, "settlement/acquirer") - before == approved && others == 0,
                "with room: %u approved, %u others, booked is another sum", approved, others);
    rig_check_books(&rig);
    caller_close(&caller);
    (void)CHECK(rig_stop_daemon(&rig) == 0, "it drains");
    if (rig_start_daemon(&rig)) {
        (void)CHECK(rig_balance(&rig, "settlement/acquirer") - before == approved,
                    "after a restart: %u approved, booked is another sum", approved);
        rig_check_books(&rig);
    }
}

int main(void)
{
    const char *base = getenv("TMPDIR");
    (void)snprintf(disk, sizeof disk, "%s/ringswitch-disk-XXXXXX", base == NULL ? "/tmp" : base);
    must(mkdtemp(disk) != NULL);
    is_mounted = mount("none", disk, "tmpfs", 0, DISK_BYTES) == 0;
    must(setenv("TMPDIR", disk, 1) == 0);
    (void)snprintf(filler, sizeof filler, "%s/filler", disk);
    (void)snprintf(log_path, sizeof log_path, "%s.log", disk);
    (void)snprintf(log_setting, sizeof log_setting, "log.file=%s", log_path);
    bool is_open = rig_open(&rig, "full", false);
    rig.sets[rig.sets_count++] = log_setting;
    rig.sets[rig.sets_count++] = "journal.segment_bytes=1MiB";
    rig.sets[rig.sets_count++] = "journal.segments=4";
    if (is_open && rig_start(&rig) && rig_fill(&rig) && rig_connect(&rig, &caller)) {
        story();
    }
    printf("%s: %u said, %u approved, %u busy\n", is_mounted ? "a small disk" : "a limit", said,
           approved, busy);
    rig_end(&rig);
    if (checks_failed == 0) {
        (void)unlink(log_path);
    }
    if (is_mounted) {
        (void)umount2(disk, MNT_DETACH);
    }
    (void)rmdir(disk);
    return checks_report();
}
