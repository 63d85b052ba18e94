/* secret_test.c - what a thief of memory and files would find.
 *
 * Under load with PINs, CVV2s and tracks, `gcore` dumps the daemon and every hsmd (release build:
 * it has what production has); then the dumps, the journal, the LMDB files, logs and the archive
 * are searched for PANs in clear (text and packed), track data, PIN blocks (clear and as sent) and
 * CVV2s in their element. Nothing may be there. */
#include "tests/wire/rig.h"

#include <elf.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define CARDS       40u
#define NEEDLES_MAX (CARDS * 6)
#define DUMPS_MAX   4u
#define PER_CARD    50u

struct needle {
    uint8_t bytes[40];
    uint32_t size;
    const char *what;
    uint32_t card;
    uint16_t next; /* index + 1 of another one with the same two first bytes */
};

static struct rig rig;
static struct caller caller;
static struct needle needles[NEEDLES_MAX];
static uint16_t first_by_start[65536];
static uint32_t needles_count, files_searched, controls_found;
static uint64_t bytes_searched;
static size_t notes_from, notes_to; /* of the file that is being searched */
static uint32_t in_registers;

static void add(const void *bytes, uint32_t size, const char *what, uint32_t card)
{
    struct needle *needle = &needles[needles_count++];
    must(needles_count <= NEEDLES_MAX && size <= sizeof needle->bytes);
    *needle = (struct needle){.size = size, .what = what, .card = card};
    memcpy(needle->bytes, bytes, size);
    needle->next = first_by_start[load_be16(needle->bytes)];
    first_by_start[load_be16(needle->bytes)] = (uint16_t)needles_count;
}

static void add_needles(uint32_t card)
{
    char pan[17], pin[5], cvv2[4], track[38], element[8];
    uint8_t packed[8], block[8];
    size_t size;
    demo_pan(card, pan);
    demo_pin(card, pin);
    demo_cvv(&rig.keys, pan, "3012", "000", cvv2);
    demo_track2(&rig.keys, card, "3012", track);
    demo_pin_block(&rig.keys, pan, pin, block);
    must(bytes_from_hex(pan, 16, packed, sizeof packed, &size));
    add(pan, 16, "PAN as text", card);
    add(packed, 8, "PAN packed", card);
    add(track + 16, 17, "track 2 behind the PAN", card);
    add(block, 8, "PIN block as sent", card);
    (void)snprintf(element, sizeof element, "9203%s", cvv2);
    add(element, 7, "CVV2 in its element", card);
}

/* One pass: the first two bytes lead to the few needles that begin so. */
static void search(const char *path, const uint8_t *data, size_t size)
{
    static const char control[] = "TERM0001"; /* must be there: else we search the wrong things */
    for (size_t at = 0; at + 2 < size; at++) {
        uint16_t next = first_by_start[load_be16(data + at)];
        while (next != 0) {
            const struct needle *needle = &needles[next - 1];
            if (needle->size <= size - at && memcmp(data + at, needle->bytes, needle->size) == 0) {
                bool is_note = at >= notes_from && at < notes_to;
                in_registers += is_note;
                (void)CHECK(is_note, "%s at %zu of %s (card %u)", needle->what, at, path,
                            needle->card);
            }
            next = needle->next;
        }
    }
    controls_found += memmem(data, size, control, sizeof control - 1) != NULL;
    checks_passed += needles_count;
    files_searched++;
    bytes_searched += size;
}

/* Where a core file keeps the registers. */
static void find_notes(const uint8_t *data, size_t size)
{
    notes_from = notes_to = 0;
    Elf64_Ehdr head;
    if (size < sizeof head || memcmp(data, ELFMAG, SELFMAG) != 0) {
        return;
    }
    memcpy(&head, data, sizeof head);
    for (size_t i = 0; i < head.e_phnum && head.e_type == ET_CORE; i++) {
        Elf64_Phdr part;
        if (head.e_phoff + (i + 1) * sizeof part > size) {
            return;
        }
        memcpy(&part, data + head.e_phoff + i * sizeof part, sizeof part);
        if (part.p_type == PT_NOTE) {
            notes_from = part.p_offset;
            notes_to = part.p_offset + part.p_filesz;
        }
    }
}

static int search_file(const char *path, const struct stat *status, int kind, struct FTW *place)
{
    (void)place;
    if (kind != FTW_F || status->st_size == 0 || strstr(path, "/token/") != NULL) {
        return 0;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (!CHECK(fd >= 0, "%s cannot be read", path)) {
        return 0;
    }
    size_t size = (size_t)status->st_size;
    void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (CHECK(data != MAP_FAILED, "%s cannot be mapped", path)) {
        find_notes(data, size);
        search(path, data, size);
        (void)munmap(data, size);
    }
    (void)close(fd);
    return 0;
}

/* One message of every kind that carries something secret. */
static void say_secrets(uint32_t number)
{
    char pan[17], pin[5], cvv2[4], track[38], hex[17];
    uint8_t block[8], bytes[1024];
    uint32_t card = 1 + number % CARDS;
    demo_pan(card, pan);
    demo_pin(card, pin);
    demo_cvv(&rig.keys, pan, "3012", "000", cvv2);
    demo_track2(&rig.keys, card, "3012", track);
    demo_pin_block(&rig.keys, pan, pin, block);
    bytes_to_hex(block, 8, hex);
    struct rig_message message = {.mti = number % 2 == 0 ? "0200" : "0100",
                                  .pan = pan,
                                  .amount_minor = 1,
                                  .stan = number,
                                  .de52 = number % 3 == 0 ? hex : NULL,
                                  .cvv2 = number % 3 == 1 ? cvv2 : NULL,
                                  .track2 = number % 3 == 2 ? track : NULL};
    (void)snprintf(message.rrn, sizeof message.rrn, "T%011u", number);
    uint32_t size = rig_build(&rig, &message, bytes, sizeof bytes);
    (void)CHECK(caller_say(&caller, (struct span){bytes, size}), "said");
}

static uint32_t traffic(uint32_t from, uint32_t count)
{
    struct span bytes;
    uint32_t said = 0, heard = 0;
    while (heard < count) {
        while (said < count && said - heard < 32) {
            say_secrets(from + said++);
        }
        if (!CHECK(caller_hear(&caller, 30000, &bytes) == CALLER_MESSAGE, "an answer comes")) {
            break;
        }
        heard++;
    }
    return from + said;
}

/* Traffic from a process of its own, so that it goes on while we dump. */
static pid_t traffic_beside(uint32_t from)
{
    pid_t child = fork();
    if (child == 0) {
        caller.fd = -1;
        if (rig_connect(&rig, &caller)) {
            (void)traffic(from, 100000);
        }
        _exit(0);
    }
    return child;
}

static void dump(pid_t process, const char *name)
{
    char command[700];
    (void)snprintf(command, sizeof command, "rm -f '%s'/core-%s.*", rig.dir, name);
    (void)!system(command); /* NOLINT(cert-env33-c): our own text */
    (void)snprintf(command, sizeof command, "gcore -o '%s/core-%s' %d >'%s/gcore-%s.log' 2>&1",
                   rig.dir, name, process, rig.dir, name);
    int status = system(command); /* NOLINT(cert-env33-c): our own text */
    (void)CHECK(process > 0 && status == 0, "gcore of %s: %d", name, status);
}

int main(void)
{
    if (rig_open(&rig, "secret", true) && rig_start(&rig) && rig_fill(&rig) &&
        rig_connect(&rig, &caller)) {
        for (uint32_t card = 1; card <= CARDS; card++) {
            add_needles(card);
        }
        uint32_t next = traffic(1, CARDS * PER_CARD);
        pid_t beside = traffic_beside(next);
        rig_sleep_ms(300);
        for (uint32_t i = 0; i < DUMPS_MAX && (i == 0 || in_registers > 0); i++) {
            in_registers = 0;
            dump(rig.daemon, "ringswitch");
            dump(rig_hsmd(&rig), "hsmd");
            (void)CHECK(nftw(rig.dir, search_file, 16, FTW_PHYS) == 0, "the folder can be walked");
        }
        (void)CHECK(in_registers == 0, "registers keep what is secret: %u times", in_registers);
        (void)kill(beside, SIGKILL);
        (void)waitpid(beside, NULL, 0);
        printf("%u files, %llu MB, %u needles\n", files_searched,
               (unsigned long long)(bytes_searched >> 20), needles_count);
        (void)CHECK(files_searched > 8 && controls_found >= 2,
                    "the dumps and the journal were searched: %u controls", controls_found);
    }
    rig_end(&rig);
    return checks_report();
}
